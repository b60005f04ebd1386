"""The permission dashboard of the PSR's art. 43: seen, withdrawn, re-established, objected to; and both sides told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from api.checking import examine
from api.office.office import Office
from api.office.rights import OBJECTING, Rights
from api.standards.psr.answers import is_shown
from api.standards.words import words
from ledger.consent.state import Status
from ledger.entries.leaf import consent_chain, subject_chain
from ledger.errors import IllegalTransition
from ledger.queries.events import EventQueries
from tests.api.service import Service, TokenClient
from tests.clocks import HandClock
from tests.standards.served import authorise, bank_and_app, found, served
from tests.world import ConsentInWorld, reference

PLACE = "/holders/bank-a/psr/v1"
ASKED: dict[str, Any] = {
    "purpose": {"code": "budgeting", "text": "Your budget at a glance"},
    "dataCategories": ["account-list", "balances"],
    "validTo": "2099-12-31",
    "frequencyPerDay": 4,
}


class Played:
    """A bank, which shows its customers their dashboards, and two providers."""

    def __init__(self, service: Service) -> None:
        self.service = service
        holder, recipient = bank_and_app(service)
        self.holder, self.recipient = holder, recipient
        self.bank, self.app = service.as_(holder), service.as_(recipient)

    def announced(self, **change: Any) -> str:
        answer = self.app.request("POST", f"{PLACE}/permissions", json=ASKED | change)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["permissionId"])

    def shared(self, customer: str = "", **change: Any) -> ConsentInWorld:
        """Announced, and agreed to by a customer whose reference at the bank this is."""
        return self.agreed(self.announced(**change), customer)

    def agreed(self, permission: str, customer: str = "", **members: Any) -> ConsentInWorld:
        consent = found(self.service, self.holder, permission)
        if customer:
            consent = replace(consent, customer=customer)
        self.service.world.record(self.holder.authorise(consent, **members))
        return consent

    def post(self, path: str, customer: str, client: TokenClient | None = None, **more: Any) -> httpx2.Response:
        said = {"customer": customer, **more}
        return (client or self.bank).request("POST", PLACE + path, json=said)

    def shown(self, customer: str, **more: Any) -> list[dict[str, Any]]:
        answer = self.post("/dashboard", customer, **more)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["permissions"])


@pytest.fixture
def played(engine_url: str, tmp_path: Path) -> Iterator[Played]:
    with served(engine_url, tmp_path / "state", asks_again=True) as running:
        yield Played(running)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """One for tests that only make permissions of their own."""
    folder = tmp_path_factory.mktemp("psr")
    with served(f"sqlite:///{folder / 'ledger.sqlite'}", folder / "state", asks_again=True) as running:
        yield Played(running)


def refused(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_permission_is_announced_shown_withdrawn_and_shared_again(played: Played) -> None:
    consent = played.shared()
    [told] = played.shown(consent.customer)
    assert told["status"] == "active"
    assert (told["provider"]["id"], bool(told["provider"]["name"])) == ("tpp-1", True)
    assert told["accounts"] == sorted(consent.accounts)
    assert told["purpose"] == ASKED["purpose"]
    assert (told["validTo"], told["dataCategories"]) == ("2099-12-31", ["account-list", "balances"])
    ended = played.post(f"/permissions/{consent.consent_id}/withdraw", consent.customer)
    assert (ended.status_code, ended.json()["status"], ended.json()["canBeReestablished"]) == (200, "withdrawn", True)
    [denied] = played.service.world.record(played.recipient.access(consent, purpose="budgeting"))
    assert denied.outcome.reasons == ("CONSENT_REVOKED",)  # type: ignore[union-attr]
    again = played.post(f"/permissions/{consent.consent_id}/re-establish", consent.customer)
    assert again.status_code == 201, again.text
    new = again.json()
    assert (new["status"], new["takesPlaceOf"]) == ("awaiting", consent.consent_id)
    assert new["approveAt"].endswith(f"/my/approve?consent={new['permissionId']}")
    same = {name: told[name] for name in ("purpose", "validTo", "dataCategories", "provider", "standard")}
    assert {name: new[name] for name in same} == same
    twice = played.post(f"/permissions/{consent.consent_id}/re-establish", consent.customer).json()
    assert twice["permissionId"] == new["permissionId"], "one question, however often she clicks"
    played.agreed(new["permissionId"], consent.customer)
    assert [one["status"] for one in played.shown(consent.customer, show="ongoing")] == ["active"]
    assert [one["permissionId"] for one in played.shown(consent.customer, show="ended")] == [consent.consent_id]


def test_an_objection_ends_everything_and_nothing_is_shared_again_until_it_is_lifted(played: Played) -> None:
    customer = reference()
    first, second = played.shared(customer), played.shared(customer)
    other = played.shared()
    said = played.post("/objection", customer)
    assert said.status_code == 200, said.text
    assert set(said.json()["withdrawn"]) == {first.consent_id, second.consent_id}
    rows = played.shown(customer)
    assert {(one["status"], one["changed"]["by"], one["changed"]["reason"]) for one in rows} == {
        ("withdrawn", "customer", OBJECTING)
    }
    assert played.post("/dashboard", customer).json()["objection"]["since"] == said.json()["objection"]["since"]
    again = f"/permissions/{first.consent_id}/re-establish"
    assert refused(played.post(again, customer)) == (409, "OBJECTION")
    assert [one["status"] for one in played.shown(other.customer)] == ["active"], "another customer's go on"
    repeated = played.post("/objection", customer).json()
    assert (repeated["objection"], repeated["withdrawn"]) == (said.json()["objection"], [])
    assert played.post("/objection/lift", customer).json() == {"objection": None}
    assert played.post("/dashboard", customer).json()["objection"] is None
    assert [one["status"] for one in played.shown(customer)] == ["withdrawn"] * 2, "what ended stays ended"
    assert played.post(again, customer).status_code == 201
    assert played.post("/objection", customer).json()["objection"] is not None, "and she may object once more"


def test_an_objection_is_sealed_and_lies_under_the_customers_own_key(played: Played) -> None:
    customer = reference()
    assert played.post("/objection", customer).status_code == 200, "before she has shared anything"
    office = played.service.node.office
    assert office is not None
    with office.notes._transaction() as connection:
        rows = connection.execute(text("SELECT name, sealed FROM standard_notes WHERE name LIKE 'objection:%'")).all()
    assert len(rows) == 1
    assert b"stands" not in bytes(rows[0].sealed)
    ledger = played.service.node.ledger
    found = examine(ledger.store, ledger.keystore, ledger.vkeys)
    assert (found.count, found.unchecked_count) == (0, 0), "the operator's own check of the database knows such notes"
    played.agreed(played.announced(), customer)  # her chain begins with a key that was there before
    assert [one["status"] for one in played.shown(customer)] == ["active"]


def test_an_objection_is_erased_with_the_customer(once: Played) -> None:
    customer = reference()
    consent = once.shared(customer)
    once.post("/objection", customer)
    ledger, office = once.service.node.ledger, once.service.node.office
    assert office is not None
    objections = Rights.of(office).objections
    assert objections.since("bank-a", customer) > 0
    chains = [subject_chain("bank-a", customer), consent_chain(consent.consent_id)]
    ledger.erase(chains, "art-17", ("officer-1", "officer-2"))
    assert objections.since("bank-a", customer) == 0
    assert once.shown(customer) == []
    assert refused(once.post("/objection", customer)) == (404, "UNKNOWN")


def test_both_sides_are_told_at_once_of_what_the_other_did(once: Played) -> None:
    ledger = once.service.node.ledger
    consent = once.shared()
    once.post(f"/permissions/{consent.consent_id}/withdraw", consent.customer)
    native = once.service.world.requested_consent(once.recipient, once.holder)
    notices = EventQueries(ledger.store, ledger.keystore).notices(0, ledger.tree.size())
    told = [(one.act, one.audience) for one in notices if one.consent_id == consent.consent_id]
    assert told == [
        ("consent.request", ("bank-a",)),
        ("consent.authorise", ("tpp-1",)),
        ("consent.revoke", ("tpp-1",)),
    ]
    assert not [one for one in notices if one.consent_id == native.consent_id], "of other requests nobody is told"
    polled = once.bank.request("POST", "/events/poll", json={"returnImmediately": True})
    assert polled.status_code == 200


def test_a_pause_ends_by_re_establishing(once: Played) -> None:
    consent = once.shared()
    once.service.world.record(once.holder.step("pause", consent))
    [told] = once.shown(consent.customer)
    assert (told["status"], told["canBeReestablished"]) == ("paused", True)
    resumed = once.post(f"/permissions/{consent.consent_id}/re-establish", consent.customer)
    assert (resumed.status_code, resumed.json()["status"]) == (200, "active")


def test_the_bank_may_sign_a_withdrawal_itself(once: Played) -> None:
    consent = once.shared()
    path = f"{PLACE}/permissions/{consent.consent_id}/withdraw"
    other = once.shared()

    def post(statement: str) -> httpx2.Response:
        said = {"customer": consent.customer}
        return once.bank.request("POST", path, json=said, headers={"consent-statement": statement})

    for wrong in (
        once.holder.sign("consent.revoke", consent_id=other.consent_id, by="customer", reason="customer-request"),
        once.holder.sign("consent.pause", consent_id=consent.consent_id, by="customer", reason="customer-request"),
        once.recipient.sign("consent.revoke", consent_id=consent.consent_id, by="customer", reason="customer-request"),
    ):
        assert refused(post(wrong)) == (400, "MALFORMED")
    own = once.holder.sign("consent.revoke", consent_id=consent.consent_id, by="customer", reason="at-the-counter")
    assert post(own).json()["changed"]["reason"] == "at-the-counter"


def test_only_what_was_withdrawn_and_is_not_over_is_shared_again(once: Played) -> None:
    ongoing = once.shared()
    closed = once.shared()
    once.service.world.record(once.recipient.step("terminate", closed, by="recipient", reason="no-longer-needed"))
    for consent in (ongoing, closed):
        answer = once.post(f"/permissions/{consent.consent_id}/re-establish", consent.customer)
        assert refused(answer) == (409, "STATE")
    assert refused(once.post(f"/permissions/{closed.consent_id}/withdraw", closed.customer)) == (409, "STATE")


def test_more_than_a_request_asks_for_today_is_not_shared_again_from_here(once: Played) -> None:
    """Sixty days of history before the request are fewer an hour later: her old terms are no translation of it any more."""
    asked = {
        "durationType": "TIME_BOUND",
        "lookbackPeriod": 60,
        "resources": [{"resourceType": "ACCOUNT", "dataClusters": ["ACCOUNT_BASIC"]}],
        "authorizationDisclosure": {"productOrService": "Tax", "certified": True, "revocationMethod": "In the app"},
    }
    made = once.app.request("POST", "/holders/bank-a/fdx/v6/consents", json=asked)
    assert made.status_code == 201, made.text
    given = authorise(once.service, once.holder, made.json()["id"])
    once.post(f"/permissions/{given.consent_id}/withdraw", given.customer)
    ledger, office = once.service.node.ledger, once.service.node.office
    assert office is not None
    later = Office(ledger, office.gateway, office.notes, HandClock(office.now + 3_600_000))
    consent, before = ledger.records.consent("bank-a", given.consent_id), ledger.registry.size
    assert (office.may_ask_again(consent), later.may_ask_again(consent)) == (True, False), "no button that would fail"
    with pytest.raises(IllegalTransition, match="recipient's own application"):
        later.ask_again(consent)
    assert ledger.registry.size == before
    assert office.ask_again(consent).status is Status.AWAITING


def test_a_provider_that_did_not_allow_it_is_asked_in_its_own_application(once: Played) -> None:
    tpp = once.service.world.recipient("tpp-9")
    consent = once.service.world.requested_consent(tpp, once.holder, separate_consents=["provision", "sensitive"])
    once.service.world.record(once.holder.authorise(consent))
    once.post(f"/permissions/{consent.consent_id}/withdraw", consent.customer)
    [told] = once.shown(consent.customer)
    assert (told["status"], told["canBeReestablished"]) == ("withdrawn", False)
    assert refused(once.post(f"/permissions/{consent.consent_id}/re-establish", consent.customer)) == (409, "STATE")


def test_a_customers_permissions_are_nobody_elses(once: Played) -> None:
    consent = once.shared()
    for path in ("withdraw", "re-establish"):
        answer = once.post(f"/permissions/{consent.consent_id}/{path}", reference())
        assert refused(answer) == (404, "UNKNOWN")
    assert refused(once.post("/dashboard", consent.customer, client=once.app)) == (403, "FORBIDDEN")
    other = once.service.as_(once.service.world.holder("bank-z"))
    assert refused(once.post("/dashboard", consent.customer, client=other)) == (403, "FORBIDDEN")
    stranger = once.service.as_(once.service.world.recipient("tpp-8"))
    assert stranger.get(f"{PLACE}/permissions/{consent.consent_id}").status_code == 404
    for client in (once.app, once.bank):
        told = client.get(f"{PLACE}/permissions/{consent.consent_id}").json()
        assert told["permissionId"] == consent.consent_id


def test_a_permission_kept_from_the_others_is_shown_to_its_own_person_alone(once: Played) -> None:
    customer, mei = reference(), reference()
    permission = once.announced()
    said = once.holder.authorise(found(once.service, once.holder, permission), authoriser=mei)
    kept = once.holder.sign("subject.consent", consent_id=permission, subject=customer, suppress_notify=True)
    once.service.world.record(type(said)(said.path, said.statement, companion=kept))
    assert once.shown(customer) == []
    assert [one["permissionId"] for one in once.shown(customer, authorisers=[mei])] == [permission]
    assert refused(once.post(f"/permissions/{permission}/withdraw", customer)) == (404, "UNKNOWN")
    assert once.post("/objection", customer, authorisers=[mei]).json()["withdrawn"] == [permission]


def test_a_dashboard_comes_in_pages(once: Played) -> None:
    customer = reference()
    made = [once.shared(customer).consent_id for _ in range(3)]
    seen, after = [], -1
    while after is not None:
        answer = once.post("/dashboard", customer, after=after, limit=2).json()
        seen += [one["permissionId"] for one in answer["permissions"]]
        after = answer["next"]
    assert seen == made


def test_ended_permissions_are_shown_for_two_years_to_the_day(once: Played) -> None:
    consent = once.shared()
    once.post(f"/permissions/{consent.consent_id}/withdraw", consent.customer)
    office = once.service.node.office
    assert office is not None
    standing = office.describe(once.service.node.ledger.records.consent("bank-a", consent.consent_id))
    ended = standing.changed_at // 1000 * 1000
    two_years = 2 * 365 * 86_400_000
    assert is_shown(standing, ended + two_years)
    assert not is_shown(standing, ended + two_years + 3 * 86_400_000)


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"dataCategories": ["fingerprints"]}, "dataCategories"),
        ({"dataCategories": []}, None),
        ({"validTo": "2020-01-01"}, "validTo"),
        ({"validTo": "31.12.2099"}, "validTo"),
        ({"validTo": "2099-02-30"}, "validTo"),
        ({"frequencyPerDay": 5}, "frequencyPerDay"),
        ({"frequencyPerDay": 0}, None),
        ({"purpose": {"code": "budgeting"}}, None),
        ({"customerName": "Mei"}, None),
    ],
)
def test_an_announcement_that_cannot_be_granted_is_refused_by_name_and_recorded_nowhere(
    once: Played, change: dict[str, Any], member: str | None
) -> None:
    size = once.service.node.ledger.tree.size()
    answer = once.app.request("POST", f"{PLACE}/permissions", json=ASKED | change)
    assert refused(answer) == (400, "MALFORMED")
    assert answer.json()["detail"]
    assert answer.json().get("member") == member
    assert once.service.node.ledger.tree.size() == size


def test_an_objection_needs_a_bank_that_lets_the_gateway_revoke(sqlite_url: str, tmp_path: Path) -> None:
    with served(sqlite_url, tmp_path / "state") as service:
        bank = service.as_(service.world.holder("bank-a"))
        customer = reference()
        answer = bank.request("POST", f"{PLACE}/objection", json={"customer": customer})
        assert refused(answer) == (403, "FORBIDDEN")
        shown = bank.request("POST", f"{PLACE}/dashboard", json={"customer": customer}).json()
        assert shown["objection"] is None, "nothing was begun that could not be done"


def test_every_status_of_the_words_is_one_of_the_page() -> None:
    assert {told["com-2023-367"] for told in words("psr").states.values()} >= {"active", "withdrawn", "expired"}
