"""A consent of ruleset 2 as a dictionary and a few functions: the second opinion that random lives are compared with."""

from __future__ import annotations

from typing import Any

Model = dict[str, Any]
LIVE = ("AWAITING", "PARTIAL", "ACTIVE", "PAUSED", "SUSPENDED")
AUTHORISED = LIVE[1:]
IN_FORCE = LIVE[2:]
KINDS = {"provision", "sensitive"}


class No(Exception):
    """The rules do not allow it."""


def need(condition: object) -> None:
    if not condition:
        raise No


def new(required: int, expires: int, days: int) -> Model:
    return {
        "status": "AWAITING",
        "required": required,
        "expires": expires,
        "days": days,
        "version": 1,
        "gave": {},
        "joint": set(),
        "withdrawn": set(),
        "separate": set(),
        "since": 0,
        "pending": None,
    }


def status(model: Model, now: int, gone: bool) -> str:
    if model["status"] not in LIVE:
        return str(model["status"])
    if gone:
        return "TERMINATED"
    return "EXPIRED" if model["expires"] and now >= model["expires"] * 1000 else str(model["status"])


def given(model: Model) -> set[str]:
    return {account for accounts in model["gave"].values() for account in accounts} - model["withdrawn"]


def shared(model: Model) -> set[str]:
    twice = {a for a in given(model) if sum(a in accounts for accounts in model["gave"].values()) > 1}
    return (given(model) - model["joint"]) | twice


def waiting(model: Model) -> set[str]:
    return given(model) - shared(model)


def into_force(model: Model, at: str, now: int) -> None:
    model.update(status=at, withdrawn=set(), since=now // 1000)


def authorise(
    model: Model, at: str, who: str, accounts: set[str], joint: set[str], kinds: set[str], version: int, now: int
) -> None:
    pending = model["pending"]
    if pending is not None and version == model["version"] + 1 and at in AUTHORISED:
        need(who not in pending["gave"])
        pending["gave"][who] = set(accounts)
        pending["joint"] |= joint
        pending["separate"] |= kinds
        if len(pending["gave"]) >= pending["required"]:
            model.update(pending, version=version, pending=None)
            into_force(model, at if at in ("PAUSED", "SUSPENDED") else "ACTIVE", now)
        return
    need(version == model["version"] and at in LIVE and who not in model["gave"])
    if at in IN_FORCE:
        lacking = len(model["gave"]) < model["required"]
        need(lacking or (waiting(model) and accounts <= waiting(model)))
    model["gave"][who] = set(accounts)
    model["joint"] |= joint
    model["separate"] |= kinds
    model["withdrawn"] -= accounts
    if at not in IN_FORCE:
        model["status"] = "PARTIAL"
        if len(model["gave"]) >= model["required"]:
            into_force(model, "ACTIVE", now)


def amend(model: Model, at: str, required: int, version: int) -> None:
    need(at in IN_FORCE and version == model["version"])
    model["pending"] = {"required": required, "gave": {}, "joint": set(), "separate": set()}


def withdraw_accounts(model: Model, at: str, accounts: set[str]) -> None:
    there = given(model)
    need(at in AUTHORISED and accounts <= there and accounts != there)
    for gave in (model["gave"], (model["pending"] or {"gave": {}})["gave"]):
        for who in gave:
            gave[who] -= accounts
    model["withdrawn"] |= accounts


def withdraw_approval(model: Model, at: str, who: str) -> None:
    need(at in AUTHORISED and who in model["gave"] and len(model["gave"]) > 1)
    before = shared(model)
    del model["gave"][who]
    model["withdrawn"] |= before - shared(model)
    model["pending"] = None
    if at == "ACTIVE" and len(model["gave"]) < model["required"]:
        model["status"] = "PARTIAL"


def withdraw_separate(model: Model, at: str, kind: str) -> None:
    need(at in AUTHORISED and kind in model["separate"])
    model["separate"].discard(kind)


def reauthenticate(model: Model, at: str, now: int) -> None:
    need(at in ("ACTIVE", "SUSPENDED"))
    model["since"] = now // 1000


def step(model: Model, at: str, act: str) -> None:
    sources, target = {
        "pause": (("ACTIVE",), "PAUSED"),
        "suspend": (("ACTIVE",), "SUSPENDED"),
        "revoke": (LIVE, "REVOKED"),
        "resume": (("PAUSED", "SUSPENDED"), "ACTIVE"),
    }[act]
    need(at in sources)
    lacking = act == "resume" and len(model["gave"]) < model["required"]
    model["status"] = "PARTIAL" if lacking else target
    if target not in IN_FORCE:
        model["pending"] = None


def reasons(model: Model, at: str, asked: set[str], now: int, *, suspended: bool) -> list[str]:
    found = ["PARTICIPANT_SUSPENDED"] if suspended else []
    if at != "ACTIVE":
        found.append(f"CONSENT_{at}")
    else:
        if now >= (model["since"] + model["days"] * 86_400) * 1000:
            found.append("REAUTHENTICATION_REQUIRED")
        if model["separate"] != KINDS:
            found.append("SEPARATE_CONSENT_MISSING")
    known = shared(model) | waiting(model) | model["withdrawn"]
    if asked - known:
        found.append("ACCOUNT_NOT_IN_CONSENT")
    if asked & waiting(model):
        found.append("ACCOUNT_APPROVAL_PENDING")
    if asked & model["withdrawn"]:
        found.append("ACCOUNT_APPROVAL_WITHDRAWN")
    return found
