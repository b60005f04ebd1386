"""The forms of the acts of attested history are exactly those of the tables of docs/spec/history.md, 1–3."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verifier.history_forms import FORMS, changed
from tests.verifier.making import refusal
from verifier.errors import Code
from verifier.records.forms import read_content


@pytest.mark.parametrize(("act", "changes", "accepted"), FORMS)
def test_the_form_is_exactly_that_of_the_tables(act: str, changes: dict[str, Any], accepted: bool) -> None:
    payload = changed(act, changes)
    if accepted:
        read_content(act, payload)
        return
    with refusal(Code.BAD_ENCODING):
        read_content(act, payload)
