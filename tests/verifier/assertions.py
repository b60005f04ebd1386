"""A passkey's assertion as the verifier parses it, with whatever is wrong that a test asks for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from verifier.bytes.encoding import encode_base64url
from verifier.records import passkey

ED = Ed25519PrivateKey.from_private_bytes(b"e" * 32)
EC = ec.derive_private_key(4242, ec.SECP256R1())
SHA = hashes.SHA256()
RP, ORIGIN = "bank.example", "https://bank.example"
SIGNED = {
    "accounts_hash": "a",
    "act": "consent.authorise",
    "consent_id": "c",
    "locale": "zh-CN",
    "terms_hash": "t",
    "text_hash": encode_base64url(bytes(32)),
}
COSE_EC = (
    bytes.fromhex("a5010203262001215820")
    + EC.public_key().public_numbers().x.to_bytes(32)
    + b"\x22\x58\x20"
    + EC.public_key().public_numbers().y.to_bytes(32)
)
COSE_ED = bytes.fromhex("a4010103272006215820") + ED.public_key().public_bytes_raw()


def assertion(
    *,
    flags: int = 0x05,
    client: dict[str, Any] | bytes | None = None,
    tail: bytes = b"",
    key: bytes = COSE_EC,
    rp: str = RP,
    signed: dict[str, Any] | None = None,
) -> passkey.Assertion:
    made = passkey.Assertion(b"c" * 16, key, b"", b"", b"", b"n" * 32, signed or SIGNED, RP, ORIGIN)  # type: ignore[arg-type]
    told = {
        "type": "webauthn.get",
        "challenge": encode_base64url(made.challenge),
        "origin": ORIGIN,
        "crossOrigin": False,
    }
    data = client if isinstance(client, bytes) else json.dumps({**told, **(client or {})}).encode()
    authenticator = hashlib.sha256(rp.encode()).digest() + bytes([flags]) + (7).to_bytes(4) + tail
    message = authenticator + hashlib.sha256(data).digest()
    signature = ED.sign(message) if key == COSE_ED else EC.sign(message, ec.ECDSA(SHA))
    return replace(made, client_data=data, authenticator_data=authenticator, signature=signature)
