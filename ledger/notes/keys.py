"""Note keys: verifier keys as text, signers, and the text form of a secret key (C2SP signed-note v1.0.0).

    vkey   = name "+" 8 lower-case hex digits of the key id "+" base64(type ‖ public key)
    key id = first 4 bytes of SHA-256(name ‖ 0A ‖ type ‖ public key)
    secret = "PRIVATE+KEY+" name "+" key id "+" base64(01 ‖ 32-byte seed)        (golang.org/x/mod/sumdb/note)

Three types: 0x01 signs the note's text (logs), 0x04 and 0x06 cosign a checkpoint with a time (witnesses). An Ed25519 key
that is not a canonical point of prime order is refused when it is loaded: under a point of small order one
signature verifies for every message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Protocol

from nacl.bindings import (
    crypto_core_ed25519_is_valid_point,
    crypto_sign,
    crypto_sign_open,
    crypto_sign_seed_keypair,
)
from nacl.exceptions import BadSignatureError

from ledger.canonical import b64, unb64
from ledger.errors import BadEncoding, BadSignature, InvalidInput
from ledger.notes import ml_dsa
from ledger.notes.cosignature import cosigned_message, format_blob, parse_blob, subtree_message

ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
ML_DSA_44: Final = 0x06

COSIGNERS: Final = frozenset({COSIGNATURE, ML_DSA_44})
"""The types of witnesses' keys."""
_TYPES: Final = frozenset({ED25519, COSIGNATURE, ML_DSA_44})
_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_MAX_NAME_BYTES: Final = 255
_MAX_VKEY_CHARACTERS: Final = 2_300
"""An ML-DSA-44 key's; a name has at most 255 bytes."""
_SECRET_PREFIX: Final = "PRIVATE+KEY+"  # noqa: S105  (a format's first bytes, not a secret)
_KEY_ID: Final = re.compile(r"[0-9a-f]{8}", re.ASCII)


def check_name(name: str) -> None:
    """Raises BadEncoding unless `name` can name a note key: 1 to 255 bytes, no white space, control or `+`."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise BadEncoding("a key name is not UTF-8") from None
    if not 1 <= size <= _MAX_NAME_BYTES:
        raise BadEncoding(f"a key name has 1 to {_MAX_NAME_BYTES} bytes")
    if any(character.isspace() or character == "+" or character < " " for character in name):
        raise BadEncoding("a key name holds no white space, no control character and no plus sign")


def key_id(name: str, key_type: int, public_key: bytes) -> bytes:
    """The four bytes that, with the name, tell a signature line's key."""
    return sha256(name.encode() + b"\n" + bytes([key_type]) + public_key).digest()[:4]


@dataclass(frozen=True)
class VerifierKey:
    """A public note key of type ED25519, COSIGNATURE or, where it can be verified with, ML_DSA_44. Making one raises
    BadEncoding when it may not be used."""

    name: str
    key_type: int
    public_key: bytes
    key_id: bytes = field(init=False)

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.key_type not in _TYPES:
            raise BadEncoding(f"note keys of type 0x{self.key_type:02x} are not supported")
        object.__setattr__(self, "key_id", key_id(self.name, self.key_type, self.public_key))
        if self.key_type == ML_DSA_44:
            if len(self.public_key) != ml_dsa.KEY_BYTES or not ml_dsa.available():
                raise BadEncoding("an ML-DSA-44 key has 1312 bytes, and a library here that can verify with it")
            return
        if len(self.public_key) != _KEY_BYTES:
            raise BadEncoding(f"an Ed25519 public key has {_KEY_BYTES} bytes, not {len(self.public_key)}")
        if not crypto_core_ed25519_is_valid_point(self.public_key):
            raise BadEncoding("the public key is not a canonical point of prime order on Ed25519")

    def format(self) -> str:
        """The vkey text."""
        return f"{self.name}+{self.key_id.hex()}+{b64(bytes([self.key_type]) + self.public_key)}"

    def verify(self, text: bytes, blob: bytes) -> None:
        """Raises BadSignature unless `blob` (what follows the key id in the line) signs the note text `text`."""
        if self.key_type == ML_DSA_44:
            return self._verify_subtree(text, blob)
        if self.key_type == COSIGNATURE:
            try:
                time, signature = parse_blob(blob)
            except BadEncoding as error:
                raise BadSignature(f"{self.name}: {error.detail}") from None
            message = cosigned_message(text, time)
        else:
            message, signature = text, blob
        if len(signature) != _SIGNATURE_BYTES:
            raise BadSignature(f"an Ed25519 signature has {_SIGNATURE_BYTES} bytes, not {len(signature)}")
        try:
            crypto_sign_open(signature + message, self.public_key)
        except BadSignatureError:
            raise BadSignature(f"the signature of {self.name} does not verify") from None

    def time_of(self, blob: bytes) -> int:
        """When a witness signed (POSIX seconds). Raises BadEncoding."""
        size = ml_dsa.SIGNATURE_BYTES if self.key_type == ML_DSA_44 else _SIGNATURE_BYTES
        return parse_blob(blob, 8 + size).time

    def _verify_subtree(self, text: bytes, blob: bytes) -> None:
        try:
            time, signature = parse_blob(blob, 8 + ml_dsa.SIGNATURE_BYTES)
            ml_dsa.verify(self.public_key, subtree_message(text, self.name, time), signature)
        except (BadEncoding, BadSignature, InvalidInput) as error:
            raise BadSignature(f"the signature of {self.name} does not verify: {error.detail}") from None


@dataclass(frozen=True)
class UncountedKey:
    """A note key that is parsed but cannot verify here: an ML-DSA-44 key (type 0x06) where no library has the algorithm."""

    name: str
    public_key: bytes

    def format(self) -> str:
        """The vkey text."""
        identity = key_id(self.name, ML_DSA_44, self.public_key)
        return f"{self.name}+{identity.hex()}+{b64(bytes([ML_DSA_44]) + self.public_key)}"


def parse_vkey(text: str) -> VerifierKey:
    """The key `text` names, in the one spelling `VerifierKey.format` writes. Raises BadEncoding."""
    key = parse_any_vkey(text)
    if isinstance(key, UncountedKey) or key.key_type == ML_DSA_44:
        raise BadEncoding(f"note keys of type 0x{ML_DSA_44:02x} are not supported")
    return key


def parse_any_vkey(text: str) -> VerifierKey | UncountedKey:
    """As `parse_vkey`, for files that may also name keys that do not count. Raises BadEncoding."""
    parts = text.split("+", 2)  # the base64 part may itself hold a plus sign
    if len(text) > _MAX_VKEY_CHARACTERS or len(parts) != 3 or not _KEY_ID.fullmatch(parts[1]):
        raise BadEncoding("a verifier key reads name+8 hex digits+base64")
    material = unb64(parts[2])
    if not material:
        raise BadEncoding("the verifier key holds no key")
    key: VerifierKey | UncountedKey
    if material[0] == ML_DSA_44 and len(material) == 1 + ml_dsa.KEY_BYTES and not ml_dsa.available():
        check_name(parts[0])
        key = UncountedKey(parts[0], material[1:])
    else:
        key = VerifierKey(parts[0], material[0], material[1:])
    if key.format() != text:
        raise BadEncoding("the key id in the verifier key is not that of its name and key")
    return key


class Signer(Protocol):
    """Signs note texts: the log's key, wherever it is kept."""

    @property
    def vkey(self) -> VerifierKey:
        """The public half: name, type and key id of the lines this signer writes."""
        ...

    @property
    def place(self) -> str:
        """The URI of where the key is kept; empty for one in this process."""
        ...

    def sign(self, text: bytes) -> bytes:
        """What follows the key id in the signature line over `text`. Raises Unavailable when the key's place does not sign."""
        ...

    def probe(self) -> None:
        """Ask the key's place whether it could sign, without signing. Raises Unavailable."""
        ...


class Ed25519NoteSigner:
    """A log key (type 0x01) from its 32-byte seed. Signatures are deterministic (RFC 8032)."""

    __slots__ = ("_secret_key", "_vkey")

    def __init__(self, name: str, seed: bytes) -> None:
        """Raises InvalidInput when `name` cannot name a key or `seed` is not 32 bytes."""
        self._vkey, self._secret_key = _key_pair(name, ED25519, seed)

    @property
    def vkey(self) -> VerifierKey:
        """The public half."""
        return self._vkey

    @property
    def place(self) -> str:
        """See Signer."""
        return ""

    def sign(self, text: bytes) -> bytes:
        """The Ed25519 signature over `text`: 64 bytes."""
        return crypto_sign(text, self._secret_key)[:_SIGNATURE_BYTES]

    def probe(self) -> None:
        """The key is in this process."""


class Cosigner:
    """A witness key (type 0x04) from its 32-byte seed, for one name and nothing but cosignatures."""

    __slots__ = ("_secret_key", "_vkey")

    def __init__(self, name: str, seed: bytes) -> None:
        """Raises InvalidInput when `name` cannot name a key or `seed` is not 32 bytes."""
        self._vkey, self._secret_key = _key_pair(name, COSIGNATURE, seed)

    @property
    def vkey(self) -> VerifierKey:
        """The public half."""
        return self._vkey

    def cosign(self, text: bytes, time: int) -> bytes:
        """What follows the key id in the cosignature line over `text` at `time` (POSIX seconds): 72 bytes."""
        message = cosigned_message(text, time)
        return format_blob(time, crypto_sign(message, self._secret_key)[:_SIGNATURE_BYTES])


def format_secret_key(name: str, seed: bytes, *, key_type: int = ED25519) -> str:
    """The text of a key file for a log or a witness (without a final newline): keep it secret. Raises InvalidInput."""
    vkey, _ = _key_pair(name, key_type, seed)
    return f"{_SECRET_PREFIX}{name}+{vkey.key_id.hex()}+{b64(bytes([key_type]) + seed)}"


def parse_secret_key(text: str) -> Ed25519NoteSigner:
    """The log's signer whose key file reads exactly `text`. Raises BadEncoding, which never quotes the text."""
    return Ed25519NoteSigner(*_parse_secret(text, ED25519))


def parse_cosigner(text: str) -> Cosigner:
    """The witness whose key file reads exactly `text`. Raises BadEncoding, which never quotes the text."""
    return Cosigner(*_parse_secret(text, COSIGNATURE))


def _parse_secret(text: str, key_type: int) -> tuple[str, bytes]:
    parts = text.removeprefix(_SECRET_PREFIX).split("+", 2)
    if len(text) > _MAX_VKEY_CHARACTERS or not text.startswith(_SECRET_PREFIX) or len(parts) != 3:
        raise BadEncoding("a secret note key reads PRIVATE+KEY+name+8 hex digits+base64")
    material = unb64(parts[2], size=1 + _KEY_BYTES)
    if material[0] != key_type:
        raise BadEncoding(f"the secret note key is not of type 0x{key_type:02x}")
    if format_secret_key(parts[0], material[1:], key_type=key_type) != text:
        raise BadEncoding("the key id in the secret note key is not that of its name and key")
    return parts[0], material[1:]


def _key_pair(name: str, key_type: int, seed: bytes) -> tuple[VerifierKey, bytes]:
    if len(seed) != _KEY_BYTES:
        raise InvalidInput(f"an Ed25519 seed has {_KEY_BYTES} bytes")
    public_key, secret_key = crypto_sign_seed_keypair(seed)
    return VerifierKey(name, key_type, public_key), secret_key
