"""The key-encryption key in its file, and changing it (ADR 0004, docs/operating.md «Changing the KEK»).

The first KEK of a key store is a file of 32 bytes, of epoch 1. Each later one says its epoch, in one line of text. A KEK that
another place uses and never hands out has its URI in the key's stead (ledger/custody/places.py), whatever its epoch:

    consent-ledger-kek <epoch> <base64url of 32 bytes, or URI>
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ledger.canonical import b64u, unb64u
from ledger.custody.places import WrappingKey, make_wrapping_key, place_of, wrapping_key
from ledger.errors import BadEncoding, Conflict, Corrupt, InvalidInput
from ledger.secrets import read_secret, write_secret
from ledger.vault.cipher import KEY_SIZE, Cipher
from ledger.vault.keystore import KeyStore

_LINE: Final = re.compile(rb"consent-ledger-kek ([1-9][0-9]{0,8}) ([A-Za-z0-9_-]{43})\n")
_REFERENCE: Final = re.compile(rb"consent-ledger-kek ([1-9][0-9]{0,8}) ([a-z][a-z0-9+.-]*:[!-~]+)\n")
IN_FILE: Final = "file"
"""A new KEK is made in the KEK's own file."""


@dataclass(frozen=True, slots=True)
class Kek:
    """A key-encryption key and its epoch: 1, 2, …"""

    epoch: int
    key: bytes = field(repr=False, default=b"")
    uri: str = ""
    """Where it is, if its bytes are not here."""

    def wrapping(self) -> WrappingKey:
        """What wraps with it. A place of its own is asked when it is used. Raises InvalidInput."""
        return wrapping_key(self.uri) if self.uri else Cipher(self.key)


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
    if found := _REFERENCE.fullmatch(data):
        return Kek(int(found[1]), uri=found[2].decode())
    raise InvalidInput(
        f"the key-encryption key in {path} must be {KEY_SIZE} bytes, or one line «consent-ledger-kek EPOCH KEY-OR-URI»; it has "
        f"{len(data)} bytes and is neither"
    )


def make_kek(path: Path, place: str = "", *, epoch: int = 1) -> None:
    """Make a KEK and its file at `path`; with the URI `place`, the key is made there, and the file names it.

    A key that is at `place` already is taken: whoever made it there wants it used. Raises Conflict when the file exists,
    InvalidInput, Unavailable.
    """
    if path.exists():
        raise Conflict(f"{path} exists already; a key is never overwritten")
    where = place_of(place) if place not in {"", IN_FILE} else path
    if isinstance(where, str):
        try:
            make_wrapping_key(where)
        except Conflict:
            wrapping_key(where).probe()
        write_secret(path, f"consent-ledger-kek {epoch} {where}\n".encode())
    elif where != path:
        raise InvalidInput(f"a KEK in a file is in {path}: set kek_file for another one")
    else:
        key = os.urandom(KEY_SIZE)
        write_secret(path, key if epoch == 1 else f"consent-ledger-kek {epoch} {b64u(key)}\n".encode())


def change_kek(path: Path, open_store: Callable[[Kek], KeyStore], to: str = "") -> tuple[Kek, int, Path]:
    """Wrap all data keys under a new KEK, which takes the place of the one at `path`; (the new one, how many keys, where the
    old one lies now). `to`: the URI of its place, or IN_FILE, which is meant when the old one is in a file too. Nothing may
    use the key store meanwhile.

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
        if old.uri and not to:
            raise InvalidInput(
                f"the KEK is kept at {old.uri}: say where the new one is to be, with --to URI or --to {IN_FILE}"
            )
        make_kek(new_path, to, epoch=old.epoch + 1)
        _sync(path.parent)
    new = read_kek(new_path)
    if new.epoch != old.epoch + 1:
        raise Conflict(
            f"{new_path} is of epoch {new.epoch}, and {path} of epoch {old.epoch}: remove the one that is wrong"
        )
    _check_another(old, new)
    store = open_store(old)
    try:
        epoch = store.epoch()
        count = store.rewrap(new.wrapping(), new.epoch) if epoch in (None, old.epoch) else 0
    finally:
        store.close()
    if not count:
        count = _keys_under(open_store(new))
    old_path = path.with_name(f"{path.name}.epoch-{old.epoch}")
    path.rename(old_path)
    _take_place(new_path, path)
    return new, count, old_path


def _check_another(old: Kek, new: Kek) -> None:
    """One key may have two URIs; whoever destroys «the old one» would destroy it. Raises Conflict."""
    place = b"consent-ledger/kek/trial"
    trial = new.wrapping().seal(os.urandom(KEY_SIZE), place)
    try:
        old.wrapping().open(trial, place)
    except Corrupt:
        return
    raise Conflict(f"{new.uri or 'the new KEK'} is the present KEK itself: name another key with --to")


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
