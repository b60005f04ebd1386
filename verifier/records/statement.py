"""Statements that participants sign: a compact JWS in exactly one form (docs/spec/statements.md, RFC 7515).

Order of checks: size and spelling, header, key (the caller looks `kid` up in the log), signature over the
transmitted bytes, and only then the payload (`disclosure.read_payload`). No key, URL or algorithm is ever taken from the
message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from verifier.bytes.encoding import MAX_STATEMENT, decode_base64url, decode_canonical
from verifier.crypto.backend import Backend
from verifier.crypto.keys import PublicKey
from verifier.errors import Code, Refuted, refuted

TYPE = "consent-statement+jwt"
ALGORITHMS = frozenset({"EdDSA", "ES256", "PS256", "SM2"})

_FORM = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)
_KID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A JWS whose form is right; neither signature nor payload have been looked at."""

    alg: str
    kid: str
    signed: bytes
    payload: bytes
    signature: bytes


def parse_envelope(jws: str | bytes) -> Envelope:
    """Split a statement. Raises Refuted: BAD_ENCODING for the spelling, BAD_SIGNATURE for any header but ours."""
    if len(jws) > MAX_STATEMENT:
        raise refuted(Code.BAD_ENCODING, "the statement is too long", expected=MAX_STATEMENT, found=len(jws))
    text = jws.decode("latin-1") if isinstance(jws, bytes) else jws
    match = _FORM.fullmatch(text)
    if not match:
        raise refuted(Code.BAD_ENCODING, "not a compact JWS of three base64url parts", found=text)
    header = decode_canonical(decode_base64url(match[1]), MAX_STATEMENT)
    alg, kid = header.get("alg"), header.get("kid")
    known = isinstance(alg, str) and alg in ALGORITHMS
    # Step 7.6.
    if header.keys() != {"alg", "kid", "typ"} or header["typ"] != TYPE or not known:
        raise _refused("the header is not that of a statement", found=header, expected=f"alg, kid, typ {TYPE}")
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise _refused("the key id has a form that is not allowed", found=kid, expected=_KID.pattern)
    signed = f"{match[1]}.{match[2]}".encode("ascii")
    return Envelope(str(alg), kid, signed, decode_base64url(match[2]), decode_base64url(match[3]))


def verify_envelope(envelope: Envelope, key: PublicKey, backend: Backend) -> None:
    """The signature verifies under `key`, the one registered for `envelope.kid`; else Refuted(BAD_SIGNATURE)."""
    if envelope.alg != key.alg:
        raise _refused(
            "the statement names another algorithm than its key was registered for",
            expected=key.alg,
            found=envelope.alg,
        )
    backend.verify(key, envelope.signed, envelope.signature)


def _refused(sentence: str, expected: object = "", found: object = "") -> Refuted:
    return refuted(Code.BAD_SIGNATURE, sentence, expected=expected, found=found)
