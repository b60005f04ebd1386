"""A customer's passkey, as a device holds it: says yes to any terms (docs/spec/passkeys.md)."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ledger.canonical import b64u, encode
from tests.keys import KeyPair
from tests.world import ConsentInWorld, passkey

RP_ID, ORIGIN = "bank.example", "https://bank.example"


class Device:
    """One passkey, ES256."""

    def __init__(self) -> None:
        self.credential_id = b64u(os.urandom(16))
        self.key = KeyPair.generate("ES256")
        self.public_key = b64u(passkey(self.key))

    def agree(self, consent: ConsentInWorld, client: bytes | None = None, origin: str = ORIGIN) -> str:
        """The record (CL-JSON) of a gesture over a consent's terms and accounts.

        `client`: the client data where it is to be other than a browser's; `CHALLENGE` and `ORIGIN` in it are filled in.
        """
        signed = {
            "accounts_hash": _tagged("accounts", encode({"accounts": sorted(consent.accounts)})),
            "act": "consent.authorise",
            "consent_id": consent.consent_id,
            "locale": "en",
            "terms_hash": consent.terms_hash,
            "text_hash": b64u(bytes(32)),
        }
        nonce = os.urandom(32)
        challenge = _tagged("challenge", nonce + encode(signed))
        if client is None:
            client = b'{"type":"webauthn.get","challenge":"CHALLENGE","origin":ORIGIN,"crossOrigin":false}'
        client = client.replace(b"CHALLENGE", challenge.encode()).replace(b"ORIGIN", json.dumps(origin).encode())
        authenticator = hashlib.sha256(RP_ID.encode()).digest() + bytes([0x05]) + (7).to_bytes(4)
        signature = self.key.private.sign(authenticator + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        record: dict[str, Any] = {
            "authenticator_data": b64u(authenticator),
            "client_data": b64u(client),
            "credential_id": self.credential_id,
            "nonce": b64u(nonce),
            "origin": origin,
            "rp_id": RP_ID,
            "signature": b64u(signature),
            "signed": signed,
        }
        return json.dumps(
            record, ensure_ascii=False, separators=(",", ":"), sort_keys=True
        )  # also what no CL-JSON can hold


def _tagged(tag: str, data: bytes) -> str:
    return b64u(hashlib.sha256(f"consent-ledger/v1/{tag}\0".encode() + data).digest())
