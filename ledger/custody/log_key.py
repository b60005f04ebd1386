"""The log's signing key: a note key in its file, or a file that says where it is kept.

PRIVATE+KEY+name+8 hex digits+base64                      the key itself (ledger/notes/keys.py)
consent-ledger-log-key VKEY URI                           its verifier key, and the place that signs with it
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ledger.custody.held import HeldKey
from ledger.custody.places import held_key, make_held_key, place_of
from ledger.errors import BadEncoding, BadSignature, Conflict, InvalidInput, LedgerError, Unavailable
from ledger.notes.keys import ED25519, Signer, VerifierKey, format_secret_key, parse_secret_key, parse_vkey
from ledger.secrets import read_secret, write_secret

_REFERENCE: Final = "consent-ledger-log-key "


class HeldNoteSigner:
    """A log key that another place signs with. What it signs is verified here before anybody sees it."""

    __slots__ = ("_key", "_vkey")

    def __init__(self, vkey: VerifierKey, key: HeldKey) -> None:
        self._vkey, self._key = vkey, key

    @property
    def vkey(self) -> VerifierKey:
        """The public half."""
        return self._vkey

    @property
    def place(self) -> str:
        """See Signer."""
        return self._key.place

    def sign(self, text: bytes) -> bytes:
        """See Signer. Raises Unavailable: whatever is wrong with the place, it may be put right while this node waits."""
        try:
            made = self._key.sign(text)
            self._vkey.verify(text, made)
        except BadSignature:
            raise Unavailable("the place of the log key signs with another key than this log's") from None
        except LedgerError as error:
            raise Unavailable(f"the log key cannot sign: {error.detail}") from None
        return made

    def probe(self) -> None:
        """See Signer."""
        try:
            self._key.probe()
        except LedgerError as error:
            raise Unavailable(f"the log key cannot sign: {error.detail}") from None


class LogKeyring:
    """The log's signing keys that this node has: its own, and the one that is to take its place, where that is there.

    Which of them sign, the log says (ledger/log_keys.py). The second one is read when the log first asks for it, so that a
    running node needs no new start."""

    def __init__(self, own: Signer, next_file: Path | None = None) -> None:
        """`next_file`: where the second one is, or will be."""
        self._own, self._next_file = own, next_file
        self._next: Signer | None = None

    @classmethod
    def at(cls, path: Path) -> LogKeyring:
        """The keys of the log key file at `path` and the one beside it. Raises NotFound, InvalidInput."""
        return cls(read_signer(path), next_key_file(path))

    @property
    def own(self) -> Signer:
        """The key of the log key file."""
        return self._own

    def vkeys(self) -> tuple[VerifierKey, ...]:
        """The public halves of what is here. Raises InvalidInput."""
        return tuple(one.vkey for one in (self._own, self._second()) if one is not None)

    def signers(self, in_force: Sequence[bytes]) -> tuple[Signer, ...]:
        """Those that sign, in the log's order; `in_force`: raw public keys, empty while no document names one.

        Raises Unavailable when one is not here: a checkpoint without its line would not be the log's.
        """
        if not in_force:
            return (self._own,)
        if in_force == (self._own.vkey.public_key,):
            return (self._own,)
        here = {one.vkey.public_key: one for one in (self._own, self._second()) if one is not None}
        if missing := [key for key in in_force if key not in here]:
            name = VerifierKey(self._own.vkey.name, ED25519, missing[0]).format()
            raise Unavailable(
                f"the log signs with the key {name}, which this node does not have: put its file at {self._next_file}; "
                "see docs/operating.md, «Changing the log key»"
            )
        return tuple(here[key] for key in in_force)

    def _second(self) -> Signer | None:
        if self._next is None and self._next_file is not None and self._next_file.exists():
            found = read_signer(self._next_file)
            if found.vkey.name != self._own.vkey.name:
                raise InvalidInput(f"{self._next_file} is a key of {found.vkey.name}, not of {self._own.vkey.name}")
            self._next = found
        return self._next


def known_vkeys(keys: LogKeyring, named: Sequence[VerifierKey]) -> tuple[VerifierKey, ...]:
    """All keys whose word for this log counts: what the log names, and what is here, each once, those in force first."""
    return tuple(dict.fromkeys((*named, *keys.vkeys())))


def next_key_file(path: Path) -> Path:
    """The file of the key that is to replace the one at `path`."""
    return path.with_name(path.name + ".next")


def read_signer(path: Path) -> Signer:
    """The log's signing key. A place that keeps it is not asked before it must sign. Raises NotFound, InvalidInput."""
    try:
        text = read_secret(path).decode().strip()
        if text.startswith(_REFERENCE):
            vkey_text, _, uri = text.removeprefix(_REFERENCE).partition(" ")
            vkey = parse_vkey(vkey_text)
            return HeldNoteSigner(vkey, held_key(uri, "EdDSA", vkey.public_key))
        return parse_secret_key(text)
    except (BadEncoding, UnicodeDecodeError):
        raise InvalidInput(f"the log key file {path} does not hold a note key") from None


def make_log_key(path: Path, origin: str, place: str = "") -> VerifierKey:
    """Make a log key for `origin` and its file at `path`; with `place`, the key is made there and the file names it.

    A key that is at `place` already is taken: whoever made it there wants it used. Raises Conflict when the file exists,
    InvalidInput, Unavailable.
    """
    where = place_of(place) if place else None
    if path.exists():
        raise Conflict(f"{path} exists already; a key is never overwritten")
    if isinstance(where, str):
        vkey = VerifierKey(origin, ED25519, _made_or_found(where).public)
        write_secret(path, f"{_REFERENCE}{vkey.format()} {where}\n".encode())
        return vkey
    if where is not None and where != path:
        raise InvalidInput(f"a log key in a file is in {path}: set log_key_file for another one")
    write_secret(path, (format_secret_key(origin, os.urandom(32)) + "\n").encode())
    return read_signer(path).vkey


def _made_or_found(uri: str) -> HeldKey:
    try:
        return make_held_key(uri, "EdDSA")
    except Conflict:
        return held_key(uri, "EdDSA")
