"""Room on disk for what an audit must remember of each chain, whatever their number: files without a name, gone at the end.

A temporary folder that is full or cannot be written says nothing about the log: what happens then is CannotCheck, never a
defect.
"""

from __future__ import annotations

import tempfile
from typing import IO

from verifier.errors import CannotCheck


def no_room(error: Exception) -> CannotCheck:
    """What to raise when the temporary folder lets us down."""
    return CannotCheck(
        f"the temporary folder {tempfile.gettempdir()} cannot be used: {error}; set TMPDIR to one that can be written and "
        "has room (about 2 KB for each consent), then check again"
    )


class Records:
    """Records of `width` bytes, numbered from 0. The first `hot` of them lie in memory, later ones in a temporary file."""

    def __init__(self, width: int, hot: int) -> None:
        self._width = width
        self._limit = hot * width
        self._hot = bytearray()
        self._cold: IO[bytes] | None = None
        self._count = 0

    def add(self, record: bytes) -> int:
        """A new record; its number. Raises CannotCheck, as all of these."""
        number = self._count
        self._count += 1
        if len(self._hot) < self._limit:
            self._hot += record
        else:
            self.put(number, record)
        return number

    def get(self, number: int) -> bytes:
        """The record of this number."""
        at = number * self._width
        if at < self._limit:
            return bytes(self._hot[at : at + self._width])
        try:
            file = self._file()
            file.seek(at - self._limit)
            return file.read(self._width)
        except OSError as error:
            raise no_room(error) from None

    def put(self, number: int, record: bytes) -> None:
        """Replace the record of this number."""
        at = number * self._width
        if at < self._limit:
            self._hot[at : at + self._width] = record
            return
        try:
            file = self._file()
            file.seek(at - self._limit)
            file.write(record)
        except OSError as error:
            raise no_room(error) from None

    def _file(self) -> IO[bytes]:
        if self._cold is None:
            # Unbuffered: a record is read and written where it lies, and the system keeps what is in use.
            self._cold = tempfile.TemporaryFile(prefix="consent-verify-", buffering=0)  # noqa: SIM115 - see `close`
        return self._cold

    def close(self) -> None:
        """Give the disk space back."""
        if self._cold is not None:
            self._cold.close()
