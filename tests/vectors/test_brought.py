"""Attested histories: the ledger says what the vectors say (docs/spec/history.md)."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.entries.history_acts import HistoryAttest, HistorySheet
from ledger.entries.statement import parse_payload
from ledger.errors import BadStatement, LedgerError
from ledger.histories import AttestedHistories
from tests.vectors.reading import read

Json = dict[str, Any]
GIVEN = read("histories")


@pytest.mark.parametrize("case", GIVEN["attests"], ids=lambda case: case["name"])
def test_an_attested_history_is_one_or_none(case: Json) -> None:
    if case["accept"]:
        assert isinstance(parse_payload(case["attest"].encode()), HistoryAttest)
    else:
        with pytest.raises(BadStatement):
            parse_payload(case["attest"].encode())


@pytest.mark.parametrize("case", GIVEN["sheets"], ids=lambda case: case["name"])
def test_a_history_may_have_this_sheet_or_not(case: Json) -> None:
    attest = parse_payload(case["attest"].encode())
    assert isinstance(attest, HistoryAttest)
    known = AttestedHistories().after_declaration(attest.iss, attest, case["at"], attest.iat * 1000)
    if case.get("code") == "BAD_ENCODING":
        with pytest.raises(BadStatement):
            parse_payload(case["sheet"].encode())
        return
    sheet = parse_payload(case["sheet"].encode())
    assert isinstance(sheet, HistorySheet)
    if case["accept"]:
        known.require_sheet(sheet, case["began"])
    else:
        with pytest.raises(LedgerError):
            known.require_sheet(sheet, case["began"])


@pytest.mark.parametrize("case", GIVEN["whole"], ids=lambda case: case["name"])
def test_each_sheet_of_a_whole_one_is_legal_by_itself(case: Json) -> None:
    attest = parse_payload(case["attest"].encode())
    assert isinstance(attest, HistoryAttest)
    known = AttestedHistories().after_declaration(attest.iss, attest, 21, attest.iat * 1000)
    for each in case["sheets"]:
        sheet = parse_payload(each.encode())
        assert isinstance(sheet, HistorySheet)
        known.require_sheet(sheet, None)
