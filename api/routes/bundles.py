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
from ledger.errors import NotPermitted
from ledger.queries.disclosed import openings

router = APIRouter()
BUNDLE_READ: Final = token("bundle:read")
DISCLOSURE_OPEN: Final = token("disclosure:open")
ZIP: Final = "application/zip"
OPEN_MS: Final = 30 * 86_400_000
"""How long evidence that was opened may be fetched."""


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
    problems=("bad-request", "not-permitted"),
)
async def post_bundle(request: Request, node: NodeHere, caller: CallerHere) -> Response:
    """For a regulator, of a case that two of its people have opened on the pages: the log says so before anything is opened.
    Of the range it gives what the regulator is there for."""
    try:
        asked = msgspec.json.decode(await read_body(request.scope, request.receive, SINGLE_LIMIT), type=Opening)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not of the documented shape: {error}") from None
    recorded = await run_in_threadpool(_recorded, node, caller.id, asked)
    visit_of(request.scope).index = recorded
    remit = node.remit_of(caller.id)
    disclose = await run_in_threadpool(node.bundler.disclosed_to, remit, asked.from_index, asked.to_index)
    return await _send(node, disclose, "disclosure.zip", asked.to_index)


def _recorded(node: Node, regulator: str, asked: Opening) -> int:
    """The entry that says that two people of the regulator opened this, within the last thirty days. Raises NotPermitted."""
    wanted, since = msgspec.to_builtins(asked), node.ledger.clock.now() - OPEN_MS
    for one in openings(node.ledger.store, regulator):
        if one.time > since and all(one.says[name] == value for name, value in wanted.items()):
            return one.at
    raise NotPermitted(
        "evidence is opened by two people of the regulator: one asks for this case and these entries at "
        "/console/audit/bundles, a second one confirms; then it is fetched here, for thirty days"
    )


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
