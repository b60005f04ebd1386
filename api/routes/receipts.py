"""Receipts, for those who signed the entry or are parties of its consent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from api.explaining.explain import explain
from api.http.describing import TEXT, answer
from api.http.refusals import NoSuchRoute, NotAcceptable
from api.http.wire import Reply, Visit, visit_of
from api.node.admission import CallerHere, NodeHere, serve, token
from api.routes.log import TEXT_UTF8
from ledger.canonical import decimal
from ledger.errors import BadEncoding
from ledger.planning.commands import Proved, Recorded
from ledger.receipts import MEDIA_TYPE, proof_text, receipt_bytes

router = APIRouter()
RECEIPTS_READ: Final = token("receipts:read")
SUFFIX: Final = ".tlog-proof"
Index = Annotated[int, Path(ge=0, le=2**53 - 1, description="The entry's index")]


@dataclass(frozen=True, slots=True)
class ReceiptName:
    """Which receipt, and whether only its proof."""

    index: int
    proof_only: bool


def receipt_named(name: str, accept: str | None) -> ReceiptName:
    """`name` is an index, or an index and `.tlog-proof`. Raises NoSuchRoute, NotAcceptable."""
    proof_only = name.endswith(SUFFIX)
    try:
        index = decimal(name.removesuffix(SUFFIX))
    except BadEncoding:
        raise NoSuchRoute("a receipt's address ends in an index, or an index and «.tlog-proof»") from None
    media_type = TEXT_UTF8 if proof_only else MEDIA_TYPE
    if not accepts(accept, media_type):
        raise NotAcceptable(f"this is served as {media_type} only")
    return ReceiptName(index, proof_only)


def receipt_reply(name: ReceiptName, proved: Proved | Recorded, visit: Visit) -> Reply:
    """The receipt, or its proof alone."""
    visit.index = name.index
    if name.proof_only:
        return Reply(200, proof_text(proved).encode(), TEXT_UTF8)
    return Reply(200, receipt_bytes(proved), MEDIA_TYPE)


def accepts(accept: str | None, media_type: str) -> bool:
    """Whether an Accept header takes a media type; weights are not looked at, since there is one choice."""
    if accept is None:
        return True
    wanted = {part.split(";")[0].strip().lower() for part in accept.split(",")}
    kind = media_type.split(";", maxsplit=1)[0]
    json = {"application/json"} if kind.endswith("+json") else set()
    return bool(wanted & {kind, "*/*", kind.split("/")[0] + "/*", *json})


@serve(
    router,
    "GET",
    "/receipts/{name}",
    access=RECEIPTS_READ,
    tag="receipts",
    summary="The receipt of an entry",
    answers={
        200: {
            "description": "The receipt, the same bytes each time",
            "content": {
                MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Receipt"}},
                **answer("", TEXT)["content"],
            },
        }
    },
    problems=("not-found", "not-acceptable"),
)
def get_receipt(name: str, request: Request, node: NodeHere, caller: CallerHere) -> Response:
    """`name` is the entry's index, or index and `.tlog-proof` for the proof alone (c2sp.org/tlog-proof@v1).

    Served to the participant that signed the entry, and to the holder and recipient of its consent. It can be checked
    offline, with nothing but the log's key: `consent-verify receipt`.
    """
    wanted = receipt_named(name, request.headers.get("accept"))
    recorded = node.ledger.records.receipt_for(caller.id, wanted.index)
    return receipt_reply(wanted, recorded, visit_of(request.scope)).response()


@serve(
    router,
    "GET",
    "/receipts/{index}/explanation",
    access=RECEIPTS_READ,
    tag="receipts",
    summary="Why an entry is as it is",
    answers={200: answer("The rules that applied, in words, and the facts they rested on", schema="Explanation")},
    problems=("not-found",),
)
def get_explanation(index: Index, node: NodeHere, caller: CallerHere) -> Response:
    """Which rule decided, each reason in words (`en`, `zh-CN`), the facts it rested on, and what would have to change; for a
    step of a consent, the row of the table of transitions that it followed.

    Told to those who may have the receipt, from the evidence and the consent's own chain below it: the answer is the same
    for ever. An asserted reason rests on a fact outside the log, and is marked so.
    """
    told = explain(node.ledger.records, caller.id, index)
    return Reply(200, msgspec.json.encode(told)).response()
