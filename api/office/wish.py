"""A recipient's wish, once an adapter has read it: terms without the members that only the office knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from api.office.facts import details_hash
from ledger.catalogue import Catalogue
from ledger.consent.acceptance import CROSS_BORDER
from ledger.entries.terms import Destination, Filter, Period, Purpose, Terms
from ledger.errors import InvalidInput

COMPARED_LOOSELY: Final = frozenset(
    {"authorisers_required", "language", "notice_hash", "purpose", "retention_days", "separate_consents", "starts_at"}
)
"""Members of terms that most standards have no word for: a recipient that signs its own request may choose them."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """The members of terms that a standard has words for. Times are seconds, 0 = none."""

    permissions: Iterable[str]
    """Codes of the catalogue."""
    standard: str
    standard_version: str
    purpose: Purpose = field(default_factory=lambda: Purpose("account-information", "Account information service"))
    expires_at: int = 0
    starts_at: int = 0
    history_from: int = 0
    history_to: int = 0
    frequency_per_day: int = 0
    frequency_period: Period = "day"
    """What the frequency counts per. A log before ruleset 3 counts days: there it is spread evenly, at least one a day."""
    once: bool = False
    retention_days: int = 0
    authorisers_required: int = 1
    language: str = "en"
    reauthenticate_days: int = 0
    reconfirm_days: int = 0
    utc_offset: int = 0
    filters: tuple[Filter, ...] = ()
    destinations: tuple[Destination, ...] = ()
    """Where abroad the data may go: then her separate consent `cross-border` is asked for too."""

    def terms(self, holder: str, recipient: str, facts: bytes, catalogue: Catalogue) -> Terms:
        """The terms; `facts` is the request as it was worded, which is also the notice that the customer is shown.

        Raises InvalidInput for values that no terms can have.
        """
        permissions = sorted(set(self.permissions))
        grade = catalogue.highest_grade(permissions)
        if not permissions or grade is None:
            raise InvalidInput("a permission is not in this ledger's catalogue", member="permissions")
        frequency, period = self._frequency(catalogue.ruleset)
        separate = {*catalogue.separate_consents.get(grade, ()), *([CROSS_BORDER] if self.destinations else ())}
        built = Terms(
            authorisers_required=self.authorisers_required,
            destinations=tuple(sorted(self.destinations, key=lambda one: one.country)) or UNSET,
            details_hash=details_hash(facts),
            expires_at=self.expires_at,
            filters=tuple(sorted(self.filters, key=msgspec.json.encode)) or UNSET,
            frequency_per_day=frequency,
            frequency_period=period,
            grade=grade,
            history_from=self.history_from,
            history_to=self.history_to,
            holder=holder,
            language=self.language,
            notice_hash=details_hash(facts),
            once=self.once,
            permissions=tuple(permissions),
            purpose=self.purpose,
            reauthenticate_days=_or_unset(self.reauthenticate_days),
            recipient=recipient,
            reconfirm_days=_or_unset(self.reconfirm_days),
            retention_days=self.retention_days,
            separate_consents=tuple(sorted(separate)),
            standard=self.standard,
            standard_version=self.standard_version,
            starts_at=self.starts_at,
            utc_offset=_or_unset(self.utc_offset),
        )
        try:
            return msgspec.json.decode(msgspec.json.encode(built), type=Terms)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"no terms can say this: {error}", member="terms") from None

    def _frequency(self, ruleset: int) -> tuple[int, Period | UnsetType]:
        if self.frequency_period == "day" or not self.frequency_per_day:
            return self.frequency_per_day, UNSET
        if ruleset >= 3:
            return self.frequency_per_day, self.frequency_period
        if self.frequency_period == "hour":
            return min(10_000, self.frequency_per_day * 24), UNSET
        return max(1, self.frequency_per_day // (30 if self.frequency_period == "month" else 365)), UNSET


def require_same(wished: Terms, signed: Terms) -> None:
    """The terms that a recipient signed itself say what its request says. Raises InvalidInput with the member that does not."""
    for name in Terms.__struct_fields__:
        if name not in COMPARED_LOOSELY and getattr(wished, name) != getattr(signed, name):
            raise InvalidInput(
                f"the signed terms say something else than this request about {name}", member=f"terms.{name}"
            )


def _or_unset(value: int) -> int | UnsetType:
    return value or UNSET
