"""The terms of a consent (docs/spec/consents.md, Terms)."""

from __future__ import annotations

import hashlib
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ledger.entries.fields import (
    Bytes32,
    Code,
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


class Terms(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a recipient asks for and a customer authorises. Members are declared in the order of their bytes."""

    authorisers_required: Annotated[int, Meta(ge=1, le=10)]
    expires_at: Seconds
    frequency_per_day: Annotated[int, Meta(ge=0, le=10_000)]
    grade: Annotated[int, Meta(ge=1, le=5)]
    history_from: Seconds
    history_to: Seconds
    holder: ParticipantId
    language: Language
    notice_hash: Bytes32
    once: bool
    permissions: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=64)]
    purpose: Purpose
    recipient: ParticipantId
    retention_days: Annotated[int, Meta(ge=0, le=36_500)]
    separate_consents: Annotated[tuple[Code, ...], Meta(max_length=8)]
    standard: Code
    standard_version: Code
    starts_at: Seconds

    def __post_init__(self) -> None:
        require_sorted_unique("permissions", self.permissions)
        require_sorted_unique("separate_consents", self.separate_consents)

    def hash(self) -> bytes:
        """``terms_hash``: 32 bytes, what an authorisation names."""
        return hashlib.sha256(TERMS + msgspec.json.encode(self)).digest()
