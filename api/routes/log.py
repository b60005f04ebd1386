"""The public log: checkpoint, tiles, proofs (docs/spec/log.md)."""

from __future__ import annotations

import hashlib
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.access import PUBLIC, NodeHere, serve, token
from api.documents import TEXT, answer, binary
from api.refusals import NoSuchRoute
from api.wire import Reply
from ledger.app import Ledger
from ledger.canonical import b64u
from ledger.errors import BadEncoding
from ledger.merkle.tiles import ENTRIES, parse_path

router = APIRouter()
BYTES: Final = "application/octet-stream"
IMMUTABLE: Final = "max-age=31536000, immutable"
LOG_READ: Final = token("log:read")


def tile_reply(ledger: Ledger, path: str) -> Reply:
    """A hash tile, or an entry bundle, by its C2SP path. A tile of a given width never changes."""
    try:
        tile = parse_path(path)
    except BadEncoding as error:
        raise NoSuchRoute(f"{error.detail} (C2SP tlog-tiles)") from None
    if tile.level == ENTRIES:
        body = ledger.tree.entry_bundle(tile.number, tile.width)
        return Reply(200, body, BYTES, (("cache-control", f"private, {IMMUTABLE}"),))
    body = ledger.tree.tile(tile.level, tile.number, tile.width)
    return Reply(200, body, BYTES, (("cache-control", f"public, {IMMUTABLE}"),))


@serve(
    router, "GET", "/checkpoint", access=PUBLIC, tag="log", summary="The newest signed checkpoint",
    answers={200: answer("The checkpoint, a C2SP signed note", TEXT), 304: {"description": "Not changed since that ETag"}},
)  # fmt: skip
def get_checkpoint(request: Request, node: NodeHere) -> Response:
    """Origin, size and root of the tree, signed by the log (C2SP tlog-checkpoint). Everything else is proved against it."""
    note = node.ledger.tree.checkpoint().encode()
    tag = f'"{hashlib.sha256(note).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "public, max-age=1"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(note, media_type="text/plain; charset=utf-8", headers=headers)


@serve(
    router, "GET", "/tile/entries/{path:path}", access=LOG_READ, tag="log", summary="A bundle of leaves",
    answers={200: binary("Leaves, each as two bytes of length and its bytes")}, problems=("not-found", "no-such-route"),
)  # fmt: skip
def get_entry_bundle(path: str, node: NodeHere) -> Response:
    """Up to 256 leaves (C2SP tlog-tiles). Leaves hold commitments and no personal data; even so they are not for everyone."""
    return tile_reply(node.ledger, f"tile/entries/{path}").response()


@serve(
    router, "GET", "/tile/{path:path}", access=PUBLIC, tag="log", summary="A tile of the Merkle tree",
    answers={200: binary("Up to 256 hashes of 32 bytes")}, problems=("not-found", "no-such-route"),
)  # fmt: skip
def get_tile(path: str, node: NodeHere) -> Response:
    """`tile/<L>/<N>[.p/<W>]` as C2SP tlog-tiles spells it. With the checkpoint this is all a monitor needs."""
    return tile_reply(node.ledger, f"tile/{path}").response()


Size = Annotated[int, Query(ge=1, le=2**53 - 1)]


@serve(
    router, "GET", "/proofs/inclusion", access=PUBLIC, tag="log", summary="Proof that an entry is in the tree of a size",
    answers={200: answer("Sibling hashes, the leaf's first (RFC 6962 §2.1.1)", example={"index": 5, "size": 8,
             "hashes": [b64u(bytes(32))] * 3})}, problems=("invalid-input",),
)  # fmt: skip
def get_inclusion_proof(
    node: NodeHere, index: Annotated[int, Query(ge=0, le=2**53 - 1, description="Index of the entry")], size: Size
) -> Response:
    """Logarithmic in the size of the log. Take the size from a checkpoint that you have verified."""
    return _proof({"index": index, "size": size}, node.ledger.tree.inclusion(index, size))


@serve(
    router, "GET", "/proofs/consistency", access=PUBLIC, tag="log", summary="Proof that one tree continues another",
    answers={200: answer("Hashes of the proof (RFC 6962 §2.1.2)", example={"old": 5, "new": 8,
             "hashes": [b64u(bytes(32))] * 4})}, problems=("invalid-input",),
)  # fmt: skip
def get_consistency_proof(node: NodeHere, old: Size, new: Size) -> Response:
    """That the first `old` of `new` entries are the same entries. Keep the checkpoint you saw last and ask for this."""
    return _proof({"old": old, "new": new}, node.ledger.tree.consistency(old, new))


@serve(
    router, "GET", "/log", access=PUBLIC, tag="log", summary="Which log this is",
    answers={200: answer("Origin, verifier key, ruleset and size", example={"origin": "ledger.example/1", "ruleset": 2,
             "size": 42, "vkey": "ledger.example/1+d2b1a0f3+AbcDef…"})},
)  # fmt: skip
def get_log(node: NodeHere) -> Response:
    """The log's origin and key as this ledger says them. Compare the key with one you have from elsewhere, once."""
    ledger = node.ledger
    said = {
        "origin": ledger.origin, "ruleset": ledger.registry.ruleset, "size": ledger.tree.size(), "vkey": ledger.vkey.format()
    }  # fmt: skip
    return Reply(200, msgspec.json.encode(said)).response()


def _proof(about: dict[str, int], hashes: list[bytes]) -> Response:
    return Reply(200, msgspec.json.encode(about | {"hashes": [b64u(value) for value in hashes]})).response()
