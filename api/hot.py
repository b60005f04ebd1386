"""The few routes that must be fast, answered before the framework is asked.

They are registered with the framework too, which documents them and answers in the same way; a test compares the two.
"""

from __future__ import annotations

import asyncio
from typing import Final

from api.access import PUBLIC, Doorkeeper
from api.bootstrap import Node
from api.routes.log import LOG_READ, tile_reply
from api.routes.receipts import RECEIPTS_READ, receipt_reply
from api.routes.submissions import ACT_ROUTES
from api.submission import Address, submit
from api.wire import App, Receive, Reply, Scope, Send, header, read_body, visit_of

HOT_POSTS: Final = ("/accesses", "/accesses/batch")
_ADDRESSES: Final = {
    route.path: Address(route.act, None, route.limit) for route in ACT_ROUTES if route.path in HOT_POSTS
}


class HotRoutes:
    """ASGI application: fast routes, and `app` for everything else."""

    def __init__(self, node: Node, doorkeeper: Doorkeeper, app: App) -> None:
        self._node = node
        self._ledger = node.ledger
        self._doorkeeper = doorkeeper
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            if scope["method"] == "POST":
                address = _ADDRESSES.get(path)
                if address is not None:
                    await (await self._submit(path, address, scope, receive)).send(send)
                    return
            elif scope["method"] == "GET":
                if path.startswith("/tile/"):
                    await (await self._tile(path, scope)).send(send)
                    return
                if path.startswith("/receipts/") and path.count("/") == 2:  # not what lies below it
                    await (await self._receipt(path, scope)).send(send)
                    return
        await self._app(scope, receive, send)

    async def _submit(self, path: str, address: Address, scope: Scope, receive: Receive) -> Reply:
        visit = visit_of(scope)
        visit.route = path
        data = await read_body(scope, receive, address.limit)
        return await submit(self._ledger, address, data, visit)

    async def _tile(self, path: str, scope: Scope) -> Reply:
        entries = path.startswith("/tile/entries/")
        visit_of(scope).route = "/tile/entries/{path:path}" if entries else "/tile/{path:path}"
        await self._doorkeeper.admit(LOG_READ if entries else PUBLIC, scope)
        return await asyncio.to_thread(tile_reply, self._ledger, path[1:])

    async def _receipt(self, path: str, scope: Scope) -> Reply:
        visit = visit_of(scope)
        visit.route = "/receipts/{name}"
        caller = await self._doorkeeper.admit(RECEIPTS_READ, scope)
        assert caller is not None  # noqa: S101  (a token route has a caller)
        name, accept = path.removeprefix("/receipts/"), header(scope, b"accept")
        return await asyncio.to_thread(receipt_reply, self._ledger, caller.id, name, accept, visit)
