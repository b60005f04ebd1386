"""Which party of a consent may sign an act, and whose wish it may name (docs/spec/consents.md, Transitions)."""

from __future__ import annotations

from typing import Final

from ledger.consent.state import Consent
from ledger.errors import NotFound, NotPermitted

ACTORS: Final[dict[tuple[str, str], frozenset[str]]] = {
    ("consent.reject", "holder"): frozenset({"customer", "holder", "system"}),
    ("consent.reject", "recipient"): frozenset({"customer", "recipient"}),
    ("consent.suspend", "holder"): frozenset({"customer", "holder", "court", "system"}),
    ("consent.pause", "holder"): frozenset({"customer", "guardian"}),
    ("consent.resume", "holder"): frozenset({"customer", "guardian", "holder", "court", "system"}),
    ("consent.revoke", "holder"): frozenset({"customer", "guardian", "court", "holder"}),
    ("consent.revoke", "recipient"): frozenset({"customer", "recipient"}),
    ("consent.terminate", "holder"): frozenset({"holder", "system"}),
    ("consent.terminate", "recipient"): frozenset({"recipient", "system"}),
    ("consent.withdraw_accounts", "holder"): frozenset({"customer", "guardian", "court", "holder"}),
    ("consent.withdraw_approval", "holder"): frozenset({"customer", "guardian"}),
    ("consent.withdraw_separate", "holder"): frozenset({"customer", "guardian"}),
    ("consent.withdraw_separate", "recipient"): frozenset({"customer"}),
    ("consent.reconfirm", "recipient"): frozenset({"customer"}),
    ("consent.supersede", "holder"): frozenset({"customer", "holder", "system"}),
}
"""Which `by` each signer may name for each act."""

REDUCES_SHARING: Final = frozenset(
    {
        "consent.reject",
        "consent.revoke",
        "consent.terminate",
        "consent.suspend",
        "consent.pause",
        "subject.unenrol",
        "consent.withdraw_accounts",
        "consent.withdraw_approval",
        "consent.withdraw_separate",
    }
)
"""What a suspended participant may still do."""


def party_role(consent: Consent, participant: str) -> str:
    """`holder` or `recipient`: what the participant is to this consent. Raises NotFound for a stranger."""
    if participant == consent.terms.recipient:
        return "recipient"
    if participant == consent.terms.holder:
        return "holder"
    raise unknown_consent()


def unknown_consent() -> NotFound:
    """The one answer for a consent that does not exist and for one that is not the caller's."""
    return NotFound("there is no such consent for this participant", member="consent_id")


def require_role(role: str, wanted: str, act: str) -> None:
    """Refuse the other party of the consent. Raises NotPermitted."""
    if role != wanted:
        raise NotPermitted(f"{act} is for the {wanted} of the consent")


def require_actor(act: str, role: str, by: str) -> None:
    """Refuse an act of the wrong party, or in the name of someone it may not name. Raises NotPermitted."""
    actors = ACTORS.get((act, role))
    if actors is None:
        raise NotPermitted(f"{act} is not for the {role} of the consent")
    if by not in actors:
        raise NotPermitted(f"the {role} may not sign {act} by {by!r}; allowed: {sorted(actors)}", member="by")
