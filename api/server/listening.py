"""The sockets that a node's processes listen on.

Each front has a socket of its own on the node's one address (SO_REUSEPORT), and the kernel deals connections out among
them. On a shared socket, the process that wakes first takes all connections that wait: connections that come at once
stay with one front while the others are idle. And since a connection stays where it is, one answer in a thousand closes
its own, so that connections spread over all fronts again after one was restarted.
"""

from __future__ import annotations

import random
import socket
import sys
from collections.abc import MutableMapping
from typing import Any, Final

from api.http.wire import App, Receive, Scope, Send
from api.node.settings import Settings

BACKLOG: Final = 2048
DEALS_OUT: Final = sys.platform == "linux"
"""Elsewhere the option exists too, and the last socket gets everything."""

CLOSING_SHARE: Final = 1 / 1024


def bind(settings: Settings, *, shared: bool) -> socket.socket:
    """A socket on the node's address, not listening yet: while it is bound, the address is this node's. `shared`: other
    processes of this user may bind it too. Raises OSError."""
    bound = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared and DEALS_OUT:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((settings.host, settings.port))
    except OSError as error:
        bound.close()
        raise OSError(error.errno, error.strerror, f"{settings.host}, port {settings.port}") from None
    return bound


def listen(settings: Settings, bound: socket.socket) -> socket.socket:
    """The socket that a front accepts on; `bound` is the node's, from `bind`. Raises OSError."""
    mine = bind(settings, shared=True) if DEALS_OUT else bound
    mine.listen(BACKLOG)
    return mine


class DealtOut:
    """ASGI application: `app`, some of whose answers close their connection."""

    def __init__(self, app: App, share: float = CLOSING_SHARE) -> None:
        self._app = app
        self._share = share

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and random.random() < self._share:  # noqa: S311 - nothing depends on it being secret
            send = _closing(send)
        await self._app(scope, receive, send)


def _closing(send: Send) -> Send:
    async def closing(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        await send(message)

    return closing
