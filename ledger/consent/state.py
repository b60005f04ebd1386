"""The state of a consent: a fold over its events (docs/spec/consents.md, State)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from ledger.entries.terms import Terms


class Status(StrEnum):
    """The states of a consent."""

    AWAITING = "AWAITING"
    PARTIAL = "PARTIAL"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    SUSPENDED = "SUSPENDED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"
    TERMINATED = "TERMINATED"
    CONSUMED = "CONSUMED"


LIVE: Final = frozenset({Status.AWAITING, Status.PARTIAL, Status.ACTIVE, Status.PAUSED, Status.SUSPENDED})
"""The states that end by expiry, revocation or termination."""


class Pending(Struct, frozen=True, kw_only=True):
    """A version that waits for its authorisation beside one that is in force."""

    terms: Terms
    authorisers: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


class Consent(Struct, frozen=True, kw_only=True):
    """A consent as all its events up to some index leave it."""

    consent_id: str
    version: int
    status: Status
    terms: Terms
    pending: Pending | None = None
    authorisers: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    subject: str = ""
    """The pseudonym of the customer that the recipient knows; empty before the first authorisation."""
    subject_chain: bytes = b""
    """The subject chain that lists this consent; empty before the first authorisation."""
    basis: int
    """Index of the last `consent.*` entry."""
    used_day: int = -1
    """UTC day (days since 1970) that `used_today` counts for."""
    used_today: int = 0

    def status_at(self, time: int) -> Status:
        """The effective status at `time` (milliseconds): expiry holds without an event."""
        expires = self.terms.expires_at
        if self.status in LIVE and expires and time >= expires * 1000:
            return Status.EXPIRED
        return self.status

    def used_on(self, day: int) -> int:
        """Allowed accesses without the customer present on this UTC day so far."""
        return self.used_today if day == self.used_day else 0


DAY_MS: Final = 86_400_000


def utc_day(time: int) -> int:
    """The UTC day, in days since 1970, of a time in milliseconds."""
    return time // DAY_MS
