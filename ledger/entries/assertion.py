"""The customer's own signature: a passkey assertion under an authorisation (docs/spec/passkeys.md).

The checks are written out here rather than left to a WebAuthn library: a log's evidence is judged again, years later, by a
second implementation, and both must refuse the same records.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated, Final, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec import Meta, Struct

from ledger.canonical import b64u, encode, unb64u
from ledger.entries.acts import ConsentAuthorise
from ledger.entries.client_data import parse_client_data, require_origin
from ledger.entries.fields import Bytes32, ConsentId, Language
from ledger.entries.keys import Verify, ed25519_verifier
from ledger.entries.subject_acts import CredentialId, Domain
from ledger.errors import BadEncoding, BadSignature, BadStatement, InvalidInput
from ledger.tags import ACCOUNTS, CHALLENGE

ASSERTION_LIMIT: Final = 8_192
_COSE_ES256, _COSE_Y = bytes.fromhex("a5010203262001215820"), bytes.fromhex("225820")
_COSE_EDDSA: Final = bytes.fromhex("a4010103272006215820")
_P256: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
_FLAG_UP, _FLAG_UV, _FLAG_BE, _FLAG_BS, _FLAG_AT, _FLAG_ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80


class SignedTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """The challenge is the hash of this: exactly what was agreed to and how it was shown."""

    accounts_hash: Bytes32
    act: Literal["consent.authorise"]
    consent_id: ConsentId
    locale: Language
    terms_hash: Bytes32
    text_hash: Bytes32


class Assertion(Struct, frozen=True, forbid_unknown_fields=True):
    """The record of one passkey ceremony."""

    authenticator_data: Annotated[str, Meta(max_length=1024)]
    client_data: Annotated[str, Meta(max_length=4096)]
    credential_id: CredentialId
    nonce: Bytes32
    origin: Annotated[str, Meta(max_length=255)]
    rp_id: Domain
    signature: Annotated[str, Meta(max_length=256)]
    signed: SignedTerms

    def challenge(self) -> bytes:
        """The 32-byte challenge that the authenticator signed over."""
        return hashlib.sha256(CHALLENGE + unb64u(self.nonce, size=32) + _encode(self.signed)).digest()


class Credential(Struct, frozen=True, kw_only=True):
    """A passkey that a holder has enrolled for one of its customers."""

    credential_id: str
    subject_chain: bytes
    public_key: bytes
    """The COSE key."""
    rp_id: str
    enrolled_at: int
    unenrolled_at: int | None = None


_encode: Final = msgspec.json.Encoder().encode
_decoder: Final = msgspec.json.Decoder(Assertion)


def accounts_hash(accounts: tuple[str, ...]) -> str:
    """`accounts_hash` of a list of account references."""
    return b64u(hashlib.sha256(ACCOUNTS + encode({"accounts": list(accounts)})).digest())


def parse_assertion(text: str) -> Assertion:
    """Read a passkey record (CL-JSON) strictly. Raises BadEncoding or BadStatement."""
    if len(text) > ASSERTION_LIMIT:
        raise BadEncoding(f"an assertion has at most {ASSERTION_LIMIT} characters", member="assertion")
    data = text.encode("utf-8", "surrogatepass")
    try:
        assertion = _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadStatement(f"the assertion is not acceptable: {error}", member="assertion") from None
    if _encode(assertion) != data:
        raise BadStatement("the assertion is not canonical JSON (RFC 8785)", member="assertion")
    return assertion


def check_ceremony(assertion: Assertion, statement: ConsentAuthorise) -> None:
    """Checks 1, 2 and 4: what the browser and the authenticator said, and that it is about this statement.

    Raises BadSignature.
    """
    _check_client_data(assertion)
    data = unb64u(assertion.authenticator_data)
    if len(data) != 37:
        raise _refused(f"authenticatorData must have exactly 37 bytes, not {len(data)}")
    if not hmac.compare_digest(data[:32], hashlib.sha256(assertion.rp_id.encode()).digest()):
        raise _refused("authenticatorData is for another relying party")
    flags = data[32]
    if not flags & _FLAG_UP or not flags & _FLAG_UV:
        raise _refused("the customer's presence or verification (UP, UV) is missing")
    if flags & _FLAG_BS and not flags & _FLAG_BE:
        raise _refused("the backup flags contradict each other")
    if flags & (_FLAG_AT | _FLAG_ED):
        raise _refused("authenticatorData announces data that is not there")
    signed = assertion.signed
    agreed = (statement.consent_id, statement.terms_hash, accounts_hash(statement.accounts))
    if (signed.consent_id, signed.terms_hash, signed.accounts_hash) != agreed:
        raise _refused("what the customer signed is not what the holder's statement says")


def check_credential(assertion: Assertion, credential: Credential | None, subject_chain: bytes) -> None:
    """Checks 3 and 5: the passkey is enrolled for this customer, and its signature verifies. Raises BadSignature."""
    if credential is None or credential.unenrolled_at is not None or credential.subject_chain != subject_chain:
        raise _refused("the passkey is not enrolled for this customer by this holder")
    if credential.rp_id != assertion.rp_id:
        raise _refused("the passkey is enrolled for another relying party")
    message = unb64u(assertion.authenticator_data) + hashlib.sha256(unb64u(assertion.client_data)).digest()
    cose_verifier(credential.public_key)(message, unb64u(assertion.signature))


def cose_verifier(cose: bytes) -> Verify:
    """A verifier for a COSE public key in its one spelling, CTAP2's: ES256 (signatures in DER) or EdDSA.

    Raises InvalidInput.
    """
    if len(cose) == 42 and cose.startswith(_COSE_EDDSA):
        return ed25519_verifier(cose[10:])
    if len(cose) == 77 and cose.startswith(_COSE_ES256) and cose[42:45] == _COSE_Y:
        x, y = int.from_bytes(cose[10:42]), int.from_bytes(cose[45:])
        try:
            if x < _P256 and y < _P256:
                return _es256_der(ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key())
        except ValueError:
            pass
        raise InvalidInput("the passkey's public key is not a point on P-256", member="public_key")
    raise InvalidInput(
        "a passkey's public key is a COSE key for ES256 on P-256 or EdDSA on Ed25519, in the spelling of CTAP2",
        member="public_key",
    )


def _es256_der(key: ec.EllipticCurvePublicKey) -> Verify:
    scheme = ec.ECDSA(SHA256())

    def verify(message: bytes, signature: bytes) -> None:
        try:
            if encode_dss_signature(*decode_dss_signature(signature)) != signature:
                raise _refused("the signature is not in its one DER spelling")
            key.verify(signature, message, scheme)
        except (InvalidSignature, ValueError):
            raise _refused("the passkey's signature does not verify") from None

    return verify


def _check_client_data(assertion: Assertion) -> None:
    try:
        require_origin(assertion.origin, assertion.rp_id)
        client = parse_client_data(unb64u(assertion.client_data))
    except ValueError as error:
        raise _refused(f"clientDataJSON or origin: {error}") from None
    if client.get("type") != "webauthn.get":
        raise _refused("clientDataJSON is not of type webauthn.get")
    if client.get("challenge") != b64u(assertion.challenge()):
        raise _refused("the challenge is not the hash of the terms that were signed")
    if client.get("origin") != assertion.origin:
        raise _refused("the origin in clientDataJSON is not the one recorded")
    if client.get("crossOrigin", False) is not False or "topOrigin" in client:
        raise _refused("the ceremony ran inside a page of another origin")


def _refused(why: str) -> BadSignature:
    return BadSignature(f"the customer's assertion is refused: {why}", member="assertion")
