"""Witnessed checkpoints, and receipts proved in them (docs/witnesses.md)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from api.http.describing import TEXT, answer
from api.http.wire import Reply, visit_of
from api.node.admission import PUBLIC, CallerHere, NodeHere, serve, token
from api.routes.log import EVERYBODY
from api.routes.receipts import receipt_named, receipt_reply
from ledger.receipts import MEDIA_TYPE

router = APIRouter()
SHORT: Final = ("cache-control", "public, max-age=1")


@serve(
    router,
    "GET",
    "/checkpoint/witnessed",
    access=PUBLIC,
    tag="log",
    summary="The newest checkpoint that witnesses cosigned",
    answers={200: answer("The checkpoint with the log's line and the witnesses'", TEXT)},
    problems=("not-found",),
)
def get_witnessed_checkpoint(node: NodeHere) -> Response:
    """A C2SP signed note whose cosignatures meet the quorum of the log's policy. It may be
    some seconds behind `/checkpoint/newest`."""
    _, note = node.witnessed.checkpoint()
    return Reply(200, note.encode(), f"{TEXT}; charset=utf-8", (SHORT, EVERYBODY)).response()


@serve(
    router,
    "GET",
    "/receipts/{name}/witnessed",
    access=token("receipts:read"),
    tag="receipts",
    summary="The receipt of an entry, proved in a witnessed checkpoint",
    answers={
        200: {
            "description": "The receipt at level «witnessed»",
            "content": {
                MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Receipt"}},
                **answer("", TEXT)["content"],
            },
        }
    },
    problems=("not-found", "not-acceptable"),
)
def get_witnessed_receipt(name: str, request: Request, node: NodeHere, caller: CallerHere) -> Response:
    """The same entry as `/receipts/{name}`, with a proof that others than the operator vouch for: no second
    history, no turning back. `name` is the entry's index, or index and `.tlog-proof` for the proof alone.

    404 until witnesses have cosigned a checkpoint that covers the entry, which takes about a second.
    """
    wanted = receipt_named(name, request.headers.get("accept"))
    recorded = node.ledger.records.receipt_for(caller.id, wanted.index)
    reply = receipt_reply(wanted, node.witnessed.proved(recorded), visit_of(request.scope))
    return replace(reply, headers=(("cache-control", "private, no-cache"),)).response()


@serve(
    router,
    "GET",
    "/witnesses",
    access=PUBLIC,
    tag="log",
    summary="The witnesses of this log, and the newest checkpoint of each",
    answers={
        200: answer(
            "Witnesses of the log's policy",
            example={
                "quorum": "regulators",
                "witnesses": [
                    {"name": "w1.example", "vkey": "w1.example+1234abcd+BA…", "size": 42, "time": 1795392000}
                ],
            },
        )
    },
)
def get_witnesses(node: NodeHere) -> Response:
    """`size` and `time` (POSIX seconds, the witness's clock) of the latest cosignature; both 0 before the first."""
    latest = {standing.witness: standing for standing in node.witnessed.standings()}
    listed: list[dict[str, Any]] = []
    for witness in node.policy.witnesses:
        known = latest.get(witness.vkey.name)
        listed.append(
            {
                "name": witness.vkey.name,
                "vkey": witness.vkey.format(),
                "size": known.size if known else 0,
                "time": known.time if known else 0,
            }
        )
    said = msgspec.json.encode({"quorum": node.policy.quorum, "witnesses": listed})
    return Reply(200, said, headers=(EVERYBODY,)).response()
