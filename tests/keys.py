"""Key pairs for tests: what participants hold, in each algorithm."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from ledger.canonical import b64u, encode
from tests.vectors.signing_sm2 import N, Sm2

ALGORITHMS = ("EdDSA", "ES256", "PS256")


@dataclass(frozen=True)
class KeyPair:
    """A private key with its algorithm and key id."""

    alg: str
    kid: str
    private: Any

    @classmethod
    def generate(cls, alg: str = "EdDSA", kid: str = "key-1") -> KeyPair:
        match alg:
            case "EdDSA":
                return cls(alg, kid, ed25519.Ed25519PrivateKey.generate())
            case "ES256":
                return cls(alg, kid, ec.generate_private_key(ec.SECP256R1()))
            case "PS256":
                return cls(alg, kid, _rsa(kid))
            case "SM2":
                return cls(alg, kid, Sm2(kid, secrets.randbelow(N - 2) + 1))
            case other:
                raise AssertionError(other)

    @property
    def jwk(self) -> dict[str, str]:
        """The public key, as it is registered."""
        if isinstance(self.private, Sm2):
            return dict(self.private.jwk)
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return {"crv": "Ed25519", "kty": "OKP", "x": b64u(self.private.public_key().public_bytes_raw())}
        numbers = self.private.public_key().public_numbers()
        if self.alg == "ES256":
            return {"crv": "P-256", "kty": "EC", "x": b64u(numbers.x.to_bytes(32)), "y": b64u(numbers.y.to_bytes(32))}
        return {"e": "AQAB", "kty": "RSA", "n": b64u(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8))}

    @property
    def thumbprint(self) -> str:
        """RFC 7638."""
        return b64u(hashlib.sha256(encode(self.jwk)).digest())

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.private, Sm2):
            return self.private.sign(message)
        if self.alg == "EdDSA":
            return bytes(self.private.sign(message))
        if self.alg == "ES256":
            r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(SHA256())))
            return r.to_bytes(32) + s.to_bytes(32)
        return bytes(self.private.sign(message, padding.PSS(padding.MGF1(SHA256()), 32), SHA256()))

    def jws(self, header: dict[str, Any] | bytes, payload: bytes) -> str:
        """A compact JWS; `alg` is this key's unless the header says otherwise, or is bytes."""
        head = header if isinstance(header, bytes) else encode({"alg": self.alg, **header})
        text = f"{b64u(head)}.{b64u(payload)}"
        return text + "." + b64u(self.sign(text.encode()))


@lru_cache(maxsize=32)
def _rsa(kid: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)  # slow to make: one per kid and test process
