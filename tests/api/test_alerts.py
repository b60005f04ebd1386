"""The queue of alerts over HTTP: who sees which, what is proposed and decided, and what a holder lets alerts deny."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from ledger.canonical import b64u
from ledger.documents import activation, document_of
from ledger.entries.leaf import consent_chain
from ledger.orders import About, AlertRaised, ScoringActivated
from tests.api.service import Service, TokenClient
from tests.world import Party

OFFICER = "o" * 22


@pytest.fixture
def supervised(service: Service) -> Service:
    ledger = service.node.ledger
    if ledger.registry.ruleset < 3:
        ledger.record_documents(activation(3))
    ledger.record_documents(document_of(ScoringActivated, scoring=1, approved_by=("a", "b")))
    return service


def raised(service: Service, kind: str, name: str, rule: str = "rate", score: int = 700) -> int:
    """An alert on record, at the newest entry."""
    about: Any = About(id=name, kind=kind)  # type: ignore[arg-type]  # one of the kinds
    document = document_of(
        AlertRaised, about=about, at_index=service.size - 1, features=(60, 3), rule=rule, score=score
    )
    return service.node.ledger.record_documents(document)[0].index


def seen(client: TokenClient, **asked: Any) -> list[int]:
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    answer = client.get(f"/supervision/alerts?{query}")
    assert answer.status_code == 200, answer.text
    return [one["index"] for one in answer.json()["alerts"]]


def decide(service: Service, party: Party, alert: int, decision: str, **members: Any) -> Any:
    said = {
        "alert": alert,
        "decision": decision,
        "officer": OFFICER,
        "proposal": "confirmed",
        "proposal_reasons": ["score-middle"],
        **members,
    }
    return service.http.post("/supervision/alerts/decide", json={"statement": party.sign("alert.decide", **said)})


def test_each_party_sees_what_concerns_it_and_nothing_else(supervised: Service) -> None:
    service, world = supervised, supervised.world
    recipient, stranger = world.recipient(), world.recipient("tpp-2")
    bank, other, regulator = world.holder(), world.holder("bank-b"), world.join("fca", "regulator")
    consent = world.active_consent(recipient, bank)
    chain = b64u(consent_chain(consent.consent_id))
    of_recipient = raised(service, "recipient", recipient.id)
    of_consent = raised(service, "consent", chain, "woken", 900)
    of_bank = raised(service, "holder", bank.id, "legs-differ", 800)
    every = [of_bank, of_consent, of_recipient]
    for party, expected in (
        (bank, every),
        (recipient, [of_consent, of_recipient]),
        (other, []),
        (stranger, []),
        (regulator, every),
    ):
        assert seen(service.as_(party)) == expected, party.id
    for party, status in ((other, 404), (stranger, 404), (bank, 200)):
        assert service.as_(party).get(f"/supervision/alerts/{of_consent}").status_code == status
    assert service.as_(bank).get("/supervision/alerts/0").status_code == 404
    assert service.as_(bank).get("/supervision/alerts?limit=0").status_code == 400
    one = service.as_(recipient).get(f"/supervision/alerts/{of_consent}").json()
    assert (one["rule"], one["score"], one["holder"], one["recipient"]) == ("woken", 900, bank.id, recipient.id)
    assert (one["state"], one["due"] - one["time"], one["late"]) == ("open", 4 * 3_600_000, False)


def test_older_alerts_are_asked_for_page_by_page(supervised: Service) -> None:
    service, world = supervised, supervised.world
    bank = world.holder()
    made = [raised(service, "holder", bank.id, "legs-differ") for _ in range(5)]
    reading, found, before = service.as_(bank), list[int](), 2**53
    while True:
        page = reading.get(f"/supervision/alerts?limit=2&before={before}").json()
        found += [one["index"] for one in page["alerts"]]
        if (before := page["before"]) is None:
            break
    assert found == made[::-1]


def test_a_decision_stands_beside_its_proposal_for_who_decided_and_for_the_regulator(supervised: Service) -> None:
    service, world = supervised, supervised.world
    recipient, bank, regulator = world.recipient(), world.holder(), world.join("fca", "regulator")
    world.active_consent(recipient, bank)
    first = raised(service, "recipient", recipient.id)
    proposed = service.as_(bank).get(f"/supervision/alerts/{first}").json()
    assert (proposed["proposed"], proposed["proposed_reasons"]) == ("confirmed", ["score-middle"])
    words = hashlib.sha256(b"known: end of the month").digest()
    assert decide(service, bank, first, "cleared", comment_hash=b64u(words)).status_code == 201
    of_bank = service.as_(bank).get(f"/supervision/alerts/{first}").json()
    [decision] = of_bank["decisions"]
    assert of_bank["state"] == "decided"
    assert (decision["participant"], decision["decision"], decision["proposal"], decision["officer"]) == (
        bank.id,
        "cleared",
        "confirmed",
        OFFICER,
    )
    assert decision["comment_hash"] == b64u(words)
    of_recipient = service.as_(recipient).get(f"/supervision/alerts/{first}").json()
    assert (of_recipient["state"], of_recipient["decisions"]) == ("open", []), "the bank's decision is the bank's"
    assert service.as_(regulator).get(f"/supervision/alerts/{first}").json()["decisions"] == [decision]
    # what the bank decided is what it is reminded of
    second = raised(service, "recipient", recipient.id)
    again = service.as_(bank).get(f"/supervision/alerts/{second}").json()
    assert (again["proposed"], again["proposed_reasons"]) == ("cleared", ["cleared-before", "score-middle"])
    assert decide(service, bank, second, "escalated").status_code == 201
    for state, expected in (("open", []), ("escalated", [second]), ("decided", [first])):
        assert seen(service.as_(bank), state=state) == expected
    assert decide(service, bank, 0, "cleared").status_code == 404, "entry 0 is no alert"


def block(service: Service, party: Party, **changes: Any) -> int:
    members = {"about": "recipient", "level": 500, "rule": "rate", "seconds": 3_600, **changes}
    said = {"statement": party.sign("risk.block", **members)}
    status: int = service.http.post("/supervision/blocks", json=said).status_code
    return status


def test_an_alert_that_its_holder_lets_deny_does_so_from_the_next_index_and_is_told_in_words(
    supervised: Service,
) -> None:
    service, world = supervised, supervised.world
    recipient, bank, other = world.recipient(), world.holder(), world.holder("bank-b")
    consent, elsewhere = world.active_consent(recipient, bank), world.active_consent(recipient, other)
    assert block(service, recipient) == 403, "holders only"
    alert = raised(service, "recipient", recipient.id)
    before = service.post(recipient.access(consent)).json()["entries"][0]["outcome"]
    assert before["decision"] == "allow", "an alert denies nothing by itself"
    assert block(service, bank) == 201
    answer = service.post(recipient.access(consent))
    denied = answer.json()["entries"][0]
    assert answer.status_code == 201
    assert (denied["outcome"]["decision"], denied["outcome"]["reasons"]) == ("deny", ["RISK_BLOCKED"])
    other_bank = service.post(recipient.access(elsewhere)).json()["entries"][0]["outcome"]
    assert other_bank["decision"] == "allow", "another holder has declared nothing"
    told = service.as_(recipient).get(f"/receipts/{denied['index']}/explanation")
    assert told.status_code == 200, told.text
    assert all(word in told.text for word in ("An alert was in force that the holder lets stop accesses", "风险警报"))
    weaker = raised(service, "recipient", recipient.id, score=499)
    assert decide(service, bank, alert, "cleared").status_code == 201
    cleared = service.post(recipient.access(consent)).json()["entries"][0]["outcome"]
    assert cleared["decision"] == "allow", f"what was cleared blocks no more, and {weaker} is below the level"
