"""A checkpoint with the signatures that make it evidence: the only source of size and root."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verifier.crypto.backend import Backend
from verifier.errors import Code, refuted
from verifier.tlog.checkpoint import Checkpoint, parse_checkpoint
from verifier.tlog.note import COSIGNERS, NoteKey, Signed, parse_note, verify_note


@dataclass(frozen=True, slots=True)
class Head:
    """A verified checkpoint: `note` verbatim, the `log` signatures (one at least), the `cosignatures`."""

    checkpoint: Checkpoint
    note: bytes
    log: tuple[Signed, ...]
    cosignatures: tuple[Signed, ...]

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self.checkpoint.size

    @property
    def root(self) -> bytes:
        """MTH of all leaves, 32 bytes."""
        return self.checkpoint.root


def open_head(
    data: bytes,
    log_keys: Sequence[NoteKey],
    backend: Backend,
    *,
    witnesses: Sequence[NoteKey] = (),
    origin: str | None = None,
) -> Head:
    """Verify a signed checkpoint.

    `origin` is the origin demanded; None demands the name of the signing log key, which is the rule; foreign logs
    such as sum.golang.org or Rekor v1 use another, and then the caller must say which.
    Raises Refuted: BAD_ENCODING, BAD_SIGNATURE (a bad line of a known key, none of the log, a wrong origin).
    """
    note = parse_note(data)
    signed = verify_note(note, [*log_keys, *witnesses], backend)
    log = tuple(s for s in signed if s.key in log_keys and s.key.kind not in COSIGNERS)
    if not log:
        raise refuted(
            Code.BAD_SIGNATURE,
            "no signature by a key of the log",
            expected=", ".join(key.name for key in log_keys),
            found=", ".join(s.key.name for s in signed),
        )
    checkpoint = parse_checkpoint(note.text)
    for s in log:
        if checkpoint.origin != (s.key.name if origin is None else origin):
            raise refuted(
                Code.BAD_SIGNATURE,
                "the checkpoint is of another log",
                expected=s.key.name if origin is None else origin,
                found=checkpoint.origin,
            )
    return Head(checkpoint, data, log, tuple(s for s in signed if s.key in witnesses and s.key.kind in COSIGNERS))
