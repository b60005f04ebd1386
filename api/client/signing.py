"""Signing as a participant: one key, one algorithm, one purpose (docs/spec/statements.md).

Keys in files are for services and trials; a key in hardware is anything that fits `StatementSigner`, or `AsyncStatementSigner`
where signing waits for a service.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import orjson
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from api.client.key_places import add_key_services
from ledger.canonical import b64u
from ledger.custody.held import HeldKey, jwk_of
from ledger.custody.held_jwk import read_held_jwk
from ledger.entries.keys import jwk_of_ed25519, verifier_of
from ledger.entries.statement import header_text
from ledger.secrets import read_secret, write_secret

Algorithm = Literal["EdDSA", "ES256", "PS256"]
PrivateKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_PSS: Final = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=32)


add_key_services()


class StatementSigner(Protocol):
    """Signs for one registered key, wherever the key is kept."""

    @property
    def kid(self) -> str:
        """The key id under which the public key is registered."""
        ...

    @property
    def alg(self) -> Algorithm:
        """The one algorithm registered for the key."""
        ...

    @property
    def jwk(self) -> Mapping[str, str]:
        """The public key: the members a registration takes, and no others."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The raw signature of JWS (RFC 7518 §3, RFC 8037 §3.1): for ES256, 64 bytes r ‖ s."""
        ...


class AsyncStatementSigner(Protocol):
    """A StatementSigner whose signature is waited for: a key service, a module behind a network."""

    @property
    def kid(self) -> str:
        """See StatementSigner."""
        ...

    @property
    def alg(self) -> Algorithm:
        """See StatementSigner."""
        ...

    @property
    def jwk(self) -> Mapping[str, str]:
        """See StatementSigner."""
        ...

    async def sign(self, message: bytes) -> bytes:
        """See StatementSigner."""
        ...


AnySigner = StatementSigner | AsyncStatementSigner


class LocalSigner:
    """A signer whose private key is in this process."""

    __slots__ = ("_key", "alg", "jwk", "kid")

    def __init__(self, kid: str, key: PrivateKey) -> None:
        """Raises InvalidInput for a key that the ledger would not register: another curve, a small RSA modulus."""
        self.kid: str = kid
        self._key = key
        self.alg: Algorithm
        self.jwk: Mapping[str, str]
        match key:
            case Ed25519PrivateKey():
                self.alg = "EdDSA"
                self.jwk = jwk_of_ed25519(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
            case ec.EllipticCurvePrivateKey():
                self.alg = "ES256"
                point = key.public_key().public_numbers()
                x, y = (b64u(value.to_bytes((key.key_size + 7) // 8)) for value in (point.x, point.y))
                self.jwk = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
            case rsa.RSAPrivateKey():
                self.alg = "PS256"
                modulus = key.public_key().public_numbers().n
                self.jwk = {"e": "AQAB", "kty": "RSA", "n": b64u(modulus.to_bytes((modulus.bit_length() + 7) // 8))}
        # The ledger's own rules for keys, and one signature that proves this key fits them.
        verifier_of(self.alg, self.jwk)(b"fits", self.sign(b"fits"))

    @classmethod
    def generate(cls, kid: str, alg: Algorithm = "EdDSA") -> LocalSigner:
        """A new key."""
        match alg:
            case "EdDSA":
                return cls(kid, Ed25519PrivateKey.generate())
            case "ES256":
                return cls(kid, ec.generate_private_key(ec.SECP256R1()))
            case "PS256":
                return cls(kid, rsa.generate_private_key(public_exponent=65537, key_size=2048))

    @classmethod
    def load(cls, kid: str, path: Path, *, password: bytes | None = None) -> LocalSigner:
        """The key in a PKCS #8 PEM file of mode 0600. Raises NotFound, InvalidInput, and ValueError for another kind of key."""
        key = load_pem_private_key(read_secret(path), password)
        if not isinstance(key, Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise ValueError(f"{path} holds a key that is neither Ed25519 nor P-256 nor RSA")  # noqa: TRY004
        return cls(kid, key)

    def save(self, path: Path, *, password: bytes | None = None) -> None:
        """Write the private key to a new PEM file of mode 0600. Raises Conflict when it exists."""
        lock: KeySerializationEncryption = BestAvailableEncryption(password) if password else NoEncryption()
        write_secret(path, self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))

    def sign(self, message: bytes) -> bytes:
        """See StatementSigner."""
        match self._key:
            case Ed25519PrivateKey():
                return self._key.sign(message)
            case ec.EllipticCurvePrivateKey():
                r, s = decode_dss_signature(self._key.sign(message, ec.ECDSA(SHA256())))
                return r.to_bytes(32) + s.to_bytes(32)
            case rsa.RSAPrivateKey():
                return self._key.sign(message, _PSS, SHA256())

    def sign_rs256(self, message: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256, for messages of a standard that publishes no other; never for a statement.

        Raises ValueError for a key that is not RSA.
        """
        if not isinstance(self._key, rsa.RSAPrivateKey):
            raise ValueError(f"the key {self.kid} is {self.alg}, and RS256 needs an RSA key")  # noqa: TRY004
        return self._key.sign(message, padding.PKCS1v15(), SHA256())


class HeldSigner:
    """A signer whose private key is in a place that uses it and never hands it out: a token, a service of keys."""

    __slots__ = ("_key", "alg", "jwk", "kid")

    def __init__(self, kid: str, key: HeldKey) -> None:
        self.kid: str = kid
        self._key = key
        self.alg: Algorithm = key.alg
        self.jwk: Mapping[str, str] = jwk_of(key.alg, key.public)

    def sign(self, message: bytes) -> bytes:
        """See StatementSigner. Raises Unavailable when the key's place does not sign."""
        return self._key.sign(message)


def load_signer(kid: str, path: Path) -> StatementSigner:
    """The signer of a key file of mode 0600: a PKCS #8 PEM file, or one that says where the key is kept.

    Raises NotFound, InvalidInput, and ValueError for another kind of key.
    """
    held = read_held_jwk(read_secret(path))
    return LocalSigner.load(kid, path) if held is None else HeldSigner(kid, held)


def sign_statement(signer: AnySigner, payload: bytes) -> str:
    """The compact JWS of a statement: its payload is signed as given, so it must be CL-JSON already.

    Raises TypeError for an asynchronous signer.
    """
    signed = _statement_input(signer, payload)
    if inspect.iscoroutinefunction(signer.sign):
        raise TypeError("the signer answers asynchronously: use `await sign…` of the statements")
    made = signer.sign(signed.encode())
    if not isinstance(made, bytes):
        raise TypeError(f"a signer answers with bytes, not {type(made).__name__}")
    return f"{signed}.{b64u(made)}"


async def sign_statement_with(signer: AnySigner, payload: bytes) -> str:
    """As `sign_statement`, with a signer of either kind."""
    signed = _statement_input(signer, payload)
    return f"{signed}.{b64u(await signature_of(signer, signed.encode()))}"


def sign_jwt(signer: StatementSigner, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """A compact JWS for everything that is not a statement: client assertions (RFC 7523), DPoP proofs (RFC 9449)."""
    signed = _jwt_input(signer, header, claims)
    return f"{signed}.{b64u(signer.sign(signed.encode()))}"


async def sign_jwt_with(signer: AnySigner, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """As `sign_jwt`, with a signer of either kind."""
    signed = _jwt_input(signer, header, claims)
    return f"{signed}.{b64u(await signature_of(signer, signed.encode()))}"


async def signature_of(signer: AnySigner, message: bytes) -> bytes:
    """The signer's answer, awaited if it must be."""
    made: bytes | Awaitable[bytes] = signer.sign(message)
    return made if isinstance(made, bytes) else await made


def _statement_input(signer: AnySigner, payload: bytes) -> str:
    return f"{header_text(signer.alg, signer.kid)}.{b64u(payload)}"


def _jwt_input(signer: AnySigner, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    return ".".join(b64u(orjson.dumps(part)) for part in ({"alg": signer.alg, **header}, dict(claims)))
