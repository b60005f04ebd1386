"""The acts around an access: asking for it, giving data out, getting it (docs/spec/statements.md, Acts)."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from ledger.entries.asserted import Asserted, in_order
from ledger.entries.fields import (
    Bytes16,
    Bytes32,
    Code,
    ConsentId,
    Count,
    Country,
    InteractionId,
    Origin,
    ParticipantId,
    Seconds,
    require_sorted_unique,
)
from ledger.entries.payload import Accounts, Payload, Principal, ProtocolVersion


class AccessItem(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"from_": "from"}):
    """One access that is asked for: the body of a batch item, and the inner members of an `access.request`.

    `region`: where, abroad, the recipient takes the data.
    """

    accounts: Accounts
    consent_id: ConsentId
    customer_present: bool
    from_: Seconds
    interaction_id: InteractionId
    permissions: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=64)]
    purpose: Code
    region: Country | UnsetType = UNSET
    request_digest: Bytes32
    to: Seconds

    def __post_init__(self) -> None:
        require_sorted_unique("accounts", self.accounts)
        require_sorted_unique("permissions", self.permissions)


class AccessRequest(Payload, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A recipient (or the holder for it, `relayed`) asks to read data now."""

    accounts: Accounts
    act: Literal["access.request"]
    asserted: Annotated[tuple[Asserted, ...], Meta(min_length=1, max_length=8)] | UnsetType = UNSET
    aud: Origin
    consent_id: ConsentId
    customer_present: bool
    from_: Seconds
    iat: Seconds
    interaction_id: InteractionId
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    permissions: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=64)]
    purpose: Code
    region: Country | UnsetType = UNSET
    relayed: Literal[True] | UnsetType = UNSET
    request_digest: Bytes32
    to: Seconds
    v: ProtocolVersion

    def __post_init__(self) -> None:
        require_sorted_unique("accounts", self.accounts)
        require_sorted_unique("permissions", self.permissions)
        if self.asserted is not UNSET:
            if self.relayed is UNSET:
                raise ValueError("asserted is for a relayed access: it is the holder's word")
            if self.asserted != in_order(self.asserted):
                raise ValueError("asserted must be in the order of the specification and hold no reason twice")


class AccessBatch(Payload, frozen=True, kw_only=True):
    """One signature over many access items, which travel beside the statement."""

    act: Literal["access.batch"]
    aud: Origin
    iat: Seconds
    iss: ParticipantId
    items_count: Annotated[int, Meta(ge=1, le=1000)]
    items_root: Bytes32
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    relayed: Literal[True] | UnsetType = UNSET
    v: ProtocolVersion


class AccessLeg(Payload, frozen=True, kw_only=True):
    """What a holder released, or a recipient received, under one decision. `bytes` and `rows` are counts.

    `masks` (of a release only): those that were applied.
    """

    act: Literal["access.receive", "access.release"]
    aud: Origin
    basis: Count
    bytes: Count
    consent_id: ConsentId
    digest: Bytes32
    iat: Seconds
    interaction_id: InteractionId
    iss: ParticipantId
    jti: Bytes16
    masks: Annotated[tuple[Code, ...], Meta(max_length=16)] | UnsetType = UNSET
    on_behalf_of: Principal = UNSET
    rows: Count
    v: ProtocolVersion

    def __post_init__(self) -> None:
        if self.masks is not UNSET:
            if self.act != "access.release":
                raise ValueError("masks are what a holder applied: they stand in access.release only")
            require_sorted_unique("masks", self.masks)
