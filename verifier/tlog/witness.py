"""A witness's answer to an add-checkpoint request (C2SP tlog-witness v1.0.0), as a pure function.

The verifier uses it to judge witnesses' behaviour and to be judged by their test scripts; it signs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.bytes.encoding import decode_base64, decode_decimal
from verifier.bytes.merkle import HASH, verify_consistency
from verifier.crypto.backend import Backend
from verifier.errors import Code, Refuted, refuted
from verifier.tlog.head import Head, open_head
from verifier.tlog.note import NoteKey

MAX_REQUEST = 65_536
MAX_PATH = 63


@dataclass(frozen=True, slots=True)
class Answer:
    """HTTP status; `body` for 409 (the size known); `head` to be stored and cosigned for 200."""

    status: int
    body: str = ""
    head: Head | None = None


def decide(known: dict[str, NoteKey], state: Head | None, request: bytes, backend: Backend) -> Answer:
    """The answer of a witness that knows these log keys by origin and last cosigned `state` of the log asked about
    (None: never). The order of the checks is that of the specification."""
    try:
        old, path, note = parse_request(request)
        origin = note.partition(b"\n")[0].decode("utf-8")
    except (Refuted, UnicodeDecodeError):
        return Answer(400, "malformed request")
    key = known.get(origin)
    if key is None:
        return Answer(404, "unknown log")
    try:
        head = open_head(note, [key], backend, origin=origin)
    except Refuted as refusal:
        bad_signature = refusal.defect.code is Code.BAD_SIGNATURE
        return Answer(403, "invalid signature") if bad_signature else Answer(400, "malformed checkpoint")
    if old > head.size:
        return Answer(400, "old size above the size of the checkpoint")
    last = state.size if state else 0
    if old != last:
        return Answer(409, f"{last}\n")
    try:
        if old == 0 or state is None:
            if path:
                raise refuted(Code.BAD_PROOF, "a proof from size 0")
        else:
            verify_consistency(old, head.size, path, state.root, head.root)
    except Refuted:
        return Answer(422, "invalid consistency proof")
    return Answer(200, head=head)


def parse_request(request: bytes) -> tuple[int, list[bytes], bytes]:
    """Old size, consistency proof and checkpoint note of a request body. Raises Refuted(BAD_ENCODING)."""
    top, border, note = request.partition(b"\n\n")
    if len(request) > MAX_REQUEST or not border or not top.isascii() or not top.startswith(b"old "):
        raise refuted(Code.BAD_ENCODING, "not an add-checkpoint request", found=request)
    first, *lines = top.decode("ascii").split("\n")
    if len(lines) > MAX_PATH:
        raise refuted(Code.BAD_ENCODING, "too many hashes", expected=MAX_PATH, found=len(lines))
    return decode_decimal(first.removeprefix("old ")), [decode_base64(line, HASH) for line in lines], note
