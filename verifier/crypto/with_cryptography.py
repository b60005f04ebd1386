"""The three checks by OpenSSL (cryptography), behind our own checks of form.

Importing this fails where cryptography is not installed.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from verifier.crypto import ed25519, p256, rsa
from verifier.errors import Code, refuted

_REFUSALS = (InvalidSignature, UnsupportedAlgorithm, ValueError)
_SHA256 = hashes.SHA256()
_ECDSA = ec.ECDSA(_SHA256)
_PSS = padding.PSS(padding.MGF1(_SHA256), salt_length=rsa.SALT)


def verify_ed25519(key: bytes, message: bytes, signature: bytes) -> None:
    """As crypto.ed25519.verify."""
    ed25519.check_gate(key, signature)
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except _REFUSALS:
        raise refuted(Code.BAD_SIGNATURE, "the Ed25519 signature does not verify") from None


def verify_es256(x: int, y: int, message: bytes, signature: bytes) -> None:
    """As crypto.p256.verify."""
    r, s = p256.split(signature)
    try:
        _load_p256(x, y).verify(encode_dss_signature(r, s), message, _ECDSA)
    except _REFUSALS:
        raise refuted(Code.BAD_SIGNATURE, "the ES256 signature does not verify") from None


def verify_ps256(n: int, e: int, message: bytes, signature: bytes) -> None:
    """As crypto.rsa.verify."""
    try:
        _load_rsa(n, e).verify(signature, message, _PSS, _SHA256)
    except _REFUSALS:
        raise refuted(Code.BAD_SIGNATURE, "the RSA signature does not verify") from None


# Loading a key costs more than checking a signature: participants sign many statements with few keys.


@lru_cache(maxsize=1024)
def _load_p256(x: int, y: int) -> ec.EllipticCurvePublicKey:
    p256.check_point(x, y)
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


@lru_cache(maxsize=1024)
def _load_rsa(n: int, e: int) -> RSAPublicKey:
    rsa.check_key(n, e)
    return RSAPublicNumbers(e, n).public_key()
