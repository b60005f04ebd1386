"""Bundles: the whole log to take home and check offline (docs/spec/bundles.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import BinaryIO, Final

import msgspec
from fastapi import APIRouter, Request
from msgspec import Struct
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from api.http.describing import binary, body
from api.http.refusals import BadRequest
from api.http.streams import stream_of
from api.http.submission import SINGLE_LIMIT
from api.http.wire import read_body, visit_of
from api.node.admission import CallerHere, NodeHere, serve, token
from api.node.node import Node
from ledger.bundle import Disclose
from ledger.documents import Disclosure, document_of

router = APIRouter()
BUNDLE_READ: Final = token("bundle:read")
DISCLOSURE_OPEN: Final = token("disclosure:open")
ZIP: Final = "application/zip"


class Opening(Struct, frozen=True, forbid_unknown_fields=True):
    """Which evidence to open, and for which case (a code). Both indexes are included."""

    case: str
    from_index: int
    to_index: int


@serve(
    router,
    "GET",
    "/bundle",
    access=BUNDLE_READ,
    tag="bundles",
    summary="The whole log, without evidence",
    answers={200: binary("A zip of the bundle, streamed", ZIP)},
)
async def get_bundle(node: NodeHere) -> Response:
    """Leaves, tiles and checkpoint: enough to check order, chains and tree. What the leaves commit to stays closed."""
    return await _send(node, Disclose.none(), "log.zip", -1)


@serve(
    router,
    "POST",
    "/bundles",
    access=DISCLOSURE_OPEN,
    tag="bundles",
    summary="The whole log, with evidence of a range",
    request_body=body("Opening", {"case": "case-2026-17", "from_index": 100, "to_index": 200}),
    answers={200: binary("A zip of the bundle, streamed", ZIP)},
    problems=("bad-request", "invalid-input"),
)
async def post_bundle(request: Request, node: NodeHere, caller: CallerHere) -> Response:
    """For a regulator. That this evidence was opened, for whom and for which case, is recorded in the log first. Of the
    range it opens what the regulator is there for."""
    try:
        asked = msgspec.json.decode(await read_body(request.scope, request.receive, SINGLE_LIMIT), type=Opening)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not of the documented shape: {error}") from None
    document = document_of(
        Disclosure, participant=caller.id, case=asked.case, from_index=asked.from_index, to_index=asked.to_index
    )
    [recorded] = await run_in_threadpool(node.ledger.record_documents, document)
    visit_of(request.scope).index = recorded.index
    remit = node.remit_of(caller.id)
    disclose = await run_in_threadpool(node.bundler.disclosed_to, remit, asked.from_index, asked.to_index)
    return await _send(node, disclose, "disclosure.zip", asked.to_index)


async def _send(node: Node, disclose: Disclose, name: str, above: int) -> Response:
    bundler = node.bundler

    def write(stream: BinaryIO) -> None:
        bundler.write(stream, disclose, above=above)

    pieces = stream_of(write)
    first = await anext(pieces)  # what cannot be exported at all is answered as a problem

    async def all_pieces() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return StreamingResponse(all_pieces(), media_type=ZIP, headers=headers)
