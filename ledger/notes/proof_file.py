"""Proof files: one entry's inclusion in one checkpoint, in one text (c2sp.org/tlog-proof@v1, as of 2026-07-22).

    c2sp.org/tlog-proof@v1
    [extra <base64>]                 not authenticated
    index <decimal>
    *(base64 hash)                   the leaf's sibling first
                                     one blank line
    <checkpoint note, cosignatures included>

There is no tree size beside the checkpoint's own: the size a proof is checked against is always a signed one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.canonical import b64, b64_of_hashes, decimal, unb64
from ledger.errors import BadEncoding, InvalidInput
from ledger.notes.checkpoint import MAX_SIZE, parse_checkpoint
from ledger.notes.note import MAX_NOTE_BYTES, parse_note

MAX_HASHES: Final = 63
MAX_EXTRA_BYTES: Final = 65_535

PROOF_HEADER: Final = "c2sp.org/tlog-proof@v1\n"
"""The first line of a proof file."""
_HASH_BYTES: Final = 32


@dataclass(frozen=True)
class ProofFile:
    """The parts of a proof file; `checkpoint` is the signed note, verbatim."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None

    def format(self) -> str:
        """The text of the file."""
        return format_proof(self.index, self.hashes, self.checkpoint, extra=self.extra)


def format_proof(index: int, hashes: Sequence[bytes], checkpoint: str, *, extra: bytes | None = None) -> str:
    """The proof file for leaf `index`, with a signed note as `parse_note` accepts it. Raises InvalidInput."""
    if not 0 <= index < MAX_SIZE or len(hashes) > MAX_HASHES:
        raise InvalidInput(f"a proof has an index below 2^63 - 1 and at most {MAX_HASHES} hashes")
    if extra is not None and not 0 < len(extra) <= MAX_EXTRA_BYTES:
        raise InvalidInput(f"what a proof file carries beside the proof has 1 to {MAX_EXTRA_BYTES} bytes")
    lines = [PROOF_HEADER]
    if extra is not None:
        lines.append(f"extra {b64(extra)}\n")
    lines.append(f"index {index}\n")
    for value in hashes:
        if len(value) != _HASH_BYTES:
            raise InvalidInput(f"a hash of {len(value)} bytes: a tree hash has {_HASH_BYTES}")
    lines += [f"{text}\n" for text in b64_of_hashes(hashes)]
    lines.append("\n")
    lines.append(checkpoint)
    return "".join(lines)


def parse_proof(text: str) -> ProofFile:
    """The proof that reads exactly `text`; nothing is verified but that its index lies in the checkpoint's tree.

    Raises BadEncoding.
    """
    if len(text) > MAX_NOTE_BYTES:
        raise BadEncoding(f"a proof file has at most {MAX_NOTE_BYTES} characters")
    if not text.startswith(PROOF_HEADER):
        raise BadEncoding("a proof file begins with the line c2sp.org/tlog-proof@v1")
    head, blank, note = text[len(PROOF_HEADER) :].partition("\n\n")
    if not blank:
        raise BadEncoding("a proof file has a blank line before its checkpoint")
    lines = head.split("\n")
    extra = None
    if lines[0].startswith("extra "):
        extra = unb64(lines.pop(0).removeprefix("extra "))
        if not 0 < len(extra) <= MAX_EXTRA_BYTES:
            raise BadEncoding(f"the extra line of a proof file holds 1 to {MAX_EXTRA_BYTES} bytes")
    if not lines or not lines[0].startswith("index "):
        raise BadEncoding("the index line of the proof file is missing")
    index = decimal(lines[0].removeprefix("index "))
    if len(lines) - 1 > MAX_HASHES:
        raise BadEncoding(f"a proof has at most {MAX_HASHES} hashes")
    hashes = tuple(unb64(line, size=_HASH_BYTES) for line in lines[1:])
    checkpoint = parse_checkpoint(parse_note(note).text)
    if index >= checkpoint.size:
        raise BadEncoding(f"index {index} is not in a tree of {checkpoint.size} leaves")
    return ProofFile(index, hashes, note, extra)
