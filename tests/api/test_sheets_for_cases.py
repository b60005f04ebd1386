"""Sheets of attested history are opened for a case as far as the regulator's remit reaches, and the rest is told with why
(docs/spec/history.md, 5, «Who may read it»)."""

from __future__ import annotations

import io
import json
import zipfile
from gzip import decompress

import pytest

from ledger.canonical import b64u
from ledger.entries.leaf import history_chain
from ledger.queries.disclosed import would_open
from ledger.queries.remit import Remit
from tests.api.service import Service, opened_by_two
from tests.histories import Told, bring, row, sheet

CUSTOMER = b64u(bytes(18))
ROWS = {
    "a-one": [row(recipient_id="tpp-1")],
    "a-two": [row(recipient_id="tpp-2"), row("consent", record=2, recipient_id="tpp-2")],
    "a-both": [row(recipient_id="tpp-1"), row(record=2, recipient_id="tpp-2")],
    "a-unnamed": [row(recipient_id="tpp-2"), row(record=2)],
    "b-unnamed": [row()],
}
ALL = {*ROWS}
EACH = {
    "all": (Remit(), ALL, {}),
    "its bank": (Remit(holders=frozenset({"bank-a"})), ALL - {"b-unnamed"}, {"holder": 1}),
    "another bank": (Remit(holders=frozenset({"bank-c"})), set(), {"holder": 5}),
    "recipient": (Remit(recipients=frozenset({"tpp-2"})), {"a-two"}, {"recipient": 2, "unnamed": 2}),
    "recipient at a bank": (
        Remit(holders=frozenset({"bank-a"}), recipients=frozenset({"tpp-1"})),
        {"a-one"},
        {"holder": 1, "recipient": 3},
    ),
    "jurisdiction of a bank": (
        Remit(within=frozenset({"bank-b", "tpp-2"})),
        {"b-unnamed", "a-two"},
        {"recipient": 2, "unnamed": 1},
    ),
}


@pytest.fixture
def brought(sqlite_service: Service) -> tuple[Service, dict[str, int]]:
    """Five sheets of customers of two banks, with their entries."""
    world, found = sqlite_service.world, {}
    parties = {name: world.holder(name) for name in ("bank-a", "bank-b")}
    for app in ("tpp-1", "tpp-2"):
        world.recipient(app)
    for name, rows in ROWS.items():
        told = Told(sheet(CUSTOMER, rows), name=name)
        told.attest["source"]["hash"] = b64u(name.encode().ljust(32, b"."))
        bank = parties["bank-a" if name.startswith("a") else "bank-b"]
        bring(lambda act, bank=bank, **members: world.ledger.record(bank.sign(act, **members))[0].index, told)
        found[name] = sqlite_service.size - 1
    return sqlite_service, found


def test_a_case_opens_the_sheets_within_the_remit_and_says_why_others_stay_closed(
    brought: tuple[Service, dict[str, int]],
) -> None:
    service, indexes = brought
    ledger, last = service.node.ledger, service.size - 1
    for number, (name, (remit, wanted, outside)) in enumerate(EACH.items()):
        regulator = f"regulator-{number}"
        service.node.remits = {regulator: remit}
        client = service.as_(service.world.join(regulator, "regulator"))
        asked = {"case": "c-1", "from_index": 0, "to_index": last}
        opened_by_two(service, regulator, **asked)
        opened = bodies(client.request("POST", "/bundles", json=asked).content)
        assert {sheet for sheet, index in indexes.items() if index in opened} == wanted, name
        found = would_open(ledger.store, ledger.keystore, remit, 0, last)
        assert dict(found.outside) == outside, name
        assert found.entries == len(opened), name
        if remit.is_limited:
            assert set(found.holders) == {f"bank-{one[0]}" for one in wanted}, name
            assert found.customers == len(found.holders), name
        some = would_open(ledger.store, ledger.keystore, remit, indexes["a-one"], indexes["a-one"])
        assert some.entries == ("a-one" in wanted), name


def test_a_sheet_that_was_erased_is_opened_to_nobody_and_not_counted(brought: tuple[Service, dict[str, int]]) -> None:
    service, _ = brought
    ledger = service.node.ledger
    ledger.erase([history_chain("bank-a", CUSTOMER)], "retention", ("officer-1", "officer-2"))
    remit = Remit(recipients=frozenset({"tpp-2"}))
    found = would_open(ledger.store, ledger.keystore, remit, 0, service.size - 1)
    assert (found.entries, dict(found.outside)) == (0, {"unnamed": 1}), "that of the other bank is left"


def bodies(content: bytes) -> set[int]:
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        files = [bundle.read(name) for name in bundle.namelist() if "evidence/" in name]
    return {json.loads(line)["index"] for file in files for line in decompress(file).splitlines()}
