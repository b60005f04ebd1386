"""What time does to a consent, and how the other side hears of it in its own standard's words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from api.events.delivery import Push, resolve
from api.events.sender import EventSender
from api.office.configuration import read_gateway_file
from api.office.facts import Notes
from api.office.gateway import RECIPIENT_ACTS, Gateway, delegate, make_gateway
from api.office.office import Office
from api.standards.brazil.answers import answer_of
from api.standards.brazil.operations import Brazil
from api.standards.dialects import DialectRefusal
from api.standards.notices import OutwardNotices
from api.standards.served import STANDARDS
from api.tokens.jwt import read_jwt
from api.tokens.keys import PublicKey
from ledger.storage.events import DeliveryState
from tests.clocks import HandClock
from tests.events.kit import Receiver, receiving
from tests.standards.kit import GATEWAY, Stage, separate, stage
from tests.world import DAY, ConsentInWorld, World, running_world

CONSENT = {
    "data": {
        "loggedUser": {"document": {"identification": "11111111111", "rel": "CPF"}},
        "permissions": ["CUSTOMERS_PERSONAL_IDENTIFICATIONS_READ", "RESOURCES_READ"],
    }
}


@dataclass
class Clocked:
    """An office whose clock goes only when told to."""

    world: World
    office: Office
    clock: HandClock

    def brazil(self) -> Brazil:
        return Brazil(self.world.ledger, self.office, "tpp-1", "bank-a")

    def status(self, consent_id: str) -> dict[str, Any]:
        brazil = self.brazil()
        return dict(answer_of(brazil.read(consent_id), "https://x", 0, reading=True)["data"])


@pytest.fixture
def clocked(sqlite_url: str, tmp_path: Path) -> Iterator[Clocked]:
    clock = HandClock()
    with running_world(sqlite_url, tmp_path, clock=clock) as world:
        file = tmp_path / "gateway.json"
        make_gateway(world.ledger, file, GATEWAY, "Gateway")
        gateway = Gateway(read_gateway_file(file), tmp_path, world.ledger.origin, clock)
        notes = Notes(sqlite_url, world.ledger.keystore, clock)
        world.holder(), world.recipient()
        delegate(world.ledger, "tpp-1", GATEWAY, RECIPIENT_ACTS)
        yield Clocked(world, Office(world.ledger, gateway, notes, clock), clock)
        notes.close()


@pytest.mark.parametrize("delegated", [True, False])
def test_a_consent_in_brazil_that_is_not_confirmed_within_the_hour_is_rejected(
    clocked: Clocked, delegated: bool
) -> None:
    if delegated:
        delegate(clocked.world.ledger, "bank-a", GATEWAY, ("consent.reject",))
    standing = clocked.brazil().create(json.dumps(CONSENT).encode(), None)
    clocked.clock.advance(seconds=3599)
    assert clocked.status(standing.consent_id)["status"] == "AWAITING_AUTHORISATION"
    clocked.clock.advance(seconds=2)
    said = clocked.status(standing.consent_id)
    assert said["status"] == "REJECTED"
    assert said["rejection"] == {"rejectedBy": "ASPSP", "reason": {"code": "CONSENT_EXPIRED"}}
    recorded = clocked.world.ledger.records.consent("bank-a", standing.consent_id)
    assert recorded.status.value == "REJECTED", "the log says so, not only this answer"
    with pytest.raises(DialectRefusal, match="rejeitado"):
        clocked.brazil().delete(standing.consent_id, None)


def test_a_consent_in_brazil_whose_day_has_come_is_rejected_by_its_date(clocked: Clocked) -> None:
    body = {"data": CONSENT["data"] | {"expirationDateTime": "2027-02-01T00:00:00Z"}}
    standing = clocked.brazil().create(json.dumps(body).encode(), None)
    bank = clocked.world.parties["bank-a"]
    terms = clocked.world.ledger.records.consent("bank-a", standing.consent_id).terms
    consent = ConsentInWorld(standing.consent_id, msgspec.to_builtins(terms))
    clocked.world.record(bank.authorise(consent, **separate(consent, clocked.world)))
    assert clocked.status(standing.consent_id)["status"] == "AUTHORISED"
    clocked.clock.advance(seconds=60 * DAY)
    assert clocked.status(standing.consent_id)["rejection"]["reason"]["code"] == "CONSENT_MAX_DATE_REACHED"


def _tell(played: Stage, clock: HandClock) -> None:
    """One turn of a sender that words events for standards too."""
    node = played.service.node
    assert node.office is not None
    outward = OutwardNotices(STANDARDS, node.office.gateway)

    async def turn() -> None:
        sender = EventSender(
            node.events.queries,
            node.events.store,
            node.events.tokens,
            lambda: Push(development=True, resolver=resolve),
            clock=clock,
            chance=lambda: 0.0,
            outward=outward,
        )
        await sender.turn()
        await sender.settle()
        await sender.aclose()

    asyncio.run(turn())


def _listens(played: Stage, receiver: Receiver, path: str) -> None:
    url = receiver.url.replace("/events", path)
    answer = played.client().request("PUT", "/participants/tpp-1/endpoint", json={"url": url})
    assert answer.status_code in (200, 201, 204), answer.text


def test_a_revocation_reaches_the_recipients_arrangement_endpoint_as_a_signed_jwt(tmp_path: Path) -> None:
    with (
        receiving() as receiver,
        stage(f"sqlite:///{tmp_path / 'l.sqlite'}", tmp_path / "state", web={"environment": "development"}) as played,
    ):
        _listens(played, receiver, "/arrangements/revoke")
        receiver.answers(204)
        bank, app = played.banks["bank-a"], played.recipients["tpp-1"]
        terms = {"standard": "au-cds", "standard_version": "1.36.0", "separate_consents": ["provision", "sensitive"]}
        consent = played.world.requested_consent(app, bank, **terms)
        played.world.record(bank.authorise(consent, **separate(consent, played.world)))
        [revoked] = played.world.record(bank.step("revoke", consent))
        clock = HandClock(played.world.clock.now())
        _tell(played, clock)
        [heard] = receiver.all()
        assert heard.path == "/arrangements/revoke"
        form = parse_qs(heard.body)
        assert form["cdr_arrangement_id"] == [consent.consent_id]
        office = played.service.node.office
        assert office is not None
        key = played.service.node.ledger.registry.keys[office.gateway.messages.kid]
        jwt = read_jwt(form["cdr_arrangement_jwt"][0], typ=frozenset({"jwt"}), members=frozenset({"kid"}))
        claims = jwt.verified(PublicKey(key.alg, dict(key.jwk), key.verify))
        assert (claims["iss"], claims["aud"]) == ("bank-a", receiver.url.replace("/events", "/arrangements/revoke"))
        told = {one.index: one for one in played.service.node.events.queries.deliveries_about(revoked.index)}
        assert told[revoked.index].state is DeliveryState.ACKNOWLEDGED
        opened = played.service.node.events.queries.deliveries_about(revoked.index - 2)
        assert [one.last_error for one in opened if one.participant == "tpp-1"] == ["not-for-this-endpoint"]


def test_a_pause_reaches_the_fiu_as_its_own_notification(tmp_path: Path) -> None:
    with (
        receiving() as receiver,
        stage(f"sqlite:///{tmp_path / 'l.sqlite'}", tmp_path / "state", web={"environment": "development"}) as played,
    ):
        _listens(played, receiver, "/v2/Consent/Notification")
        receiver.answers(200, b"{}")
        bank, app = played.banks["bank-a"], played.recipients["tpp-1"]
        terms = {"standard": "india-aa", "standard_version": "2.1.0", "separate_consents": ["provision", "sensitive"]}
        consent = played.world.requested_consent(app, bank, **terms)
        played.world.record(bank.authorise(consent, **separate(consent, played.world)))
        for step in ("pause", "resume", "revoke"):
            played.world.record(bank.step(step, consent))
        _tell(played, HandClock(played.world.clock.now()))
        said = [json.loads(heard.body)["ConsentStatusNotification"] for heard in receiver.all()]
        assert [one["consentStatus"] for one in said] == ["PAUSED", "ACTIVE", "REVOKED"]
        assert {one["consentId"] for one in said} == {consent.consent_id}


def test_the_description_of_a_node_with_a_gateway_is_whole(played: Stage) -> None:
    document = played.service.http.get("/openapi.json").json()
    text = json.dumps(document)
    schemas = document["components"]["schemas"]
    assert {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]} <= schemas.keys()
    every = [(path, one) for path, operations in document["paths"].items() for one in operations.values()]
    names = [one["operationId"] for _, one in every]
    assert len(set(names)) == len(names)
    for path, one in every:
        assert one["summary"], path
        assert one["description"], path
        named = {part["name"] for part in one.get("parameters", ()) if part["in"] == "path"}
        assert named == {part.split("}")[0] for part in path.split("{")[1:]}, path
    for tag in ("account-aggregator", "consumer-data-right", "open-finance-brasil"):
        assert any(tag in one["tags"] for _, one in every)
