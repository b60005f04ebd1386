"""Documents that the ledger no longer records although older logs hold them: the registry reads both
(docs/spec/leaves.md)."""

from __future__ import annotations

from ledger.documents import DelegationGranted, Document
from ledger.entries.acts import ACTS, SINCE_RULESET_3
from ledger.errors import IllegalTransition, InvalidInput
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
