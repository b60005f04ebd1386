"""The customer's own signature: a WebAuthn assertion over the terms, checked offline (docs/spec/passkeys.md).

It proves that somebody with this authenticator, verified by it, confirmed this challenge, which is a hash of the signed
object. It does not prove what the screen showed. Only the whole log can say whether a holder enrolled the credential at
a lower index and whether the challenge is used twice: the replay checks both. All refusals are CONSENT_INVALID: the
consent is not shown to be the customer's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass

from verifier.bytes import tags
from verifier.bytes.encoding import (
    Object,
    check_members,
    encode_base64url,
    encode_canonical,
    get_bytes,
    get_object,
    get_text,
)
from verifier.crypto import p256
from verifier.crypto.backend import Backend
from verifier.crypto.keys import P256Key, parse_cose_key
from verifier.errors import Code, Refuted, refuted
from verifier.records.clientdata import MAX_CLIENT_DATA, MAX_ORIGIN, check_origin, read_client_data

MEMBERS = frozenset(
    {
        "authenticator_data",
        "client_data",
        "credential_id",
        "nonce",
        "origin",
        "public_key",
        "rp_id",
        "signature",
        "signed",
    }
)
SIGNED = frozenset({"accounts_hash", "act", "consent_id", "locale", "terms_hash", "text_hash"})
MAX_AUTHENTICATOR_DATA = 1_024
_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", re.ASCII)
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
AUTHENTICATOR_DATA_BYTES = 37
USER_PRESENT, USER_VERIFIED, BACKUP_ELIGIBLE, BACKED_UP, ATTESTED, EXTENSIONS = (
    0x01,
    0x04,
    0x08,
    0x10,
    0x40,
    0x80,
)


@dataclass(frozen=True, slots=True)
class Assertion:
    """A passkey record. `public_key` is the COSE key of the enrolment, never of the record; `signature` is as the
    authenticator gave it (ES256: DER)."""

    credential_id: bytes
    public_key: bytes
    client_data: bytes
    authenticator_data: bytes
    signature: bytes
    nonce: bytes
    signed: Object
    rp_id: str
    origin: str

    @property
    def challenge(self) -> bytes:
        """The 32 bytes that the authenticator was asked to sign; never to be seen twice in a log."""
        return hashlib.sha256(tags.CHALLENGE + self.nonce + encode_canonical(self.signed)).digest()

    @property
    def counter(self) -> int:
        """The authenticator's signature counter: to be reported when it falls, never a ground of its own."""
        return int.from_bytes(self.authenticator_data[33:37])


def parse_assertion(record: Object) -> Assertion:
    """Read the record of a leaf's evidence (byte members in base64url), to which the caller has added the enrolled
    `public_key`: the record itself must have none. Raises Refuted(BAD_ENCODING)."""
    check_members(record, MEMBERS)
    signed = get_object(record, "signed")
    check_members(signed, SIGNED)
    get_text(signed, "locale", 35, _LOCALE)
    get_bytes(signed, "text_hash", 32)
    return Assertion(
        credential_id=get_bytes(record, "credential_id", 16, 1023),
        public_key=get_bytes(record, "public_key", 1, 1024),
        client_data=get_bytes(record, "client_data", 1, MAX_CLIENT_DATA),
        authenticator_data=get_bytes(record, "authenticator_data", 37, MAX_AUTHENTICATOR_DATA),
        signature=get_bytes(record, "signature", 8, 72),
        nonce=get_bytes(record, "nonce", 32),
        signed=signed,
        rp_id=get_text(record, "rp_id", 253, _DOMAIN),
        origin=get_text(record, "origin", MAX_ORIGIN),
    )


def verify_assertion(assertion: Assertion, rp_ids: Collection[str], origins: Collection[str], backend: Backend) -> None:
    """The assertion is a verified gesture over `assertion.signed`, made at an allowed place; else
    Refuted(CONSENT_INVALID). Source: WebAuthn level 3, section 7.2, as far as it can be checked offline."""
    check_origin(assertion.origin, assertion.rp_id)
    if assertion.rp_id not in rp_ids:
        raise _refused("the relying party is not allowed", ", ".join(sorted(rp_ids)), assertion.rp_id, "rp_id")
    if assertion.origin not in origins:
        raise _refused("the origin is not allowed", ", ".join(sorted(origins)), assertion.origin, "origin")
    _check_client_data(assertion)
    _check_authenticator_data(assertion)
    message = assertion.authenticator_data + hashlib.sha256(assertion.client_data).digest()
    try:
        key = parse_cose_key(assertion.public_key)
        raw = p256.raw_from_der(assertion.signature) if isinstance(key, P256Key) else assertion.signature
        backend.verify(key, message, raw)
    except Refuted as refusal:
        raise _refused(refusal.defect.sentence, refusal.defect.expected, refusal.defect.found, "signature") from None


def _check_client_data(assertion: Assertion) -> None:
    client = read_client_data(assertion.client_data)
    expected: Object = {
        "type": "webauthn.get",
        "challenge": encode_base64url(assertion.challenge),
        "origin": assertion.origin,
    }
    for name, value in expected.items():
        if client.get(name) != value:
            raise _refused("the client data say something else", value, client.get(name), f"client_data.{name}")
    if client.get("crossOrigin", False) is not False or "topOrigin" in client:
        raise _refused("the gesture was made within another site's page", "", client.get("topOrigin"), "client_data")


def _check_authenticator_data(assertion: Assertion) -> None:
    data = assertion.authenticator_data
    if len(data) != AUTHENTICATOR_DATA_BYTES:
        raise _refused(
            "the authenticator data have a wrong length", AUTHENTICATOR_DATA_BYTES, len(data), "authenticator_data"
        )
    flags = data[32]
    if data[:32] != hashlib.sha256(assertion.rp_id.encode("utf-8")).digest():
        raise _refused("the authenticator signed for another relying party", assertion.rp_id, data[:32], "rp_id")
    if not flags & USER_PRESENT or not flags & USER_VERIFIED:
        raise _refused("the authenticator did not verify its user", "UP and UV", f"flags 0x{flags:02x}", "flags")
    if flags & BACKED_UP and not flags & BACKUP_ELIGIBLE:
        raise _refused("backed up without being eligible for it", "BS only with BE", f"flags 0x{flags:02x}", "flags")
    if flags & (ATTESTED | EXTENSIONS):
        raise _refused(
            "a credential or extensions are announced that are not there",
            "AT and ED clear",
            f"flags 0x{flags:02x}",
            "flags",
        )


def _refused(sentence: str, expected: object, found: object, field: str) -> Refuted:
    return refuted(Code.CONSENT_INVALID, sentence, expected=expected, found=found, field=f"assertion.{field}")
