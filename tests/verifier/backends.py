"""One verdict of all cryptographic backends, and the numbers that keys are made of."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec

from tests.verifier.making import accepts
from verifier.bytes.encoding import encode_base64url
from verifier.crypto.backend import select
from verifier.crypto.keys import (
    PublicKey,
)

BACKENDS = [select(name) for name in ("pure", "pynacl", "cryptography")]


def verdict(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """The one verdict of all backends."""
    verdicts = {b.name: accepts(lambda b=b: b.verify(key, message, signature)) for b in BACKENDS}
    assert len(set(verdicts.values())) == 1, verdicts
    return next(iter(verdicts.values()))


def public(private: ec.EllipticCurvePrivateKey) -> tuple[int, int]:
    numbers = private.public_key().public_numbers()
    return numbers.x, numbers.y


def b64u(number: int, length: int) -> str:
    return encode_base64url(number.to_bytes(length))
