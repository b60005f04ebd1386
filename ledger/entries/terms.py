"""The terms of a consent (docs/spec/consents.md, Terms)."""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from ledger.entries.fields import (
    Bytes32,
    Code,
    Country,
    Language,
    ParticipantId,
    Seconds,
    Text,
    require_sorted_unique,
)
from ledger.tags import TERMS


class Purpose(Struct, frozen=True, forbid_unknown_fields=True):
    """Why the recipient wants the data: a code, and the words the customer was shown."""

    code: Code
    text: Text


class Filter(Struct, frozen=True, forbid_unknown_fields=True):
    """A bound on rows: only rows whose `field` stands in the relation `op` to `value` may be given."""

    field: Code
    op: Literal["eq", "ge", "gt", "in", "le", "lt", "ne"]
    value: Text


class Destination(Struct, frozen=True, forbid_unknown_fields=True):
    """A country abroad that the data may go to, and the legal mechanism that lets it (`standard-contract`, say)."""

    country: Country
    mechanism: Code


Period = Literal["day", "hour", "month", "year"]
Days = Annotated[int, Meta(ge=1, le=3_650)]


class Terms(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a recipient asks for and a customer authorises. Members are declared in the order of their bytes.

    Days are whole days; `details_hash` is the SHA-256 (b64u) of the request as the foreign standard words it;
    `utc_offset` is in minutes: the day that `frequency_per_day` counts in.
    """

    authorisers_required: Annotated[int, Meta(ge=1, le=10)]
    destinations: Annotated[tuple[Destination, ...], Meta(min_length=1, max_length=32)] | UnsetType = UNSET
    details_hash: Bytes32 | UnsetType = UNSET
    expires_at: Seconds
    filters: Annotated[tuple[Filter, ...], Meta(min_length=1, max_length=8)] | UnsetType = UNSET
    frequency_per_day: Annotated[int, Meta(ge=0, le=10_000)]
    frequency_period: Period | UnsetType = UNSET
    grade: Annotated[int, Meta(ge=1, le=5)]
    history_from: Seconds
    history_to: Seconds
    holder: ParticipantId
    language: Language
    notice_hash: Bytes32
    once: bool
    once_seconds: Annotated[int, Meta(ge=1, le=2_592_000)] | UnsetType = UNSET
    permissions: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=64)]
    purpose: Purpose
    reauthenticate_days: Days | UnsetType = UNSET
    recipient: ParticipantId
    reconfirm_days: Days | UnsetType = UNSET
    retention_days: Annotated[int, Meta(ge=0, le=36_500)]
    separate_consents: Annotated[tuple[Code, ...], Meta(max_length=8)]
    standard: Code
    standard_version: Code
    starts_at: Seconds
    utc_offset: Annotated[int, Meta(ge=-840, le=840)] | UnsetType = UNSET

    def __post_init__(self) -> None:
        require_sorted_unique("permissions", self.permissions)
        require_sorted_unique("separate_consents", self.separate_consents)
        if self.filters is not UNSET:
            require_sorted_unique("filters", tuple(msgspec.json.encode(each) for each in self.filters))
        if self.destinations is not UNSET:
            require_sorted_unique("destinations", tuple(each.country for each in self.destinations))

    @property
    def needs_ruleset_3(self) -> str | None:
        """The first member that ruleset 2 does not know; None when there is none."""
        return next((name for name in _SINCE_3 if getattr(self, name) is not UNSET), None)

    @property
    def needs_ruleset_2(self) -> str | None:
        """The first member that ruleset 1 does not know; None when there is none."""
        return next((name for name in _SINCE_2 if getattr(self, name) is not UNSET), None)

    def hash(self) -> bytes:
        """``terms_hash``: 32 bytes, what an authorisation names."""
        return hashlib.sha256(TERMS + msgspec.json.encode(self)).digest()


_SINCE_3: Final = ("destinations", "frequency_period", "once_seconds")
_SINCE_2: Final = ("details_hash", "filters", "reauthenticate_days", "reconfirm_days", "utc_offset")
