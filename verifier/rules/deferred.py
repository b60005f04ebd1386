"""Keeps facts that can only be judged once the whole log was read, on disk so that memory stays flat.

Records of one fixed width go to one of 256 buckets in a temporary file; records that must be compared with each other
share a bucket. At the end one bucket at a time is read back: exact answers, a few hundred kilobytes of memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO

from verifier.bytes.scratch import no_room

BUCKETS = 256
FLUSH = 16_384


class Spool:
    """Append records of `width` bytes with `put`; read them back bucket by bucket with `buckets`."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._file: IO[bytes] | None = None  # made when something must go to disk: most bundles are small
        self._waiting: list[bytearray] = [bytearray() for _ in range(BUCKETS)]
        self._blocks: list[list[tuple[int, int]]] = [[] for _ in range(BUCKETS)]
        self._end = 0

    def put(self, bucket: int, record: bytes) -> None:
        """Keep a record; `bucket` 0 to 255. Raises CannotCheck when there is no room on disk."""
        waiting = self._waiting[bucket]
        waiting += record
        if len(waiting) >= FLUSH:
            self._flush(bucket)

    def _flush(self, bucket: int) -> None:
        waiting = self._waiting[bucket]
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="consent-verify-")  # noqa: SIM115 - closed by `close`
            self._file.seek(self._end)
            self._file.write(waiting)
        except OSError as error:
            raise no_room(error) from None
        self._blocks[bucket].append((self._end, len(waiting)))
        self._end += len(waiting)
        self._waiting[bucket] = bytearray()

    def read(self, bucket: int) -> bytes:
        """All records of a bucket, in the order they were put."""
        parts = []
        if self._file is not None:
            try:
                for start, length in self._blocks[bucket]:
                    self._file.seek(start)
                    parts.append(self._file.read(length))
            except OSError as error:  # what waited in a buffer may be written only now
                raise no_room(error) from None
        return b"".join([*parts, self._waiting[bucket]])

    def buckets(self) -> Iterator[list[bytes]]:
        """The records of each bucket that has any, in the order they were put."""
        for bucket in range(BUCKETS):
            if not self._waiting[bucket] and not self._blocks[bucket]:
                continue  # in a small bundle most are empty, and there are five spools
            raw = self.read(bucket)
            yield [raw[at : at + self.width] for at in range(0, len(raw), self.width)]

    def load(self, bucket: int, raw: bytes) -> None:
        """Put back what `read` gave in an earlier run."""
        self.put(bucket, raw)

    def close(self) -> None:
        """Give the temporary file back, if there is one."""
        if self._file is not None:
            self._file.close()
