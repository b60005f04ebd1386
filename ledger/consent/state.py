"""The state of a consent: a fold over its events (docs/spec/consents.md, State)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import UNSET, Struct

from ledger.consent.usage import Used, most_used, period_number, units
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
    SUPERSEDED = "SUPERSEDED"


LIVE: Final = frozenset({Status.AWAITING, Status.PARTIAL, Status.ACTIVE, Status.PAUSED, Status.SUSPENDED})
"""The states that end by expiry, revocation or termination."""
BEFORE: Final = frozenset({Status.AWAITING, Status.PARTIAL})
"""The states that wait for (more) authorisers."""
IN_FORCE: Final = frozenset({Status.ACTIVE, Status.PAUSED, Status.SUSPENDED})
"""The states of a consent that was authorised by all."""


class Approval(Struct, frozen=True, array_like=True):
    """One authoriser, and the accounts that this one gave and did not take back."""

    authoriser: str
    accounts: tuple[str, ...]


Approvals = tuple[Approval, ...]


def given_accounts(approvals: Iterable[Approval]) -> frozenset[str]:
    """All accounts of all approvals."""
    return frozenset(account for approval in approvals for account in approval.accounts)


def shared_accounts(
    approvals: Approvals, joint: Collection[str] = (), withdrawn: Collection[str] = ()
) -> tuple[str, ...]:
    """The accounts that may be read, sorted: given, not withdrawn, and if joint given by two."""
    given = given_accounts(approvals)
    if joint:
        given = frozenset(
            account
            for account in given
            if account not in joint or sum(account in approval.accounts for approval in approvals) > 1
        )
    return tuple(sorted(given.difference(withdrawn)))


class Pending(Struct, frozen=True, kw_only=True):
    """A version that waits for its authorisation beside one that is in force."""

    terms: Terms
    approvals: Approvals = ()
    joint: tuple[str, ...] = ()
    separate: tuple[str, ...] = ()

    @property
    def authorisers(self) -> tuple[str, ...]:
        """Who has authorised this version so far."""
        return tuple(approval.authoriser for approval in self.approvals)

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts that would be shared if the version came into force now."""
        return shared_accounts(self.approvals, self.joint)


class Consent(Struct, frozen=True, kw_only=True):
    """A consent as all its events up to some index leave it."""

    consent_id: str
    version: int
    status: Status
    terms: Terms
    pending: Pending | None = None
    approvals: Approvals = ()
    joint: tuple[str, ...] = ()
    """Accounts that need two approvals."""
    withdrawn: tuple[str, ...] = ()
    """Accounts taken out of the version in force."""
    accounts: tuple[str, ...] = ()
    """The shared accounts, sorted: made of the three members above, kept because every access asks for them."""
    separate: tuple[str, ...] = ()
    """Kinds of separate consent that were given and not withdrawn."""
    authenticated_at: int = 0
    """When the holder last authenticated the customer for this version; seconds."""
    confirmed_at: int = 0
    """When the customer last confirmed to the recipient that the consent is wanted; seconds."""
    subject: str = ""
    """The pseudonym of the customer that the recipient knows; empty before the first authorisation."""
    subject_chain: bytes = b""
    """The subject chain that lists this consent; empty before the first authorisation."""
    basis: int
    """Index of the last `consent.*` entry."""
    used_day: int = -1
    """Day (days since 1970 at the terms' `utc_offset`) that `used_today` counts for."""
    used_today: int = 0
    used: Used = {}
    """From ruleset 3 on: allowed accesses without the customer present, by unit."""
    once_until: int = 0
    """When the window of a one-off consent ends; seconds, 0 = it has not begun."""
    taken: tuple[str, ...] = ()
    """Units that were allowed in this window, sorted."""

    @property
    def authorisers(self) -> tuple[str, ...]:
        """Who has authorised the version in force, and not taken it back."""
        return tuple(approval.authoriser for approval in self.approvals)

    @property
    def waiting(self) -> tuple[str, ...]:
        """Joint accounts that one more authoriser must give before they are shared; sorted."""
        if not self.joint:
            return ()
        return tuple(sorted(given_accounts(self.approvals).difference(self.withdrawn, self.accounts)))

    @property
    def is_complete(self) -> bool:
        """Whether as many have authorised the present version as its terms require."""
        return len(self.approvals) >= self.terms.authorisers_required

    def status_at(self, time: int, removed: Collection[str] = ()) -> Status:
        """The effective status at `time` (milliseconds): expiry, and the removal of a party, hold without an event.

        `removed` are the participants that were removed from the log (`Registry.removed`).
        """
        if self.status not in LIVE:
            return self.status
        if removed and (self.terms.holder in removed or self.terms.recipient in removed):
            return Status.TERMINATED
        expires = self.terms.expires_at
        if expires and time >= expires * 1000:
            return Status.EXPIRED
        if self.once_until and self.terms.once and time >= self.once_until * 1000 and self.status in IN_FORCE:
            return Status.CONSUMED
        return self.status

    def day_of(self, time: int) -> int:
        """The day that a time (ms) falls on where this consent counts its days."""
        offset = self.terms.utc_offset
        return time // _DAY_MS if offset is UNSET else (time // _MINUTE_MS + offset) // _DAY_MINUTES

    def period_of(self, time: int) -> int:
        """The number of the period that `frequency_per_day` counts in at a time (ms), from ruleset 3 on."""
        terms = self.terms
        return period_number(time, terms.utc_offset or 0, terms.frequency_period or "day")

    def units_of(self, accounts: tuple[str, ...], permissions: tuple[str, ...], ruleset: int) -> tuple[str, ...]:
        """The units of an access that names these accounts (none: all shared ones) and permissions."""
        return units(ruleset, accounts or self.accounts, permissions)

    def used_at(self, time: int, ruleset: int) -> int:
        """How often the consent was used in the present day, or from ruleset 3 on its most used unit in the present period."""
        if ruleset < 3:
            return self.used_on(self.day_of(time))
        return most_used(self.used, self.used, self.period_of(time))

    def used_on(self, day: int) -> int:
        """Allowed accesses without the customer present on this day so far."""
        return self.used_today if day == self.used_day else 0

    def sharing(self, approvals: Approvals, joint: tuple[str, ...], withdrawn: Iterable[str]) -> Consent:
        """The same consent with these approvals, joint and withdrawn accounts, and the accounts shared by them."""
        out = tuple(sorted(withdrawn))
        return msgspec.structs.replace(
            self, approvals=approvals, joint=joint, withdrawn=out, accounts=shared_accounts(approvals, joint, out)
        )


_DAY_MS: Final = 86_400_000
_MINUTE_MS: Final = 60_000
_DAY_MINUTES: Final = 1_440
