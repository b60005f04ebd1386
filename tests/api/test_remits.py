"""A regulator's remit over HTTP: of every route that regulators may call, the answer holds nothing from outside it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import decompress
from pathlib import Path
from typing import Any

import pytest

from api.node.remits import read_remits
from ledger.canonical import b64u
from ledger.documents import activation, document_of
from ledger.entries.leaf import consent_chain
from ledger.errors import InvalidInput, NotFound
from ledger.orders import About, AlertRaised, ScoringActivated
from ledger.queries.remit import Remit
from tests.api.doors import ALLOWED, routes_of
from tests.api.service import Service, opened_by_two
from tests.world import Party

HASH = b64u(bytes(32))
LIMITS = {
    "holder": Remit(holders=frozenset({"bank-b"})),
    "recipient": Remit(recipients=frozenset({"tpp-2"})),
    "jurisdiction": Remit(within=frozenset({"bank-b", "tpp-2"})),
}
PUBLIC = {
    "/bundle": "leaves without evidence",
    "/entries/{name}": "leaves without evidence",
    "/partners/acts": "what the regulator itself signed",
    "/partners/attestations": "what was attested is for every participant",
    "/partners/delegations": "documents of the operator, which every reader of the log has",
    "/partners/maps": "hashes of maps are for every participant",
    "/supervision/freezes": "what is frozen is told to every participant",
}


@contextmanager
def acting(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Two banks with an app each: an alert, an incident, an assessment, a tariff, an access of either."""
    ledger, world = service.node.ledger, service.world
    if ledger.registry.ruleset < 3:
        ledger.record_documents(activation(3))
    ledger.record_documents(document_of(ScoringActivated, scoring=2, approved_by=("a", "b")))
    marks: dict[str, Any] = {}
    for bank, app in (("bank-a", "tpp-1"), ("bank-b", "tpp-2")):
        holder, recipient = world.holder(bank), world.recipient(app)
        consent = world.active_consent(recipient, holder)
        [access] = world.record(recipient.access(consent))
        world.record(holder.leg("release", consent, access))
        chain = b64u(consent_chain(consent.consent_id))
        ids = [raised(service, kind, name) for kind, name in (("consent", chain), ("holder", bank), ("recipient", app))]
        declare(service, holder, recipient)
        marks[bank] = {"alerts": ids, "access": access.index, "chain": chain, "ids": (f"of-{bank}", bank, app)}
        marks[bank]["finding"] = f'"access":{access.index},'
    monkeypatch.setattr("ledger.queries.reconciliation.DELAY_MS", 0)  # the real clock stands for the tests over HTTP
    ledger.reconcile()
    yield marks


def raised(service: Service, kind: Any, name: str) -> int:
    about = About(id=name, kind=kind)
    document = document_of(AlertRaised, about=about, at_index=service.size - 1, features=(71,), rule="woken", score=710)
    return service.node.ledger.record_documents(document)[0].index


def declare(service: Service, holder: Party, recipient: Party) -> None:
    now, name = service.world.clock.now() // 1000, f"of-{holder.id}"
    said: list[tuple[Party, str, dict[str, Any]]] = [
        (
            holder,
            "incident.open",
            {
                "incident_id": name,
                "affected": {"holder": holder.id, "recipient": recipient.id},
                "affected_consents": 1,
                "clocks": [{"due": now + 60, "name": "initial"}],
                "detected_at": now,
                "severity": 2,
                "text_hash": HASH,
                "class": "outage",
            },
        ),
        (
            holder,
            "assessment.record",
            {
                "assessment_id": name,
                "document_hash": HASH,
                "method": "own",
                "next_due": now + 600,
                "outcome": "acceptable",
                "scope": {"recipient": recipient.id},
            },
        ),
        (
            holder,
            "tariff.offer",
            {
                "recipient": recipient.id,
                "currency": "GBP",
                "from": 0,
                "lines": [{"free": 0, "tiers": [{"from": 0, "price": 1}]}],
                "tariff": name,
                "utc_offset": 0,
            },
        ),
    ]
    for party, act, members in said:
        service.node.ledger.submit_and_wait(service.node.ledger.prepare(party.sign(act, **members)))


@pytest.mark.parametrize("kind", [*LIMITS])
def test_no_route_tells_a_regulator_of_what_is_outside_its_remit(
    sqlite_service: Service, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    service = sqlite_service
    with acting(service, monkeypatch) as marks:
        everywhere, limited = (service.world.join(name, "regulator") for name in ("fca", "small"))
        service.node.remits = {"small": LIMITS[kind]}
        told: dict[str, list[str]] = {}
        for method, template, access in routes_of(service):
            if method != "GET" or access.removeprefix("token:") not in ALLOWED["regulator"] or template in PUBLIC:
                continue
            for path in paths(template, marks["bank-a"]):
                answers = [service.as_(one).get(path) for one in (everywhere, limited)]
                words = [
                    *map(json.dumps, marks["bank-a"]["ids"]),
                    *(f'"index":{index},' for index in marks["bank-a"]["alerts"]),
                    marks["bank-a"]["finding"],
                ]
                told[path] = [word for word in words if word in answers[0].text]
                if answers[0].status_code == 200 and told[path]:
                    assert [word for word in words if word in answers[1].text] == [], path
                    if "{" not in template and "alerts" in path:
                        assert str(marks["bank-b"]["alerts"][0]) in answers[1].text, "its own is there"
        seen = {path for path, words in told.items() if words}
        assert seen >= {
            "/supervision/alerts",
            "/supervision/incidents",
            "/supervision/assessments",
            "/partners/tariffs",
            "/reconciliation",
            *(f"/supervision/alerts/{index}" for index in marks["bank-a"]["alerts"]),
        }


def paths(template: str, marks: dict[str, Any]) -> list[str]:
    """Addresses of a route, of what belongs to bank-a."""
    if template == "/supervision/alerts/{index}":
        return [template.replace("{index}", str(index)) for index in marks["alerts"]]
    return [template.replace("{holder}", "bank-a").replace("{index}", str(marks["access"]))]


@pytest.mark.parametrize("kind", [*LIMITS])
def test_evidence_opened_for_a_case_is_that_of_the_remit(
    sqlite_service: Service, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    service = sqlite_service
    with acting(service, monkeypatch) as marks:
        opened = {}
        service.node.remits = {"small": LIMITS[kind]}
        for name in ("fca", "small"):
            client = service.as_(service.world.join(name, "regulator"))
            asked = {"case": "c-1", "from_index": 0, "to_index": service.size - 1}
            opened_by_two(service, name, **asked)
            content = client.request("POST", "/bundles", json=asked).content
            opened[name] = bodies(content)
    for name, expected in (("fca", {"bank-a", "bank-b"}), ("small", {"bank-b"})):
        assert {bank for bank in marks if marks[bank]["access"] in opened[name]} == expected


def bodies(content: bytes) -> set[int]:
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        files = [bundle.read(name) for name in bundle.namelist() if "evidence/" in name]
    return {json.loads(line)["index"] for file in files for line in decompress(file).splitlines()}


def test_an_auditor_that_is_a_regulator_too_reads_the_whole_log(sqlite_service: Service) -> None:
    service = sqlite_service
    service.node.remits = {"both": LIMITS["holder"], "one": LIMITS["holder"]}
    service.world.join("both", "auditor", "regulator")
    service.world.join("one", "regulator")
    assert not service.node.remit_of("both").is_limited
    assert service.node.remit_of("one") == LIMITS["holder"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "does not read"),
        (b'{"regulator-2": {"holders": ["bank-b"]}}', "unknown field"),
        (b'{"regulators": {"small": {"holder": ["bank-b"]}}}', "unknown field"),
        (b'{"regulators": {"small": {"jurisdictions": ["GB"]}}}', "small is there for GB"),
        (b'{"regulators": {"small": {"jurisdictions": ["gb"]}}}', "does not read"),
        (b'{"regulators": {}}' + b" " * (1 << 20), "larger than"),
    ],
)
def test_a_file_of_regulators_that_does_not_read_opens_nothing(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "regulators.json"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=said):
        read_remits(path)
    with pytest.raises(NotFound, match="does not exist"):
        read_remits(tmp_path / "nothing.json")


def test_a_jurisdiction_is_the_participants_that_the_file_names(tmp_path: Path) -> None:
    path = tmp_path / "regulators.json"
    path.write_text(
        json.dumps(
            {
                "jurisdictions": {"GB": ["bank-b"], "IE": ["tpp-2"]},
                "regulators": {"small": {"jurisdictions": ["GB", "IE"], "recipients": ["tpp-9"]}},
            }
        )
    )
    remit = read_remits(path)["small"]
    assert remit == Remit(recipients=frozenset({"tpp-9"}), within=frozenset({"bank-b", "tpp-2"}))
    assert remit.covers_consent("bank-b", "tpp-9")
    assert not remit.covers_consent("bank-a", "tpp-9")
    assert not remit.covers_consent("bank-b", "tpp-2")
