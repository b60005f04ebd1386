"""The chains of consents and customers that a command would add to."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.entries.acts import (
    AccessBatch,
    Declaration,
    HistorySheet,
    SubjectAnswer,
    SubjectConsent,
    SubjectEnrol,
    SubjectFeedback,
    SubjectUnenrol,
)
from ledger.entries.leaf import consent_chain, history_chain, subject_chain
from ledger.entries.payload import acting_for
from ledger.planning.commands import Command, ExpireConsent, SubmitStatement


def chains_of(command: Command) -> Iterator[bytes]:
    """The chains of consents and subjects that a command would add to."""
    match command:
        case ExpireConsent():
            yield consent_chain(command.consent_id)
        case SubmitStatement():
            payload, companion = command.statement.payload, command.companion
            if isinstance(payload, AccessBatch):
                yield from (consent_chain(item.says.consent_id) for item in command.items)
            elif isinstance(payload, Declaration):
                return  # these chains are never erased
            elif isinstance(payload, HistorySheet):  # nor anything about a customer whose own chain was erased
                holder = acting_for(payload.iss, payload.on_behalf_of)
                yield from (make(holder, payload.sheet.subject) for make in (history_chain, subject_chain))
            elif isinstance(payload, SubjectEnrol | SubjectUnenrol | SubjectAnswer):
                yield subject_chain(acting_for(payload.iss, payload.on_behalf_of), payload.subject)
            else:
                yield consent_chain(payload.consent_id)
            if isinstance(payload, SubjectFeedback):
                yield subject_chain(acting_for(payload.iss, payload.on_behalf_of), payload.subject)
            if companion is not None and isinstance(companion.payload, SubjectConsent):
                link = companion.payload
                yield subject_chain(acting_for(link.iss, link.on_behalf_of), link.subject)
        case _:
            return
