"""Processes and sockets of the demo: the ledger in a process of its own, banks and recipients on sockets of their own."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import uvicorn

from api.http.httpserver import HttpServer, bounded

STARTING_SECONDS: Final = 60.0
PLENTY: Final = "1000000"


class DemoFailed(Exception):
    """The demo could not be run to its end; the sentence says why."""


def command(*arguments: str | Path) -> list[str]:
    """A command line of `consent-ledger` in this very Python."""
    return [sys.executable, "-m", "api.cli.main", *map(str, arguments)]


def environment(policy: Path | None = None, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of the demo's own ledger: nobody's settings, room for a load from one address, and `more`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CONSENT_LEDGER_")}
    if policy is not None:
        kept["CONSENT_LEDGER_POLICY_FILE"] = str(policy)
    return kept | {
        "CONSENT_LEDGER_READS_PER_MINUTE": PLENTY,
        "CONSENT_LEDGER_TOKEN_REQUESTS_PER_MINUTE": PLENTY,
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        **(more or {}),
    }


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def loopback_socket() -> socket.socket:
    """A socket with a loopback address of its own, which somebody can be told before anything is served there."""
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    return made


def address_of(listening: socket.socket) -> str:
    """The base address of what is served on a socket."""
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def ledger_process(
    state: Path, port: int, log: Path, policy: Path, more: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """`consent-ledger serve` on loopback under a policy and `more` settings, stopped in order at the end."""
    with log.open("wb") as said:
        process = subprocess.Popen(  # noqa: S603  (our own command)
            command("serve", "--state", state, "--host", "127.0.0.1", "--port", str(port)),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=environment(policy, more),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Returns when the ledger records. Raises DemoFailed when it ends or takes too long."""
    async with httpx2.AsyncClient(base_url=url) as http, asyncio.timeout(STARTING_SECONDS):
        while True:
            if process.poll() is not None:
                said = await asyncio.to_thread(log.read_text, errors="replace")
                raise DemoFailed(f"the ledger ended with {process.returncode}: {said[-800:]}")
            try:
                if (await http.get("/health/ready")).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.05)


class _Server(HttpServer):
    """Several of these share one event loop, so none of them may take the signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:  # type: ignore[explicit-override]
        """Leave them to the demo."""
        yield


@asynccontextmanager
async def serving(
    applications: dict[str, Any], at: Mapping[str, socket.socket] | None = None
) -> AsyncIterator[dict[str, str]]:
    """Serve each application on a loopback socket of its own, one of `at` where it is named there; name → base address."""
    async with AsyncExitStack() as stack:
        urls = {}
        for name, app in applications.items():
            listening = (at or {}).get(name) or loopback_socket()
            stack.callback(listening.close)
            listening.listen(512)
            config = uvicorn.Config(app, **bounded(lifespan="on", timeout_graceful_shutdown=2))
            server = _Server(config)
            task = asyncio.create_task(server.serve(sockets=[listening]))
            stack.push_async_callback(_stop, server, task)
            while not server.started:
                if task.done():
                    raise DemoFailed(f"{name} did not start: {task.exception()}")
                await asyncio.sleep(0.01)
            urls[name] = address_of(listening)
        yield urls


async def _stop(server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    server.should_exit = True
    await task
