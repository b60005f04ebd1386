"""Runs the sandboxes of one machine until told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.demo.servers import address_of, serving
from api.sandbox.controls import control_app
from api.sandbox.service import Sandboxes
from api.sandbox.world import Guest


@dataclass(frozen=True)
class SandboxesTold:
    """Where the controls are, what opens them, and the first sandbox as its guest is told of it."""

    url: str
    token: str
    room: dict[str, Any] | None


def run(port: int, directory: Path | None, guest: Guest | None, opened: Callable[[SandboxesTold], None]) -> None:
    """Serve the controls on loopback, open one for the guest, tell `opened`, and stay until SIGINT or SIGTERM. Raises OSError,
    LedgerError."""
    asyncio.run(_run(port, directory, guest, opened))


async def _run(port: int, directory: Path | None, guest: Guest | None, opened: Callable[[SandboxesTold], None]) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    sandboxes = Sandboxes(directory or Path(tempfile.mkdtemp(prefix="consent-ledger-sandbox-")))
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    url = address_of(listening)
    try:
        async with serving({"controls": control_app(sandboxes, url)}, {"controls": listening}):
            room = None if guest is None else (await sandboxes.open(guest)).described(url)
            await asyncio.to_thread(opened, SandboxesTold(url, sandboxes.token, room))
            await ended.wait()
    finally:
        listening.close()
        await sandboxes.close_all()
