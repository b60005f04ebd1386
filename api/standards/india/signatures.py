"""Detached signatures over messages (RFC 7797, `b64`: false), as the header `x-jws-signature` carries them."""

from __future__ import annotations

from typing import Final

import msgspec

from api.standards.detached import SIGNATURE_HEADER
from api.standards.india.requests import refused
from ledger.canonical import unb64u
from ledger.errors import BadEncoding, BadSignature
from ledger.participants import Registry

_LIMIT: Final = 4096


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    b64: bool
    crit: tuple[str, ...]
    kid: str
    typ: str = "JOSE"


def check_detached(value: str, body: bytes, caller: str, registry: Registry) -> None:
    """Raises Refusal: InvalidSecurity for another form or a key not the caller's, SignatureDoesNotMatch for another body.

    The key is the one that the log knows for the header's `kid`, and the algorithm is that key's own.
    """
    head, _, rest = value.partition(".")
    if len(value) > _LIMIT or not rest.startswith("."):
        raise refused("InvalidSecurity", f"{SIGNATURE_HEADER} is not a detached JWS")
    try:
        said = msgspec.json.decode(unb64u(head), type=_Head)
        signature = unb64u(rest[1:])
    except (BadEncoding, msgspec.DecodeError, UnicodeError):
        raise refused("InvalidSecurity", f"{SIGNATURE_HEADER} is not a detached JWS with b64 false") from None
    key = registry.keys.get(said.kid)
    if key is None or key.use != "client" or key.revoked_at is not None or key.participant != caller:
        raise refused("InvalidSecurity", f"{SIGNATURE_HEADER} names no client key of the caller")
    if said.b64 or said.crit != ("b64",) or said.alg != key.alg:
        raise refused(
            "InvalidSecurity", f"{SIGNATURE_HEADER} must say b64 false, crit b64, and the key's own algorithm"
        )
    try:
        key.verify(head.encode() + b"." + body, signature)
    except BadSignature:
        raise refused("SignatureDoesNotMatch", f"{SIGNATURE_HEADER} is over another body") from None
