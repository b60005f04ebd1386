"""What the ledger no longer records although older logs hold it: registry and replay read both (docs/spec/leaves.md,
consents.md, «A narrower door»)."""

from __future__ import annotations

from ledger.consent.state import Consent
from ledger.documents import DelegationGranted, Document
from ledger.entries.acts import ACTS, SINCE_RULESET_3
from ledger.errors import IllegalTransition, InvalidInput, NotPermitted
from ledger.participants import Registry


def check_document(document: Document, registry: Registry) -> None:
    """Refuse a document that says what cannot be. Raises InvalidInput, IllegalTransition."""
    if not isinstance(document, DelegationGranted):
        return
    if unknown := [act for act in document.acts if act not in ACTS]:
        raise InvalidInput(
            f"not acts that can be signed: {', '.join(unknown)}; see docs/spec/statements.md", member="acts"
        )
    if registry.ruleset < 3 and (early := [act for act in document.acts if act in SINCE_RULESET_3]):
        raise InvalidInput(f"these acts exist from ruleset 3 onwards: {', '.join(early)}", member="acts")
    for participant in (document.participant, document.delegate):
        if participant in registry.removed:
            raise IllegalTransition(f"participant {participant!r} was removed; removal is permanent")


def check_authorisation(consent: Consent | None, registry: Registry) -> None:
    """Nobody can agree to a consent while its recipient is suspended: whoever asked her may not use it. Raises NotPermitted."""
    if consent is not None and registry.is_suspended(consent.terms.recipient):
        raise NotPermitted(
            f"the recipient {consent.terms.recipient!r} is suspended: nobody can agree to a consent of it until the operator "
            "lets it in again",
            member="consent_id",
        )
