"""How the bank of the demo signs for the pages: the protocol of a remote agent (docs/people.md), keys in this process only."""

from __future__ import annotations

import hmac
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.demo.bank import Bank
from api.web.agent import Authorisation, Customer, DecisionWish, HolderStatement, LocalAgent, Withdrawal
from api.web.people import Person, SignInSca


def agent_routes(bank: Bank, customers: tuple[Customer, ...], token: str) -> APIRouter:
    """`POST /agent`, for the ledger's pages alone."""
    router = APIRouter()
    accounts = {(one.subject, one.sub): one.accounts for one in customers}
    known = {one.sub: Person(one.sub, one.holder, one.subject, one.name) for one in customers}
    agent = LocalAgent(bank.client.statements, bank.pseudonyms, accounts)

    @router.post("/agent")
    async def ask(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get("authorization", ""), f"Bearer {token}"):
            return Response(status_code=401)
        asked: dict[str, Any] = msgspec.json.decode(await request.body())
        if asked.get("intent") == "decide":  # of the bank's own people, and of no customer
            decided = agent.decide(msgspec.convert(asked, DecisionWish))
            return Response(msgspec.json.encode(decided), media_type="application/json")
        person = known.get(asked.get("person", {}).get("sub", ""))
        if person is None:
            return Response(status_code=403)
        return Response(msgspec.json.encode(_answer(bank, agent, person, asked)), media_type="application/json")

    return router


def _answer(bank: Bank, agent: LocalAgent, person: Person, asked: dict[str, Any]) -> HolderStatement | dict[str, Any]:
    consent_id = asked.get("consent_id", "")
    sca = msgspec.convert(asked["sca"], SignInSca) if "sca" in asked else SignInSca("", (), 0)
    match asked["intent"]:
        case "accounts":
            return {"accounts": agent.accounts(person, consent_id)}
        case "authoriser":
            return {"authoriser": agent.authoriser(person, consent_id)}
        case "authorise":
            wish = msgspec.convert(asked, Authorisation)
            bank.hold(consent_id, person.sub, wish.accounts)
            return agent.authorise(person, wish)
        case "withdraw":
            return agent.withdraw(person, msgspec.convert(asked, Withdrawal))
        case "reauthenticate":
            return agent.reauthenticate(person, consent_id, sca)
        case "step":
            return agent.step(person, asked["step"], consent_id, asked["reason"])
        case "enrol":
            return agent.enrol(person, asked["credential_id"], asked["public_key"], asked["rp_id"], sca)
        case "unenrol":
            return agent.unenrol(person, asked["credential_id"], asked["reason"])
        case _:
            raise ValueError(f"the pages ask for {asked['intent']!r}, which this bank does not know")
