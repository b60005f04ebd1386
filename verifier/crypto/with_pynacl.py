"""Ed25519 by libsodium (PyNaCl), behind our gate. Importing this fails where PyNaCl is not installed."""

from __future__ import annotations

from nacl.bindings import crypto_sign_open
from nacl.exceptions import CryptoError

from verifier.crypto.ed25519 import check_gate
from verifier.errors import Code, refuted


def verify_ed25519(key: bytes, message: bytes, signature: bytes) -> None:
    """As crypto.ed25519.verify."""
    check_gate(key, signature)
    try:
        crypto_sign_open(signature + message, key)
    except (CryptoError, ValueError):
        raise refuted(Code.BAD_SIGNATURE, "the Ed25519 signature does not verify") from None
