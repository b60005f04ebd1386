"""States of consents and registries for tests that look at one rule: made directly, not by a log."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.verifier.forge import named
from verifier.records.facts import Facts
from verifier.records.terms import Terms
from verifier.rules.consents import Consent, Given
from verifier.rules.decisions import Asker, Item, decide
from verifier.rules.participants import Registry
from verifier.rules.transitions import transition

HOLDER, RECIPIENT, OTHER = "bank.example", "app.example", "other.example"
SECONDS = 1_790_078_400
"""A noon in UTC."""
NOW = SECONDS * 1000
DAY = 86_400
A, B, C = "a" * 22, "b" * 22, "c" * 22
ANN, BOB = "ann" * 8, "bob" * 8
"""Two authorisers."""


def operator(kind: str, **members: Any) -> dict[str, Any]:
    """An operator document."""
    return {"type": kind, "v": 1, **members}


def registry(*documents: dict[str, Any], ruleset: int = 2) -> Registry:
    """A holder, two recipients and a provider, and what the documents say after that."""
    made = Registry()
    opening = [operator("ledger.opened", origin="ledger.example/1", **named(ruleset))]
    for name, role in (
        (HOLDER, "holder"),
        (RECIPIENT, "recipient"),
        (OTHER, "recipient"),
        ("helper.example", "technology-provider"),
    ):
        opening.append(operator("participant.registered", participant=name, name=name, roles=[role]))
    for index, document in enumerate([*opening, *documents]):
        made.fold(document, index)
    return made


def terms(**changes: Any) -> Terms:
    """Terms that every rule accepts."""
    plain = Terms(
        holder=HOLDER,
        recipient=RECIPIENT,
        permissions=("ReadAccountsDetail", "ReadBalances"),
        purpose="AIS",
        grade=3,
        once=False,
        starts_at=0,
        expires_at=0,
        history_from=0,
        history_to=0,
        frequency_per_day=0,
        authorisers_required=1,
        retention_days=0,
        separate_consents=("provision", "sensitive"),
    )
    return replace(plain, **changes)


def consent(status: str = "ACTIVE", *, of: dict[str, Any] | None = None, **changes: Any) -> Consent:
    """A consent that Ann gave for accounts A and B; `of`: changes of its terms."""
    given = Given(((ANN, (A, B)),), (), ("provision", "sensitive"))
    members: dict[str, Any] = {
        "version": 1,
        "status": status,
        "terms": terms(**(of or {})),
        "terms_hash": "h" * 43,
        "basis": 9,
        "given": given,
        "accounts": (A, B),
        "subject": "s" * 22,
        "authenticated_at": SECONDS,
        "confirmed_at": SECONDS,
        **changes,
    }
    return Consent(**members)


INDEX = 20
TERMS = {
    "authorisers_required": 1,
    "expires_at": 0,
    "frequency_per_day": 0,
    "grade": 3,
    "history_from": 0,
    "history_to": 0,
    "holder": HOLDER,
    "language": "en",
    "notice_hash": "A" * 43,
    "once": False,
    "permissions": ["ReadBalances"],
    "purpose": {"code": "AIS", "text": "See my accounts"},
    "recipient": RECIPIENT,
    "retention_days": 0,
    "separate_consents": ["provision", "sensitive"],
    "standard": "uk-ob",
    "standard_version": "4.0",
    "starts_at": 0,
}
"""Terms as a recipient signs them."""


def moved(
    before: Consent | None,
    act: str,
    *,
    party: str = HOLDER,
    time: int = NOW,
    rules: Registry | None = None,
    find: Any = None,
    **content: Any,
) -> Consent:
    """The state after `consent.<act>`."""
    facts = Facts(
        f"consent.{act}", party, "", 0, b"", b"", -1, False, {"consent_id": "urn:this", **content}, None, None
    )
    return transition(rules or registry(), before, facts, time, INDEX, find or (lambda _: None))


RULES = registry()


def item(**changes: Any) -> Item:
    plain = Item(accounts=(), customer_present=False, since=0, until=0, permissions=("ReadBalances",), purpose="AIS")
    return plain._replace(**changes)


def asked(
    before: Consent | None,
    *,
    iss: str = RECIPIENT,
    party: str = "",
    relayed: bool = False,
    time: int = NOW,
    rules: Any = RULES,
    asserted: Any = (),
    **changes: Any,
) -> dict[str, Any]:
    return decide(rules, before, Asker(iss, party or iss, relayed), item(**changes), time, list(asserted))
