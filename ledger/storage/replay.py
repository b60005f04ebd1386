"""Computes the states again from the first entry onwards, for a check and for a migration.

It takes every entry in the order of the log, with the registry of its time, and applies the rules that the sequencer applied.
What it remembers of consents, passkeys and challenges lies in a temporary file (ledger/storage/spill.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET

from ledger.consent.state import Consent, Status
from ledger.consent.transitions import apply, expire
from ledger.documents import parse_document
from ledger.entries.acts import (
    AccessLeg,
    ConsentAcknowledge,
    ConsentAct,
    ConsentSupersede,
    Declaration,
    HistorySheet,
    SubjectAnswer,
    SubjectConsent,
    SubjectEnrol,
    SubjectFeedback,
    SubjectUnenrol,
)
from ledger.entries.evidence import AccessOutcome, ConsentOutcome, Evidence
from ledger.entries.leaf import consent_chain, subject_chain
from ledger.entries.payload import acting_for
from ledger.errors import LedgerError
from ledger.participants import Registry
from ledger.policy.decision import after_access
from ledger.storage.rows import credential_digest
from ledger.storage.spill import Spill
from ledger.storage.standing import item_of, recorded_payload


class Moved(NamedTuple):
    """A consent as its chain leaves it. `opened_at`: index of its request."""

    opened_at: int
    consent: Consent


class Enrolled(NamedTuple):
    """A passkey as its customer's chain leaves it."""

    subject_chain: bytes
    credential_id: str
    public_key: str
    rp_id: str
    enrolled_at: int
    unenrolled_at: int | None


def leg_key(basis: int, act: str) -> bytes:
    """The key of a leg, in the order of the accesses."""
    return basis.to_bytes(8, "big") + act.encode()


class Unfit(Exception):
    """An entry says something that the entries before it do not lead to."""


class Unjudged(Exception):
    """The rules of this version refuse an entry that stands in the log: what it led to is not known here."""


_encode: Final = msgspec.msgpack.Encoder().encode
_read_consent: Final = msgspec.msgpack.Decoder(Moved)
_read_passkey: Final = msgspec.msgpack.Decoder(Enrolled)


class Replay:
    """The states after all entries so far."""

    def __init__(self, spill: Spill) -> None:
        self.registry = Registry()
        self._consents = spill.table("consents")
        self._passkeys = spill.table("passkeys")
        self._challenges = spill.table("challenges", sealed=False)
        self._unjudged = spill.table("unjudged", sealed=False)
        self._legs = spill.table("legs", sealed=False)
        self._feedbacks = spill.table("feedback")
        self._began = spill.table("began", sealed=False)

    def document(self, index: int, time: int, document: dict[str, object]) -> None:
        """Take an operator document. Raises Unfit."""
        try:
            self.registry = self.registry.after(parse_document(document), index, time)
        except LedgerError as error:
            raise Unfit(error.detail) from None

    def entry(self, index: int, time: int, chain: bytes, evidence: Evidence) -> None:
        """Take an entry of a consent's or a customer's chain. Raises Unfit, Unjudged, Corrupt."""
        says = recorded_payload(evidence) if evidence.statements else None
        if evidence.act.startswith("subject.") and self._began.get(chain) is None:
            self._began.put(chain, time.to_bytes(8, "big"))
        match says:
            case SubjectEnrol() | SubjectUnenrol():
                self._passkey(index, chain, says)
            case SubjectConsent():
                self._list(chain, says.consent_id)
            case _ if isinstance(says, Declaration):
                self._declaration(index, time, says)
            case SubjectFeedback() | SubjectAnswer():
                self._feedback(chain, says)
            case HistorySheet():
                self._sheet(says)
            case ConsentAcknowledge():
                self._acknowledgement(chain, evidence)
            case AccessLeg():
                self._leg(index, says)
            case _ if evidence.act == "access.request":
                self._access(time, chain, evidence)
            case _ if evidence.act.startswith("consent."):
                self._consent(index, time, chain, evidence, says)
            case _:
                return

    def pass_over(self, chain: bytes) -> None:
        """An entry of this chain could not be read, and was told of: nothing is said of what its chain leads to."""
        self._unjudged.put(chain, b"\2")

    def is_passed_over(self, chain: bytes) -> bool:
        """Whether an entry of this chain could not be read."""
        return self._unjudged.get(chain) == b"\2"

    def consents(self) -> Iterator[tuple[bytes, Moved | None]]:
        """All consents by chain, in the order of their chains; None: what one became could not be judged."""
        for chain, stored in self._consents.items():
            yield chain, None if self._unjudged.get(chain) else _read_consent.decode(stored)

    def consent(self, chain: bytes) -> Moved | None:
        """The consent of a chain, if there is one."""
        stored = self._consents.get(chain)
        return None if stored is None else _read_consent.decode(stored)

    def is_judged(self, chain: bytes) -> bool:
        """Whether all entries of a consent's chain could be taken."""
        return self._unjudged.get(chain) is None

    def passkeys(self) -> Iterator[tuple[bytes, Enrolled]]:
        """All passkeys by the digest of their id, in this order."""
        return ((digest, _read_passkey.decode(stored)) for digest, stored in self._passkeys.items())

    def challenges(self) -> Iterator[tuple[bytes, int]]:
        """All challenges that were used, in order, with the entry that used each."""
        return ((challenge, int.from_bytes(index, "big")) for challenge, index in self._challenges.items())

    def legs(self) -> Iterator[tuple[bytes, int]]:
        """The first legs of each act under each access, by `leg_key` in order, with their entries."""
        return ((key, int.from_bytes(index, "big")) for key, index in self._legs.items())

    def leg(self, access: int, act: str) -> int | None:
        """The entry of the first leg of this act under an access; None without one that could be read."""
        index = self._legs.get(leg_key(access, act))
        return None if index is None else int.from_bytes(index, "big")

    def _declaration(self, index: int, time: int, says: Declaration) -> None:
        try:
            principal = acting_for(says.iss, says.on_behalf_of)
            self.registry = self.registry.after_declaration(principal, says, index, time)
        except LedgerError as error:
            raise Unfit(error.detail) from None

    def _feedback(self, chain: bytes, says: SubjectFeedback | SubjectAnswer) -> None:
        key = chain + says.number.encode()
        state = self._feedbacks.get(key)
        if isinstance(says, SubjectFeedback):
            if state is not None:
                raise Unfit("its number was given to another feedback of this customer")
            self._feedbacks.put(key, b"open")
        elif state != b"open":
            raise Unfit("it answers feedback that is closed, or was never given")
        elif says.state == "closed":
            self._feedbacks.put(key, b"closed")

    def _sheet(self, says: HistorySheet) -> None:
        began = self._began.get(subject_chain(acting_for(says.iss, says.on_behalf_of), says.sheet.subject))
        try:
            self.registry.histories.require_sheet(says, None if began is None else int.from_bytes(began, "big"))
        except LedgerError as error:
            raise Unfit(error.detail) from None

    def _acknowledgement(self, chain: bytes, evidence: Evidence) -> None:
        known, outcome = self.consent(chain), evidence.outcome
        if known is None or not isinstance(outcome, ConsentOutcome):
            raise Unfit("it acknowledges what nobody asked for")
        if (outcome.consent_version, outcome.status) != (known.consent.version, known.consent.status.value):
            raise Unfit("its outcome is not the state that the entries before it lead to")

    def _leg(self, index: int, says: AccessLeg) -> None:
        key = leg_key(says.basis, says.act)
        if self._legs.get(key) is None:
            self._legs.put(key, index.to_bytes(8, "big"))

    def _consent(self, index: int, time: int, chain: bytes, evidence: Evidence, says: object) -> None:
        if evidence.assertion is not UNSET:
            self._challenges.put(evidence.assertion.challenge(), index.to_bytes(8, "big"))
        known = self.consent(chain)
        before = None if known is None else known.consent
        try:
            if says is None:
                if before is None:
                    raise Unfit("it ends a consent that nobody asked for")
                after = expire(before, self.registry, index=index, time=time)
            else:
                after = self._applied(before, says, index, time)  # type: ignore[arg-type]  # acts `consent.…` are these
        except LedgerError as error:
            self._unjudged.put(chain, b"\1")
            raise Unjudged(error.detail) from None
        outcome = evidence.outcome
        if not isinstance(outcome, ConsentOutcome) or (outcome.consent_version, outcome.status) != (
            after.version,
            after.status.value,
        ):
            raise Unfit("its outcome is not what the entries before it lead to")
        self._put(chain, Moved(index if known is None else known.opened_at, after))

    def _applied(self, before: Consent | None, says: ConsentAct, index: int, time: int) -> Consent:
        if not isinstance(says, ConsentSupersede):
            return apply(before, says, self.registry, index=index, time=time)
        other = self.consent(consent_chain(says.superseded_by))
        if other is None and before is not None:  # erased since: the auditor judges whether it was fit
            return msgspec.structs.replace(before, status=Status.SUPERSEDED, pending=None, basis=index)
        successor = None if other is None else other.consent
        return apply(before, says, self.registry, index=index, time=time, successor=successor)

    def _access(self, time: int, chain: bytes, evidence: Evidence) -> None:
        known, outcome = self.consent(chain), evidence.outcome
        if not isinstance(outcome, AccessOutcome):
            raise Unfit("it is an access without a decision")
        if known is None:
            if outcome.decision == "allow":
                raise Unfit("it allows an access without a consent")
            return
        if outcome.decision == "allow" and outcome.basis != known.consent.basis:
            raise Unfit("it allows an access on another basis than the last event of its consent")
        after = after_access(known.consent, item_of(evidence), outcome, time)
        if after is not known.consent:
            self._put(chain, known._replace(consent=after))

    def _list(self, chain: bytes, consent_id: str) -> None:
        """The consent is one of this customer's from here on."""
        theirs = consent_chain(consent_id)
        known = self.consent(theirs)
        if known is not None:
            self._put(theirs, known._replace(consent=msgspec.structs.replace(known.consent, subject_chain=chain)))

    def _passkey(self, index: int, chain: bytes, says: SubjectEnrol | SubjectUnenrol) -> None:
        digest = credential_digest(says.credential_id)
        if isinstance(says, SubjectEnrol):
            if self._passkeys.get(digest) is not None:
                raise Unfit("it enrols a passkey that was enrolled before")
            row = Enrolled(chain, says.credential_id, says.public_key, says.rp_id, index, None)
        else:
            stored = self._passkeys.get(digest)
            if stored is None:
                raise Unfit("it ends a passkey that nobody enrolled")
            row = _read_passkey.decode(stored)._replace(unenrolled_at=index)
        self._passkeys.put(digest, _encode(row))

    def _put(self, chain: bytes, state: Moved) -> None:
        self._consents.put(chain, _encode(state))
