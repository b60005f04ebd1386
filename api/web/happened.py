"""Events of a chain as the pages show them: an entry opened and read, and the rows of a history."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
from msgspec import UNSET

from ledger.entries.acts import AccessItem, AccessLeg, AccessRequest, Act
from ledger.entries.evidence import AccessOutcome, ConsentOutcome, decode_evidence
from ledger.entries.leaf import parse_leaf
from ledger.entries.payload import acting_for
from ledger.entries.statement import parse_item, payload_of
from ledger.planning.commands import Recorded

Show = Literal["all", "allowed", "refused", "changes"]


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a chain, read."""

    index: int
    seq: int
    time: int
    act: str
    says: Act | AccessItem | None
    iss: str
    outcome: AccessOutcome | ConsentOutcome | None
    credential_id: str
    """The passkey that signed beside the statement; empty for none."""
    recorded: Recorded
    stated: Act | None = None
    """The statement itself: for an item of a batch, the batch."""

    @property
    def is_access(self) -> bool:
        """Whether somebody asked to read data."""
        return isinstance(self.outcome, AccessOutcome)

    @property
    def allowed(self) -> bool:
        """Whether that was allowed."""
        return isinstance(self.outcome, AccessOutcome) and self.outcome.decision == "allow"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why an access was refused: what the log can check, then what somebody asserted."""
        return reasons_of(self.outcome)

    @property
    def item(self) -> AccessItem | AccessRequest | None:
        """What was asked for."""
        return self.says if isinstance(self.says, AccessItem | AccessRequest) else None

    @property
    def leg(self) -> AccessLeg | None:
        """What was delivered, for a release or a receipt of data."""
        return self.says if isinstance(self.says, AccessLeg) else None

    @property
    def by(self) -> str:
        """Who wanted a consent's step."""
        return str(getattr(self.says, "by", ""))

    @property
    def principal(self) -> str:
        """Whose act this is: the participant that the signer acts for, else the signer."""
        return acting_for(self.iss, getattr(self.stated, "on_behalf_of", UNSET))

    @property
    def is_relayed(self) -> bool:
        """Whether the bank reports an access that somebody else asked for."""
        return getattr(self.stated, "relayed", UNSET) is True

    @property
    def signed_by_customer(self) -> bool:
        """Whether a customer's passkey signed beside the holder."""
        return bool(self.credential_id) or self.recorded.statement is not None

    @property
    def acting_role(self) -> str:
        """In what quality the customer acted, if her bank said so."""
        return getattr(self.says, "acting_role", UNSET) or ""

    @property
    def reason(self) -> str:
        """Why a consent's step was made: a code."""
        return str(getattr(self.says, "reason", ""))

    def is_about(self, account: str) -> bool:
        """Whether that account was asked about; an access that names none asks about all. Empty: whatever it is about."""
        return not account or (self.item is not None and (not self.item.accounts or account in self.item.accounts))

    @property
    def is_erased(self) -> bool:
        """Whether the evidence was erased: only the place in the log is left."""
        return self.recorded.evidence is None and self.recorded.statement is None


@dataclass(frozen=True, slots=True)
class Row:
    """An event in a history, with what was delivered under it."""

    event: Event
    released: AccessLeg | None = None
    received: AccessLeg | None = None


def reasons_of(outcome: AccessOutcome | ConsentOutcome | None) -> tuple[str, ...]:
    """Why an access was refused: the log's own reasons, then the asserted ones; none for anything else."""
    if not isinstance(outcome, AccessOutcome):
        return ()
    return outcome.reasons if outcome.asserted is UNSET else (*outcome.reasons, *outcome.asserted)


def read_event(recorded: Recorded) -> Event:
    """An entry as an event."""
    seq = getattr(parse_leaf(recorded.leaf), "seq", -1)
    says: Act | AccessItem | None = None
    stated: Act | None = None
    iss = credential_id = ""
    if recorded.evidence is not None:
        evidence = decode_evidence(recorded.evidence)
        if isinstance(evidence.assertion, msgspec.Struct):
            credential_id = evidence.assertion.credential_id
        for text in evidence.statements:
            says = stated = payload_of(text)
            iss = stated.iss
        if isinstance(evidence.item, msgspec.Struct):
            says = parse_item(evidence.item.body.encode())
    elif recorded.statement is not None:  # the customer's passkey record around it is not for this reader
        says = stated = payload_of(recorded.statement)
        iss = stated.iss
    return Event(
        recorded.index, seq, recorded.time, recorded.act, says, iss, recorded.outcome, credential_id, recorded, stated
    )


def joined(events: list[Event], later: Sequence[Event] = (), told: Collection[int] = ()) -> list[Row]:
    """Events (oldest first) as rows, newest first; deliveries stand in the row of the access they were made under.

    `later` are events above these, whose deliveries may belong to these; `told` are deliveries that stand on another page.
    """
    accesses = {event.index for event in events if event.is_access}
    by_access: dict[tuple[int, str], AccessLeg] = {
        (event.leg.basis, event.act): event.leg for event in (*events, *later) if event.leg is not None
    }
    return [
        Row(event, by_access.get((event.index, "access.release")), by_access.get((event.index, "access.receive")))
        for event in reversed(events)
        if event.leg is None or (event.leg.basis not in accesses and event.index not in told)
    ]


def is_shown(event: Event, show: Show) -> bool:
    """Whether a history that is filtered so holds this event."""
    match show:
        case "all":
            return True
        case "allowed":
            return event.allowed
        case "refused":
            return event.is_access and not event.allowed
        case "changes":
            return event.act.startswith("consent.")
