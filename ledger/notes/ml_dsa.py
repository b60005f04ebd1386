"""ML-DSA-44 (FIPS 204), where `cryptography` and the OpenSSL beneath it have it (C2SP tlog-cosignature, type 0x06)."""

from __future__ import annotations

from functools import cache
from typing import Final

from ledger.errors import BadSignature

KEY_BYTES: Final = 1_312
SIGNATURE_BYTES: Final = 2_420


@cache
def available() -> bool:
    """Whether signatures can be verified here; who cannot does not count such a key."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  (the client takes older versions)
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey  # noqa: PLC0415
    except ImportError:
        return False
    try:
        MLDSA44PrivateKey.from_seed_bytes(bytes(32))
    except UnsupportedAlgorithm:
        return False
    return True


def verify(key: bytes, message: bytes, signature: bytes) -> None:
    """Raises BadSignature unless `signature` (2,420 bytes) signs `message` with the empty context. Ask `available` first."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey  # noqa: PLC0415

    if len(signature) != SIGNATURE_BYTES:
        raise BadSignature(f"an ML-DSA-44 signature has {SIGNATURE_BYTES} bytes, not {len(signature)}")
    try:
        MLDSA44PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise BadSignature("the ML-DSA-44 signature does not verify") from None
