"""The lines of a gzip file (RFC 1952), to the last one that can be read: one member, and nothing behind it.

A stream that breaks gives all that was decompressed before the first byte that breaks it, whatever the size of our
buffers: where it does, the last piece is fed again byte by byte. So the first line that is missing is a property of the file.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import IO

from verifier.bytes.archive import BROKEN, Archive, Unreadable

PIECE = 1 << 16


class Broken(Unreadable):
    """Lines may be lost behind the last one that was given."""


_WINDOW = 31
"""A gzip header and trailer around the deflate stream."""


def gzip_lines(archive: Archive, path: str, limit: int) -> Iterator[tuple[bytes, bool]]:
    """The lines of a gzip file without their newline, each of at most `limit` bytes, and whether it has one: only the last
    can lack it. Raises Unreadable after the last line that is whole."""
    rest = b""
    with archive.open(path) as raw:
        for piece in _pieces(raw, path):
            lines = piece.split(b"\n")
            lines[0] = rest + lines[0]
            rest = lines.pop()
            for line in lines:
                if len(line) > limit:
                    raise Broken(f"{path} has a line longer than {limit} bytes")
                yield line, True
            if len(rest) > limit:
                raise Broken(f"{path} has a line longer than {limit} bytes")
    if rest:
        yield rest, False


def _pieces(raw: IO[bytes], path: str) -> Iterator[bytes]:
    """The contents of a gzip stream, piece by piece. Raises Unreadable once it breaks, or does not end where the file
    ends."""
    stream = zlib.decompressobj(wbits=_WINDOW)
    while True:
        try:
            packed = raw.read(PIECE)
        except BROKEN as error:
            raise Broken(f"{path} cannot be read: {error}") from None
        if not packed:
            raise Broken(f"{path} is cut short")
        before = stream.copy()
        try:
            given = [stream.decompress(packed, PIECE)]
            while stream.unconsumed_tail and not stream.eof:
                yield given.pop()
                before, packed = stream.copy(), stream.unconsumed_tail
                given.append(stream.decompress(packed, PIECE))
        except zlib.error as error:
            yield from _to_the_last_byte(before, packed, path)
            raise Broken(f"{path} cannot be decompressed: {error}") from None
        yield given.pop()
        if stream.eof:
            if stream.unused_data or raw.read(1):
                raise Unreadable(f"{path} has bytes behind its gzip stream: one member, and nothing else")
            return


def _to_the_last_byte(stream: zlib._Decompress, packed: bytes, path: str) -> Iterator[bytes]:
    """The last contents of a stream that breaks within `packed`, at most a piece; then raises Broken, or Unreadable if
    only its trailer is wrong."""
    given = bytearray()
    try:
        for at in range(len(packed)):
            given += stream.decompress(packed[at : at + 1])
    except zlib.error as error:
        yield bytes(given)
        sentence = f"{path} cannot be decompressed: {error}"
        raise (Unreadable if _is_trailer(error) else Broken)(sentence) from None


def _is_trailer(error: zlib.error) -> bool:
    """Whether all data were given and only the checksum or the length behind them is wrong."""
    return "incorrect data check" in str(error) or "incorrect length check" in str(error)
