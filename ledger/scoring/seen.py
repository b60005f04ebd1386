"""What the rules look at: an entry of the log, with what its consent's state adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from ledger.orders import Rule

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class SeenAccess:
    """A decided access by a party of its consent."""

    index: int
    time: int
    """Of the entry, in milliseconds."""
    recipient: str
    consent: str
    """The consent's chain, as it stands in leaves."""
    refused: bool
    unattended: bool
    utc_offset: int
    """Minutes, of the consent's terms."""
    permissions: tuple[str, ...]
    """Of the item, each once."""
    accounts: int
    """How many the item names."""
    ended_at: int | None = None
    """Refused because the consent was revoked or terminated: the time (ms) of the entry that it rests on."""

    @property
    def at_night(self) -> bool:
        """Before five in the morning, by the consent's own time."""
        return (self.time // 60_000 + self.utc_offset) // 60 % 24 < 5


@dataclass(frozen=True, slots=True)
class SeenForeign:
    """An access of a consent that is unknown, or not the signer's."""

    index: int
    time: int
    signer: str


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A consent was asked for."""

    index: int
    time: int
    recipient: str
    purpose: str
    permissions: int
    """How many."""


@dataclass(frozen=True, slots=True)
class SeenLeg:
    """A release or receipt under an allowed access of the same consent."""

    index: int
    time: int
    kind: Literal["access.release", "access.receive"]
    holder: str
    recipient: str
    basis: int
    rows: int
    bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class SeenNotice:
    """A recipient acknowledges that a consent was revoked or terminated."""

    index: int
    time: int
    recipient: str
    consent: str
    ended_at: int
    """The time (ms) of the entry that ended it."""


@dataclass(frozen=True, slots=True)
class SeenEnd:
    """A consent was revoked or terminated, by anyone but its recipient."""

    index: int
    time: int
    recipient: str
    consent: str


@dataclass(frozen=True, slots=True)
class SeenLeaf:
    """Of any other entry, and of one that cannot be read, the rules see that it is there, and when."""

    index: int
    time: int


Seen = SeenAccess | SeenForeign | SeenRequest | SeenLeg | SeenNotice | SeenEnd | SeenLeaf


class Raised(NamedTuple):
    """An alert: what `alert.raised` says."""

    at_index: int
    rule: Rule
    kind: Literal["consent", "holder", "recipient"]
    about: str
    score: int
    features: tuple[int, ...]
    model: str | None = None
