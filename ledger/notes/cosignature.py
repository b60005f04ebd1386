"""Cosignatures: a witness's dated signature over a checkpoint (C2SP tlog-cosignature v1.0.1, type 0x04).

A cosignature says «this is the largest consistent tree I have seen for this origin, at that time». The signed
message names neither key nor witness, so a cosigning key belongs to one name and signs nothing else.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ledger.canonical import decimal, unb64
from ledger.errors import BadEncoding, InvalidInput

SIGNATURE_BYTES: Final = 64
BLOB_BYTES: Final = 8 + SIGNATURE_BYTES
MAX_TIME: Final = 2**63 - 1


class CosignatureBlob(NamedTuple):
    """What follows the key id in a cosignature line: POSIX seconds and the Ed25519 signature (64 bytes)."""

    time: int
    signature: bytes


def cosigned_message(text: bytes, time: int) -> bytes:
    """The bytes a witness signs: `text` is the checkpoint's whole text, extension lines and last newline included.

    Raises InvalidInput unless `time` is 0 to 2^63 - 1 (POSIX seconds).
    """
    if not 0 <= time <= MAX_TIME:
        raise InvalidInput("a cosignature's time is 0 to 2^63 - 1 seconds")
    return b"cosignature/v1\ntime %d\n" % time + text


def subtree_message(text: bytes, cosigner: str, time: int) -> bytes:
    """The bytes that an ML-DSA-44 witness signs of a checkpoint's text: its extension lines are not among them.

    Raises BadEncoding for what is not a checkpoint, InvalidInput for a name that is too long.
    """
    lines = text.decode().split("\n")
    if len(lines) < 4:
        raise BadEncoding("a checkpoint has three lines")
    origin, size, root = lines[:3]
    names = cosigner.encode(), origin.encode()
    if not all(1 <= len(name) <= 255 for name in names) or not 0 <= time <= MAX_TIME:
        raise InvalidInput("names of 1 to 255 bytes and a time of 0 to 2^63 - 1 seconds can be cosigned")
    parts = (
        b"subtree/v1\n\0",
        bytes([len(names[0])]) + names[0],
        time.to_bytes(8, "big"),
        bytes([len(names[1])]) + names[1],
        bytes(8),
        decimal(size).to_bytes(8, "big"),
        unb64(root, size=32),
    )
    return b"".join(parts)


def format_blob(time: int, signature: bytes) -> bytes:
    """be64(time) ‖ signature. Raises InvalidInput."""
    if not 0 <= time <= MAX_TIME or len(signature) != SIGNATURE_BYTES:
        raise InvalidInput("a cosignature is a time of 0 to 2^63 - 1 seconds and 64 bytes of signature")
    return time.to_bytes(8, "big") + signature


def parse_blob(blob: bytes, size: int = BLOB_BYTES) -> CosignatureBlob:
    """The time and signature of a cosignature line of `size` bytes. Raises BadEncoding."""
    if len(blob) != size:
        raise BadEncoding(f"a cosignature has {size} bytes, not {len(blob)}")
    time = int.from_bytes(blob[:8], "big")
    if time > MAX_TIME:
        raise BadEncoding("a cosignature's time lies beyond 2^63 - 1 seconds")
    return CosignatureBlob(time, blob[8:])
