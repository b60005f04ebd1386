"""What the services have in common that keep keys and are asked over HTTP."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.errors import InvalidInput

TIMEOUT_SECONDS: Final = 5.0
"""How long one question may take. Whoever commits waits for it."""
_LOCAL: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def split_query(rest: str, known: frozenset[str], service: str) -> tuple[str, dict[str, str]]:
    """What stands before «?» in a URI, and its parameters, each at most once. Raises InvalidInput."""
    before, _, text = rest.partition("?")
    try:
        found = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    except ValueError:
        found = [("", "")]
    query = dict(found)
    if len(query) != len(found) or query.keys() - known or not all(query.values()):
        raise InvalidInput(
            f"the URI of a key in {service} has a parameter that is unknown here, comes twice or has no value; known are "
            f"{', '.join(sorted(known))}"
        )
    return before, query


def service_address(url: str, service: str) -> str:
    """The address of a service: https, or http on this machine; no path, no credentials. Raises InvalidInput."""
    try:
        parts = urlsplit(url)
        local = parts.hostname in _LOCAL
    except ValueError:
        raise InvalidInput(f"the endpoint of {service} is not an address") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise InvalidInput(f"{service} is asked over https; plain http is for loopback only")
    if not parts.hostname or parts.username or parts.password or parts.path not in {"", "/"} or parts.query:
        raise InvalidInput(f"the endpoint of {service} is https://HOST[:PORT], and holds no secret")
    return f"{parts.scheme}://{parts.netloc}"


def raw_public_key(key: Any) -> bytes:
    """32 bytes (Ed25519) or 64 (P-256: x ‖ y) of a key that `cryptography` has read. Raises ValueError for other kinds."""
    if isinstance(key, Ed25519PublicKey):
        return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
    raise ValueError("another kind of key")


def raw_ecdsa(der: bytes) -> bytes:
    """r ‖ s, 64 bytes, of an ECDSA signature on P-256 in DER; empty when it is none."""
    try:
        r, s = decode_dss_signature(der)
        return r.to_bytes(32) + s.to_bytes(32)
    except (ValueError, OverflowError):
        return b""
