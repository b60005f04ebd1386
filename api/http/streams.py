"""A stream between a thread that writes and an event loop that sends, holding a few pieces at a time."""

from __future__ import annotations

import asyncio
import io
import queue
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import BinaryIO, Final, cast

from typing_extensions import override

PIECE: Final = 256 * 1024
HELD: Final = 8


class ReaderLeft(Exception):
    """Nobody reads any more: the writer ends."""


class _Pipe(io.RawIOBase):
    """What the writing thread sees: an unseekable file."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: queue.Queue[bytes | BaseException | None] = queue.Queue(HELD)
        self.left = threading.Event()
        self._buffer = bytearray()

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, data: object) -> int:
        view = memoryview(cast("bytes", data))
        self._buffer += view
        if len(self._buffer) >= PIECE:
            self.flush()
        return len(view)

    @override
    def flush(self) -> None:
        if self._buffer:
            self.put(bytes(self._buffer))
            self._buffer.clear()

    def put(self, piece: bytes | BaseException | None) -> None:
        """Hand over a piece, waiting for room as long as somebody reads. Raises ReaderLeft."""
        while not self.left.is_set():
            try:
                return self.pieces.put(piece, timeout=0.5)
            except queue.Full:
                continue
        raise ReaderLeft


async def stream_of(write: Callable[[BinaryIO], object]) -> AsyncIterator[bytes]:
    """What `write` writes, piece by piece. An error of `write` is raised where the stream is read, so that the answer breaks
    off instead of ending as if it were whole. The first piece is there before anything is sent."""
    pipe = _Pipe()

    def run() -> None:
        try:
            write(cast("BinaryIO", pipe))
            pipe.flush()
            pipe.put(None)
        except ReaderLeft:
            pass
        except Exception as error:  # noqa: BLE001  (handed to the reader, whoever raised it)
            with suppress(ReaderLeft):
                pipe.put(error)

    thread = threading.Thread(target=run, name="export", daemon=True)
    thread.start()
    try:
        while (piece := await asyncio.to_thread(pipe.pieces.get)) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece
    finally:
        pipe.left.set()
