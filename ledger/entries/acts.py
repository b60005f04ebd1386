"""The payload of each act that a participant can sign (docs/spec/statements.md, Acts).

Members are declared in the order of their bytes, so that encoding a value gives CL-JSON; the parser relies on it, and
a test compares every struct's member order with the sorted one.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from ledger.entries.fields import (
    Actor,
    Bytes16,
    Bytes32,
    Code,
    ConsentId,
    Count,
    InteractionId,
    Origin,
    ParticipantId,
    Reference,
    Seconds,
    require_base64url,
    require_sorted_unique,
)
from ledger.entries.terms import Terms

Version = Annotated[int, Meta(ge=1, le=1_000_000)]
ProtocolVersion = Literal[1]
Accounts = Annotated[tuple[Reference, ...], Meta(max_length=100)]
SCA_SKEW_SECONDS: Final = 300


class Payload(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all payloads; the common members are repeated in each, because their place is set by the alphabet."""


class Sca(Struct, frozen=True, forbid_unknown_fields=True):
    """How the holder authenticated the customer: context class, methods, and when (seconds)."""

    acr: Code
    amr: Annotated[tuple[Code, ...], Meta(max_length=8)]
    at: Seconds

    def require_before(self, iat: int) -> None:
        """Refuse an authentication that comes after the statement about it. Raises ValueError."""
        if self.at > iat + SCA_SKEW_SECONDS:
            raise ValueError(f"sca.at may lie at most {SCA_SKEW_SECONDS} s after iat")


class ConsentRequest(Payload, frozen=True, kw_only=True):
    """A recipient asks for a consent under these terms."""

    act: Literal["consent.request"]
    aud: Origin
    consent_id: ConsentId
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    terms: Terms
    v: ProtocolVersion


class ConsentAuthorise(Payload, frozen=True, kw_only=True):
    """A holder says that a customer, strongly authenticated, agreed to one version's terms for these accounts."""

    accounts: Annotated[tuple[Reference, ...], Meta(min_length=1, max_length=100)]
    act: Literal["consent.authorise"]
    aud: Origin
    authoriser: Reference
    consent_id: ConsentId
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    sca: Sca
    subject: Reference
    terms_hash: Bytes32
    v: ProtocolVersion
    version: Version

    def __post_init__(self) -> None:
        require_sorted_unique("accounts", self.accounts)
        self.sca.require_before(self.iat)


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
    previous_version: Version
    terms: Terms
    v: ProtocolVersion


class AccessItem(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"from_": "from"}):
    """One access that is asked for: the body of a batch item, and the inner members of an `access.request`."""

    accounts: Accounts
    consent_id: ConsentId
    customer_present: bool
    from_: Seconds
    interaction_id: InteractionId
    permissions: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=64)]
    purpose: Code
    request_digest: Bytes32
    to: Seconds

    def __post_init__(self) -> None:
        require_sorted_unique("accounts", self.accounts)
        require_sorted_unique("permissions", self.permissions)


class AccessRequest(Payload, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A recipient (or the holder for it, `relayed`) asks to read data now."""

    accounts: Accounts
    act: Literal["access.request"]
    aud: Origin
    consent_id: ConsentId
    customer_present: bool
    from_: Seconds
    iat: Seconds
    interaction_id: InteractionId
    iss: ParticipantId
    jti: Bytes16
    permissions: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=64)]
    purpose: Code
    relayed: Literal[True] | UnsetType = UNSET
    request_digest: Bytes32
    to: Seconds
    v: ProtocolVersion

    def __post_init__(self) -> None:
        require_sorted_unique("accounts", self.accounts)
        require_sorted_unique("permissions", self.permissions)


class AccessBatch(Payload, frozen=True, kw_only=True):
    """One signature over many access items, which travel beside the statement."""

    act: Literal["access.batch"]
    aud: Origin
    iat: Seconds
    iss: ParticipantId
    items_count: Annotated[int, Meta(ge=1, le=1000)]
    items_root: Bytes32
    jti: Bytes16
    relayed: Literal[True] | UnsetType = UNSET
    v: ProtocolVersion


class AccessLeg(Payload, frozen=True, kw_only=True):
    """What a holder released, or a recipient received, under one decision. `bytes` and `rows` are counts."""

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
    rows: Count
    v: ProtocolVersion


class SubjectConsent(Payload, frozen=True, kw_only=True):
    """A holder links a consent to its own reference for the customer; it accompanies an authorisation."""

    act: Literal["subject.consent"]
    aud: Origin
    consent_id: ConsentId
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    subject: Reference
    v: ProtocolVersion


CredentialId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{22,1364}\Z", max_length=1364)]
Domain = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z", max_length=253)]


class SubjectEnrol(Payload, frozen=True, kw_only=True):
    """A holder binds a customer's passkey to the customer, after strong authentication."""

    act: Literal["subject.enrol"]
    aud: Origin
    credential_id: CredentialId
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    public_key: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43,1366}\Z", max_length=1366)]
    rp_id: Domain
    sca: Sca
    subject: Reference
    v: ProtocolVersion

    def __post_init__(self) -> None:
        _require_credential_id(self.credential_id)
        require_base64url("public_key", self.public_key, 32, 1_024)
        self.sca.require_before(self.iat)


class SubjectUnenrol(Payload, frozen=True, kw_only=True):
    """A holder takes a passkey out of use."""

    act: Literal["subject.unenrol"]
    aud: Origin
    credential_id: CredentialId
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    reason: Code
    subject: Reference
    v: ProtocolVersion

    def __post_init__(self) -> None:
        _require_credential_id(self.credential_id)


def _require_credential_id(text: str) -> None:
    require_base64url("credential_id", text, 16, 1_023)


Act = (
    ConsentRequest
    | ConsentAuthorise
    | ConsentStep
    | ConsentAmend
    | AccessRequest
    | AccessBatch
    | AccessLeg
    | SubjectConsent
    | SubjectEnrol
    | SubjectUnenrol
)

ACTS: Final[dict[str, type[Act]]] = {
    "access.batch": AccessBatch,
    "access.receive": AccessLeg,
    "access.release": AccessLeg,
    "access.request": AccessRequest,
    "consent.amend": ConsentAmend,
    "consent.authorise": ConsentAuthorise,
    "consent.pause": ConsentStep,
    "consent.reject": ConsentStep,
    "consent.request": ConsentRequest,
    "consent.resume": ConsentStep,
    "consent.revoke": ConsentStep,
    "consent.suspend": ConsentStep,
    "consent.terminate": ConsentStep,
    "subject.consent": SubjectConsent,
    "subject.enrol": SubjectEnrol,
    "subject.unenrol": SubjectUnenrol,
}
