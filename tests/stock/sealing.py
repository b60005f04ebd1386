"""How financial information travels sealed between FIP and FIU: a key agreement over X25519, then AES-256-GCM.

The official files name ECDH, Curve25519 and GCM and leave the derivation open; this one takes HKDF with SHA-256 and both nonces
as its salt.
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


@dataclass(frozen=True)
class OneTimeKey:
    """One side's key for one session."""

    _private: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    _nonce: bytes = field(default_factory=lambda: os.urandom(32))

    @property
    def material(self) -> dict[str, Any]:
        """KeyMaterial: what the other side needs."""
        return {
            "cryptoAlg": "ECDH",
            "curve": "X25519",
            "params": "cipher=AES/GCM/NoPadding;KeyPairGenerator=ECDH",
            "DHPublicKey": {
                "expiry": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
                "Parameters": "",
                "KeyValue": _text(self._private.public_key().public_bytes_raw()),
            },
            "Nonce": _text(self._nonce),
        }

    def seal(self, text: str, other: dict[str, Any]) -> str:
        """For whoever has shown `other`."""
        iv = os.urandom(12)
        return _text(iv + self._cipher(other).encrypt(iv, text.encode(), None))

    def open(self, sealed: str, other: dict[str, Any]) -> str:
        """What whoever has shown `other` sealed. Raises InvalidTag for anything else."""
        held = base64.b64decode(sealed)
        return self._cipher(other).decrypt(held[:12], held[12:], None).decode()

    def _cipher(self, other: dict[str, Any]) -> AESGCM:
        shared = self._private.exchange(
            X25519PublicKey.from_public_bytes(base64.b64decode(other["DHPublicKey"]["KeyValue"]))
        )
        salt = bytes(one ^ two for one, two in zip(self._nonce, base64.b64decode(other["Nonce"]), strict=True))
        return AESGCM(HKDF(SHA256(), 32, salt, b"").derive(shared))
