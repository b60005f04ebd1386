"""States of consents and registries for tests that look at one rule: made directly, not by a log."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from verifier.consents import Consent, Given
from verifier.participants import Registry
from verifier.terms import Terms

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
    opening = [operator("ledger.opened", origin="ledger.example/1", ruleset=ruleset)]
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
