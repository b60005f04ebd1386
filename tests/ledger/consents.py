"""Consents without a log: one in each state, the acts on it, and which of them are lawful."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ledger.consent.state import Approval, Consent, Status
from ledger.consent.transitions import apply
from ledger.documents import parse_document
from ledger.entries.acts import ConsentAmend, ConsentAuthorise, ConsentStep
from ledger.entries.statement import parse_payload
from ledger.entries.terms import Terms
from ledger.errors import LedgerError
from ledger.participants import Registry
from tests.clocks import NOW
from tests.world import (
    BANK,
    FINTECH,
    ORIGIN,
    OTHER_BANK,
    STRANGER,
    new_consent_id,
    payload,
    reference,
    registered,
    terms,
    terms_hash,
)

# act: (states it may start from, state it leads to, {signer: whom it may name})
TABLE: dict[str, tuple[str, str, dict[str, str]]] = {
    "consent.reject": ("AWAITING PARTIAL", "REJECTED", {BANK: "customer holder system", FINTECH: "customer recipient"}),
    "consent.suspend": ("ACTIVE", "SUSPENDED", {BANK: "customer holder court system"}),
    "consent.pause": ("ACTIVE", "PAUSED", {BANK: "customer guardian"}),
    "consent.revoke": (
        "AWAITING PARTIAL ACTIVE PAUSED SUSPENDED",
        "REVOKED",
        {BANK: "customer guardian court holder", FINTECH: "customer recipient"},
    ),
    "consent.terminate": (
        "AWAITING PARTIAL ACTIVE PAUSED SUSPENDED",
        "TERMINATED",
        {BANK: "holder system", FINTECH: "recipient system"},
    ),
}
RESUME = {"PAUSED": "customer guardian", "SUSPENDED": "customer holder court system"}
ACTORS = ("customer", "guardian", "court", "holder", "recipient", "system")
STATES = tuple(status.value for status in Status)


def lawful(status: str, act: str, signer: str, by: str) -> str | None:
    """The state that a step leads to, by the table above; None when it must be refused."""
    if act == "consent.resume":
        return "ACTIVE" if signer == BANK and by in RESUME.get(status, "").split() else None
    sources, target, signers = TABLE[act]
    return target if status in sources.split() and by in signers.get(signer, "").split() else None


def registry(*more: dict[str, Any], ruleset: int = 2) -> Registry:
    made = Registry()
    documents = (
        {"type": "ledger.opened", "v": 1, "origin": ORIGIN, "ruleset": ruleset},
        registered(BANK, "holder"),
        registered(OTHER_BANK, "holder"),
        registered(FINTECH, "recipient"),
        registered(STRANGER, "recipient"),
        *more,
    )
    for index, document in enumerate(documents):
        made = made.after(parse_document(document), index)
    return made


REGISTRY = registry()
REGISTRIES = {1: registry(ruleset=1), 2: REGISTRY}
ID = new_consent_id()


def consent(status: str = "ACTIVE", **changes: Any) -> Consent:
    wanted = changes.pop("terms", {})
    made = Consent(
        consent_id=ID,
        version=1,
        status=Status(status),
        terms=msgspec.convert(terms(**wanted), Terms),
        basis=10,
        approvals=(approval("first", "account"),),
        subject=reference("pseudonym"),
        subject_chain=b"s" * 32,
        separate=("provision", "sensitive"),
        authenticated_at=NOW // 1000,
        confirmed_at=NOW // 1000,
    )
    made = msgspec.structs.replace(made, **changes)
    return made.sharing(made.approvals, made.joint, made.withdrawn)


def approval(authoriser: str, *accounts: str) -> Approval:
    return Approval(reference(authoriser), tuple(sorted(map(reference, accounts))))


def said(act: str, iss: str, **members: Any) -> Any:
    return parse_payload(payload(act, iss, NOW, consent_id=ID, **members))


def step(act: str, iss: str, by: str) -> ConsentStep:
    made = said(act, iss, by=by, reason="as-asked")
    assert isinstance(made, ConsentStep)
    return made


def do(before: Consent | None, act: Any, *, index: int = 20, time: int = NOW, rules: Registry = REGISTRY) -> Consent:
    return apply(before, act, rules, index=index, time=time)


def refused(kind: type[LedgerError], before: Consent | None, act: Any, **where: Any) -> None:
    with pytest.raises(kind):
        do(before, act, **where)


def authorise(iss: str = BANK, **changes: Any) -> ConsentAuthorise:
    wanted = changes.pop("terms", {})
    made = said(
        "consent.authorise",
        iss,
        **{
            "version": 1,
            "terms_hash": terms_hash(terms(**wanted)),
            "accounts": [reference("account-2")],
            "authoriser": reference("second"),
            "subject": reference("pseudonym"),
            "sca": {"acr": "loa3", "amr": ["otp"], "at": NOW // 1000},
            **changes,
        },
    )
    assert isinstance(made, ConsentAuthorise)
    return made


def amend(iss: str = FINTECH, previous_version: int = 1, **changes: Any) -> ConsentAmend:
    made = said("consent.amend", iss, previous_version=previous_version, terms=terms(**changes))
    assert isinstance(made, ConsentAmend)
    return made
