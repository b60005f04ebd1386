"""What the payloads of all acts are made of (docs/spec/statements.md, Common members)."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from ledger.entries.fields import Bytes32, Code, ParticipantId, Reference, Seconds

Version = Annotated[int, Meta(ge=1, le=1_000_000)]
ProtocolVersion = Literal[1]
Accounts = Annotated[tuple[Reference, ...], Meta(max_length=100)]
SomeAccounts = Annotated[tuple[Reference, ...], Meta(min_length=1, max_length=100)]
Principal = ParticipantId | UnsetType
"""The participant that the signer acts for; absent when it acts for itself."""
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


class SeparateConsent(Struct, frozen=True, forbid_unknown_fields=True):
    """A consent given by a control of its own: when (seconds), to what, and the SHA-256 (b64u) of the words shown."""

    given_at: Seconds
    kind: Code
    text_hash: Bytes32


def acting_for(iss: str, on_behalf_of: str | UnsetType) -> str:
    """The participant whose act a statement is: the one named by `on_behalf_of`, else the signer itself."""
    return iss if on_behalf_of is UNSET else on_behalf_of
