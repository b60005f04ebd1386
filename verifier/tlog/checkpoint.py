"""The body of a checkpoint: origin, size, root, extension lines (C2SP tlog-checkpoint v1.0.0).

Nothing here is verified: a body is worth something only inside a signed note (`verifier.tlog.head`).
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.bytes.encoding import decode_base64, decode_decimal, encode_base64
from verifier.bytes.merkle import EMPTY_ROOT, HASH
from verifier.errors import Code, refuted


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: `size` leaves with `root` (32 bytes) in the log named `origin`."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def body(self) -> bytes:
        """The one spelling of this checkpoint: the text of its note."""
        lines = [self.origin, str(self.size), encode_base64(self.root), *self.extensions]
        return "".join(line + "\n" for line in lines).encode("utf-8")


def parse_checkpoint(body: bytes) -> Checkpoint:
    """Read the text of a checkpoint note. Raises Refuted(BAD_ENCODING)."""
    try:
        lines = body.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise refuted(Code.BAD_ENCODING, "the checkpoint is not UTF-8", found=body) from None
    if len(lines) < 4 or lines.pop() != "" or not all(lines):
        raise refuted(
            Code.BAD_ENCODING,
            "not the lines of a checkpoint",
            found=body,
            expected="origin, size, root, each ending in a newline; no empty line",
        )
    size = decode_decimal(lines[1])
    checkpoint = Checkpoint(lines[0], size, decode_base64(lines[2], HASH), tuple(lines[3:]))
    if checkpoint.body() != body:
        raise refuted(Code.BAD_ENCODING, "not the one spelling of this checkpoint", found=body)
    if size == 0 and checkpoint.root != EMPTY_ROOT:
        raise refuted(Code.BAD_PROOF, "an empty log has another root", expected=EMPTY_ROOT, found=checkpoint.root)
    return checkpoint
