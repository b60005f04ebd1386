"""Detached signatures of the gateway over its answers (RFC 7797, `b64`: false), in the header `x-jws-signature`."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from ledger.canonical import b64u

SIGNATURE_HEADER: Final = "x-jws-signature"


class MessageSigner(Protocol):
    """Signs messages under a registered key; a StatementSigner is one."""

    @property
    def kid(self) -> str:
        """The key's id in the log."""
        ...

    @property
    def alg(self) -> str:
        """Of the signature: of a message it may be one that no statement has."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The signature."""
        ...


def detached(signer: MessageSigner, body: bytes) -> str:
    """The header's value for a body: `header..signature`."""
    head = b64u(msgspec.json.encode({"alg": signer.alg, "b64": False, "crit": ["b64"], "kid": signer.kid}))
    return f"{head}..{b64u(signer.sign(head.encode() + b'.' + body))}"
