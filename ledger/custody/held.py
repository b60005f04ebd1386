"""What a place that keeps keys can do with them. None of these hands out a private byte."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, Protocol

from ledger.canonical import b64u

HeldAlgorithm = Literal["EdDSA", "ES256"]
"""Ed25519 (RFC 8032), or ECDSA on P-256 over SHA-256."""

KEY_BYTES: Final[Mapping[HeldAlgorithm, int]] = {"EdDSA": 32, "ES256": 64}
"""Length of a raw public key: an Ed25519 point, or x ‖ y."""


class HeldKey(Protocol):
    """A key pair of one algorithm, of which only the public half is seen. Safe to share between threads."""

    @property
    def alg(self) -> HeldAlgorithm:
        """The one algorithm it is used with."""
        ...

    @property
    def public(self) -> bytes:
        """The raw public key, of KEY_BYTES bytes."""
        ...

    @property
    def place(self) -> str:
        """The URI of where it is kept; empty for a key in this process."""
        ...

    def sign(self, message: bytes) -> bytes:
        """64 bytes: the Ed25519 signature, or r ‖ s. Raises Unavailable when the key's place does not answer."""
        ...

    def probe(self) -> None:
        """Ask the key's place whether it could sign, without signing. Raises Unavailable, InvalidInput."""
        ...


class Wrapper(Protocol):
    """Wraps keys under a 32-byte AES key (AES-256-GCM), wherever that one is kept. Safe to share between threads."""

    def seal(self, plaintext: bytes, place: bytes) -> bytes:
        """nonce (12 bytes) ‖ ciphertext ‖ tag, bound to `place`. Raises Unavailable."""
        ...

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """The plaintext. Raises Corrupt when bytes, key or place are not the ones that were sealed, Unavailable."""
        ...


def jwk_of(alg: HeldAlgorithm, public: bytes) -> dict[str, str]:
    """The public JWK of a raw public key."""
    if alg == "EdDSA":
        return {"crv": "Ed25519", "kty": "OKP", "x": b64u(public)}
    return {"crv": "P-256", "kty": "EC", "x": b64u(public[:32]), "y": b64u(public[32:])}
