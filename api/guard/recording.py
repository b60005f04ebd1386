"""The layer around a guarded application: the receipt in every answer; in strict mode, the release recorded first."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.client.errors import ClientError
from api.guard.access import GuardedAccess
from api.guard.describing import RECEIPT_HEADER
from api.guard.refusals import RefusedAccess, answer
from ledger.canonical import b64u

log = logging.getLogger("consent_ledger.guard")

NOTE: Final = "consent_guard"
"""Scope member in which a dependency leaves the access for this layer."""
RELEASE_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of an answer that strict mode holds back until its release is recorded."""

Release = Callable[[GuardedAccess, bytes, bytes], Awaitable[object]]
"""Records a release: access, content, SHA-256 of the content."""


class Recording:
    """ASGI layer. With `release`, no byte of a successful guarded answer leaves before the ledger has recorded it."""

    def __init__(self, app: ASGIApp, *, release: Release | None = None, timeout: float = 10.0) -> None:
        self._app = app
        self._release = release
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        note: dict[str, GuardedAccess] = {}
        scope[NOTE] = note  # a dictionary, for frameworks hand on copies of the scope
        held = _Held()

        async def sending(message: Message) -> None:
            access = note.get("access")
            if message["type"] == "http.response.start" and access is not None:
                headers = MutableHeaders(scope=message)
                headers[RECEIPT_HEADER] = b64u(access.receipt.file)
                headers.setdefault("Cache-Control", "no-store")
                if self._release is not None and 200 <= message["status"] < 300:
                    held.start = message
                    return
            if held.start is None or access is None or message["type"] != "http.response.body":
                await send(message)
                return
            if held.refused:
                return
            held.content += message.get("body", b"")
            if len(held.content) > RELEASE_LIMIT:
                held.refused = True
                await self._refuse(scope, receive, send, f"an answer has at most {RELEASE_LIMIT} bytes in strict mode")
            elif not message.get("more_body", False):
                await self._let_out(access, held, scope, receive, send)

        await self._app(scope, receive, sending)

    async def _let_out(self, access: GuardedAccess, held: _Held, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._release is not None and held.start is not None  # noqa: S101, PT018  (only then is anything held)
        content = bytes(held.content)
        digest = hashlib.sha256(content).digest()
        try:
            async with asyncio.timeout(self._timeout):
                await self._release(access, content, digest)
        except (ClientError, TimeoutError):
            log.exception("a release could not be recorded: nothing was given out")
            await self._refuse(scope, receive, send, "the release could not be recorded, so nothing was given out")
            return
        await send(held.start)
        await send({"type": "http.response.body", "body": content})

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, detail: str) -> None:
        response = await answer(Request(scope), RefusedAccess("LEDGER_UNAVAILABLE", detail))
        await response(scope, receive, send)


@dataclass(slots=True)
class _Held:
    """An answer that waits for its release."""

    start: Message | None = None
    content: bytearray = field(default_factory=bytearray)
    refused: bool = False
