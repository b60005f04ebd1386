"""The key-encryption key in its file, and changing it (ADR 0004, docs/operating.md «Changing the KEK»).

The first KEK of a key store is a file of 32 bytes, of epoch 1. Each later one says its epoch, in one line of text:

    consent-ledger-kek <epoch> <base64url of 32 bytes>
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ledger.canonical import b64u, unb64u
from ledger.errors import BadEncoding, Conflict, InvalidInput
from ledger.secrets import read_secret, write_secret
from ledger.vault.cipher import KEY_SIZE
from ledger.vault.keystore import KeyStore

_LINE: Final = re.compile(rb"consent-ledger-kek ([1-9][0-9]{0,8}) ([A-Za-z0-9_-]{43})\n")


@dataclass(frozen=True, slots=True)
class Kek:
    """A key-encryption key and its epoch: 1, 2, …"""

    epoch: int
    key: bytes = field(repr=False)


def read_kek(path: Path) -> Kek:
    """Raises NotFound, InvalidInput."""
    data = read_secret(path)
    if len(data) == KEY_SIZE:
        return Kek(1, data)
    if found := _LINE.fullmatch(data):
        try:
            return Kek(int(found[1]), unb64u(found[2].decode(), size=KEY_SIZE))
        except BadEncoding:
            pass
    raise InvalidInput(
        f"the key-encryption key in {path} must be {KEY_SIZE} bytes, or one line «consent-ledger-kek EPOCH KEY»; it has "
        f"{len(data)} bytes and is neither"
    )


def change_kek(path: Path, open_store: Callable[[Kek], KeyStore]) -> tuple[Kek, int, Path]:
    """Wrap all data keys under a new KEK, which takes the place of the one at `path`; (the new one, how many keys, where the
    old one lies now). Nothing may use the key store meanwhile.

    A crash leaves one of three states, and doing it again finishes each:
    - the new KEK is written beside the old one, and nothing is wrapped under it: it is used;
    - the keys are wrapped under it (one transaction): the files have yet to change their names;
    - the old file has its other name, and the new one not yet the old's.
    Raises NotFound, InvalidInput, Corrupt, Unavailable, OSError.
    """
    new_path = path.with_name(path.name + ".new")
    if not path.exists() and new_path.exists():
        new = read_kek(new_path)
        old_path = path.with_name(f"{path.name}.epoch-{new.epoch - 1}")
        _take_place(new_path, path)
        return new, _keys_under(open_store(new)), old_path
    old = read_kek(path)
    if not new_path.exists():
        line = f"consent-ledger-kek {old.epoch + 1} {b64u(os.urandom(KEY_SIZE))}\n"
        write_secret(new_path, line.encode())
        _sync(path.parent)
    new = read_kek(new_path)
    if new.epoch != old.epoch + 1:
        raise Conflict(
            f"{new_path} is of epoch {new.epoch}, and {path} of epoch {old.epoch}: remove the one that is wrong"
        )
    store = open_store(old)
    try:
        epoch = store.epoch()
        count = store.rewrap(new.key, new.epoch) if epoch in (None, old.epoch) else 0
    finally:
        store.close()
    if not count:
        count = _keys_under(open_store(new))
    old_path = path.with_name(f"{path.name}.epoch-{old.epoch}")
    path.rename(old_path)
    _take_place(new_path, path)
    return new, count, old_path


def _keys_under(store: KeyStore) -> int:
    """How many live keys there are, once it is certain that this KEK opens them."""
    try:
        store.check_kek()
        return store.live()
    finally:
        store.close()


def _take_place(new: Path, path: Path) -> None:
    new.rename(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
