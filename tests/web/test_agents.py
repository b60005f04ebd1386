"""Who signs for a customer: the agent in this process, and the one at the bank, which must say what was asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from api.web.agent import Authorisation, DecisionWish, FeedbackWish, ReplyWish, Withdrawal, read_customers
from api.web.agent_remote import RemoteAgent
from api.web.people import SignInSca
from ledger.documents import document_of
from ledger.entries.payload import SeparateConsent
from ledger.errors import InvalidInput, NotFound, NotPermitted, Unavailable
from ledger.orders import About, AlertRaised
from tests.ports import loopback
from tests.web.site import MEI, OLGA, WEI, Site, open_site, serving

SCA = SignInSca("phr", ("hwk",), 1)


class Bank:
    """A bank's agent over HTTP: its answers can be bent."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.bend: dict[str, Any] = {}
        self.status = 200
        self.asked: list[dict[str, Any]] = []
        self.app = FastAPI(openapi_url=None)
        self.app.add_api_route("/agent", self.answer, methods=["POST"], response_model=None)

    async def answer(self, request: Request) -> Response:
        asked = await request.json() | self.bend
        self.asked.append(asked)
        if request.headers["authorization"] != "Bearer secret" or self.status != 200:
            return JSONResponse({}, self.status if self.status != 200 else 403)
        agent = self.site.agent
        if asked["intent"] == "decide":
            assert "person" not in asked, "no customer decides about alerts"
            decided = agent.decide(msgspec.convert(asked, DecisionWish)).statement
            return Response(json.dumps({"statement": decided}), media_type="application/json")
        person = self.site.people[asked["person"]["sub"]]
        match asked["intent"]:
            case "accounts":
                made: Any = {
                    "accounts": [
                        {"reference": one.reference, "label": one.label, "joint": one.joint}
                        for one in agent.accounts(person, asked["consent_id"])
                    ]
                }
            case "step":
                made = {"statement": agent.step(person, asked["step"], asked["consent_id"], asked["reason"]).statement}
            case "authoriser":
                made = {"authoriser": agent.authoriser(person, asked["consent_id"])}
            case "reauthenticate":
                made = {
                    "statement": agent.reauthenticate(
                        person, asked["consent_id"], msgspec.convert(asked["sca"], SignInSca)
                    ).statement
                }
            case "withdraw":
                made = {"statement": agent.withdraw(person, msgspec.convert(asked, Withdrawal)).statement}
            case "feedback":
                made = {"statement": agent.feedback(person, msgspec.convert(asked, FeedbackWish)).statement}
            case "answer":
                made = {"statement": agent.answer(person, msgspec.convert(asked, ReplyWish)).statement}
            case _:
                signed = agent.authorise(person, msgspec.convert(asked, Authorisation))
                made = {"statement": signed.statement, "companion": signed.companion}
        return Response(json.dumps(made), media_type="application/json")


@pytest.fixture
def bank(shared_site: Site) -> Iterator[tuple[Bank, RemoteAgent]]:
    with loopback() as listener:
        made = Bank(shared_site)
        with serving(made.app, listener):
            yield made, RemoteAgent("bank-a", f"http://127.0.0.1:{listener.getsockname()[1]}/agent", "secret")


def wish_for(site: Site, accounts: tuple[str, ...] | None = None) -> Authorisation:
    asked = site.ask()
    mine = site.agent.accounts(site.people[MEI], asked.consent_id)
    return Authorisation(
        consent_id=asked.consent_id,
        version=1,
        terms_hash=asked.terms_hash,
        recipient="plum",
        sca=SCA,
        accounts=accounts or tuple(sorted(one.reference for one in mine[:2])),
        separate_consents=tuple(SeparateConsent(1, kind, "A" * 43) for kind in asked.terms["separate_consents"]),
    )


def test_a_remote_agent_signs_what_the_ledger_takes(shared_site: Site, bank: tuple[Bank, RemoteAgent]) -> None:
    site, (_, agent) = shared_site, bank
    person, wish = site.people[MEI], wish_for(site)
    assert agent.accounts(person, wish.consent_id) == site.agent.accounts(person, wish.consent_id)
    signed = agent.authorise(person, wish)
    site.world.ledger.record(signed.statement, companion=signed.companion)
    less = agent.withdraw(person, Withdrawal(consent_id=wish.consent_id, reason="less", accounts=wish.accounts[:1]))
    site.world.ledger.record(less.statement)
    assert site.world.ledger.records.consent("bank-a", wish.consent_id).accounts == wish.accounts[1:]
    assert agent.authoriser(person, wish.consent_id) == site.agent.authoriser(person, wish.consent_id)
    site.world.ledger.record(
        agent.reauthenticate(
            person, wish.consent_id, SignInSca("phr", (), site.world.clock.now() // 1000 + 1)
        ).statement
    )
    step = agent.step(person, "consent.revoke", wish.consent_id, "customer-request")
    site.world.ledger.record(step.statement)
    assert site.world.ledger.records.consent("bank-a", wish.consent_id).status == "REVOKED"


def test_an_agent_that_signs_something_else_is_not_believed(shared_site: Site, bank: tuple[Bank, RemoteAgent]) -> None:
    site, (there, agent) = shared_site, bank
    person, wish = site.people[MEI], wish_for(site)
    other = site.agent.accounts(person, wish.consent_id)[2].reference
    for bend in (
        {"accounts": [other]},
        {"version": 2},
        {"consent_id": site.ask().consent_id},
        {"terms_hash": "A" * 43},
        {"separate_consents": []},
        {"acting_role": "owner"},
        {"suppress_notify": True},
    ):
        there.bend = bend if "consent_id" not in bend else {**bend, "accounts": []}
        with pytest.raises(Unavailable):
            agent.authorise(person, wish)
    there.bend = {"separate": "sensitive"}
    with pytest.raises(Unavailable):
        agent.withdraw(person, Withdrawal(consent_id=wish.consent_id, reason="less", separate="provision"))
    there.bend = {"step": "consent.pause"}
    with pytest.raises(Unavailable):
        agent.step(person, "consent.revoke", wish.consent_id, "customer-request")


def test_no_answer_and_a_refusal_are_told_apart(shared_site: Site, bank: tuple[Bank, RemoteAgent]) -> None:
    site, (there, agent) = shared_site, bank
    for status, error in ((403, NotPermitted), (500, Unavailable), (302, Unavailable)):
        there.status = status
        with pytest.raises(error):
            agent.step(site.people[MEI], "consent.revoke", "x", "y")
    assert all("name" not in asked["person"] for asked in there.asked), "a name left the ledger"


def test_no_agent_is_asked_without_tls() -> None:
    with pytest.raises(ValueError, match="https"):
        RemoteAgent("bank-a", "http://bank.example/agent", "secret")


def test_a_local_agent_shares_no_account_of_another_customer(shared_site: Site) -> None:
    site = shared_site
    asked = site.ask()
    foreign = site.agent.accounts(site.people[OLGA], asked.consent_id)[0].reference
    with pytest.raises(NotFound):
        site.agent.authorise(site.people[MEI], wish_for(site, (foreign,)))


SOLE = {
    MEI: [{"id": "m", "label": "Mei's own"}, {"id": "j", "label": "Household", "joint": True}],
    WEI: [{"id": "w", "label": "Wei's own"}, {"id": "j", "label": "Household", "joint": True}],
}


@pytest.mark.parametrize("order", [(MEI, WEI), (WEI, MEI)])
def test_each_joint_holder_sees_her_own_accounts_in_any_order(tmp_path: Path, order: tuple[str, ...]) -> None:
    with open_site(tmp_path / "site", accounts={who: SOLE[who] for who in order}) as site:
        asked = site.ask()
        mine, his = (site.agent.accounts(site.people[who], asked.consent_id) for who in (MEI, WEI))
        assert [one.label for one in mine] == ["Mei's own", "Household"]
        assert [one.label for one in his] == ["Wei's own", "Household"]
        assert mine[1].reference == his[1].reference, "a joint account is one account"
        for who, foreign in ((MEI, his[0]), (WEI, mine[0])):
            with pytest.raises(NotFound):
                site.agent.authorise(site.people[who], wish_for(site, (foreign.reference,)))

        # What one of them shares of her own is told to the other without its name, on every page and file.
        consent = site.agree(asked, MEI, accounts=1)
        access = site.read(consent)
        key = site.key(consent)
        with site.client(WEI) as wei, site.client(MEI) as mei:
            for path in ("", f"/{key}", f"/{key}/history", f"/{key}/stop"):
                assert "Mei&#39;s own" not in wei.get(f"/my/connections{path}").text
            assert "An account of the other holder" in wei.get(f"/my/connections/{key}").text
            assert "Mei&#39;s own" not in wei.get(f"/my/receipts/{access.index}").text
            assert "Mei's own" not in wei.get("/my/export/csv").text
            assert "Mei&#39;s own" in mei.get(f"/my/connections/{key}").text
            offered = wei.get(f"/my/approve?consent={site.ask().consent_id}").text
        assert "Mei&#39;s own" not in offered
        assert "Wei&#39;s own" in offered


def test_a_customers_file_that_names_a_person_twice_is_refused(tmp_path: Path) -> None:
    person = {"sub": "mei", "holder": "bank-a", "subject": "A" * 22, "name": "Mei"}
    (tmp_path / "customers.json").write_text(json.dumps({"customers": [person, {**person, "subject": "B" * 22}]}))
    with pytest.raises(InvalidInput, match="names the sub «mei» twice"):
        read_customers(tmp_path / "customers.json")


def test_references_of_accounts_differ_between_consents(shared_site: Site) -> None:
    site = shared_site
    one, two = (site.agent.accounts(site.people[MEI], site.ask().consent_id) for _ in range(2))
    assert {account.reference for account in one} & {account.reference for account in two} == set()


HASHED = "A" * 43


def test_feedback_and_answers_are_signed_as_they_were_meant(bank: tuple[Bank, RemoteAgent], shared_site: Site) -> None:
    made, remote = bank
    mei, consent = shared_site.people[MEI], shared_site.shared()
    due = shared_site.world.clock.now() // 1000 + 100
    wish = FeedbackWish(about=1, consent_id=consent.consent_id, due=due, kind="other", number="N-1", text_hash=HASHED)
    reply = ReplyWish(by="recipient", number="N-1", state="answered")
    shared_site.world.ledger.record(remote.feedback(mei, wish).statement)
    shared_site.world.ledger.record(remote.answer(mei, reply).statement)
    for bent in (
        {"number": "N-2"},
        {"about": 0},
        {"due": due + 1},
        {"text_hash": "B" * 42 + "A"},
        {"kind": "unexpected"},
    ):
        made.bend = bent
        with pytest.raises(Unavailable, match="something else"):
            remote.feedback(mei, wish)
    for bent in ({"number": "N-2"}, {"state": "closed"}, {"by": "holder"}, {"text_hash": HASHED}):
        made.bend = bent
        with pytest.raises(Unavailable, match="something else"):
            remote.answer(mei, reply)


def test_a_decision_about_an_alert_is_signed_as_it_was_meant(bank: tuple[Bank, RemoteAgent], shared_site: Site) -> None:
    made, remote = bank
    ledger = shared_site.world.ledger
    about = About(id="bank-a", kind="holder")
    [alert] = ledger.record_documents(
        document_of(AlertRaised, about=about, at_index=1, features=(5, 6), rule="legs-differ", score=800)
    )
    wish = DecisionWish(
        alert=alert.index,
        decision="cleared",
        officer="o" * 22,
        proposal="confirmed",
        proposal_reasons=("fact",),
        comment_hash=HASHED,
    )
    ledger.submit_and_wait(ledger.prepare(remote.decide(wish).statement))
    assert ledger.registry.supervision.decided[alert.index]["bank-a"].says.comment_hash == HASHED
    for bent in (
        {"alert": 0},
        {"decision": "escalated"},
        {"officer": "p" * 22},
        {"proposal": "cleared"},
        {"proposal_reasons": []},
        {"comment_hash": "B" * 42 + "A"},
    ):
        made.bend = bent
        with pytest.raises(Unavailable, match="something else"):
            remote.decide(wish)
