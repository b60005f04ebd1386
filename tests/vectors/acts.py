"""Vectors of every act: an honest payload of each, and what no reader may take for one (statements.md, ruleset-3.md, partners.md).

The honest ones are those of the annotated logs. Each member is then left out, made empty, and given another type.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.histories import Told, row, sheet
from tests.vectors import brought, told_cases, told_partners
from tests.vectors.hashing import Json, encode, unb64u
from tests.vectors.log import ORIGIN, Log
from tests.vectors.story import HOLDER, RECIPIENT, SECOND, ruleset_1, ruleset_2
from tests.vectors.story_3 import ruleset_3

COMMON = ("act", "aud", "iat", "iss", "jti", "v")
MAY_BE_ABSENT = {
    "acting_role",
    "asserted",
    "clock",
    "comment_hash",
    "destinations",
    "details_hash",
    "filters",
    "frequency_period",
    "joint_accounts",
    "masks",
    "on_behalf_of",
    "once_seconds",
    "reauthenticate_days",
    "reconfirm_days",
    "region",
    "separate_consents",
    "suppress_notify",
    "utc_offset",
}
"""In every act that has them; some members of terms share their name."""
MAY_BE_ABSENT_IN = {
    ("subject.feedback", "text_hash"),
    ("subject.answer", "text_hash"),
    ("access.request", "relayed"),
    ("access.batch", "relayed"),
}
MUST_BE_THERE_IN = {("tariff.offer", "utc_offset")}
MAY_BE_EMPTY = {("tariff.offer", "recipient")}
"""It is then for everybody."""


def honest() -> dict[str, Json]:
    """A payload of each act, that with most members."""
    found: dict[str, Json] = {}
    for log in (ruleset_1(), ruleset_2(), ruleset_3(), partners(), handed()):
        for payload in _payloads(log):
            act = payload["act"]
            if act not in found or len(encode(payload)) > len(encode(found[act])):
                found[act] = payload
    item = found["access.request"]
    found["access.request"] = {**item, "asserted": ["CERT_EXPIRED"], "region": "SG", "relayed": True}
    return dict(sorted((found | _elsewhere(found) | _brought()).items()))


def _brought() -> dict[str, Json]:
    """The acts of attested history, which has vectors of its own (`brought`): here with what none may lack."""
    told = Told(sheet(brought.BOB, [row()]))
    members = {
        "history.attest": told.attest,
        "history.sheet": told.of(0, brought.AT),
        "history.withdraw": {"history": told.attest["history"], "reason": "wrong-columns"},
    }
    return {act: brought.payload(act, said) for act, said in members.items()}


def _elsewhere(found: dict[str, Json]) -> dict[str, Json]:
    """Acts that no annotated log has, made of those that one has."""
    revoke, authorise, enrol = found["consent.revoke"], found["consent.authorise"], found["subject.enrol"]
    made: dict[str, Json] = {act: {} for act in ("reject", "suspend", "terminate", "reconfirm")}
    made["withdraw_accounts"] = {"accounts": authorise["accounts"]}
    made["withdraw_approval"] = {"authoriser": authorise["authoriser"]}
    made["withdraw_separate"] = {"separate": "provision"}
    made["supersede"] = {"superseded_by": SECOND}
    more = {f"consent.{act}": {**revoke, **members, "act": f"consent.{act}"} for act, members in made.items()}
    common = {name: enrol[name] for name in COMMON}
    unenrol = {"credential_id": enrol["credential_id"], "reason": "lost", "subject": enrol["subject"]}
    again = {"consent_id": authorise["consent_id"], "sca": authorise["sca"]}
    more["subject.unenrol"] = {**common, **unenrol, "act": "subject.unenrol"}
    more["consent.reauthenticate"] = {**common, **again, "act": "consent.reauthenticate"}
    return more


def partners() -> Log:
    """What partners say of their dealings. The log is not whole: only its payloads are looked at."""
    log = ruleset_3(told_partners.AT)
    log.until = None
    told_partners.used(log)
    told_partners.give(log)
    told_partners.withdraw(log)
    told_partners.publish(log, 1)
    stated = told_partners.state(log, told_partners.BOTH, told_partners.LAST)
    told_partners.answer(log, stated, told_partners.AT + 3)
    told_partners.end(log, told_partners.AT)
    return log


def handed() -> Log:
    """What authorities say of a case. Only its payloads are looked at."""
    log = ruleset_3(told_cases.AT)
    log.until = None
    told_cases.prepared(told_cases.hand, told_cases.receive)(log)
    return log


def _payloads(log: Log) -> Iterator[Json]:
    for body, _ in log.bodies.values():
        for word in json.loads(body)["statements"]:
            yield json.loads(unb64u(word.split(".")[1]))


def _wrong(payload: Json) -> Iterator[tuple[str, Json]]:
    """The name of what is wrong, and the payload that it is wrong in."""
    act = payload["act"]
    yield "a member that the act does not have", {**payload, "zz": 1}
    yield "an unknown act", {**payload, "act": f"{act}x"}
    for name in payload:
        if name in ("act", "aud", "v"):
            continue
        there = name in COMMON or (act, name) in MUST_BE_THERE_IN
        if there or (name not in MAY_BE_ABSENT and (act, name) not in MAY_BE_ABSENT_IN):
            yield f"no {name}", {key: value for key, value in payload.items() if key != name}
        for what, value in _others(payload[name]):
            if not (value == "" and (act, name) in MAY_BE_EMPTY):
                yield f"{name}: {what}", {**payload, name: value}


def _others(value: Any) -> Iterator[tuple[str, Any]]:
    """Values that cannot stand for this one."""
    if isinstance(value, bool):
        yield "a number", 1
    elif isinstance(value, int):
        yield "a text", str(value)
        yield "true", True
        yield "far below", -9_000
    elif isinstance(value, str):
        yield "a number", 7
        yield "empty", ""
        yield "a list", [value]
    elif isinstance(value, list):
        yield "a text", "x"
        yield "an item of another type", [*value[1:], 7]
        if value and isinstance(value[0], dict):
            yield from ((f"item 0, {what}", [inner, *value[1:]]) for what, inner in _inside(value[0]))
        elif len(value) > 1 and sorted(value) == value:
            yield "not in order", value[::-1]
    else:
        yield "a text", "x"
        yield from _inside(value)


def _inside(value: Json) -> Iterator[tuple[str, Json]]:
    yield "a member more", {**value, "zz": 1}
    for name, member in value.items():
        for what, other in _others(member):
            if name != "amr" or what != "not in order":  # as the authority's own list has it
                yield f"{name}: {what}", {**value, name: other}


def _crossed(found: dict[str, Json]) -> Iterator[tuple[str, str, Json]]:
    """(act, what is wrong, members): what only shows beside other members, or is a word that nobody has."""
    day = 86_400
    at = {act: payload["iat"] for act, payload in found.items()}
    yield "freeze.order", "it ends as it is signed", {"until": at["freeze.order"]}
    yield "freeze.order", "for more than 90 days", {"until": at["freeze.order"] + 90 * day + 1}
    yield "assessment.record", "the next is due as it is signed", {"next_due": at["assessment.record"]}
    yield "assessment.record", "another outcome", {"outcome": "perfect"}
    yield "risk.block", "about another thing", {"about": "customer"}
    yield "risk.block", "a level of 1,001", {"level": 1_001}
    yield "risk.block", "for 59 seconds", {"seconds": 59}
    yield "alert.decide", "another decision", {"decision": "ignored"}
    yield "incident.open", "a severity of 5", {"severity": 5}
    yield "incident.open", "detected after it was signed", {"detected_at": at["incident.open"] + 1}
    yield "incident.open", "no clock", {"clocks": []}
    yield "attestation.give", "valid until it is signed", {"valid_until": at["attestation.give"]}
    yield "tariff.end", "from when it is signed", {"from": at["tariff.end"]}
    yield "tariff.offer", "a currency in small letters", {"currency": "cny"}
    yield "tariff.offer", "tiers that do not begin at 0", {"lines": [{"free": 0, "tiers": [{"from": 1, "price": 1}]}]}
    yield "usage.answer", "agreed, and disputed", {"answer": "agreed", "disputed": [{"index": 1, "reason": "unknown"}]}
    yield "usage.answer", "disputed, and nothing named", {"answer": "disputed", "disputed": []}
    yield "subject.feedback", "due as it is signed", {"due": at["subject.feedback"]}
    yield "subject.feedback", "another kind", {"kind": "praise"}
    yield "subject.answer", "by somebody else", {"by": "customer"}
    yield "subject.answer", "another state", {"state": "lost"}
    yield "consent.revoke", "by nobody", {"by": "nobody"}
    yield "access.request", "a region in small letters", {"region": "sg"}
    yield "access.request", "an asserted reason that nobody knows", {"asserted": ["RAIN"]}
    yield "access.batch", "1,001 items", {"items_count": 1_001}
    yield "consent.acknowledge", "for itself as somebody else", {"on_behalf_of": found["consent.acknowledge"]["iss"]}


def acts() -> Json:
    found = honest()
    rows: list[Json] = []

    def add(act: str, name: str, payload: Json, code: str = "") -> None:
        row: Json = {"accept": not code, "name": f"{act}: {name}", "payload": encode(payload).decode()}
        rows.append(row | ({"code": code} if code else {}))

    for act, payload in found.items():
        add(act, "honest", payload)
        bare = {
            name: value
            for name, value in payload.items()
            if not (name in MAY_BE_ABSENT or (act, name) in MAY_BE_ABSENT_IN) or (act, name) in MUST_BE_THERE_IN
        }
        add(act, "without what may be absent", bare)
        behalf = RECIPIENT if payload["iss"] == HOLDER else HOLDER
        add(act, "for somebody else", {**payload, "on_behalf_of": behalf})
        for name, wrong in _wrong(payload):
            add(act, name, wrong, "BAD_ENCODING")
    add("consent.revoke", "for another log", {**found["consent.revoke"], "aud": "ledger.example/x"}, "BAD_SIGNATURE")
    for act, name, members in _crossed(found):
        add(act, name, {**found[act], **members}, "BAD_ENCODING")
    authorise = found["consent.authorise"]
    late = {**authorise, "sca": {**authorise["sca"], "at": authorise["iat"] + 301}}
    add("consent.authorise", "authenticated 301 s after it was signed", late, "TIME_INVALID")
    return {
        "about": "Payloads of statements, read after their signatures: one of each act, and what is none.",
        "cases": rows,
        "origin": ORIGIN,
    }


FILES = {"acts": acts}
