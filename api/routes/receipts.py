"""Receipts, for those who signed the entry or are parties of its consent."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.access import CallerHere, NodeHere, serve, token
from api.documents import TEXT, answer
from api.refusals import NoSuchRoute, NotAcceptable
from api.wire import Reply, Visit, visit_of
from ledger.app import Ledger
from ledger.canonical import decimal
from ledger.errors import BadEncoding
from ledger.receipts import MEDIA_TYPE, proof_text, receipt_bytes

router = APIRouter()
RECEIPTS_READ: Final = token("receipts:read")
SUFFIX: Final = ".tlog-proof"
CACHE: Final = ("cache-control", "private, max-age=31536000, immutable")


def receipt_reply(ledger: Ledger, viewer: str, name: str, accept: str | None, visit: Visit) -> Reply:
    """`name` is an index, or an index and `.tlog-proof`. Raises NoSuchRoute, NotAcceptable, NotFound."""
    proof_only = name.endswith(SUFFIX)
    try:
        index = decimal(name.removesuffix(SUFFIX))
    except BadEncoding:
        raise NoSuchRoute("a receipt's address ends in an index, or an index and «.tlog-proof»") from None
    media_type = "text/plain; charset=utf-8" if proof_only else MEDIA_TYPE
    if not accepts(accept, media_type):
        raise NotAcceptable(f"this is served as {media_type} only")
    recorded = ledger.records.receipt_for(viewer, index)
    visit.index = index
    body = proof_text(recorded).encode() if proof_only else receipt_bytes(recorded)
    return Reply(200, body, media_type, (CACHE,))


def accepts(accept: str | None, media_type: str) -> bool:
    """Whether an Accept header takes a media type; weights are not looked at, since there is one choice."""
    if accept is None:
        return True
    wanted = {part.split(";")[0].strip().lower() for part in accept.split(",")}
    kind = media_type.split(";", maxsplit=1)[0]
    json = {"application/json"} if kind.endswith("+json") else set()
    return bool(wanted & {kind, "*/*", kind.split("/")[0] + "/*", *json})


@serve(
    router, "GET", "/receipts/{name}", access=RECEIPTS_READ, tag="receipts", summary="The receipt of an entry",
    answers={200: {"description": "The receipt, the same bytes each time", "content": {
        MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Receipt"}},
        **answer("", TEXT)["content"]}}},
    problems=("not-found", "not-acceptable"),
)  # fmt: skip
def get_receipt(name: str, request: Request, node: NodeHere, caller: CallerHere) -> Response:
    """`name` is the entry's index, or index and `.tlog-proof` for the proof alone (c2sp.org/tlog-proof@v1).

    Served to the participant that signed the entry, and to the holder and recipient of its consent. It can be checked
    offline, with nothing but the log's key: `consent-verify receipt`.
    """
    accept = request.headers.get("accept")
    return receipt_reply(node.ledger, caller.id, name, accept, visit_of(request.scope)).response()
