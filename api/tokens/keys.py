"""Keys of tokens: public JWKs from messages and files, thumbprints, and the signer of access tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Self

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from ledger.canonical import b64u, encode, unb64u
from ledger.custody.held import HeldKey, jwk_of
from ledger.custody.held_jwk import make_held_jwk, read_held_jwk
from ledger.entries.keys import Verify, verifier_of
from ledger.errors import BadEncoding, InvalidInput
from ledger.secrets import read_secret, write_secret

ALGORITHMS: Final = ("ES256", "EdDSA", "PS256")
"""FAPI 2.0 §5.4.1: no others, and never `none`."""
_MEMBERS: Final = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
_ALG_OF: Final = {"EC": "ES256", "OKP": "EdDSA", "RSA": "PS256"}


@lru_cache(maxsize=4096)
def _verifier(alg: str, public: tuple[tuple[str, str], ...]) -> Verify:
    """Reading a key costs as much as using it, and a caller's proofs come under one key. Raises InvalidInput."""
    return verifier_of(alg, dict(public))


@lru_cache(maxsize=4096)
def _thumbprint(public: tuple[tuple[str, str], ...]) -> str:
    return b64u(hashlib.sha256(encode(dict(public))).digest())


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key with its one algorithm."""

    alg: str
    jwk: dict[str, str]
    """The required members only."""
    verify: Verify

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> Self:
        """Read a public JWK, leaving out optional members. Raises InvalidInput, for private keys too."""
        kty = jwk.get("kty")
        if not isinstance(kty, str) or kty not in _MEMBERS or "d" in jwk:
            raise InvalidInput("the JWK must be a public key of type EC, OKP or RSA", member="jwk")
        alg = _ALG_OF[kty]
        if jwk.get("alg", alg) != alg:
            raise InvalidInput(f"a key of type {kty} is used with {alg} only", member="alg")
        public = {name: jwk[name] for name in _MEMBERS[kty] if name in jwk}
        if not all(isinstance(value, str) for value in public.values()):
            raise InvalidInput("the members of a JWK are texts", member="jwk")
        return cls(alg, public, _verifier(alg, tuple(public.items())))

    @property
    def thumbprint(self) -> str:
        """RFC 7638 with SHA-256."""
        return _thumbprint(tuple(self.jwk.items()))


class _FileKey:
    """A private P-256 key in this process. A HeldKey."""

    alg: Final = "ES256"

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private
        numbers = private.public_key().public_numbers()
        self.public = numbers.x.to_bytes(32) + numbers.y.to_bytes(32)
        self.place = ""

    def sign(self, message: bytes) -> bytes:
        """See HeldKey."""
        r, s = decode_dss_signature(self._private.sign(message, ec.ECDSA(SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    def probe(self) -> None:
        """See HeldKey."""


class TokenSigner:
    """The ES256 key that signs access tokens: in its file, or where its file says that it is kept."""

    alg: Final = "ES256"

    def __init__(self, key: HeldKey) -> None:
        self._key = key
        self.jwk = jwk_of("ES256", key.public)
        self.public = PublicKey.from_jwk(self.jwk)
        self.kid = self.public.thumbprint

    def sign(self, message: bytes) -> bytes:
        """64 bytes, r and s. Raises Unavailable when the key's place does not sign."""
        return self._key.sign(message)

    def probe(self) -> None:
        """See HeldKey."""
        self._key.probe()

    @property
    def place(self) -> str:
        """See HeldKey."""
        return self._key.place

    def jws(self, header: Mapping[str, Any], payload: Mapping[str, Any]) -> str:
        """A compact JWS under this key."""
        signed = f"{b64u(encode({'alg': self.alg, **header}))}.{b64u(msgspec.json.encode(dict(payload)))}"
        return f"{signed}.{b64u(self.sign(signed.encode()))}"

    @property
    def published(self) -> dict[str, str]:
        """The public key as a member of a JWK set."""
        return {**self.jwk, "alg": self.alg, "kid": self.kid, "use": "sig"}

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a private JWK, or one that says where the key is kept, from a file of mode 0600.

        Raises NotFound, InvalidInput.
        """
        data = read_secret(path)
        if (held := read_held_jwk(data)) is not None:
            if held.alg != "ES256":
                raise InvalidInput(f"{path} names a key of {held.alg}: tokens are signed with ES256")
            return cls(held)
        try:
            jwk = msgspec.json.decode(data, type=dict[str, str])
            private = ec.derive_private_key(int.from_bytes(unb64u(jwk["d"], size=32)), ec.SECP256R1())
            signer = cls(_FileKey(private))
        except (msgspec.DecodeError, KeyError, BadEncoding, ValueError):
            raise InvalidInput(f"{path} does not hold a private P-256 key as a JWK") from None
        if any(jwk.get(name) != value for name, value in signer.jwk.items()):
            raise InvalidInput(f"the public members of the key in {path} do not belong to its private one")
        return signer

    @classmethod
    def make(cls, path: Path, place: str = "") -> Self:
        """Make a key and write it to a new file; with the URI `place`, it is made there, and the file says so.

        Raises Conflict when the file exists, InvalidInput, Unavailable.
        """
        if place:
            return cls(make_held_jwk(path, place, "ES256"))
        private = ec.generate_private_key(ec.SECP256R1())
        signer = cls(_FileKey(private))
        secret = {**signer.jwk, "d": b64u(private.private_numbers().private_value.to_bytes(32))}
        write_secret(path, encode(secret) + b"\n")
        return signer


def read_key_set(path: Path) -> dict[str, PublicKey]:
    """Key id to key, from a file with a JWK set; empty when there is no such file. Raises InvalidInput."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    return parse_key_set(data, str(path))


def parse_key_set(data: bytes, place: str, *, any_use: bool = False) -> dict[str, PublicKey]:
    """Key id to key; keys of unknown types are left out, as RFC 7517 §5 asks, and keys for another use than signatures unless
    `any_use`: those of connections' certificates have none, or one of their own. Raises InvalidInput."""
    try:
        keys = msgspec.json.decode(data, type=dict[str, Any])["keys"]
        found: dict[str, PublicKey] = {}
        for jwk in keys:
            used = any_use or jwk.get("use", "sig") == "sig"
            if used and jwk.get("kty") in _MEMBERS and isinstance(jwk.get("kid"), str):
                try:
                    found[jwk["kid"]] = PublicKey.from_jwk(jwk)
                except InvalidInput:
                    continue  # an algorithm or curve that is not used here
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        raise InvalidInput(f"{place} does not hold a JWK set") from None
    return found
