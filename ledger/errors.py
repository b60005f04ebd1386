"""The one error tree of the core.

LedgerError
├── InvalidInput      the caller's bytes are wrong; nothing was recorded
│   ├── BadEncoding         not CL-JSON, not canonical base64url, out of bounds
│   ├── BadStatement        the JWS or its payload is not a statement this ledger accepts
│   └── BadSignature        the signature does not verify under the named key
├── Refused           understood, and not allowed; nothing was recorded
│   ├── NotFound            no such consent, entry or participant (or not yours: the same answer)
│   ├── IllegalTransition   the consent's state, or the signer's role, does not allow this act
│   │   └── ImpossibleLeg   nothing can be delivered, or delivered again, under this decision
│   ├── Conflict            the identifier is taken by something else
│   │   ├── JtiReused       (iss, jti) was used for another payload: a security event
│   │   └── LooksAlike      a new participant can be taken for a registered one
│   └── NotPermitted        the participant is suspended or lacks the role
├── Unavailable       try again later; nothing was acknowledged
│   ├── QueueFull           back-pressure: more is waiting than may wait
│   ├── BodiesAway          bodies were moved out of the database, and cannot be had from where they are
│   ├── ClockAhead          this machine's clock is wrong; it goes on when it is right
│   └── SequencerStopped    this node may not write; the message says why and what to do
└── Corrupt           stored data contradicts itself, or history was rolled back
    └── Rollback            the database is older than, or differs from, what this node has signed

Every error carries a sentence for its reader (`detail`), which names what was refused and what to do, and
never personal data or key material; `member` names the offending field where there is one.
"""

from __future__ import annotations


class LedgerError(Exception):
    """Base of all errors of the core."""

    def __init__(self, detail: str, *, member: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.member = member


class InvalidInput(LedgerError):
    """The input cannot be accepted in any state of the ledger."""


class BadEncoding(InvalidInput):
    """Bytes are not in the one accepted spelling (protocol, Encoding)."""


class BadStatement(InvalidInput):
    """A statement's header, members or values are not acceptable (protocol, Statements)."""


class BadSignature(InvalidInput):
    """A signature does not verify, or its key may not be used."""


class Refused(LedgerError):
    """The input was understood and the rules say no."""


class NotFound(Refused):
    """There is no such thing for this caller."""


class IllegalTransition(Refused):
    """A consent cannot make this step from its present state, or not by this signer."""


class ImpossibleLeg(IllegalTransition):
    """A release or receipt that its access cannot have."""


class Conflict(Refused):
    """An identifier is already in use for something else."""


class JtiReused(Conflict):
    """The same (iss, jti) arrived with a different payload."""


class LooksAlike(Conflict):
    """A new participant's id or name looks like a registered one's, and nobody has said that this is meant."""


class NotPermitted(Refused):
    """The participant is suspended, or its roles do not include this act."""


class Unavailable(LedgerError):
    """Nothing was acknowledged; trying again later is safe."""


class QueueFull(Unavailable):
    """More submissions wait than the configured bound."""


class BodiesAway(Unavailable):
    """A body was moved out of the database (docs/operating.md, «Evidence tiers»), and cannot be had from there."""

    def __init__(self, detail: str, *, lost: bool) -> None:
        """`lost`: the place has answered, and does not have the body as it was moved; else it did not answer."""
        super().__init__(detail)
        self.lost = lost


class ClockAhead(Unavailable):
    """This machine's clock is ahead of the time: nothing new is recorded until it is right."""


class SequencerStopped(Unavailable):
    """This node has stopped writing."""


class Corrupt(LedgerError):
    """Stored data contradicts itself."""


class Rollback(Corrupt):
    """The database does not continue what this node has already signed."""
