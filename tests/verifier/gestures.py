"""A customer's passkey that says yes to anything, and a forged log in which she has enrolled it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.verifier.forge import HOLDER, Json, World, b64u, encode, sha, terms_hash

RP, ORIGIN = "bank.example", "https://bank.example"
SUBJECT = "s" * 22


class Passkey:
    """A device that says yes to anything, and can be told to lie."""

    def __init__(self, name: str) -> None:
        self.id = b64u(sha(name.encode()))
        self.key = ec.derive_private_key(int.from_bytes(sha(name.encode())) >> 2, ec.SECP256R1())

    @property
    def cose(self) -> str:
        x, y = (
            part.to_bytes(32)
            for part in (self.key.public_key().public_numbers().x, self.key.public_key().public_numbers().y)
        )
        return b64u(bytes.fromhex("a5010203262001215820") + x + b"\x22\x58\x20" + y)

    def agree(self, consent_id: str, terms: Json, accounts: list[str], *, flags: int = 0x05) -> Json:
        """The record of a gesture over these terms. `flags`: 0x01 user present, 0x04 user verified."""
        signed = {
            "accounts_hash": b64u(sha(b"consent-ledger/v1/accounts\0" + encode({"accounts": sorted(accounts)}))),
            "act": "consent.authorise",
            "consent_id": consent_id,
            "locale": "en",
            "terms_hash": terms_hash(terms),
            "text_hash": b64u(sha(b"what was shown")),
        }
        nonce = sha(consent_id.encode())
        challenge = b64u(sha(b"consent-ledger/v1/challenge\0" + nonce + encode(signed)))
        told = {"type": "webauthn.get", "challenge": challenge, "origin": ORIGIN, "crossOrigin": False}
        client = json.dumps(told).encode()
        authenticator = hashlib.sha256(RP.encode()).digest() + bytes([flags]) + (7).to_bytes(4)
        signature = self.key.sign(authenticator + sha(client), ec.ECDSA(hashes.SHA256()))
        return {
            "authenticator_data": b64u(authenticator),
            "client_data": b64u(client),
            "credential_id": self.id,
            "nonce": b64u(nonce),
            "origin": ORIGIN,
            "rp_id": RP,
            "signature": b64u(signature),
            "signed": signed,
        }


class Signing(World):
    """A world in which a customer has a passkey and signs what she agrees to."""

    def __init__(self) -> None:
        super().__init__()
        self.open()
        self.passkey = Passkey("enrolled")
        self.enrol(self.passkey)

    def enrol(self, key: Passkey, act: str = "subject.enrol") -> None:
        more: Json = {"reason": "lost"}
        if act == "subject.enrol":
            more = {"public_key": key.cose, "rp_id": RP, "sca": {"acr": "sca", "amr": ["otp"], "at": self.time // 1000}}
        payload = self.payload(HOLDER, act, credential_id=key.id, subject=SUBJECT, **more)
        self.submit(payload, None, kind="subject", name=f"subject:{HOLDER}:{SUBJECT}")
        self.tick()

    def signed_consent(self, make: Callable[[str, Json, list[str]], Json] | None = None) -> int:
        """A consent with a passkey record, by default an honest one; the index of its authorisation."""
        consent_id, accounts = self.request(), [self.reference()]
        terms = self.consents[consent_id]["terms"]
        record = (make or self.passkey.agree)(consent_id, terms, accounts)

        def beside(_index: int, evidence: Json) -> None:
            if evidence["act"] == "consent.authorise":
                evidence["assertion"] = record

        self.bend_evidence = beside
        index = self.authorise(consent_id, accounts)
        self.bend_evidence = None
        self.tick()
        return index
