"""Encryption at rest: AES-256-GCM under the data key of one chain (docs/spec/leaves.md, Evidence).

Stored form: nonce (12 random bytes) ‖ ciphertext and tag. The associated data names the table, column and row, so that a
ciphertext moved to another place does not open. GCM does not commit to its key; the leaf's commitment does that.
"""

from __future__ import annotations

import os
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.errors import Corrupt

KEY_SIZE: Final = 32
NONCE_SIZE: Final = 12


class Bodies(Protocol):
    """Where bodies are that were moved out of the database (ledger/storage/volumes.py)."""

    def body(self, index: int, stored: bytes) -> bytes:
        """The sealed body of an entry, from what its row holds. Raises BodiesAway."""


class Cipher:
    """Encrypts and decrypts under one 32-byte key in this process. Safe to share between threads."""

    __slots__ = ("_aead", "_bodies")

    def __init__(self, key: bytes, bodies: Bodies | None = None) -> None:
        """`bodies`: where those are that were moved; None for a key that opens no entries."""
        self._aead = AESGCM(key)
        self._bodies = bodies

    def seal(self, plaintext: bytes, place: bytes) -> bytes:
        """nonce ‖ ciphertext ‖ tag, bound to `place`."""
        nonce = os.urandom(NONCE_SIZE)
        return nonce + self._aead.encrypt(nonce, plaintext, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """The plaintext. Raises Corrupt when the bytes, the key or the place are not the ones that were sealed."""
        try:
            return self._aead.decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], place)
        except (InvalidTag, ValueError):
            raise Corrupt(f"stored data at {place.decode(errors='replace')} does not decrypt") from None

    def open_body(self, index: int, stored: bytes) -> bytes:
        """Opening and packed evidence of an entry, from what its row holds. Raises Corrupt, BodiesAway."""
        sealed = stored if self._bodies is None else self._bodies.body(index, stored)
        return self.open(sealed, evidence_place(index))

    def probe(self) -> None:
        """The key is in this process."""


def evidence_place(index: int) -> bytes:
    """The associated data of an entry's evidence and opening."""
    return f"consent-ledger/entries/sealed/{index}".encode()


def credential_place(digest: bytes) -> bytes:
    """The associated data of a passkey."""
    return b"consent-ledger/credentials/sealed/" + digest.hex().encode()


def consent_place(chain: bytes) -> bytes:
    """The associated data of a consent's state."""
    return b"consent-ledger/consents/sealed/" + chain.hex().encode()
