"""`x-jws-signature`: a detached JWS (RFC 7515, appendix F; RFC 7797) over the body, PS256, with the UK's four claims.

    base64url(header) + ".." + base64url(signature)

The standard fixes the header's members, so the header is compared, never interpreted further. Keys are those that the
log registers for `client` use; no key or address is taken from the message.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

import msgspec

from api.client.signing import StatementSigner
from api.office.json import NotJson, read_object
from api.standards.uk.dialect import Fault, Faults
from ledger.canonical import b64u, unb64u
from ledger.errors import BadEncoding, BadSignature
from ledger.participants import Registry

HEADER: Final = "x-jws-signature"
IAT: Final = "http://openbanking.org.uk/iat"
ISS: Final = "http://openbanking.org.uk/iss"
TAN: Final = "http://openbanking.org.uk/tan"
ALG: Final = "PS256"
DIRECTORY: Final = "openbanking.org.uk"
"""The trust anchor that the UK's clients name; keys are the log's all the same."""
SKEW: Final = 60
"""Seconds that the caller's clock may be ahead."""
LIMIT: Final = 8_192
_MEMBERS: Final = frozenset({"alg", "kid", "typ", "cty", "crit", "b64", IAT, ISS, TAN})


def sign(body: bytes, signer: StatementSigner, *, issuer: str, anchor: str, now: int) -> str:
    """The header's value for an answer. `now` in seconds; `anchor` names who vouches for keys: this log."""
    said = {
        "alg": ALG,
        "kid": signer.kid,
        "typ": "JOSE",
        "cty": "application/json",
        IAT: now,
        ISS: issuer,
        TAN: anchor,
        "crit": [IAT, ISS, TAN],
    }
    header = b64u(msgspec.json.encode(said))
    return f"{header}..{b64u(signer.sign(f'{header}.{b64u(body)}'.encode()))}"


def verify(value: str, body: bytes, *, caller: str, registered: str, registry: Registry, anchor: str, now: int) -> None:
    """Check the signature of a request. `registered`: what the register calls the caller, `organisation/software`, where it
    has registered itself. Raises Faults: U015 to U018, in the standard's own distinction."""
    header, said, signature = _parts(value)
    _require(said)
    _match(said, {caller, registered} - {""}, {anchor, DIRECTORY}, now)
    key = registry.keys.get(str(said["kid"]))
    if key is None or key.participant != caller or key.use != "client" or key.revoked_at is not None or key.alg != ALG:
        raise _fault("U016", "kid is not that of a PS256 client key of the caller")
    payload = body if said.get("b64") is False else b64u(body).encode()
    _holds(key.verify, header.encode() + b"." + payload, signature)


def _holds(check: Callable[[bytes, bytes], None], message: bytes, signature: bytes) -> None:
    try:
        check(message, signature)
    except BadSignature:
        raise _fault("U015", "the signature does not verify over this body") from None


def _parts(value: str) -> tuple[str, dict[str, Any], bytes]:
    parts = value.split(".")
    if len(value) > LIMIT or len(parts) != 3 or parts[1]:
        raise _fault("U018", "is not a detached JWS: header, two dots, signature")
    try:
        return parts[0], read_object(unb64u(parts[0])), unb64u(parts[2])
    except (BadEncoding, NotJson, UnicodeDecodeError):
        raise _fault("U018", "is not a detached JWS: its parts do not read") from None


def _require(said: dict[str, Any]) -> None:
    missing = [name for name in ("alg", "kid", "crit", IAT, ISS, TAN) if name not in said]
    if missing:
        raise _fault("U017", f"the claim {missing[0]} is missing")
    critical = [IAT, ISS, TAN] + (["b64"] if "b64" in said else [])
    if not isinstance(said["crit"], list) or sorted(map(str, said["crit"])) != sorted(critical):
        raise _fault("U016", f"crit must hold exactly {', '.join(critical)}")
    foreign = sorted(set(said) - _MEMBERS)
    if foreign:
        raise _fault("U016", f"the claim {foreign[0][:64]} is not one of this standard's")


def _match(said: dict[str, Any], issuers: Collection[str], anchors: Collection[str], now: int) -> None:
    signed_at = said[IAT]
    wrong = {
        "alg": said["alg"] != ALG,
        "typ": said.get("typ", "JOSE") != "JOSE",
        "cty": said.get("cty", "application/json") not in ("application/json", "json"),
        "b64": said.get("b64", True) not in (True, False),
        IAT: type(signed_at) is not int or not 0 < signed_at <= now + SKEW,
        ISS: said[ISS] not in issuers,
        TAN: said[TAN] not in anchors,
    }
    for name, is_wrong in wrong.items():
        if is_wrong:
            raise _fault("U016", f"the claim {name} has another value than it must")


def _fault(code: str, message: str) -> Faults:
    return Faults([Fault(code, message, HEADER)])
