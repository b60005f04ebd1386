"""Alerts as webhooks: who is told of which, what the token says, and that an endpoint which fails is asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.events.tokens import ALERT, EVENT_PREFIX
from api.node.telling import AlertTeller
from ledger.canonical import b64u
from ledger.documents import activation, document_of
from ledger.entries.leaf import consent_chain
from ledger.orders import SCORING, About, AlertRaised, ScoringActivated
from ledger.queries.remit import Remit
from tests.api.service import Service, running_service
from tests.events.kit import Receiver, receiving, verified
from tests.world import Party

EVENT = EVENT_PREFIX + "alert-raised"


@pytest.fixture
def service(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    with running_service(sqlite_url, tmp_path / "state", web={"environment": "development"}) as running:
        ledger = running.node.ledger
        if ledger.registry.ruleset < 3:
            ledger.record_documents(activation(3))
        ledger.record_documents(document_of(ScoringActivated, scoring=SCORING, approved_by=("a", "b")))
        yield running


def raised(service: Service, kind: Any, name: str) -> int:
    about = About(id=name, kind=kind)
    document = document_of(AlertRaised, about=about, at_index=service.size - 1, features=(71,), rule="woken", score=710)
    return service.node.ledger.record_documents(document)[0].index


def look(service: Service, remits: dict[str, Remit] | None = None) -> None:
    """One turn of a sender."""
    node = service.node

    async def turn() -> None:
        teller = AlertTeller(node.ledger, node.events.queries, remits or {})
        sender = node.events.sender(development=True, alerts=teller)
        await sender.turn()
        await sender.settle()
        await sender.aclose()

    asyncio.run(turn())


def listens(service: Service, party: Party, receiver: Receiver) -> None:
    service.node.events.store.set_endpoint(party.id, receiver.url, enabled=True, now=service.world.clock.now())


def heard(service: Service, receiver: Receiver) -> list[dict[str, Any]]:
    """The claims of the tokens about alerts, their signatures checked as a receiver would."""
    keys = service.http.get("/events/jwks").json()
    found = [verified(one.body, keys) for one in receiver.all()]
    return [claims for claims in found if EVENT in claims["events"]]


def test_each_party_is_told_of_its_own_alerts_and_of_no_others(service: Service) -> None:
    world = service.world
    bank, other, app = world.holder(), world.holder("bank-b"), world.recipient()
    authority, elsewhere = world.join("fca", "regulator"), world.join("small", "regulator")
    consent = world.active_consent(app, bank)
    chain = b64u(consent_chain(consent.consent_id))
    parties = (bank, other, app, authority, elsewhere)
    remits = {"small": Remit(holders=frozenset({"bank-b"}))}
    with receiving() as a, receiving() as b, receiving() as c, receiving() as d, receiving() as e:
        receivers = (a, b, c, d, e)
        for party, receiver in zip(parties, receivers, strict=True):
            listens(service, party, receiver)
        look(service, remits)
        for receiver in receivers:
            receiver.all()
        indexes = [
            raised(service, "consent", chain),
            raised(service, "holder", "bank-b"),
            raised(service, "recipient", app.id),
        ]
        look(service, remits)
        told = [[claims["events"][EVENT]["index"] for claims in heard(service, one)] for one in receivers]
    first, of_other, of_app = indexes
    assert told == [[first, of_app], [of_other], [first, of_app], indexes, [of_other]]


def test_the_token_says_what_the_alert_says_and_by_when_it_is_answered(service: Service, receiver: Receiver) -> None:
    bank = service.world.holder()
    listens(service, bank, receiver)
    index = raised(service, "holder", bank.id)
    look(service)
    [claims] = heard(service, receiver)
    alert = service.as_(bank).get(f"/supervision/alerts/{index}").json()
    said = claims["events"][EVENT]
    assert {
        name: said[name] for name in ("index", "time", "at_index", "rule", "score", "features", "about", "due")
    } == {name: alert[name] for name in ("index", "time", "at_index", "rule", "score", "features", "about", "due")}
    assert (claims["aud"], claims["sub"]) == (bank.id, f"{service.base_url}/supervision/alerts/{index}")


def test_an_endpoint_that_fails_is_told_again_under_the_same_id_and_the_log_of_deliveries_says_so(
    service: Service, receiver: Receiver
) -> None:
    bank, node = service.world.holder(), service.node
    listens(service, bank, receiver)
    index = raised(service, "holder", bank.id)
    receiver.answers(500)
    look(service)
    [delivery] = [one for one in node.events.queries.deliveries_of(bank.id) if one.kind == ALERT]
    assert (delivery.index, delivery.last_error, delivery.is_open) == (index, "http-500", True)
    receiver.answers(202)
    node.events.store.postpone(bank.id, 0)
    [first] = heard(service, receiver)
    polled = service.as_(bank).request("POST", "/events/poll", json={"returnImmediately": True}).json()
    assert delivery.event_id in polled["sets"]
    again = verified(polled["sets"][delivery.event_id], service.http.get("/events/jwks").json())
    assert (again["jti"], again["events"]) == (first["jti"], first["events"])


def test_nobody_without_an_endpoint_has_anything_waiting(service: Service) -> None:
    bank = service.world.holder()
    raised(service, "holder", bank.id)
    look(service)
    assert service.node.events.queries.deliveries_of(bank.id) == []
