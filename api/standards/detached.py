"""Detached signatures of the gateway over its answers (RFC 7797, `b64`: false), in the header `x-jws-signature`."""

from __future__ import annotations

from typing import Final

import msgspec

from api.client.signing import StatementSigner
from ledger.canonical import b64u

SIGNATURE_HEADER: Final = "x-jws-signature"


def detached(signer: StatementSigner, body: bytes) -> str:
    """The header's value for a body: `header..signature`."""
    head = b64u(msgspec.json.encode({"alg": signer.alg, "b64": False, "crit": ["b64"], "kid": signer.kid}))
    return f"{head}..{b64u(signer.sign(head.encode() + b'.' + body))}"
