"""The state of a consent as all lower indexes leave it (docs/spec/consents.md, «State»).

Values only; `transitions` and `authorising` lead from one to the next.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from verifier.records.terms import Terms
from verifier.rules.participants import Registry

OPEN = ("AWAITING", "PARTIAL", "ACTIVE", "PAUSED", "SUSPENDED")
LIVE = ("ACTIVE", "PAUSED", "SUSPENDED")
BEGUN = ("PARTIAL", *LIVE)
STATUSES = (*OPEN, "REJECTED", "EXPIRED", "REVOKED", "TERMINATED", "CONSUMED", "SUPERSEDED")

Approval = tuple[str, tuple[str, ...]]
"""An authoriser and the accounts it gave."""


@dataclass(frozen=True, slots=True)
class Given:
    """The approvals of one version that nobody has withdrawn. `joint`: accounts that need two approvals;
    `separate`: kinds of separate consent."""

    approvals: tuple[Approval, ...] = ()
    joint: tuple[str, ...] = ()
    separate: tuple[str, ...] = ()

    @property
    def authorisers(self) -> tuple[str, ...]:
        """Those that are counted."""
        return tuple(authoriser for authoriser, _ in self.approvals)

    def counts(self) -> Counter[str]:
        """How many approvals give each account."""
        return Counter(account for _, accounts in self.approvals for account in accounts)

    def shared(self, withdrawn: tuple[str, ...]) -> tuple[str, ...]:
        """The accounts that may be read."""
        return tuple(
            sorted(
                account
                for account, count in self.counts().items()
                if account not in withdrawn and (count > 1 or account not in self.joint)
            )
        )

    def waiting(self, withdrawn: tuple[str, ...]) -> frozenset[str]:
        """The accounts that lack their second approval."""
        return frozenset(
            account
            for account, count in self.counts().items()
            if account not in withdrawn and count == 1 and account in self.joint
        )


@dataclass(frozen=True, slots=True)
class Pending:
    """Terms that wait for authorisation beside active ones."""

    terms: Terms
    terms_hash: str
    given: Given = Given()


@dataclass(slots=True)
class Consent:
    """A consent as all lower indexes leave it. `basis`: index of its last `consent.*` entry. `accounts`: the shared ones.
    `used_day`: the day (days since 1970 where the terms say) that `used_today` counts; `authenticated_at`, `confirmed_at`
    in seconds. Under ruleset 3 `used` counts instead: unit -> number of its period and count; `once_until` (s, 0 = not
    begun) ends the window of a one-off consent, `taken` are the units allowed in it. Never changed; not declared
    frozen, since that would treble the time to make one, and one is made for every access."""

    version: int
    status: str
    terms: Terms
    terms_hash: str
    basis: int
    given: Given = Given()
    accounts: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    subject: str = ""
    pending: Pending | None = None
    authenticated_at: int = 0
    confirmed_at: int = 0
    used_day: int = -1
    used_today: int = 0
    used: dict[str, tuple[int, int]] = field(default_factory=dict)
    once_until: int = 0
    taken: tuple[str, ...] = ()

    @property
    def waiting(self) -> frozenset[str]:
        """The accounts that lack their second approval."""
        return self.given.waiting(self.withdrawn)


def effective_status(registry: Registry, consent: Consent, time: int) -> str:
    """The status at `time` (milliseconds): neither the end of a party nor expiry needs an entry of the consent to hold."""
    status, terms = consent.status, consent.terms
    if status not in OPEN:
        return status
    if registry.removals and (registry.is_removed(terms.holder) or registry.is_removed(terms.recipient)):
        return "TERMINATED"
    if terms.expires_at and time >= terms.expires_at * 1000:
        return "EXPIRED"
    return "CONSUMED" if consent.once_until and time >= consent.once_until * 1000 and status in LIVE else status
