"""Records of passkeys, and what ledger and verifier say of them."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256

from ledger.entries.acts import ConsentAuthorise
from ledger.entries.assertion import Credential, check_ceremony, check_credential, cose_verifier, parse_assertion
from ledger.entries.payload import Sca
from ledger.errors import LedgerError
from tests.verifier.forge import b64u, encode, sha
from tests.verifier.making import BACKEND, Signer
from verifier.bytes.encoding import MAX_EVIDENCE, decode_canonical
from verifier.crypto.keys import parse_cose_key
from verifier.errors import Refuted
from verifier.rules.gestures import Gestures
from verifier.tlog.trust import parse_trust

EC: Final = ec.derive_private_key(int.from_bytes(sha(b"passkey")) >> 2, ec.SECP256R1())
ED: Final = ed25519.Ed25519PrivateKey.from_private_bytes(sha(b"passkey"))
POINT: Final = EC.public_key().public_numbers()
COSE_EC: Final = bytes.fromhex("a5010203262001215820") + POINT.x.to_bytes(32) + b"\x22\x58\x20" + POINT.y.to_bytes(32)
COSE_ED: Final = bytes.fromhex("a4010103272006215820") + ED.public_key().public_bytes_raw()
RP, HERE = "bank.example", "https://bank.example"
CREDENTIAL, CHAIN, CONSENT = b64u(b"c" * 16), bytes(32), "7b0f4f7c-8b0a-4d6e-9d3a-2f1e5c7a9b11"
ACCOUNTS: Final = ("a" * 22, "b" * 22)
SIGNED: Final = {
    "accounts_hash": b64u(sha(b"consent-ledger/v1/accounts\0" + encode({"accounts": list(ACCOUNTS)}))),
    "act": "consent.authorise",
    "consent_id": CONSENT,
    "locale": "en-GB",
    "terms_hash": b64u(sha(b"terms")),
    "text_hash": b64u(sha(b"words")),
}
STATEMENT: Final = ConsentAuthorise(
    accounts=ACCOUNTS,
    act="consent.authorise",
    aud="ledger.example/1",
    authoriser="z" * 22,
    consent_id=CONSENT,
    iat=1_800_000_000,
    iss="bank-a",
    jti=b64u(bytes(16)),
    sca=Sca(acr="sca", amr=("otp",), at=1_800_000_000),
    subject="s" * 22,
    terms_hash=SIGNED["terms_hash"],
    v=1,
    version=1,
)
NONCE: Final = b"n" * 32
POLICY: Final = f"log {Signer('ledger.example/1').vkey}\nquorum none\n".encode()


class Gesture(NamedTuple):
    """What a browser and an authenticator could have said; each is signed by the customer's own key."""

    client: bytes
    origin: str = HERE
    rp_id: str = RP
    flags: int = 0x05
    tail: bytes = b""
    rp_hash_of: str = RP
    signed: dict[str, Any] = SIGNED
    cose: bytes = COSE_EC
    signature: bytes | None = None

    def record(self) -> dict[str, Any]:
        data = sha(self.rp_hash_of.encode()) + bytes([self.flags]) + bytes(4) + self.tail
        message = data + sha(self.client)
        made = ED.sign(message) if self.cose == COSE_ED else EC.sign(message, ec.ECDSA(SHA256()))
        return {
            "authenticator_data": b64u(data),
            "client_data": b64u(self.client),
            "credential_id": CREDENTIAL,
            "nonce": b64u(NONCE),
            "origin": self.origin,
            "rp_id": self.rp_id,
            "signature": b64u(made if self.signature is None else self.signature),
            "signed": self.signed,
        }


def ledger_accepts(record: dict[str, Any], cose: bytes, rp_id: str = RP) -> bool:
    """Whether the ledger would record the authorisation with this record beside it."""
    credential = Credential(credential_id=CREDENTIAL, subject_chain=CHAIN, public_key=cose, rp_id=rp_id, enrolled_at=1)
    try:
        cose_verifier(cose)
        assertion = parse_assertion(encode(record).decode("utf-8", "surrogatepass"))
        check_ceremony(assertion, STATEMENT)
        check_credential(assertion, credential, CHAIN)
    except LedgerError:
        return False
    return True


def verifier_accepts(record: dict[str, Any], cose: bytes, rp_id: str = RP) -> bool:
    """Whether the verifier would take the same record out of the evidence of the entry."""
    gestures = Gestures(parse_trust(POLICY), BACKEND)
    content: Any = {"accounts": list(ACCOUNTS), "consent_id": CONSENT, "terms_hash": SIGNED["terms_hash"]}
    enrolment: Any = {"credential_id": CREDENTIAL, "public_key": b64u(cose), "rp_id": rp_id}
    try:
        parse_cose_key(cose)
        gestures.enrol(b"chain", "bank-a", enrolment)
        evidence = decode_canonical(encode({"assertion": record}), MAX_EVIDENCE)
        gestures.confirm(evidence["assertion"], "consent.authorise", "bank-a", content)  # type: ignore[arg-type]
    except (Refuted, UnicodeEncodeError):
        return False
    return True


def decided(gesture: Gesture) -> bool:
    """What both say of it; they must say the same."""
    record, rp_id = gesture.record(), gesture.rp_id
    verdicts = ledger_accepts(record, gesture.cose, rp_id), verifier_accepts(record, gesture.cose, rp_id)
    assert verdicts[0] == verdicts[1], (verdicts, gesture)
    return verdicts[0]


def told(signed: dict[str, Any] = SIGNED, origin: str = HERE) -> dict[str, Any]:
    challenge = b64u(sha(b"consent-ledger/v1/challenge\0" + NONCE + encode(signed)))
    return {"type": "webauthn.get", "challenge": challenge, "origin": origin, "crossOrigin": False}
