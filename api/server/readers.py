"""What a node that only reads puts around its application (docs/scaling.md, «Readers»)."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from api.http.refusals import ReadsOnly
from api.http.wire import App, Receive, Scope, Send, visit_of
from api.node.node import Node

CONFIRMED: Final = b"consent-ledger-confirmed"
"""The header that says up to which size the log is known here to be confirmed: entries below it are shown, no other."""
READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
TOKENS: Final = frozenset({"/token", "/introspect", "/revoke"})
"""Of this node's own tokens, which are no entries."""


class ReadsOnlyLayer:
    """ASGI application around another one: refuses whatever could want to record, and tells how far this node sees."""

    def __init__(self, app: App, node: Node) -> None:
        self._app = app
        self._horizon = node.ledger.store.horizon
        self._write_at = node.settings.write_at

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] not in READS and scope["path"] not in TOKENS:
            visit_of(scope).route = "(a reader)"
            raise ReadsOnly(f"this node only reads; send this to {' or '.join(self._write_at)}", self._write_at)

        async def told(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                size = str(self._horizon.size).encode()
                message["headers"] = [*message.get("headers", ()), (CONFIRMED, size)]
            await send(message)

        await self._app(scope, receive, told)
