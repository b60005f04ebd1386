"""Completeness and reconciliation over HTTP: for the parties, and for the regulator."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from api.node.reconciling import REPORT_MS, ReconciliationFigures, Reporter
from ledger.canonical import b64u, unb64u
from ledger.entries.leaf import consent_chain
from ledger.queries.completeness import MEDIA_TYPE
from ledger.receipts import check_receipt
from tests.api.service import Service
from tests.clocks import HandClock
from tests.ledger.merkle.patricia import verify_present
from tests.world import ConsentInWorld, Party, World, record_index_head, running_ledger


def consent_of(world: World) -> tuple[Party, Party, ConsentInWorld]:
    app, bank = world.recipient(), world.holder()
    return app, bank, world.active_consent(app, bank)


def test_a_consent_is_proved_complete_to_its_parties_and_to_nobody_else(service: Service) -> None:
    recipient, bank, consent = consent_of(service.world)
    path = f"/consents/{consent.consent_id}/completeness"
    none_yet = service.as_(bank).get(path)
    assert (none_yet.status_code, none_yet.json()["type"].endswith("/not-found")) == (404, True)
    head = record_index_head(service.node.ledger)
    answer = service.as_(bank).get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, MEDIA_TYPE)
    file = answer.json()
    assert file == service.as_(recipient).get(path).json()
    _, leaf = check_receipt(file["index_head"].encode(), service.node.ledger.vkey)
    assert (leaf.index, leaf.kind) == (head.index, "index-head")
    chain = consent_chain(consent.consent_id)
    value = file["count"].to_bytes(8, "big") + unb64u(file["last"])
    verify_present(unb64u(leaf.map_root), chain, value, unb64u(file["map_proof"]))  # type: ignore[union-attr]
    assert hashlib.sha256(b"\0" + file["leaves"][-1].encode()).digest() == unb64u(file["last"])
    assert (file["chain"], file["count"], len(file["leaves"])) == (b64u(chain), 2, 2)
    stranger = service.world.recipient("tpp-2")
    assert service.as_(stranger).get(path).status_code == 404


def test_a_regulator_sees_all_findings_and_parties_their_own(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.queries.reconciliation.DELAY_MS", 0)  # the real clock stands for the tests over HTTP
    world = service.world
    recipient, bank, consent = consent_of(world)
    regulator, stranger = world.join("fca", "regulator"), world.recipient("tpp-2")
    accesses = [world.record(recipient.access(consent))[0] for _ in range(3)]
    for access in accesses:
        world.record(bank.leg("release", consent, access))
    world.record(recipient.leg("receive", consent, accesses[1], rows=4))
    service.node.ledger.reconcile()
    expected = [
        (accesses[0].index, "receipt-missing"),
        (accesses[1].index, "rows-differ"),
        (accesses[2].index, "receipt-missing"),
    ]
    for viewer, seen in ((bank, expected), (recipient, expected), (regulator, expected), (stranger, [])):
        answer = service.as_(viewer).get("/reconciliation")
        assert [(one["access"], one["finding"]) for one in answer.json()["findings"]] == seen
    client = service.as_(bank)
    page = client.get("/reconciliation?limit=2&open=true")
    following = page.headers["link"].partition(">")[0].lstrip("<")
    rest = client.request("GET", following)
    assert [one["access"] for one in (*page.json()["findings"], *rest.json()["findings"])] == [
        a.index for a in accesses
    ]
    metrics = service.operator().get("/metrics").text
    assert "consent_ledger_reconciliation_open_findings 3.0" in metrics


def test_reports_write_themselves_hourly_while_there_is_anything_new(sqlite_url: str, tmp_path: Path) -> None:
    clock = HandClock()
    with running_ledger(sqlite_url, tmp_path, clock=clock) as ledger:
        world = World(ledger, clock)
        recipient, _, consent = consent_of(world)
        reporter = Reporter(ledger, clock=clock)
        assert reporter.turn() is None
        clock.advance(seconds=3_600)
        first = reporter.turn()
        assert first is not None
        world.record(recipient.access(consent))
        clock.advance(seconds=REPORT_MS / 1000 - 1)
        assert reporter.turn() is None
        clock.advance(seconds=301)
        assert reporter.turn() is not None
        clock.advance(seconds=36_000)
        assert reporter.turn() is None
        [family] = ReconciliationFigures(ledger.reconciliation).collect()
        assert [sample.value for sample in family.samples] == [0]


def test_a_damaged_map_is_found_by_check_and_made_again(tmp_path: Path) -> None:
    state = tmp_path / "state"

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, [*arguments, "--state", str(state)])

    assert run("init").exit_code == 0
    for number in range(12):
        added = run("participant", "add", f"bank-{number}", "--role", "holder", "--name", f"Bank {number}")
        assert added.exit_code == 0, added.output
    assert run("migrate").exit_code == 0  # brings the map up to the log
    assert run("check").exit_code == 0
    database = sqlite3.connect(state / "ledger.sqlite")
    assert database.execute("SELECT size FROM map_state").fetchone() == (13,)
    with database:
        database.execute(
            "UPDATE map_pages SET page = CAST(substr(page, 1, length(page) - 1) || x'00' AS BLOB) WHERE prefix <> ''"
        )
    database.close()
    found = run("check")
    assert (found.exit_code, "completeness map" in found.output) == (3, True), found.output
    assert run("rebuild-map").exit_code == 0
    assert run("check").exit_code == 0


def test_the_command_line_reports_now_or_says_why_not(tmp_path: Path) -> None:
    state = tmp_path / "state"

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, [*arguments, "--state", str(state)])

    assert run("init").exit_code == 0
    refused = run("reconcile")
    assert (refused.exit_code, "nothing to reconcile yet" in refused.stderr) == (1, True)
    assert run("migrate").exit_code == 0
    rebuilt = run("rebuild-map")
    assert (rebuilt.exit_code, "The completeness map covers 1 entries" in rebuilt.output) == (0, True), rebuilt.output
    checked = run("check")
    assert checked.exit_code == 0, checked.output
