"""ML-DSA-44 (FIPS 204) by OpenSSL. Importing this fails where cryptography, or the OpenSSL beneath it, does not have it."""

from __future__ import annotations

from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from verifier.errors import Code, refuted

SIGNATURE = 2_420
"""Bytes of a signature; a key has 1,312."""

try:
    MLDSA44PrivateKey.from_seed_bytes(bytes(32))  # the names alone do not say whether OpenSSL has the algorithm
except UnsupportedAlgorithm:
    raise ImportError("this OpenSSL has no ML-DSA-44") from None


def verify(key: bytes, message: bytes, signature: bytes) -> None:
    """Verify a signature of 2,420 bytes, with the empty context. Raises Refuted(BAD_SIGNATURE)."""
    if len(signature) != SIGNATURE:
        raise refuted(Code.BAD_SIGNATURE, "an ML-DSA-44 signature has 2420 bytes", found=len(signature))
    try:
        _load(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise refuted(Code.BAD_SIGNATURE, "the ML-DSA-44 signature does not verify") from None


@lru_cache(maxsize=256)
def _load(key: bytes) -> MLDSA44PublicKey:
    return MLDSA44PublicKey.from_public_bytes(key)
