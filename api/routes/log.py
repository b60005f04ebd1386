"""The public log: checkpoint, tiles, proofs (docs/spec/log.md)."""

from __future__ import annotations

import hashlib
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.http.describing import TEXT, answer, binary
from api.http.refusals import NoSuchRoute
from api.http.wire import Reply
from api.node.admission import LEAVES, PUBLIC, NodeHere, serve
from ledger.app import Ledger
from ledger.canonical import b64u
from ledger.errors import BadEncoding
from ledger.merkle.tiles import ENTRIES, TilePath, parse_path
from ledger.queries.log_keys import keys_file
from ledger.queries.tree import ProofWanted

router = APIRouter()
BYTES: Final = "application/octet-stream"
TEXT_UTF8: Final = "text/plain; charset=utf-8"
IMMUTABLE: Final = "max-age=31536000, immutable"
EVERYBODY: Final = ("access-control-allow-origin", "*")
"""Public files of the log are for every reader, a page of somebody else in a browser too; no cookie or token opens them."""
LOG_READ: Final = LEAVES
NOT_CHANGED: Final = {"description": "Not changed since that ETag"}


def tile_named(path: str) -> TilePath:
    """The tile or bundle of a C2SP path. Raises NoSuchRoute."""
    try:
        return parse_path(path)
    except BadEncoding as error:
        raise NoSuchRoute(f"{error.detail} (C2SP tlog-tiles)") from None


def tile_body(ledger: Ledger, tile: TilePath) -> bytes:
    """A hash tile or an entry bundle. Raises NotFound."""
    if tile.level == ENTRIES:
        return ledger.tree.entry_bundle(tile.number, tile.width)
    return ledger.tree.tile(tile.level, tile.number, tile.width)


def tile_reply(tile: TilePath, body: bytes, if_none_match: str | None) -> Reply:
    """A tile of a given width never changes, so its path is its tag. What a token opened is asked for with one again."""
    tag = f'"{tile.level}-{tile.number}-{tile.width}"'
    if tile.level == ENTRIES:
        headers: tuple[tuple[str, str], ...] = (("cache-control", "private, no-cache"), ("etag", tag))
    else:
        headers = (("cache-control", f"public, {IMMUTABLE}"), ("etag", tag), EVERYBODY)
    if if_none_match == tag:
        return Reply(304, b"", BYTES, headers)
    return Reply(200, body, BYTES, headers)


def checkpoint_reply(checkpoint: str, if_none_match: str | None) -> Reply:
    """The checkpoint, or 304 for who has it."""
    note = checkpoint.encode()
    tag = f'"{hashlib.sha256(note).hexdigest()[:32]}"'
    headers = (("etag", tag), ("cache-control", "public, max-age=1"), EVERYBODY)
    if if_none_match == tag:
        return Reply(304, b"", TEXT_UTF8, headers)
    return Reply(200, note, TEXT_UTF8, headers)


def proof_reply(wanted: ProofWanted, hashes: list[bytes]) -> Reply:
    """A proof with what it is about."""
    names = ("index", "size") if wanted.kind == "inclusion" else ("old", "new")
    said = {names[0]: wanted.first, names[1]: wanted.size, "hashes": [b64u(value) for value in hashes]}
    return Reply(200, msgspec.json.encode(said), headers=(EVERYBODY,))


@serve(
    router,
    "GET",
    "/checkpoint",
    access=PUBLIC,
    tag="log",
    summary="The signed checkpoint, witnessed where the log's policy asks for it",
    answers={200: answer("The checkpoint, a C2SP signed note", TEXT), 304: NOT_CHANGED},
)
def get_checkpoint(request: Request, node: NodeHere) -> Response:
    """Origin, size and root of the tree, signed by the log (C2SP tlog-checkpoint). Everything else is proved against it.

    Where the log's policy asks for witnesses, it is the newest that they cosigned, which may be some seconds old;
    `/checkpoint/newest` is the newest of all, in which each receipt is proved.
    """
    return checkpoint_reply(node.witnessed.shown(), request.headers.get("if-none-match")).response()


@serve(
    router,
    "GET",
    "/checkpoint/newest",
    access=PUBLIC,
    tag="log",
    summary="The newest signed checkpoint",
    answers={200: answer("The checkpoint, a C2SP signed note", TEXT), 304: NOT_CHANGED},
)
def get_newest_checkpoint(request: Request, node: NodeHere) -> Response:
    """As `/checkpoint`, whether or not witnesses have cosigned it: it covers every entry that has a receipt."""
    return checkpoint_reply(node.ledger.tree.checkpoint(), request.headers.get("if-none-match")).response()


@serve(
    router,
    "GET",
    "/tile/entries/{path:path}",
    access=LOG_READ,
    tag="log",
    summary="A bundle of leaves",
    answers={200: binary("Leaves, each as two bytes of length and its bytes"), 304: NOT_CHANGED},
    problems=("not-found", "no-such-route"),
)
def get_entry_bundle(path: str, request: Request, node: NodeHere) -> Response:
    """Up to 256 leaves (C2SP tlog-tiles). Leaves hold commitments and no personal data; even so they are not for everyone.

    A monitor that the operator has named reads them with a bearer token, as foreign tools send it.
    """
    return _tile(request, node, f"tile/entries/{path}")


@serve(
    router,
    "GET",
    "/tile/{path:path}",
    access=PUBLIC,
    tag="log",
    summary="A tile of the Merkle tree",
    answers={200: binary("Up to 256 hashes of 32 bytes"), 304: NOT_CHANGED},
    problems=("not-found", "no-such-route"),
)
def get_tile(path: str, request: Request, node: NodeHere) -> Response:
    """`tile/<L>/<N>[.p/<W>]` as C2SP tlog-tiles spells it. With the checkpoint this is all a monitor needs."""
    return _tile(request, node, f"tile/{path}")


Size = Annotated[int, Query(ge=1, le=2**53 - 1)]


@serve(
    router,
    "GET",
    "/proofs/inclusion",
    access=PUBLIC,
    tag="log",
    summary="Proof that an entry is in the tree of a size",
    answers={
        200: answer(
            "Sibling hashes, the leaf's first (RFC 6962 §2.1.1)",
            example={"index": 5, "size": 8, "hashes": [b64u(bytes(32))] * 3},
        )
    },
    problems=("invalid-input",),
)
def get_inclusion_proof(
    node: NodeHere, index: Annotated[int, Query(ge=0, le=2**53 - 1, description="Index of the entry")], size: Size
) -> Response:
    """Logarithmic in the size of the log. Take the size from a checkpoint that you have verified."""
    return proof_reply(ProofWanted("inclusion", index, size), node.ledger.tree.inclusion(index, size)).response()


@serve(
    router,
    "GET",
    "/proofs/consistency",
    access=PUBLIC,
    tag="log",
    summary="Proof that one tree continues another",
    answers={
        200: answer(
            "Hashes of the proof (RFC 6962 §2.1.2)", example={"old": 5, "new": 8, "hashes": [b64u(bytes(32))] * 4}
        )
    },
    problems=("invalid-input",),
)
def get_consistency_proof(node: NodeHere, old: Size, new: Size) -> Response:
    """That the first `old` of `new` entries are the same entries. Keep the checkpoint you saw last and ask for this."""
    return proof_reply(ProofWanted("consistency", old, new), node.ledger.tree.consistency(old, new)).response()


@serve(
    router,
    "GET",
    "/log",
    access=PUBLIC,
    tag="log",
    summary="Which log this is",
    answers={
        200: answer(
            "Origin, verifier key, ruleset and size",
            example={
                "origin": "ledger.example/1",
                "ruleset": 2,
                "size": 42,
                "vkey": "ledger.example/1+d2b1a0f3+AbcDef…",
            },
        )
    },
)
def get_log(node: NodeHere) -> Response:
    """The log's origin and key as this ledger says them. Compare the key with one you have from elsewhere, once."""
    ledger = node.ledger
    said = {
        "origin": ledger.origin,
        "ruleset": ledger.registry.ruleset,
        "size": ledger.tree.size(),
        "vkey": ledger.vkey.format(),
    }
    return Reply(200, msgspec.json.encode(said), headers=(EVERYBODY,)).response()


@serve(
    router,
    "GET",
    "/log/keys",
    access=PUBLIC,
    tag="log",
    summary="The log's keys, and the entries that say so",
    answers={
        200: answer(
            "Each key with the sizes of checkpoints that it may sign, and the leaves of the documents (base64url)",
            example={
                "keys": [
                    {"vkey": "ledger.example/1+0b37fa02+Aab…", "first": 7, "last": None},
                    {"vkey": "ledger.example/1+d2b1a0f3+AbcDef…", "first": 0, "last": 9},
                ],
                "documents": [{"index": 6, "leaf": "eyJjaGFpbiI6…"}, {"index": 9, "leaf": "eyJjaGFpbiI6…"}],
            },
        )
    },
)
def get_log_keys(node: NodeHere) -> Response:
    """Whoever knows an older key finds the present one by these documents and inclusion proofs, and needs no word of the
    ledger's for it (docs/spec/log.md, «The log's keys»). A log that never changed its key has no such document."""
    ledger = node.ledger
    said = keys_file(ledger.store, ledger.log_keys_now(), ledger.vkey)
    return Reply(200, said, headers=(EVERYBODY,)).response()


def _tile(request: Request, node: NodeHere, path: str) -> Response:
    tile = tile_named(path)
    return tile_reply(tile, tile_body(node.ledger, tile), request.headers.get("if-none-match")).response()
