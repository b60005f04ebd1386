"""Checkpoints: a tree's size and root under a log's name (C2SP tlog-checkpoint v1.0.0).

    origin LF decimal size LF base64 root LF *(extension line LF)

This log writes no extension lines. It reads them, since others' checkpoints may have them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from ledger.canonical import b64, decimal, unb64
from ledger.errors import BadEncoding, BadSignature, InvalidInput
from ledger.notes.keys import Signer, VerifierKey
from ledger.notes.note import open_note, sign_note

MAX_SIZE: Final = 2**63 - 1

Vkeys = VerifierKey | Sequence[VerifierKey]
"""A log's key; or its keys, all of one name, the newest first."""

_ROOT_BYTES: Final = 32
_MAX_ORIGIN_BYTES: Final = 255
_EMPTY_ROOT: Final = sha256(b"").digest()


@dataclass(frozen=True)
class Checkpoint:
    """`size` leaves of the log `origin` have the Merkle root `root` (32 bytes)."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def format(self) -> str:
        """The text that is signed, with its final newline."""
        lines = (self.origin, str(self.size), b64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def keys_of(vkeys: Vkeys) -> Sequence[VerifierKey]:
    """One key or several, as several."""
    return [vkeys] if isinstance(vkeys, VerifierKey) else vkeys


def parse_checkpoint(text: str) -> Checkpoint:
    """The checkpoint that reads exactly `text`, the signed part of a note. Raises BadEncoding."""
    if not text.endswith("\n"):
        raise BadEncoding("a checkpoint ends in a newline")
    origin, *rest = text[:-1].split("\n")
    if len(rest) < 2:
        raise BadEncoding("a checkpoint has an origin, a size and a root, each on its line")
    if not origin or not all(rest):
        raise BadEncoding("no line of a checkpoint is empty")
    if any(character < " " for character in text.replace("\n", "")):
        raise BadEncoding("a checkpoint holds no control characters")
    try:
        origin_bytes = len(origin.encode())
    except UnicodeEncodeError:
        raise BadEncoding("the origin is not UTF-8") from None
    if origin_bytes > _MAX_ORIGIN_BYTES:
        raise BadEncoding(f"an origin has at most {_MAX_ORIGIN_BYTES} bytes")
    size = decimal(rest[0])
    if size > MAX_SIZE:
        raise BadEncoding("a tree size is at most 2^63 - 1")
    return Checkpoint(origin, size, unb64(rest[1], size=_ROOT_BYTES), tuple(rest[2:]))


def sign_checkpoint(origin: str, size: int, root: bytes, *signers: Signer) -> str:
    """The signed note of a new checkpoint, a line for each signer. Raises InvalidInput when it would not be one others may
    accept, Unavailable when a signer's place does not sign.

    The log key's name is the origin, and the empty tree has the root SHA-256 of nothing.
    """
    if any(origin != signer.vkey.name for signer in signers):
        raise InvalidInput("the log key is named after the origin: it signs for no other")
    if not 0 <= size <= MAX_SIZE or len(root) != _ROOT_BYTES or (size == 0 and root != _EMPTY_ROOT):
        raise InvalidInput(f"no tree of size {size} has this root")
    return sign_note(Checkpoint(origin, size, root).format(), *signers).format()


def open_checkpoint(note: str, vkeys: Vkeys, *, origin: str | None = None) -> Checkpoint:
    """The checkpoint inside a note that one of the keys signed; its origin must be `origin`, by default the keys' name.

    Raises BadEncoding, and BadSignature when no key's line is there or one is wrong, or the origin is another.
    """
    keys = keys_of(vkeys)
    expected = keys[0].name if origin is None else origin
    checkpoint = parse_checkpoint(open_note(note, keys).note.text)
    if checkpoint.origin != expected:
        raise BadSignature(f"the checkpoint is signed for another origin than {expected}")
    return checkpoint
