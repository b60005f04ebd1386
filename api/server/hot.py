"""The few routes that must be fast, answered before the framework is asked.

They are registered with the framework too, which documents them and answers in the same way; a test compares the two.
Reads share their snapshots (api/http/grouping.py).
"""

from __future__ import annotations

import asyncio
import re
from typing import Final

from api.http.grouping import Together
from api.http.submission import Address, submit
from api.http.wire import App, Receive, Reply, Scope, Send, header, read_body, visit_of
from api.node.admission import PUBLIC, Doorkeeper
from api.node.node import Node
from api.routes.log import (
    LOG_READ,
    checkpoint_reply,
    proof_reply,
    tile_body,
    tile_named,
    tile_reply,
)
from api.routes.receipts import RECEIPTS_READ, receipt_named, receipt_reply
from api.routes.submissions import ACT_ROUTES
from ledger.merkle.tiles import ENTRIES
from ledger.planning.commands import Proved
from ledger.queries.tree import ProofWanted

HOT_POSTS: Final = ("/accesses", "/accesses/batch")
_ADDRESSES: Final = {
    route.path: Address(route.act, None, route.limit) for route in ACT_ROUTES if route.path in HOT_POSTS
}
_INCLUSION: Final = re.compile(rb"index=(\d{1,15})&size=([1-9]\d{0,14})")
_CONSISTENCY: Final = re.compile(rb"old=([1-9]\d{0,14})&new=([1-9]\d{0,14})")
"""The spelling that clients use; the framework reads every other spelling, and refuses it in its own words."""


class HotRoutes:
    """ASGI application: fast routes, and `app` for everything else."""

    def __init__(self, node: Node, doorkeeper: Doorkeeper, app: App) -> None:
        self._ledger = ledger = node.ledger
        self._doorkeeper = doorkeeper
        self._app = app
        witnessed = node.witnessed
        self._shown: Together[None, str] = Together(lambda asked: [witnessed.shown()] * len(asked))
        self._checkpoints: Together[None, str] = Together(lambda asked: [ledger.tree.checkpoint()] * len(asked))
        self._proofs: Together[ProofWanted, list[bytes]] = Together(ledger.tree.prove)
        self._receipts: Together[tuple[str, int], Proved] = Together(ledger.records.proved_for)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            reply: Reply | None = None
            if scope["method"] == "POST":
                address = _ADDRESSES.get(path)
                if address is not None:
                    reply = await self._submit(path, address, scope, receive)
            elif scope["method"] == "GET":
                reply = await self._read(path, scope)
            if reply is not None:
                await reply.send(send)
                return
        await self._app(scope, receive, send)

    async def _submit(self, path: str, address: Address, scope: Scope, receive: Receive) -> Reply:
        visit = visit_of(scope)
        visit.route = path
        data = await read_body(scope, receive, address.limit)
        return await submit(self._ledger, address, data, visit)

    async def _read(self, path: str, scope: Scope) -> Reply | None:
        """The answer, if the path is one of these."""
        if path.startswith("/receipts/") and path.count("/") == 2:  # the framework answers below a receipt
            return await self._receipt(path, scope)
        if path.startswith("/tile/"):
            return await self._tile(path, scope)
        if path == "/checkpoint":
            await self._admit_all(path, scope)
            return checkpoint_reply(await self._shown.ask(None), header(scope, b"if-none-match"))
        if path == "/checkpoint/newest":
            await self._admit_all(path, scope)
            return checkpoint_reply(await self._checkpoints.ask(None), header(scope, b"if-none-match"))
        if path == "/proofs/inclusion" and (match := _INCLUSION.fullmatch(scope["query_string"])):
            return await self._proof(path, scope, ProofWanted("inclusion", int(match[1]), int(match[2])))
        if path == "/proofs/consistency" and (match := _CONSISTENCY.fullmatch(scope["query_string"])):
            return await self._proof(path, scope, ProofWanted("consistency", int(match[1]), int(match[2])))
        return None

    async def _admit_all(self, route: str, scope: Scope) -> None:
        visit_of(scope).route = route
        await self._doorkeeper.admit(PUBLIC, scope)

    async def _proof(self, path: str, scope: Scope, wanted: ProofWanted) -> Reply:
        await self._admit_all(path, scope)
        return proof_reply(wanted, await self._proofs.ask(wanted))

    async def _tile(self, path: str, scope: Scope) -> Reply:
        entries = path.startswith("/tile/entries/")
        visit_of(scope).route = "/tile/entries/{path:path}" if entries else "/tile/{path:path}"
        await self._doorkeeper.admit(LOG_READ if entries else PUBLIC, scope)
        tile = tile_named(path[1:])
        body = None if tile.level == ENTRIES else self._ledger.tree.known_tile(tile)
        if body is None:
            body = await asyncio.to_thread(tile_body, self._ledger, tile)
        return tile_reply(tile, body, header(scope, b"if-none-match"))

    async def _receipt(self, path: str, scope: Scope) -> Reply:
        visit = visit_of(scope)
        visit.route = "/receipts/{name}"
        caller = await self._doorkeeper.admit(RECEIPTS_READ, scope)
        assert caller is not None  # noqa: S101  (a token route has a caller)
        name = receipt_named(path.removeprefix("/receipts/"), header(scope, b"accept"))
        return receipt_reply(name, await self._receipts.ask((caller.id, name.index)), visit)
