"""RS256 as a foreign client checks it: with the public key of the log, and the padding that ReBIT publishes."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from ledger.canonical import unb64u
from tests.api.service import Service


def verify_rs256(service: Service, kid: str, message: bytes, signature: bytes) -> None:
    """Raises InvalidSignature unless the key of the log has signed the message."""
    jwk = service.node.ledger.registry.keys[kid].jwk
    e, n = (int.from_bytes(unb64u(jwk[name])) for name in ("e", "n"))
    RSAPublicNumbers(e, n).public_key().verify(signature, message, PKCS1v15(), SHA256())
