"""Reading disclosures on several cores: tasks go out in log order and come back in log order.

Tasks and results are plain data, marshalled; a worker keeps the keys it was told. With one job everything happens in
this process.
"""

from __future__ import annotations

import contextlib
import gc
import json
import marshal
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from verifier.bytes.encoding import Object
from verifier.crypto.backend import select
from verifier.crypto.keys import PublicKey, parse_jwk
from verifier.errors import CannotCheck, Refuted
from verifier.records.disclosure import Reader
from verifier.records.facts import Facts, Found

Row = tuple[str, bytes, bytes, int, "bytes | None"]
"""Kind, chain, commitment, time, evidence line (None: no line)."""

_reader: Reader | None = None
_told = 0


def calm() -> None:
    """Collect cycles rarely: millions of plain records pass by, and hardly any are in a cycle."""
    gc.set_threshold(200_000, 20, 100)


def _start(origin: str, backend: str, signatures: bool) -> None:
    global _reader, _told
    calm()
    _reader, _told = Reader(origin, select(backend), {}, signatures), 0


def _work(keys: list[str], first: int, rows: bytes) -> bytes:
    """`keys`: JSON texts of [kid, jwk], numbered from 0; those from `first` on may be new to this worker."""
    reader = _learn(keys, first)
    return marshal.dumps([_flat(reader, row) for row in marshal.loads(rows)])  # noqa: S302 - our own bytes


def _learn(keys: list[str], first: int) -> Reader:
    """The process's reader, once it knows these keys."""
    global _told  # noqa: PLW0603
    reader = _reader
    if reader is None:
        raise RuntimeError("the worker was not started")
    for number, text in enumerate(keys, first):
        if number >= _told:
            kid, jwk = json.loads(text)
            with contextlib.suppress(Refuted):  # reported where the registry is replayed
                cast_keys(reader)[kid] = parse_jwk(jwk)
            _told = number + 1
    return reader


def _read(reader: Reader, row: Row) -> Found | None:
    kind, chain, commitment, time, line = row
    return None if line is None else reader.read(kind, chain, commitment, time, line)


def cast_keys(reader: Reader) -> dict[str, PublicKey]:
    """The reader's key table, which grows with the log."""
    keys = reader.keys
    if not isinstance(keys, dict):
        raise TypeError("a reader's keys are a dict here")
    return keys


def _flat(reader: Reader, row: Row) -> tuple[tuple[Any, ...] | None, list[Any]] | None:
    found = _read(reader, row)
    return None if found is None else (None if found.facts is None else tuple(found.facts), found.defects)


class Workers:
    """`submit` rows with a token; `results` yields (token, found) in the order of submission."""

    def __init__(self, origin: str, backend: str, jobs: int, signatures: bool) -> None:
        self._arguments = (origin, backend, signatures)
        self._jobs = jobs
        self._keys: list[str] = []
        self._waiting: deque[tuple[Any, Future[bytes] | list[Found | None]]] = deque()
        self._pool: ProcessPoolExecutor | None = None
        if jobs > 1:
            self._pool = ProcessPoolExecutor(jobs, initializer=_start, initargs=self._arguments)
        else:
            _start(*self._arguments)

    def tell_key(self, kid: str, jwk: Object) -> None:
        """A key that a later task may need."""
        self._keys.append(json.dumps([kid, jwk]))

    def submit(self, token: object, rows: list[Row]) -> None:
        """Hand out one task."""
        # The whole table travels with each task: a worker that had no work for long must not miss a key.
        if self._pool is None:
            reader = _learn(self._keys, 0)
            self._waiting.append((token, [_read(reader, row) for row in rows]))
        else:
            self._waiting.append((token, self._pool.submit(_work, self._keys, 0, marshal.dumps(rows))))

    def results(self, keep: int) -> Iterator[tuple[Any, list[Found | None]]]:
        """The oldest results until at most `keep` tasks are under way."""
        while len(self._waiting) > keep:
            token, waiting = self._waiting.popleft()
            if isinstance(waiting, list):
                yield token, waiting
                continue
            try:
                rows = marshal.loads(waiting.result())  # noqa: S302 - our own worker's bytes
            except BrokenProcessPool:
                raise CannotCheck("a worker process died: try --jobs 1") from None
            yield token, [_found(row) for row in rows]

    @property
    def window(self) -> int:
        """How many tasks keep all workers busy."""
        return 3 * self._jobs if self._pool is not None else 0

    def close(self) -> None:
        """End the worker processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)


def _found(row: tuple[tuple[Any, ...] | None, list[Any]] | None) -> Found | None:
    if row is None:
        return None
    facts, defects = row
    return Found(None if facts is None else Facts(*facts), defects)
