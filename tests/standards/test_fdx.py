"""Consent grants under 12 CFR part 1033: a year, a new authorization for another, revocation from either side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from api.office.configuration import HolderOptions
from api.standards.fdx.requests import ConsentGrantRequest, read_as, wish_of
from ledger.errors import LedgerError
from ledger.queries.events import EventQueries
from tests.api.service import Service, TokenClient
from tests.standards.served import authorise, bank_and_app, found, served
from tests.world import ConsentInWorld

PLACE = "/holders/bank-a/fdx/v6/consents"
DISCLOSED: dict[str, Any] = {
    "productOrService": "A budget that knows your accounts",
    "certified": True,
    "revocationMethod": "In the app, under Settings, Connected banks",
    "dataAggregator": "Pipes Inc.",
}
ASKED: dict[str, Any] = {
    "durationType": "TIME_BOUND",
    "lookbackPeriod": 60,
    "resources": [{"resourceType": "ACCOUNT", "dataClusters": ["ACCOUNT_BASIC", "ACCOUNT_DETAILED", "TRANSACTIONS"]}],
    "authorizationDisclosure": DISCLOSED,
}
BODY = json.dumps(ASKED).encode()
BY_HER = {"reason": "USER_ACTION", "initiator": "INDIVIDUAL"}


class Played:
    """A data provider and a third party."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.holder, self.recipient = bank_and_app(service)
        self.bank, self.app = service.as_(self.holder), service.as_(self.recipient)

    def asked(self, **change: Any) -> dict[str, Any]:
        answer = self.app.request("POST", PLACE, json=ASKED | change)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def granted(self, **change: Any) -> ConsentInWorld:
        return authorise(self.service, self.holder, self.asked(**change)["id"])

    def revoke(self, client: TokenClient, consent_id: str, said: dict[str, str]) -> httpx2.Response:
        return client.request("PUT", f"{PLACE}/{consent_id}/revocation", json=said)

    def denied(self, consent: ConsentInWorld) -> tuple[str, ...]:
        [recorded] = self.service.world.record(self.recipient.access(consent, purpose="requested-service"))
        return tuple(recorded.outcome.reasons)  # type: ignore[union-attr]


@pytest.fixture
def played(engine_url: str, tmp_path: Path) -> Iterator[Played]:
    with served(engine_url, tmp_path / "state") as running:
        yield Played(running)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """One for tests that only make consents of their own."""
    folder = tmp_path_factory.mktemp("fdx")
    with served(f"sqlite:///{folder / 'ledger.sqlite'}", folder / "state") as running:
        yield Played(running)


def refused(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.json()["message"]
    return answer.status_code, answer.json()["code"]


def test_a_grant_is_asked_for_agreed_to_renewed_and_revoked_by_the_third_partys_relay(played: Played) -> None:
    asked = played.asked()
    assert (asked["status"], asked["durationType"]) == ("PENDING", "TIME_BOUND")
    assert asked["approveAt"].endswith(f"/my/approve?consent={asked['id']}")
    consent = authorise(played.service, played.holder, asked["id"])
    shown = played.app.get(f"{PLACE}/{asked['id']}").json()
    assert shown["status"] == "ACTIVE"
    assert "approveAt" not in shown
    clusters = ["ACCOUNT_BASIC", "ACCOUNT_DETAILED", "TRANSACTIONS"]
    assert shown["resources"] == [
        {"resourceType": "ACCOUNT", "resourceId": one, "dataClusters": clusters} for one in sorted(consent.accounts)
    ]
    assert [one["type"] for one in shown["parties"]] == ["DATA_PROVIDER", "DATA_RECIPIENT", "DATA_ACCESS_PLATFORM"]
    assert (shown["parties"][2]["name"], shown["lookbackPeriod"]) == ("Pipes Inc.", 60)
    assert played.denied(consent) == ()

    renewed = played.app.request("POST", f"{PLACE}/{asked['id']}/reauthorization", json=ASKED | {"durationPeriod": 300})
    assert renewed.status_code == 200, renewed.text
    assert (renewed.json()["status"], "approveAt" in renewed.json()) == ("ACTIVE", True), "what is in force goes on"
    assert renewed.json()["expirationTime"] == shown["expirationTime"], "nothing is longer before she has agreed"
    pending = found(played.service, played.holder, asked["id"])
    played.service.world.record(played.holder.authorise(pending))
    after = played.bank.get(f"{PLACE}/{asked['id']}").json()
    assert after["expirationTime"] != shown["expirationTime"]
    assert after["id"] == asked["id"]

    assert played.revoke(played.app, asked["id"], BY_HER).status_code == 204
    assert played.denied(pending) == ("CONSENT_REVOKED",)
    [told] = played.bank.get(f"{PLACE}/{asked['id']}/revocation").json()["revocations"]
    assert (told["initiator"], told["reason"]) == ("INDIVIDUAL", "USER_ACTION")
    assert refused(played.revoke(played.app, asked["id"], BY_HER)) == (409, "INVALID_STATE")
    ledger = played.service.node.ledger
    notices = EventQueries(ledger.store, ledger.keystore).notices(0, ledger.tree.size())
    assert [(one.act, one.audience) for one in notices if one.consent_id == asked["id"]][-1] == (
        "consent.revoke",
        ("bank-a",),
    )


def test_the_data_provider_revokes_too_and_the_third_party_is_told(once: Played) -> None:
    for said, by in ((BY_HER, "customer"), ({"reason": "BUSINESS_RULE", "initiator": "DATA_PROVIDER"}, "holder")):
        consent = once.granted()
        assert once.revoke(once.bank, consent.consent_id, said).status_code == 204
        [told] = once.app.get(f"{PLACE}/{consent.consent_id}/revocation").json()["revocations"]
        assert told["initiator"] == said["initiator"]
        ledger = once.service.node.ledger
        notices = EventQueries(ledger.store, ledger.keystore).notices(0, ledger.tree.size())
        [last] = [one for one in notices if one.consent_id == consent.consent_id and one.act == "consent.revoke"]
        assert (last.audience, last.by) == (("tpp-1",), by)


def test_a_third_party_ends_a_grant_that_it_needs_no_more(once: Played) -> None:
    consent = once.granted()
    said = {"reason": "BUSINESS_RULE", "initiator": "DATA_RECIPIENT"}
    assert once.revoke(once.app, consent.consent_id, said).status_code == 204
    [told] = once.app.get(f"{PLACE}/{consent.consent_id}/revocation").json()["revocations"]
    assert (told["initiator"], told["reason"]) == ("DATA_RECIPIENT", "BUSINESS_RULE")
    assert once.denied(consent) == ("CONSENT_TERMINATED",)
    other = once.granted()
    wrong = {"reason": "BUSINESS_RULE", "initiator": "DATA_PROVIDER"}
    assert refused(once.revoke(once.app, other.consent_id, wrong)) == (400, "INVALID_INPUT")
    assert refused(once.app.get(f"{PLACE}/{other.consent_id}/revocation")) == (404, "NOT_FOUND")
    waiting = once.asked()["id"]
    assert once.revoke(once.app, waiting, BY_HER).status_code == 204
    assert once.app.get(f"{PLACE}/{waiting}").json()["status"] == "REJECTED"


YEARS = [
    (datetime(2026, 11, 30, 12, tzinfo=UTC), 0, datetime(2027, 11, 30, 12, tzinfo=UTC)),
    (datetime(2027, 6, 1, tzinfo=UTC), 366, datetime(2028, 6, 1, tzinfo=UTC)),  # over a leap day: 366 days are the year
    (datetime(2026, 6, 1, tzinfo=UTC), 366, datetime(2027, 6, 1, tzinfo=UTC)),  # a year, though 366 days were asked for
    (datetime(2028, 2, 29, tzinfo=UTC), 0, datetime(2029, 2, 28, tzinfo=UTC)),
    (datetime(2026, 6, 1, tzinfo=UTC), 30, datetime(2026, 7, 1, tzinfo=UTC)),
]


@pytest.mark.parametrize(("now", "days", "ends"), YEARS)
def test_a_grant_ends_a_year_after_it_was_asked_for_at_the_latest(now: datetime, days: int, ends: datetime) -> None:
    asked = replace(read_as(BODY, ConsentGrantRequest), duration_period=days)
    wish = wish_of(asked, HolderOptions(), int(now.timestamp() * 1000))
    assert wish.expires_at == int(ends.timestamp())
    assert timedelta(seconds=wish.expires_at) - timedelta(seconds=now.timestamp()) <= timedelta(days=366)


def without(name: str) -> dict[str, Any]:
    return {"authorizationDisclosure": {key: value for key, value in DISCLOSED.items() if key != name}}


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "for ever": ({"durationType": "PERSISTENT"}, "DURATION_TOO_LONG"),
    "more than a year": ({"durationPeriod": 367}, "INVALID_INPUT"),
    "no certification": (without("certified"), "INVALID_INPUT"),
    "a certification that is none": ({"authorizationDisclosure": DISCLOSED | {"certified": False}}, "INVALID_INPUT"),
    "no product": (without("productOrService"), "INVALID_INPUT"),
    "no way to revoke": (without("revocationMethod"), "INVALID_INPUT"),
    "no disclosure": ({"authorizationDisclosure": None}, "INVALID_INPUT"),
    "an unknown cluster": (
        {"resources": [{"resourceType": "ACCOUNT", "dataClusters": ["DREAMS"]}]},
        "INVALID_INPUT",
    ),
    "a cluster for payments": (
        {"resources": [{"resourceType": "ACCOUNT", "dataClusters": ["ACCOUNT_PAYMENTS"]}]},
        "INVALID_INPUT",
    ),
    "no data": ({"resources": []}, "INVALID_INPUT"),
    "an unknown member": ({"customerName": "Mei"}, "INVALID_INPUT"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_request_that_the_rule_does_not_allow_is_refused_and_recorded_nowhere(once: Played, name: str) -> None:
    change, code = BAD[name]
    size = once.service.node.ledger.tree.size()
    assert refused(once.app.request("POST", PLACE, json=ASKED | change)) == (400, code)
    assert once.service.node.ledger.tree.size() == size


def test_one_time_data_is_had_once(once: Played) -> None:
    consent = once.granted(durationType="ONE_TIME")
    assert once.app.get(f"{PLACE}/{consent.consent_id}").json()["durationType"] == "ONE_TIME"
    terms = once.service.node.ledger.records.consent("bank-a", consent.consent_id).terms
    assert terms.once is True


def test_a_grant_is_shown_to_its_parties_and_listed_for_its_recipient(once: Played) -> None:
    made = [once.asked()["id"] for _ in range(3)]
    seen, offset = [], -1
    while offset is not None:
        answer = once.app.get(f"{PLACE}?offset={offset}&limit=2").json()
        seen += [one["id"] for one in answer["consents"]]
        offset = answer["page"]["nextOffset"]
    assert seen[-3:] == made
    stranger = once.service.as_(once.service.world.recipient("tpp-7"))
    for path in (f"/{made[0]}", f"/{made[0]}/revocation"):
        assert refused(stranger.get(PLACE + path)) == (404, "NOT_FOUND")
    assert refused(once.revoke(stranger, made[0], BY_HER)) == (404, "NOT_FOUND")
    other = once.service.as_(once.service.world.holder("bank-y"))
    assert refused(other.get(f"{PLACE}/{made[0]}")) == (403, "FORBIDDEN")
    assert refused(once.bank.request("POST", PLACE, json=ASKED)) == (403, "FORBIDDEN")


def test_another_standards_consent_is_a_grant_too(once: Played) -> None:
    native = once.service.world.requested_consent(
        once.recipient, once.holder, permissions=["ReadAccountsDetail", "ReadBalances", "ReadOffers"]
    )
    shown = once.app.get(f"{PLACE}/{native.consent_id}").json()
    assert shown["resources"] == [{"resourceType": "ACCOUNT", "dataClusters": ["ACCOUNT_DETAILED"]}]
    assert "authorizationDisclosure" not in shown


def test_an_ended_grant_is_not_authorized_anew(once: Played) -> None:
    consent = once.granted()
    once.revoke(once.app, consent.consent_id, BY_HER)
    answer = once.app.request("POST", f"{PLACE}/{consent.consent_id}/reauthorization", json=ASKED)
    assert refused(answer) == (409, "INVALID_STATE")


def test_a_name_twice_in_one_object_has_no_meaning() -> None:
    with pytest.raises(LedgerError):
        read_as(BODY.replace(b'"certified": true', b'"certified": true, "certified": true'), ConsentGrantRequest)
