"""The gateway's file: its name, its keys, and each holder's decisions (docs/standards/gateway.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta, Struct

from api.registers.statements import RegisterForm
from api.tokens.codes import RedirectUri
from ledger.entries.fields import KeyId, ParticipantId
from ledger.errors import InvalidInput

FREQUENCY: Final = 4
"""Accesses a day without the customer, unless otherwise agreed (Delegated Regulation (EU) 2018/389, art. 36(5)(b))."""


class HolderOptions(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One holder's decisions about the standards it offers."""

    zone: str = "UTC"
    """IANA name of the zone in which the holder's days begin and end."""
    frequency_per_day: Annotated[int, Meta(ge=1, le=10_000)] = FREQUENCY
    """The most accesses a day without the customer that a consent may ask for, and what it gets when it asks for none."""
    reauthenticate_days: Annotated[int, Meta(ge=0, le=3_650)] = 0
    """How long an authentication of the customer stays good, in days; 0 = the standard's own."""
    signatures_required: bool = False
    """Refuse requests without a message signature, where the standard has one (UK: `x-jws-signature`)."""
    approve_at: Annotated[str, Meta(max_length=512, pattern=r"^(https://[^\s#]+)?\Z")] = ""
    """Where the holder's customers agree, if not on the pages here: the members `consent` and `request` are added to it."""
    options: dict[str, str] = {}
    """Decisions that belong to one standard only; see its page."""

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"zone: {self.zone!r} is not the IANA name of a time zone") from None

    @property
    def tz(self) -> ZoneInfo:
        """The zone."""
        return ZoneInfo(self.zone)


class RecipientOptions(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is registered of one recipient."""

    redirect_uris: tuple[RedirectUri, ...] = ()
    """Where its customers' browsers may be sent back to, compared as text."""
    backchannel: bool = False
    """Its customers may agree without being sent to their bank by a browser (CIBA; docs/standards/oauth.md)."""
    asks_again: bool = False
    """Its customers may share again what they have stopped: the gateway then asks in its name, with the same terms."""
    sm4_key_file: str = ""
    """The key that bodies to and from it may be encrypted under (docs/standards/china.md): 32 hexadecimal digits, mode 0600."""


class RegisterOptions(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A register whose software statements let clients register themselves: it speaks for these participants only."""

    issuer: Annotated[str, Meta(min_length=1, max_length=256)]
    """As its statements spell it in `iss`."""
    form: RegisterForm
    jwks_uri: Annotated[str, Meta(max_length=1024, pattern=r"^(https?://[^\s#]+)?\Z")] = ""
    """Where its keys are, asked anew while servers run; or else:"""
    statuses_uri: Annotated[str, Meta(max_length=1024, pattern=r"^(https?://[^\s#]+)?\Z")] = ""
    """Where it lists the standing of software (CDR: Get Software Products Statuses), looked at every two minutes."""
    jwks_file: str = ""
    """A file with its keys, a JWK set, beside this one."""
    software: dict[str, ParticipantId] = {}
    """By software id of the register: which recipient of this log that is."""

    def __post_init__(self) -> None:
        if bool(self.jwks_uri) == bool(self.jwks_file):
            raise ValueError(f"registers: {self.issuer!r} has either a jwks_uri or a jwks_file")
        if self.statuses_uri and self.form != "cdr":
            raise ValueError(f"registers: {self.issuer!r} has a statuses_uri, which is there for the form cdr only")


class GatewayFile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`gateway.json`. Paths are relative to its folder."""

    participant: ParticipantId
    kid: KeyId
    key_file: str
    """The statement key: PKCS #8 PEM, mode 0600."""
    message_kid: KeyId
    message_key_file: str
    """The key that signs messages (UK: PS256), registered for `client` use; PKCS #8 PEM, mode 0600."""
    holders: dict[str, HolderOptions] = {}
    """By participant id; a holder without an entry has the defaults."""
    recipients: dict[str, RecipientOptions] = {}
    """By participant id; a recipient without an entry has no redirect address but those that it has registered itself."""
    registers: tuple[RegisterOptions, ...] = ()
    """Whose software statements are believed, each for the software that it is configured for."""

    def __post_init__(self) -> None:
        issuers = [one.issuer for one in self.registers]
        if len(set(issuers)) != len(issuers):
            raise ValueError("registers names each issuer once")


_decoder: Final = msgspec.json.Decoder(GatewayFile)


def read_gateway_file(path: Path) -> GatewayFile:
    """Raises InvalidInput for another content."""
    try:
        return _decoder.decode(path.read_bytes())
    except msgspec.DecodeError as error:
        raise InvalidInput(f"{path} is not a gateway file: {error}") from None


def write_gateway_file(path: Path, file: GatewayFile) -> None:
    """Write the file whole, or leave it as it was. Raises InvalidInput for members that could not be read again."""
    text = msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"
    try:
        _decoder.decode(text)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"{path} would be no gateway file: {error}") from None
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(text)
    new.replace(path)
