"""One scenario: two banks, two recipients, three ways to ask, one log that an auditor can check without us."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

from api.events.delivery import Push, resolve
from api.events.sender import ESCALATE_MS, EventSender
from api.events.tokens import EVENT_PREFIX, UK_REVOKED
from ledger.canonical import unb64u
from ledger.planning.commands import Recorded
from ledger.storage.events import DeliveryState
from tests.clocks import HandClock
from tests.events.kit import receiving, verified
from tests.standards.berlin import asked as berlin_asked
from tests.standards.berlin import call as berlin_call
from tests.standards.kit import GATEWAY, Stage, separate, stage
from tests.standards.uk import V4
from tests.standards.uk import asked as uk_asked
from tests.verdicts import verdict

ROOT = Path(__file__).resolve().parents[2]


def native_page(played: Stage, recipient: str) -> dict[str, dict[str, Any]]:
    found = played.client(recipient).get("/consents?limit=100").json()["consents"]
    return {one["consent_id"]: one for one in found}


def history(played: Stage, client: Any, consent_id: str) -> list[dict[str, Any]]:
    return list(client.get(f"/consents/{consent_id}/history?limit=100").json()["entries"])


def test_three_ways_to_ask_lead_to_one_kind_of_consent_that_everybody_can_check(
    engine_url: str, tmp_path: Path
) -> None:
    with stage(engine_url, tmp_path / "state") as played:
        world = played.world
        uk = played.call("POST", V4, json=uk_asked()).json()["Data"]["ConsentId"]
        berlin = berlin_call(
            played, "POST", "/v1/consents", json=berlin_asked(), recipient="tpp-2", holder="bank-b"
        ).json()["consentId"]
        native = world.requested_consent(
            played.recipients["tpp-1"],
            played.banks["bank-b"],
            separate_consents=["provision", "sensitive"],
            permissions=["ReadAccountsDetail", "ReadBalances", "ReadOffers"],
        )
        consents = {
            uk: played.authorise(uk),
            berlin: played.authorise(berlin, "bank-b"),
        }
        world.record(played.banks["bank-b"].authorise(native, **separate(native, world)))

        # listed: each recipient's own, in the native API
        assert set(native_page(played, "tpp-1")) == {uk, native.consent_id}
        assert set(native_page(played, "tpp-2")) == {berlin}
        assert {one["terms"]["standard"] for one in native_page(played, "tpp-1").values()} == {"uk-ob"}

        # shown: the native one by both adapters
        by_uk = played.call("GET", f"{V4}/{native.consent_id}", holder="bank-b").json()["Data"]
        by_berlin = berlin_call(played, "GET", f"/v1/consents/{native.consent_id}", holder="bank-b").json()
        assert (by_uk["Status"], by_berlin["consentStatus"]) == ("AUTH", "valid")
        assert by_berlin["access"] == {"accounts": [], "balances": []}

        # decided on, explained
        allowed = played.access(consents[uk])
        told = played.client().get(f"/receipts/{allowed.index}/explanation")
        assert told.status_code == 200, told.text
        played.access(consents[berlin], "tpp-2")

        # revoked: natively what was made by the UK's words, by Berlin's what was made natively
        world.record(played.banks["bank-a"].step("revoke", consents[uk]))
        assert played.call("GET", f"{V4}/{uk}").json()["Data"]["Status"] == "CANC"
        gone = berlin_call(played, "DELETE", f"/v1/consents/{native.consent_id}", holder="bank-b")
        assert gone.status_code == 204
        assert native_page(played, "tpp-1")[native.consent_id]["status"] == "TERMINATED"
        assert played.access(consents[uk]).outcome.reasons == ("CONSENT_REVOKED",)  # type: ignore[union-attr]

        # both sides hold the same receipts of all that the gateway said for the recipient
        bank, app = played.service.as_(played.banks["bank-a"]), played.client()
        mine, theirs = history(played, app, uk), history(played, bank, uk)
        assert [entry["act"] for entry in mine] == [
            "consent.request",
            "consent.authorise",
            "access.request",
            "consent.revoke",
            "access.request",
        ]
        assert mine == theirs

        # audited by a program that shares no code with any of this
        audit = verdict(played.service.node.ledger, tmp_path / "bundle", "--jobs", "1", "--lang", "en")
        assert audit.returncode == 0, audit.stdout + audit.stderr
        said = audit.stdout
        assert "VALID" in said.upper()


def test_a_revocation_reaches_the_recipient_and_a_dead_endpoint_is_retried_and_escalated(tmp_path: Path) -> None:
    with (
        receiving() as alive,
        receiving() as dead,
        stage(f"sqlite:///{tmp_path / 'l.sqlite'}", tmp_path / "state", web={"environment": "development"}) as played,
    ):
        subscribe: dict[str, Any] = {"Data": {"Version": "4.0", "EventTypes": [UK_REVOKED]}}
        for recipient, receiver in (("tpp-1", alive), ("tpp-2", dead)):
            subscribe["Data"]["CallbackUrl"] = receiver.url
            answer = played.call("POST", "/open-banking/v4.0/event-subscriptions", json=subscribe, recipient=recipient)
            assert answer.status_code == 201, answer.text
        dead.answers(500)
        revoked: dict[str, Recorded] = {}
        for recipient, holder in (("tpp-1", "bank-a"), ("tpp-2", "bank-b")):
            answer = played.call("POST", V4, json=uk_asked(), recipient=recipient, holder=holder)
            consent_id = answer.json()["Data"]["ConsentId"]
            consent = played.authorise(consent_id, holder)
            [revoked[recipient]] = played.world.record(played.banks[holder].step("revoke", consent))
        clock = HandClock(played.world.clock.now())
        tell(played, clock)
        heard = [one for one in alive.all() if UK_REVOKED in one.claims["events"]]
        assert len(heard) == 1
        claims = verified(heard[0].body, played.service.http.get("/events/jwks").json())
        index = claims["events"][EVENT_PREFIX + "consent-revoke"]["index"]
        assert index == revoked["tpp-1"].index
        mine = played.client().get(f"/receipts/{index}")
        theirs = played.service.as_(played.banks["bank-a"]).get(f"/receipts/{index}")
        assert mine.content == theirs.content

        tried = len(dead.all())
        assert tried >= 1
        clock.advance(seconds=ESCALATE_MS / 1000 + 1)
        tell(played, clock)
        assert len(dead.all()) >= 1
        queries = played.service.node.events.queries
        states = {one.state for one in queries.deliveries_of("tpp-2", limit=100)}
        assert states == {DeliveryState.ESCALATED}
        dead.answers(202)
        clock.advance(seconds=4_000)
        tell(played, clock)
        assert {one.state for one in queries.deliveries_of("tpp-2", limit=100)} == {DeliveryState.ACKNOWLEDGED}
        told = [UK_REVOKED in one.claims["events"] for one in dead.all()]
        assert any(told)


def tell(played: Stage, clock: HandClock) -> None:
    """One turn of a sender at this time."""
    events = played.service.node.events

    async def turn() -> None:
        sender = EventSender(
            events.queries,
            events.store,
            events.tokens,
            lambda: Push(development=True, resolver=resolve),
            clock=clock,
            chance=lambda: 0.0,
        )
        await sender.turn()
        await sender.settle()
        await sender.aclose()

    asyncio.run(turn())


def test_the_gateway_stands_in_the_evidence_of_what_it_signed(tmp_path: Path) -> None:
    with stage(f"sqlite:///{tmp_path / 'l.sqlite'}", tmp_path / "state") as played:
        consent_id = played.call("POST", V4, json=uk_asked()).json()["Data"]["ConsentId"]
        [entry] = history(played, played.client(), consent_id)
        evidence = json.loads(entry["receipt"]["evidence"])
        said = json.loads(unb64u(evidence["statements"][0].split(".")[1]))
        assert (said["iss"], said["on_behalf_of"], said["act"]) == (GATEWAY, "tpp-1", "consent.request")
        assert uuid.UUID(consent_id).version == 4
