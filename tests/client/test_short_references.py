"""The short form of an account's reference, for standards whose account ids are shorter than references."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.guard.access import short_reference
from tests.client.bank import Scene, play, reason, receipt_in
from tests.client.service import Service, running_service
from tests.conformance import files
from tests.standards.versions import read


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("short")
    with running_service(f"sqlite:///{folder / 'ledger.sqlite'}", folder) as running:
        yield running


def test_an_address_may_name_an_account_by_the_short_form_of_its_reference(service: Service) -> None:
    async def story(scene: Scene) -> None:
        reference, scene.account = scene.account, short_reference(scene.account)
        answer = await scene.online(scene.item(accounts=[reference]))
        assert (answer.status_code, answer.json()["account"]) == (200, "account-1")
        item = receipt_in(answer, service).item
        assert item is not None
        assert item.accounts == (reference,), "the log knows references only"

    play(service, story)


def test_the_short_form_of_another_account_opens_none(service: Service) -> None:
    async def story(scene: Scene) -> None:
        reference, scene.account = scene.account, short_reference("an account of somebody else")
        answer = await scene.online(scene.item(accounts=[reference]))
        assert reason(answer) == (403, "REQUEST_MISMATCH")

    play(service, story)


def _account_ids(node: Any) -> Iterator[dict[str, Any]]:
    """The schemas of account ids in an official file, at any depth."""
    if isinstance(node, dict):
        for name, schema in node.items():
            if name in ("AccountId", "accountId", "resourceId") and isinstance(schema, dict) and "type" in schema:
                yield schema
            yield from _account_ids(schema)
    elif isinstance(node, list):
        for one in node:
            yield from _account_ids(one)


@pytest.mark.conformance
def test_the_short_form_is_an_account_id_in_every_standard() -> None:
    short = short_reference("a reference")
    schemas = [schema for path in files("standards/**/*.y*ml") for schema in _account_ids(read(path))]
    assert min(schema["maxLength"] for schema in schemas if "maxLength" in schema) < 43, "else no short form is needed"
    for schema in schemas:
        assert schema.get("minLength", 0) <= len(short) <= schema.get("maxLength", 64)
        assert re.search(schema.get("pattern", "."), short), schema
