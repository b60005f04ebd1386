"""Seals what the pages remember of people: each person's things under a key of her own, that key under the store's key.

Destroying a person's key makes all that was ever written of her unreadable, in the database, its write-ahead log and any copy
of both. Rows are filed under keyed digests: with a copy but without the key, nobody can even find out whether a person
is in it.
"""

from __future__ import annotations

import hmac
import os
from hashlib import sha256
from pathlib import Path
from typing import Final

from ledger.errors import InvalidInput
from ledger.secrets import read_secret
from ledger.vault.cipher import KEY_SIZE, Cipher

KEY_NAME: Final = "web.key"
"""The key's file in the state folder, beside `web.sqlite`."""
MODE: Final = 0o600


class Sealer:
    """The store's key (32 bytes), and what is made with it. Safe to share between threads."""

    def __init__(self, key: bytes) -> None:
        """Raises InvalidInput for a key of another size."""
        if len(key) != KEY_SIZE:
            raise InvalidInput(f"the key of the pages' store has {len(key)} bytes; it must have {KEY_SIZE}")
        self._key = key
        self._wrapping = Cipher(self._derived(b"wrap"))
        self.common = Cipher(self._derived(b"common"))
        """For what belongs to nobody: sessions before anybody signed in, requests to be erased."""

    @property
    def check(self) -> bytes:
        """A fingerprint of the key, which says nothing about it."""
        return self._derived(b"check")

    def person(self, key: bytes) -> bytes:
        """The digest under which a person's rows are filed; `key` is `Person.key` or `Staff.key`."""
        return self._digest(b"person", key)

    def credential(self, credential_id: str) -> bytes:
        """The digest under which a passkey is filed."""
        return self._digest(b"credential", credential_id.encode())

    def consent(self, consent_id: str) -> bytes:
        """The digest under which an opened request is filed."""
        return self._digest(b"consent", consent_id.encode())

    def note(self, name: str) -> bytes:
        """What a note is filed under."""
        return self._digest(b"note", name.encode())

    def wrap(self, key: bytes, person: bytes) -> bytes:
        """A person's key as it is stored."""
        return self._wrapping.seal(key, place("people", person))

    def unwrap(self, wrapped: bytes, person: bytes) -> Cipher:
        """The sealer of this person's things. Raises Corrupt when the stored key is not hers, or not this store's."""
        return Cipher(self._wrapping.open(wrapped, place("people", person)))

    def _derived(self, label: bytes) -> bytes:
        return hmac.digest(self._key, b"consent-ledger/web/" + label, "sha256")

    def _digest(self, label: bytes, value: bytes) -> bytes:
        return hmac.digest(self._derived(label), value, "sha256")


def place(table: str, row: bytes) -> bytes:
    """The associated data of a sealed value: it does not open anywhere else."""
    return f"consent-ledger/web/{table}/{row.hex()}".encode()


def digest(token: str) -> bytes:
    """The digest under which a session is filed: a copy of the database opens no session."""
    return sha256(token.encode()).digest()


def load_or_make(path: Path, *, may_make: bool) -> bytes:
    """The key in a file; made there if `may_make` and the file is missing. Raises NotFound, InvalidInput.

    The key is written under another name and then linked to its own: a process that starts at the same time reads all
    of it or nothing.
    """
    if may_make and not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
        try:
            os.write(handle, os.urandom(KEY_SIZE))
            os.fsync(handle)
        finally:
            os.close(handle)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was faster: its key counts
        finally:
            draft.unlink()
    return read_secret(path)
