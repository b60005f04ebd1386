"""The set of logs that this one is the head log of (docs/sets.md)."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from api.http.describing import answer
from api.http.wire import Reply
from api.node.admission import PUBLIC, NodeHere, serve
from api.routes.log import EVERYBODY
from api.sets.addresses import read_addresses
from ledger.canonical import b64u
from ledger.errors import NotFound
from ledger.notes.proof_file import format_proof

router = APIRouter()
SHORT = ("cache-control", "public, max-age=1")
Size = Annotated[int, Query(ge=0, le=2**53 - 1, description="Index of the shard's entry")]


@serve(
    router,
    "GET",
    "/set",
    access=PUBLIC,
    tag="log",
    summary="The shards of this log's set, and where holders live",
    answers={
        200: answer(
            "Shards, and the documents that prove what is said of them",
            example={
                "documents": [{"index": 1, "leaf": "eyJjaGFpbiI6…"}],
                "shards": [
                    {
                        "address": "https://east.ledger.example",
                        "committed": {"index": 9, "root": b64u(bytes(32)), "size": 42, "time": 1795392000000},
                        "origin": "ledger.example/east",
                        "vkey": "ledger.example/east+1234abcd+AY…",
                    }
                ],
            },
        )
    },
)
def get_set(node: NodeHere) -> Response:
    """`documents` are the leaves of `shard.added` and `holder.placed`; `GET /proofs/inclusion` proves them. Nothing else here
    is proved. No shards: this log is no head log."""
    known = node.ledger.registry.shards
    addresses = read_addresses(node.settings.set_file)
    shards: list[dict[str, Any]] = []
    for shard in known.shards.values():
        told: dict[str, Any] = {"origin": shard.origin, "vkey": shard.vkey.format()}
        if shard.origin in addresses:
            told["address"] = addresses[shard.origin]
        if (head := shard.head) is not None:
            told["committed"] = {"index": head.index, "root": b64u(head.root), "size": head.size, "time": head.time}
        shards.append(told)
    documents = [{"index": index, "leaf": b64u(leaf)} for index, leaf in node.heads.documents()]
    said = msgspec.json.encode({"documents": documents, "shards": shards})
    return Reply(200, said, headers=(SHORT, EVERYBODY)).response()


@serve(
    router,
    "GET",
    "/set/heads",
    access=PUBLIC,
    tag="log",
    summary="The document that commits to a shard's entry",
    answers={
        200: answer(
            "The leaf of a heads.committed, and its proof in this log",
            example={"leaf": "{…}", "proof": "c2sp.org/tlog-proof@v1\nindex 9\n…"},
        )
    },
    problems=("not-found", "invalid-input"),
)
def get_heads(
    node: NodeHere,
    origin: Annotated[str, Query(min_length=1, max_length=255, description="The shard's origin")],
    index: Size,
) -> Response:
    """With an inclusion proof of the entry in the shard's tree of the size that `leaf` names, it is a set proof
    (docs/spec/sets.md). 404 until the entry is committed, which takes about a second, and as long again for witnesses."""
    shard = node.ledger.registry.shards.shards.get(origin)
    if shard is None:
        raise NotFound(f"{origin!r} is no shard of this log's set", member="origin")
    found = node.heads.covering(shard, index)
    proof = format_proof(found.index, found.proof, found.checkpoint)
    said = msgspec.json.encode({"leaf": found.leaf.decode(), "proof": proof})
    return Reply(200, said, headers=(SHORT, EVERYBODY)).response()
