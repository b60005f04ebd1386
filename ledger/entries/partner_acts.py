"""Declarations between partners: attestations, data maps, tariffs, usage statements (docs/spec/partners.md, 1)."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from ledger.entries.fields import Bytes16, Bytes32, Code, Count, Origin, ParticipantId, Seconds, Text
from ledger.entries.payload import Payload, Principal, ProtocolVersion

Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z", max_length=3)]
"""ISO 4217."""
AnyoneOrParticipant = Annotated[str, Meta(pattern=r"^([a-z0-9][a-z0-9._-]{1,62})?\Z", max_length=63)]
"""A participant's id, or the empty string for any."""
UtcOffset = Annotated[int, Meta(ge=-840, le=840)]
"""Minutes."""
Price = Annotated[int, Meta(ge=0, le=10**12)]
"""Thousandths of a minor unit of the currency."""


class AttestationGive(Payload, frozen=True, kw_only=True):
    """Who gives it has this licence, certificate, test or contact; the document stays with it."""

    act: Literal["attestation.give"]
    attestation: Code
    aud: Origin
    document_hash: Bytes32
    iat: Seconds
    iss: ParticipantId
    issuer: Text
    jti: Bytes16
    kind: Code
    on_behalf_of: Principal = UNSET
    v: ProtocolVersion
    valid_until: Seconds

    def __post_init__(self) -> None:
        if self.valid_until <= self.iat:
            raise ValueError("valid_until lies after iat")


class AttestationWithdraw(Payload, frozen=True, kw_only=True):
    """The attestation counts no more."""

    act: Literal["attestation.withdraw"]
    attestation: Code
    aud: Origin
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    reason: Code
    v: ProtocolVersion


class MapPublish(Payload, frozen=True, kw_only=True):
    """A version of the map from a holder's own fields to the catalogue; the bytes stay with the holder."""

    act: Literal["map.publish"]
    aud: Origin
    fields: Count
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    map: Code
    map_hash: Bytes32
    map_version: Count
    on_behalf_of: Principal = UNSET
    v: ProtocolVersion


class TariffTier(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"from_": "from"}):
    """What each one costs from this number on."""

    from_: Count
    price: Price


class TariffLine(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a release of this kind costs (docs/spec/partners.md, 3); a member that is absent matches all."""

    attended: bool | UnsetType = UNSET
    free: Count
    purpose: Code | UnsetType = UNSET
    resource: Code | UnsetType = UNSET
    rows_from: Count | UnsetType = UNSET
    rows_to: Count | UnsetType = UNSET
    tiers: Annotated[tuple[TariffTier, ...], Meta(min_length=1, max_length=8)]

    def __post_init__(self) -> None:
        if self.rows_from is not UNSET and self.rows_to is not UNSET and self.rows_from > self.rows_to:
            raise ValueError("rows_from is at most rows_to")
        if self.tiers[0].from_ != 0 or any(one.from_ >= after.from_ for one, after in pairwise(self.tiers)):
            raise ValueError("the first tier begins at 0, and each begins above the one before")


class TariffOffer(Payload, frozen=True, kw_only=True, rename={"from_": "from"}):
    """What a holder asks for releases, of one recipient or (the empty string) of any that accepts it."""

    act: Literal["tariff.offer"]
    aud: Origin
    currency: Currency
    from_: Seconds
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    lines: Annotated[tuple[TariffLine, ...], Meta(min_length=1, max_length=16)]
    on_behalf_of: Principal = UNSET
    recipient: AnyoneOrParticipant
    tariff: Code
    utc_offset: UtcOffset
    v: ProtocolVersion


class TariffAccept(Payload, frozen=True, kw_only=True):
    """A recipient agrees to the offer at this entry."""

    act: Literal["tariff.accept"]
    aud: Origin
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    offer: Count
    on_behalf_of: Principal = UNSET
    v: ProtocolVersion


class TariffEnd(Payload, frozen=True, kw_only=True, rename={"from_": "from"}):
    """The tariff holds for no month that begins at `from` or later: for the recipient that says so, or for all."""

    act: Literal["tariff.end"]
    aud: Origin
    from_: Seconds
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    offer: Count
    on_behalf_of: Principal = UNSET
    reason: Code
    v: ProtocolVersion

    def __post_init__(self) -> None:
        if self.from_ <= self.iat:
            raise ValueError("from lies after iat")


class UsageAmount(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a line of the tariff comes to: minor units, and the releases behind them."""

    amount: Count
    count: Count


class EntryNamed(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An entry that is left out, or disputed, and why."""

    index: Count
    reason: Code


Named = Annotated[tuple[EntryNamed, ...], Meta(max_length=100)]


class UsageState(Payload, frozen=True, kw_only=True, rename={"from_": "from"}):
    """What a recipient owes for a month, committed to exactly the releases that were counted."""

    act: Literal["usage.state"]
    amounts: Annotated[tuple[UsageAmount, ...], Meta(min_length=1, max_length=16)]
    aud: Origin
    count: Count
    from_: Seconds
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    left_out: Named
    offer: Count
    on_behalf_of: Principal = UNSET
    recipient: ParticipantId
    replaces: Annotated[int, Meta(ge=-1, le=2**53 - 1)]
    root: Bytes32
    to: Seconds
    to_index: Count
    total: Count
    v: ProtocolVersion

    def __post_init__(self) -> None:
        _require_rising("left_out", self.left_out)


class UsageAnswer(Payload, frozen=True, kw_only=True):
    """A recipient agrees to a statement, or names the entries that it disputes."""

    act: Literal["usage.answer"]
    answer: Literal["agreed", "disputed"]
    aud: Origin
    disputed: Named
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    statement: Count
    v: ProtocolVersion

    def __post_init__(self) -> None:
        _require_rising("disputed", self.disputed)
        if (self.answer == "agreed") == bool(self.disputed):
            raise ValueError("disputed names entries exactly if the answer is «disputed»")


def _require_rising(name: str, entries: tuple[EntryNamed, ...]) -> None:
    if any(one.index >= after.index for one, after in pairwise(entries)):
        raise ValueError(f"{name} is sorted by index and holds no index twice")


PartnerAct = (
    AttestationGive
    | AttestationWithdraw
    | MapPublish
    | TariffOffer
    | TariffAccept
    | TariffEnd
    | UsageState
    | UsageAnswer
)
"""All of them: declarations, each in its participant's own chain."""
