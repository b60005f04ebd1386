"""Scopes: what each role may be given (docs/api.md, Scopes)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ledger.participants import Registry

OPERATOR: Final = "urn:consent-ledger:operator"
"""The operator's client id: no participant can have it, since their ids hold no colon."""

ROLE_SCOPES: Final[dict[str, frozenset[str]]] = {
    "auditor": frozenset({"bundle:read", "log:read", "partners:read", "receipts:read", "supervision:read"}),
    "holder": frozenset(
        {
            "admin:metrics.basic:read",
            "consents:read",
            "consents:write",
            "events:manage",
            "events:read",
            "partners:read",
            "partners:write",
            "receipts:read",
            "reconciliation:read",
            "supervision:read",
        }
    ),
    "recipient": frozenset(
        {
            "cdr:registration",
            "consents:read",
            "consents:write",
            "events:manage",
            "events:read",
            "grant_management_query",
            "grant_management_revoke",
            "partners:read",
            "partners:write",
            "receipts:read",
            "reconciliation:read",
            "supervision:read",
        }
    ),
    "regulator": frozenset(
        {
            "admin:metadata:update",
            "admin:metrics.basic:read",
            "bundle:read",
            "disclosure:open",
            "log:read",
            "partners:read",
            "receipts:read",
            "reconciliation:read",
            "supervision:read",
        }
    ),
    "technology-provider": frozenset({"partners:read", "partners:write", "receipts:read", "supervision:read"}),
}
OPERATOR_SCOPES: Final = frozenset({"events:manage", "metrics:read", "participants:write"})
WHILE_SUSPENDED: Final = frozenset(
    {
        "cdr:registration",
        "consents:read",
        "consents:write",
        "events:read",
        "grant_management_revoke",
        "partners:write",
        "receipts:read",
    }
)
"""A suspended participant still sees what it must end, and may end it; the rules refuse everything else it writes."""

NOT_FOR_RECIPIENTS: Final = frozenset({"bundle:read", "disclosure:open", "log:read"})
"""A reader of all leaves sees beside each authorisation a leaf of its customer's own chain: two recipients that are
auditors too could tell which of their customers are one person."""

SCOPES: Final[dict[str, str]] = {
    "admin:metadata:update": "Say that a register has something new (Consumer Data Right)",
    "admin:metrics.basic:read": "Read a holder's metrics as the Consumer Data Right has them",
    "bundle:read": "Export the log without evidence",
    "cdr:registration": "Read, change and end one's own registration as a client",
    "consents:read": "Read one's own consents and their histories",
    "consents:write": "Ask for consents and end them in the words of an outward standard",
    "disclosure:open": "Open evidence for a case; each opening is itself recorded",
    "events:manage": "Set where one is told of events",
    "events:read": "Poll for one's own events, acknowledge them, read their deliveries",
    "grant_management_query": "Read what one's grants permit (Grant Management for OAuth 2.0)",
    "grant_management_revoke": "End one's grants: the consent, and every token bound to it",
    "log:read": "Read entry bundles",
    "metrics:read": "Read the node's figures",
    "participants:write": "Register, suspend and reinstate participants and their keys",
    "partners:read": "Read attestations, data maps, and one's own tariffs and usage statements; regulators and auditors: all",
    "partners:write": "Add and revoke one's own keys, suspend oneself",
    "receipts:read": "Fetch receipts of one's own entries",
    "reconciliation:read": "Read what reconciliation found about one's own consents; a regulator: about all",
    "supervision:read": "Read freezes, requirements, and one's own assessments and incidents; regulators and auditors: all",
}

WORDED: Final[dict[str, frozenset[str]]] = {
    "accounts": frozenset({"consents:read", "consents:write"}),
    "consents": frozenset({"consents:read", "consents:write"}),
}
"""Scopes as outward standards name them (UK: `accounts`, Brazil: `consents`), and what each stands for here."""


def in_our_words(scopes: Iterable[str]) -> frozenset[str]:
    """The same scopes with those of outward standards in the words of this ledger."""
    return frozenset[str]().union(*(WORDED.get(scope, {scope}) for scope in scopes))


def scopes_of(client: str, registry: Registry) -> frozenset[str]:
    """The scopes of a client at this moment; none for one that is unknown or was removed."""
    if client == OPERATOR:
        return OPERATOR_SCOPES
    participant = registry.participants.get(client)
    if participant is None or participant.removed:
        return frozenset()
    allowed = frozenset[str]().union(*(ROLE_SCOPES[role] for role in participant.roles))
    if "recipient" in participant.roles:
        allowed -= NOT_FOR_RECIPIENTS
    return allowed & WHILE_SUSPENDED if participant.suspended else allowed
