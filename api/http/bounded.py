"""Answers of others' servers, read to a bound: whoever is asked decides what it sends, not how much of it we hold."""

from __future__ import annotations

from typing import Final

import httpx2

from ledger.errors import Unavailable

DOCUMENT_BYTES: Final = 256 * 1024
"""Bound of a document that another server publishes, such as a key set."""
WHOLE_SECONDS: Final = 10.0
"""From asking another server to the end of its answer, however slowly it sends."""


def read_bounded(answer: httpx2.Response, limit: int) -> bytes | None:
    """The body of an answer that is being streamed; None if it has more than `limit` bytes."""
    body = b""
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > limit:
            return None
    return body


async def read_raw(answer: httpx2.Response, limit: int) -> bytes | None:
    """The same in an event loop, as it was sent: nothing is decompressed."""
    body = b""
    async for piece in answer.aiter_raw():
        body += piece
        if len(body) > limit:
            return None
    return body


async def read_document(answer: httpx2.Response, whose: str) -> bytes:
    """The document that an answer brings, as it was sent; `whose`: the subject of an error's sentence.

    Raises Unavailable for another status than 200, and for more than DOCUMENT_BYTES.
    """
    if answer.status_code != httpx2.codes.OK:
        raise Unavailable(f"{whose} answers {answer.status_code}")
    body = await read_raw(answer, DOCUMENT_BYTES)
    if body is None:
        raise Unavailable(f"{whose} answers with more than {DOCUMENT_BYTES // 1024} KiB")
    return body
