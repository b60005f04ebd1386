"""Witnessing: a second party's dated signature saying that a log has only grown (C2SP tlog-witness v1.0.0). Pure: bytes
to bytes.

    add-checkpoint request = "old " size LF *(base64 hash LF) LF checkpoint
    answer                 = 200 with cosignature lines, 409 with the size the witness knows, or 400, 403, 404, 422

Somebody other than the log's operator runs a witness: showing two histories to two audiences then takes its help too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.canonical import b64, decimal, unb64
from ledger.errors import BadEncoding, BadSignature, LedgerError
from ledger.merkle.proofs import verify_consistency
from ledger.notes.checkpoint import Checkpoint, parse_checkpoint
from ledger.notes.keys import COSIGNERS, Cosigner, VerifierKey
from ledger.notes.note import Note, NoteSignature, open_note, parse_note, parse_signature

REQUEST_LIMIT: Final = 64 * 1024
PATH_LIMIT: Final = 63
TEXT: Final = "text/plain; charset=utf-8"
SIZE_TYPE: Final = "text/x.tlog.size"
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
_HASH_BYTES: Final = 32
_LINES_LIMIT: Final = 16


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """What a log asks of a witness: the size it last cosigned, the proof from there, the checkpoint to cosign."""

    old: int
    proof: tuple[bytes, ...]
    note: str

    def format(self) -> bytes:
        """The request's body."""
        lines = "".join(f"{b64(value)}\n" for value in self.proof)
        return f"old {self.old}\n{lines}\n{self.note}".encode()


@dataclass(frozen=True, slots=True)
class WitnessedTree:
    """The largest consistent tree that a witness has seen of one log; `root` has 32 bytes."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """A witness's answer. For status 200 `checkpoint` is to be kept, durably, *before* `note` is cosigned."""

    status: int
    body: str = ""
    media_type: str = TEXT
    checkpoint: Checkpoint | None = None
    note: str = ""
    """The checkpoint with the log's verified lines and no others: what strangers wrote below it is not handed on."""


def parse_request(body: bytes) -> AddCheckpoint:
    """Read an add-checkpoint request strictly. Raises BadEncoding."""
    if len(body) > REQUEST_LIMIT:
        raise BadEncoding(f"a request has at most {REQUEST_LIMIT} bytes")
    try:
        top, border, note = body.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise BadEncoding("a request is UTF-8") from None
    first, *lines = top.split("\n")
    if not border or not first.startswith("old "):
        raise BadEncoding("a request reads «old», a size, hashes on their lines, a blank line and the checkpoint")
    if len(lines) > PATH_LIMIT:
        raise BadEncoding(f"a consistency proof has at most {PATH_LIMIT} hashes")
    return AddCheckpoint(
        decimal(first.removeprefix("old ")), tuple(unb64(line, size=_HASH_BYTES) for line in lines), note
    )


def judge(
    logs: Mapping[str, Sequence[VerifierKey]], seen: Callable[[str], WitnessedTree | None], body: bytes
) -> Verdict:
    """What a witness that knows these logs (by origin: their keys) answers. The order of the checks is the specification's."""
    try:
        request = parse_request(body)
        note = parse_note(request.note)
    except BadEncoding as error:
        return Verdict(400, f"invalid input: {error.detail}\n")
    try:
        checkpoint = parse_checkpoint(note.text)
    except BadEncoding as error:
        return Verdict(400, f"invalid checkpoint: {error.detail}\n")
    vkeys = logs.get(checkpoint.origin)
    if not vkeys:
        return Verdict(404, "unknown log\n")
    try:
        own = open_note(request.note, vkeys).verified
    except BadSignature as error:
        return Verdict(403, f"invalid signature: {error.detail}\n")
    if request.old > checkpoint.size:
        return Verdict(400, "the old size is above the checkpoint's\n")
    last = seen(checkpoint.origin) or WitnessedTree(0, b"")
    if request.old != last.size:
        return Verdict(409, f"{last.size}\n", SIZE_TYPE)
    try:
        _check_growth(last, checkpoint, request.proof)
    except LedgerError as error:
        return Verdict(422, f"the consistency proof is not valid: {error.detail}\n")
    return Verdict(200, checkpoint=checkpoint, note=Note(note.text, tuple(line for _, line in own)).format())


def cosign(note: str, cosigner: Cosigner, time: int) -> str:
    """The cosignature line over a checkpoint note at `time` (POSIX seconds), with its newline. Raises BadEncoding."""
    text = parse_note(note).text.encode()
    vkey = cosigner.vkey
    return NoteSignature(vkey.name, vkey.key_id, cosigner.cosign(text, time)).format()


def open_cosignatures(note: str, answer: str, witnesses: Sequence[VerifierKey]) -> dict[str, tuple[str, int]]:
    """The lines of a witness's answer that known witnesses signed over this note: name → (line, POSIX seconds).

    Lines of other keys are left aside. Raises BadEncoding for an answer that is not signature lines, BadSignature when a known
    witness's line does not verify.
    """
    message = parse_note(note).text.encode()
    known = {(key.name, key.key_id): key for key in witnesses if key.key_type in COSIGNERS}
    lines = answer.splitlines(keepends=True)
    if not 1 <= len(lines) <= _LINES_LIMIT:
        raise BadEncoding(f"a witness answers with 1 to {_LINES_LIMIT} signature lines")
    found: dict[str, tuple[str, int]] = {}
    for line in lines:
        signature = parse_signature(line)
        key = known.get((signature.name, signature.key_id))
        if key is not None:
            key.verify(message, signature.blob)
            found[key.name] = line, key.time_of(signature.blob)
    return found


def with_cosignatures(note: str, lines: Sequence[str]) -> str:
    """A checkpoint note with cosignature lines (each with its newline) below the log's own."""
    return note + "".join(lines)


def _check_growth(last: WitnessedTree, checkpoint: Checkpoint, proof: tuple[bytes, ...]) -> None:
    if last.size == 0:
        if proof:
            raise BadEncoding("a proof from size 0 is empty")
        if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
            raise BadEncoding("an empty tree has another root")
        return
    verify_consistency(last.size, checkpoint.size, proof, last.root, checkpoint.root)
