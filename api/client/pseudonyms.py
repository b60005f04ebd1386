"""References that a holder shows instead of names and account numbers (OIDC Core §8.1, pairwise identifiers).

All are keyed by a secret of the holder, so nobody else can compute or guess them; and each says only what its reader
must know: a recipient cannot link customers with another recipient's, nor accounts across consents.
"""

from __future__ import annotations

import hmac
import os
from pathlib import Path
from typing import Final, Self

from ledger.canonical import b64u
from ledger.secrets import read_secret

SECRET_SIZE: Final = 32


class Pseudonyms:
    """A holder's references. The same inputs give the same reference for as long as the secret is kept."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        """`secret`: 32 random bytes, kept like any other key. Raises ValueError for another length."""
        if len(secret) != SECRET_SIZE:
            raise ValueError(f"the secret of pseudonyms has {SECRET_SIZE} bytes, not {len(secret)}")
        self._secret = secret

    @classmethod
    def generate(cls) -> Pseudonyms:
        """With a new secret that this object alone keeps."""
        return cls(os.urandom(SECRET_SIZE))

    @classmethod
    def load(cls, path: Path) -> Self:
        """With the secret in a file of mode 0600. Raises NotFound and InvalidInput for an unfit file, ValueError for another
        length."""
        return cls(read_secret(path))

    def customer(self, customer: str) -> str:
        """The holder's own stable reference (`subject` of the subject acts): shown to no recipient."""
        return self._reference("customer", customer)

    def customer_for(self, customer: str, recipient: str) -> str:
        """The pseudonym under which one recipient knows the customer (`subject` of an authorisation)."""
        return self._reference("customer-for", customer, recipient)

    def authoriser(self, customer: str, consent_id: str) -> str:
        """One person who authorised one consent."""
        return self._reference("authoriser", customer, consent_id)

    def account(self, account: str, consent_id: str) -> str:
        """One account within one consent."""
        return self._reference("account", account, consent_id)

    def _reference(self, *parts: str) -> str:
        encoded = [part.encode() for part in parts]
        # Lengths first: ("ab", "c") and ("a", "bc") must differ.
        message = b"".join(len(part).to_bytes(4) + part for part in encoded)
        return b64u(hmac.digest(self._secret, b"consent-ledger/client/reference\0" + message, "sha256"))
