"""Encryption at rest: AES-256-GCM under the data key of one chain (docs/spec/leaves.md, Evidence).

Stored form: nonce (12 random bytes) ‖ ciphertext and tag. The associated data names the table, column and row, so that a
ciphertext moved to another place does not open. GCM does not commit to its key; the leaf's commitment does that.
"""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.errors import Corrupt

KEY_SIZE: Final = 32
NONCE_SIZE: Final = 12


class Cipher:
    """Encrypts and decrypts under one 32-byte key in this process. Safe to share between threads."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

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
