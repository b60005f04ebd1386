"""The sandboxes of one machine: opened, found, reset, thrown away."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import shutil
from pathlib import Path
from typing import Final

from api.http.refusals import Unauthenticated
from api.sandbox.room import OpenSandbox
from api.sandbox.world import Blank, Guest
from ledger.errors import InvalidInput, NotFound, Unavailable

MOST_ROOMS: Final = 16


class Sandboxes:
    """All sandboxes of this process. At most MOST_ROOMS at a time."""

    def __init__(self, folder: Path) -> None:
        """`folder`: new or empty; what is below it is thrown away at the end."""
        self._folder = folder
        self._blank: Blank | None = None
        self._rooms: dict[str, OpenSandbox] = {}
        self._lock = asyncio.Lock()
        self.token = secrets.token_urlsafe(32)
        """Opens sandboxes, and every one's controls."""

    async def open(self, guest: Guest) -> OpenSandbox:
        """The sandbox of this guest; a new one if there is none. Raises InvalidInput, Unavailable."""
        if guest.role not in ("recipient", "holder"):
            raise InvalidInput("a sandbox is for a recipient or a holder", member="role")
        async with self._lock:
            known = self._rooms.get(guest.participant)
            if known is not None:
                return known
            if len(self._rooms) >= MOST_ROOMS:
                raise Unavailable(f"{MOST_ROOMS} sandboxes are open: close one")
            if self._blank is None:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._blank = await asyncio.to_thread(Blank, self._folder)
            room = await OpenSandbox.opened(guest, self._folder, self._blank)
            self._rooms[guest.participant] = room
            return room

    def room(self, participant: str, bearer: str) -> OpenSandbox:
        """A sandbox, for who may control it. Raises Unauthenticated, NotFound."""
        found = self._rooms.get(participant)
        if found is not None and _same(bearer, found.key):
            return found
        self.admit(bearer)
        if found is None:
            raise NotFound(f"there is no sandbox for {participant!r}: open one")
        return found

    def admit(self, bearer: str) -> None:
        """Raises Unauthenticated for whoever may not open sandboxes."""
        if not _same(bearer, self.token):
            raise Unauthenticated("the token of this sandbox is needed, as a bearer token")

    async def reset(self, room: OpenSandbox) -> None:
        """Another log in its place."""
        async with self._lock:
            await room.reset()

    async def close(self, participant: str) -> None:
        """End one, and throw it away."""
        async with self._lock:
            await self._rooms.pop(participant).close()

    async def close_all(self) -> None:
        """End them all."""
        for participant in tuple(self._rooms):
            await self.close(participant)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
