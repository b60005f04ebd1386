"""A sandbox at its addresses: the servers stay, and a reset puts another log behind them within a second."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from api.client import Trust
from api.demo.servers import address_of, loopback_socket, serving
from api.http.wire import App, Receive, Scope, Send
from api.sandbox.conformance import ConformanceRun
from api.sandbox.customers import SCRIPTS
from api.sandbox.world import BANKS, LEDGER, Blank, Guest, SandboxWorld

NAMES: Final = (LEDGER, *BANKS)


class Switch:
    """An application that can be exchanged while it is served."""

    def __init__(self) -> None:
        self.app: App | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. The lifespan is that of what stands behind, and is kept elsewhere."""
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{step}.complete"})
        elif self.app is None:
            await send({"type": "http.response.start", "status": 503, "headers": [(b"retry-after", b"1")]})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self.app(scope, receive, send)


class OpenSandbox:
    """A sandbox that runs. `opened`, then `close`."""

    world: SandboxWorld
    """The log that is served now."""
    _next: asyncio.Task[SandboxWorld]
    """The one after it, made while nobody waits."""
    _port: int

    def __init__(self, guest: Guest, folder: Path, blank: Blank) -> None:
        self.guest = guest
        self.key = secrets.token_urlsafe(24)
        """Opens the room's own controls."""
        self.resets = 0
        self.run: ConformanceRun | None = None
        """The last one that was begun in this log."""
        self.urls: dict[str, str] = {}
        self._folder, self._blank = folder, blank
        self._switches = {name: Switch() for name in NAMES}
        self._stack = AsyncExitStack()
        self._ending: set[asyncio.Task[None]] = set()

    @classmethod
    async def opened(cls, guest: Guest, folder: Path, blank: Blank) -> OpenSandbox:
        """A new one below `folder`. Raises InvalidInput for a guest that no log would register."""
        room = cls(guest, folder, blank)
        sockets = {name: loopback_socket() for name in NAMES}
        try:
            room._port = int(address_of(sockets[LEDGER]).rpartition(":")[2])
            room.world = await room._made()
            room.urls = await room._stack.enter_async_context(serving({**room._switches}, sockets))
            await room._enter()
        except BaseException:
            for one in sockets.values():
                one.close()
            await room._stack.aclose()
            raise
        return room

    async def reset(self) -> None:
        """Another log, at the same addresses: nobody has joined, nothing has happened."""
        old, self.world = self.world, await self._next
        self.resets += 1
        self.run = None
        await self._enter()
        ending = asyncio.create_task(old.close())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Stop everything, and throw the log away."""
        for one in self._switches.values():
            one.app = None
        await self.world.close()
        await asyncio.gather(*self._ending, return_exceptions=True)
        spare = await self._next
        await asyncio.to_thread(spare.throw_away)
        await self._stack.aclose()

    async def _made(self) -> SandboxWorld:
        return await asyncio.to_thread(SandboxWorld.made, self.guest, self._folder, self._blank, self._port)

    async def _enter(self) -> None:
        """Put the new log behind the addresses, open its banks, and make the one after it ready."""
        self._switches[LEDGER].app = self.world.faults[LEDGER]
        await self.world.enter()
        for name in BANKS:
            self._switches[name].app = self.world.faults[name]
        self._next = asyncio.create_task(self._made())

    @property
    def trust(self) -> Trust:
        """Whom to believe about it."""
        return Trust(self.world.node.ledger.vkey)

    def described(self, controls: str) -> dict[str, Any]:
        """What the guest needs to know, as JSON. `controls`: the address of all sandboxes' controls."""
        ledger = self.world.node.ledger
        return {
            "sandbox": True,
            "participant": self.guest.participant,
            "role": self.guest.role,
            "ledger": {"url": self.urls[LEDGER], "origin": ledger.origin, "vkey": ledger.vkey.format()},
            "banks": {name: self.urls[name] for name in BANKS},
            "customers": {one.id: one.what for one in SCRIPTS.values()},
            "joined": self.world.has_joined,
            "invitation": None if self.world.has_joined else self.world.invitation(),
            "console": f"{self.urls[LEDGER]}/console",
            "control": f"{controls}/rooms/{self.guest.participant}",
            "key": self.key,
            "resets": self.resets,
            "report": None if self.run is None else self.run.report(),
        }
