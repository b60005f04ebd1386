"""The acts about a customer: links to consents, and passkeys (docs/spec/statements.md, Acts)."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from ledger.entries.fields import (
    SAFE_INTEGER,
    Bytes16,
    Bytes32,
    Code,
    ConsentId,
    Origin,
    ParticipantId,
    Reference,
    Seconds,
    require_base64url,
)
from ledger.entries.payload import Payload, Principal, ProtocolVersion, Sca


class SubjectConsent(Payload, frozen=True, kw_only=True):
    """A holder links a consent to its own reference for the customer; it accompanies an authorisation.

    `suppress_notify`: no other person is to be told of this consent.
    """

    act: Literal["subject.consent"]
    aud: Origin
    consent_id: ConsentId
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    subject: Reference
    suppress_notify: Literal[True] | UnsetType = UNSET
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
    on_behalf_of: Principal = UNSET
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
    on_behalf_of: Principal = UNSET
    reason: Code
    subject: Reference
    v: ProtocolVersion

    def __post_init__(self) -> None:
        _require_credential_id(self.credential_id)


def _require_credential_id(text: str) -> None:
    require_base64url("credential_id", text, 16, 1_023)


class SubjectFeedback(Payload, frozen=True, kw_only=True):
    """What a customer objects to, or asks about, in a consent; the words stay with the holder."""

    about: Annotated[int, Meta(ge=-1, le=SAFE_INTEGER)]
    act: Literal["subject.feedback"]
    aud: Origin
    consent_id: ConsentId
    due: Seconds
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    kind: Literal["after-stop", "other", "unexpected"]
    number: Code
    on_behalf_of: Principal = UNSET
    subject: Reference
    text_hash: Bytes32 | UnsetType = UNSET
    v: ProtocolVersion

    def __post_init__(self) -> None:
        if self.due <= self.iat:
            raise ValueError("due lies after iat")


class SubjectAnswer(Payload, frozen=True, kw_only=True):
    """How the answer to a customer's feedback goes on."""

    act: Literal["subject.answer"]
    aud: Origin
    by: Literal["holder", "recipient"]
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    number: Code
    on_behalf_of: Principal = UNSET
    state: Literal["answered", "closed", "forwarded", "received"]
    subject: Reference
    text_hash: Bytes32 | UnsetType = UNSET
    v: ProtocolVersion
