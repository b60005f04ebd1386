"""Freezes, assessments and incidents over HTTP, and the operator's own by command, on a log under ruleset 3."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from ledger.canonical import b64u
from ledger.catalogue import OPENS_UNDER
from ledger.documents import activation
from ledger.queries.remit import Remit
from tests.api.service import Service
from tests.world import Party, World

HASH = b64u(bytes(32))
CONSENT = "5f3c1a52-8a41-4c2e-9d3e-2f1f6f0a7b11"
OFFICERS = ("--approved-by", "officer-1", "--approved-by", "officer-2")


REMITS: Final = {
    "holder": Remit(holders=frozenset({"bank-b"})),
    "recipient": Remit(recipients=frozenset({"tpp-2"})),
    "jurisdiction": Remit(within=frozenset({"bank-b", "tpp-2"})),
}


@pytest.fixture
def supervised(service: Service) -> Service:
    ledger = service.node.ledger
    if ledger.registry.ruleset < 3:
        ledger.record_documents(activation(3))
    return service


def now(world: World) -> int:
    return world.clock.now() // 1000


def order(world: World, party: Party, **changes: Any) -> dict[str, Any]:
    members = {
        "freeze_id": "f-1",
        "scope": {},
        "from": 0,
        "until": now(world) + 60,
        "reason": "scraping",
        "drill": False,
    }
    return {"statement": party.sign("freeze.order", **{**members, **changes})}


def test_a_regulator_freezes_and_everybody_is_told(supervised: Service) -> None:
    service, world = supervised, supervised.world
    recipient, bank, regulator = world.recipient(), world.holder(), world.join("fca", "regulator")
    consent = world.active_consent(recipient, bank)
    refused = service.http.post("/supervision/freezes", json=order(world, recipient))
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (403, "not-permitted")
    answer = service.http.post("/supervision/freezes", json=order(world, regulator))
    assert (answer.status_code, answer.json()["entries"][0]["act"]) == (201, "freeze.order")
    [denied] = world.record(recipient.access(consent))
    assert denied.outcome.reasons == ("FROZEN",)  # type: ignore[union-attr]
    for viewer in (recipient, bank, regulator):
        [freeze] = service.as_(viewer).get("/supervision/freezes").json()["freezes"]
        assert (freeze["author"], freeze["freeze_id"], freeze["in_force"], freeze["drill"]) == (
            "fca",
            "f-1",
            True,
            False,
        )
        index = answer.json()["entries"][0]["index"]
        assert service.as_(viewer).get(f"/receipts/{index}").status_code == 200
    lift = {"statement": regulator.sign("freeze.lift", freeze_id="f-1", reason="over")}
    assert service.http.post("/supervision/freezes/lift", json=lift).status_code == 201
    [freeze] = service.as_(bank).get("/supervision/freezes").json()["freezes"]
    assert (freeze["in_force"], freeze["lifted_at"] is None) == (False, False)
    elsewhere = service.http.post("/supervision/freezes/lift", json=order(world, regulator, freeze_id="f-2"))
    assert elsewhere.json()["type"].endswith("/path-mismatch")


def test_assessments_and_incidents_are_for_their_authors_and_for_who_supervises(supervised: Service) -> None:
    service, world = supervised, supervised.world
    bank, other, regulator = world.holder(), world.holder("bank-b"), world.join("fca", "regulator")
    required = {"requirement_id": "r-1", "scope": {"holder": "bank-a"}, "reason": "pipl-55"}
    assessed = {
        "assessment_id": "a-1",
        "document_hash": HASH,
        "method": "pia",
        "next_due": now(world) + 60,
        "outcome": "acceptable",
        "scope": {},
    }
    incident = {
        "affected": {"holder": "bank-a"},
        "affected_consents": 2,
        "class": "leak",
        "detected_at": now(world),
        "clocks": [{"due": 1, "name": "4h"}, {"due": now(world) + 9_999, "name": "24h"}],
        "incident_id": "i-1",
        "severity": 1,
        "text_hash": HASH,
    }
    posts = (
        ("/supervision/assessments/require", regulator, "assessment.require", required),
        ("/supervision/assessments", bank, "assessment.record", assessed),
        ("/supervision/incidents", bank, "incident.open", incident),
    )
    for path, party, act, members in posts:
        assert service.http.post(path, json={"statement": party.sign(act, **members)}).status_code == 201, path
    for viewer, sees in ((bank, 1), (other, 0), (regulator, 1)):
        reading = service.as_(viewer)
        found = reading.get("/supervision/assessments").json()
        assert (len(found["requirements"]), len(found["assessments"])) == (1, sees)
        incidents = reading.get("/supervision/incidents").json()["incidents"]
        assert len(incidents) == sees
        assert [[clock["late"] for clock in one["clocks"]] for one in incidents] == [[True, False]] * sees


def test_a_one_off_consent_is_listed_as_consumed_when_its_window_is_over(supervised: Service) -> None:
    service, world = supervised, supervised.world
    recipient, bank = world.recipient(), world.holder()
    consent = world.active_consent(recipient, bank, once=True, once_seconds=1, frequency_per_day=0)
    world.record(recipient.access(consent, customer_present=False))
    reading = service.as_(recipient)
    shown = reading.get(f"/consents/{consent.consent_id}").json()
    assert (shown["used_today"], shown["basis"] >= 0) == (1, True)
    stored = service.node.ledger.records.consent(recipient.id, consent.consent_id)
    assert stored.status == "ACTIVE"
    while now(world) < stored.once_until:  # the real clock stands for the tests over HTTP
        reading.get("/log")
    for status, number in (("CONSUMED", 1), ("ACTIVE", 0)):
        listed = reading.get(f"/consents?status={status}").json()["consents"]
        assert [one["consent_id"] for one in listed] == [consent.consent_id] * number


@pytest.fixture
def state(tmp_path: Path, engine_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with a log under ruleset 3 in it, on each engine."""
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", engine_url)
    assert run(tmp_path / "state", "init", "--origin", "bank.example/log").exit_code == 0
    if OPENS_UNDER < 3:
        assert run(tmp_path / "state", "ruleset", "activate", "3").exit_code == 0
    return tmp_path / "state"


def run(state: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--state", str(state)])


@pytest.mark.parametrize("kind", sorted(REMITS))
def test_a_regulator_orders_only_for_whom_it_is_there(supervised: Service, kind: str) -> None:
    service, world = supervised, supervised.world
    bank, app = world.holder("bank-b"), world.recipient("tpp-2")
    regulator = world.join("fca", "regulator")
    service.node.remits = {"fca": REMITS[kind]}
    consent = world.active_consent(app, bank)
    size = service.size
    wide: list[dict[str, str]] = [
        {},
        {"country": "GB"},
        {"purpose": "budgeting"},
        {"holder": "bank-a"},
        {"recipient": "tpp-1"},
        {"holder": "bank-a", "recipient": "tpp-1"},
    ]
    wide += [{"holder": "bank-b"}] if kind == "recipient" else []
    wide += [{"recipient": "tpp-2"}] if kind == "holder" else []
    for scope in wide:
        refused = service.http.post("/supervision/freezes", json=order(world, regulator, scope=scope))
        assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (403, "not-permitted"), scope
        assert refused.json()["member"] == "scope"
        assert "there for" in refused.json()["detail"]
        said = regulator.sign("assessment.require", requirement_id="r-1", reason="test", scope=scope)
        refused = service.http.post("/supervision/assessments/require", json={"statement": said})
        assert refused.status_code == 403, scope
    assert service.size == size, "nothing was recorded"
    [allowed] = world.record(app.access(consent))
    assert allowed.outcome.reasons == ()  # type: ignore[union-attr]
    mine = {"holder": "bank-b", "recipient": "tpp-2"}
    assert service.http.post("/supervision/freezes", json=order(world, regulator, scope=mine)).status_code == 201
    [denied] = world.record(app.access(consent))
    assert denied.outcome.reasons == ("FROZEN",)  # type: ignore[union-attr]


def test_neither_an_auditors_eyes_nor_anothers_freeze_of_its_own_change_a_regulators_remit(supervised: Service) -> None:
    service, world = supervised, supervised.world
    app, both = world.recipient("tpp-1"), world.join("both", "regulator", "auditor")
    service.node.remits = {"both": REMITS["holder"], "tpp-1": REMITS["holder"]}
    assert not service.node.remit_of("both").is_limited, "as an auditor it sees all"
    assert service.http.post("/supervision/freezes", json=order(world, both)).status_code == 403
    own = order(world, app, scope={"recipient": "tpp-1"})
    assert service.http.post("/supervision/freezes", json=own).status_code == 201


def test_two_officers_freeze_and_hold_by_command(state: Path) -> None:
    wrong = (
        ("freeze", "order", "f-1", "--reason", "court", "--everything", "--approved-by", "officer-1"),
        ("freeze", "order", "f-1", "--reason", "court", "--everything", *OFFICERS[:2], *OFFICERS[:2]),
        ("freeze", "order", "f-1", "--reason", "court", *OFFICERS),
        ("freeze", "order", "f-1", "--reason", "court", "--everything", "--recipient", "app-x", *OFFICERS),
    )
    assert [run(state, *words).exit_code for words in wrong] == [2] * 4
    right = (
        ("freeze", "order", "drill-1", "--reason", "exercise", "--everything", "--drill", *OFFICERS),
        ("freeze", "order", "f-1", "--reason", "court", "--recipient", "app-x", *OFFICERS),
        ("freeze", "order", "f-2", "--reason", "court", "--purpose", "credit", *OFFICERS),
        ("freeze", "lift", "f-2", "--reason", "over", *OFFICERS),
        ("hold", "place", "case-1", "--consent", CONSENT, "--basis", "court", "--days", "3", *OFFICERS),
        ("hold", "place", "case-2", "--consent", CONSENT, "--basis", "court", *OFFICERS),
        ("hold", "lift", "case-2", "--reason", "over", *OFFICERS),
    )
    for words in right:
        done = run(state, *words)
        assert done.exit_code == 0, done.output
    freezes = run(state, "freeze", "list").output
    assert [word in freezes for word in ("drill-1  drill", "f-1  in force", "f-2  lifted")] == [True] * 3
    holds = run(state, "hold", "list").output
    assert [word in holds for word in ("case-1  in force", "case-2  over")] == [True] * 2
    refused = run(state, "freeze", "lift", "f-2", "--reason", "over", *OFFICERS)
    assert (refused.exit_code, "not lifted" in refused.stderr) == (1, True)
