"""The acts that move a consent (docs/spec/statements.md, Acts)."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from ledger.entries.fields import (
    Actor,
    Bytes16,
    Bytes32,
    Code,
    ConsentId,
    Count,
    Origin,
    ParticipantId,
    Reference,
    Seconds,
    require_sorted_unique,
)
from ledger.entries.payload import Payload, Principal, ProtocolVersion, Sca, SeparateConsent, SomeAccounts, Version
from ledger.entries.terms import Terms


class ConsentRequest(Payload, frozen=True, kw_only=True):
    """A recipient asks for a consent under these terms."""

    act: Literal["consent.request"]
    aud: Origin
    consent_id: ConsentId
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    terms: Terms
    v: ProtocolVersion


class ConsentAuthorise(Payload, frozen=True, kw_only=True):
    """A holder says that a customer, strongly authenticated, agreed to one version's terms for these accounts."""

    accounts: SomeAccounts
    act: Literal["consent.authorise"]
    acting_role: Code | UnsetType = UNSET
    aud: Origin
    authoriser: Reference
    consent_id: ConsentId
    iat: Seconds
    iss: ParticipantId
    joint_accounts: SomeAccounts | UnsetType = UNSET
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    sca: Sca
    separate_consents: Annotated[tuple[SeparateConsent, ...], Meta(min_length=1, max_length=8)] | UnsetType = UNSET
    subject: Reference
    terms_hash: Bytes32
    v: ProtocolVersion
    version: Version

    def __post_init__(self) -> None:
        require_sorted_unique("accounts", self.accounts)
        self.sca.require_before(self.iat)
        if self.joint_accounts is not UNSET:
            require_sorted_unique("joint_accounts", self.joint_accounts)
            if not set(self.joint_accounts) <= set(self.accounts):
                raise ValueError("joint_accounts must be among accounts")
        if self.separate_consents is not UNSET:
            require_sorted_unique("separate_consents", tuple(given.kind for given in self.separate_consents))

    @property
    def separate_kinds(self) -> frozenset[str]:
        """The kinds of separate consent that this authorisation brings."""
        return frozenset() if self.separate_consents is UNSET else frozenset(one.kind for one in self.separate_consents)


class ConsentStep(Payload, frozen=True, kw_only=True):
    """Any of the steps that carry only who wanted it and why."""

    act: Literal[
        "consent.pause", "consent.reject", "consent.resume", "consent.revoke", "consent.suspend", "consent.terminate"
    ]
    aud: Origin
    by: Actor
    consent_id: ConsentId
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    reason: Code
    v: ProtocolVersion


class ConsentAmend(Payload, frozen=True, kw_only=True):
    """A recipient proposes new terms for an existing consent."""

    act: Literal["consent.amend"]
    aud: Origin
    consent_id: ConsentId
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    previous_version: Version
    terms: Terms
    v: ProtocolVersion


class ConsentWithdrawAccounts(Payload, frozen=True, kw_only=True):
    """A customer takes some of the accounts out of a consent."""

    accounts: SomeAccounts
    act: Literal["consent.withdraw_accounts"]
    aud: Origin
    by: Actor
    consent_id: ConsentId
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    reason: Code
    v: ProtocolVersion

    def __post_init__(self) -> None:
        require_sorted_unique("accounts", self.accounts)


class ConsentWithdrawApproval(Payload, frozen=True, kw_only=True):
    """One of several authorisers withdraws the approval."""

    act: Literal["consent.withdraw_approval"]
    aud: Origin
    authoriser: Reference
    by: Actor
    consent_id: ConsentId
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    reason: Code
    v: ProtocolVersion


class ConsentWithdrawSeparate(Payload, frozen=True, kw_only=True):
    """A customer withdraws a separate consent, such as the one to passing data on."""

    act: Literal["consent.withdraw_separate"]
    aud: Origin
    by: Actor
    consent_id: ConsentId
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    reason: Code
    separate: Code
    v: ProtocolVersion


class ConsentReauthenticate(Payload, frozen=True, kw_only=True):
    """A holder has authenticated the customer again."""

    act: Literal["consent.reauthenticate"]
    aud: Origin
    consent_id: ConsentId
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    sca: Sca
    v: ProtocolVersion

    def __post_init__(self) -> None:
        self.sca.require_before(self.iat)


class ConsentReconfirm(Payload, frozen=True, kw_only=True):
    """A recipient has had the customer confirm that the consent is still wanted."""

    act: Literal["consent.reconfirm"]
    aud: Origin
    by: Actor
    consent_id: ConsentId
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    reason: Code
    v: ProtocolVersion


class ConsentSupersede(Payload, frozen=True, kw_only=True):
    """Another consent of the same parties and customer takes the place of this one."""

    act: Literal["consent.supersede"]
    aud: Origin
    by: Actor
    consent_id: ConsentId
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    reason: Code
    superseded_by: ConsentId
    v: ProtocolVersion


class ConsentAcknowledge(Payload, frozen=True, kw_only=True):
    """A recipient has taken note of an event of a consent: of its end, say. It moves nothing."""

    act: Literal["consent.acknowledge"]
    aud: Origin
    basis: Count
    consent_id: ConsentId
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    v: ProtocolVersion


ConsentAct = (
    ConsentRequest
    | ConsentAuthorise
    | ConsentStep
    | ConsentAmend
    | ConsentWithdrawAccounts
    | ConsentWithdrawApproval
    | ConsentWithdrawSeparate
    | ConsentReauthenticate
    | ConsentReconfirm
    | ConsentSupersede
)
"""The acts that move a consent."""
