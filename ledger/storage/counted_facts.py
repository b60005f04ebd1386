"""The records of the count book (counted.py): what an entry counts for, and the facts of a consent that decide it."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from msgspec import Struct


class What(IntEnum):
    """What an entry counts for. The file holds the numbers."""

    OTHER = 0
    ERASED = 1
    """Nobody can read it any more."""
    REQUESTED = 2
    AUTHORISED = 3
    ENDED = 4
    """`number`: 1 if the recipient is to acknowledge it."""
    WITHDRAWN = 5
    """The same, ended by the customer or a guardian."""
    ALLOWED = 6
    """`number`: 1 if the consent was revoked before."""
    UNATTENDED = 7
    """The same, without the customer present."""
    REFUSED = 8
    FOREIGN = 9
    """An access of a consent that is unknown, or not the signer's."""
    ACKNOWLEDGED = 10
    """`number`: seconds since the end, −1 if it was acknowledged before."""
    FINDING = 11
    COMPLAINT = 12
    ERASURES = 13
    """`number`: how many chains."""
    ALERT = 14
    DECLARED = 15


class CountedVersion(Struct, frozen=True, array_like=True):
    """Of the terms of one version of a consent, what counts. Seconds; `dims` is the number of its dimensions in the file."""

    dims: int
    expires_at: int
    once: bool
    once_seconds: int


class ChainState(Struct, array_like=True):
    """A consent as its chain leaves it, as far as it counts."""

    version: int
    status: str
    terms: CountedVersion
    pending: CountedVersion | None = None
    authorised: bool = False
    once_until: int = 0
    ended_at: int = -1
    ended_time: int = 0
    acknowledged: bool = False


class Fact(NamedTuple):
    """One line of the book. `chain`, `about`, `dims`, `details` are numbers in the file; 0: there is none."""

    idx: int
    time: int
    what: What
    chain: int
    about: int
    dims: int
    details: int
    number: int


class Details(NamedTuple):
    """Of an access: what was asked for and why it was refused."""

    permissions: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    region: str = ""


class Given(NamedTuple):
    """Of a release, what a tariff's line looks at beside its rows (docs/spec/partners.md, 3): as its access says it."""

    attended: bool
    purpose: str
    permissions: tuple[str, ...]


class ReleaseFact(NamedTuple):
    """A release under an allowed access. `given` is a number in the file."""

    idx: int
    given: int
    rows: int


Dims = dict[str, tuple[str, ...]]
"""The values of each dimension (docs/spec/reports.md)."""


class Counted(NamedTuple):
    """How many facts are alike in a period."""

    what: What
    dims: Dims
    details: Details
    number: int
    times: int


class Touched(NamedTuple):
    """Consents that are active now, how many customers they are of, and their parties."""

    consents: int
    customers: int
    holders: frozenset[str]
    recipients: frozenset[str]


class Booked(NamedTuple):
    """One entry, as the book has it."""

    at: int
    time: int
    what: What
    dims: Dims
    details: Details


class AwaitedCount(NamedTuple):
    """Ends with the same dimensions that wait to be acknowledged at a time: `late` of `times` for more than 72 hours,
    `oldest` (ms) since when."""

    dims: Dims
    times: int
    late: int
    oldest: int


class AwaitedEnd(NamedTuple):
    """One of them: entry and time (ms) of the end, and the entry that acknowledged it later on, −1 if none has."""

    at: int
    time: int
    dims: Dims
    answered: int


class StandingCount(NamedTuple):
    """How many consents have the same state and dimensions at a time."""

    dims: Dims
    status: str
    times: int
