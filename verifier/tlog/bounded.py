"""Bounds on the files of a log: no honest one is longer than its form allows."""

from __future__ import annotations

from verifier.errors import Code, refuted


def bounded(data: bytes, limit: int, path: str) -> bytes:
    """`data`, or Refuted(BAD_ENCODING) if it is longer than `limit` bytes: no honest file of a log is."""
    if len(data) > limit:
        raise refuted(Code.BAD_ENCODING, "the file is too long", expected=f"at most {limit} bytes", file=path)
    return data
