"""What the stand-ins for key services share: a server on loopback, and a log that outlives an outage of its key service."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from api.node.building import short_lived
from api.node.settings import Settings
from ledger.errors import Unavailable
from tests.world import World

Run = Callable[..., dict[str, Any]]


class JsonHandler(BaseHTTPRequestHandler):
    """Answers in JSON, and keeps quiet."""

    def answer(self, status: int, said: object, media_type: str = "application/json") -> None:
        content = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def answering(handler: type[JsonHandler], port: int) -> Iterator[int]:
    """A server on loopback at this port, 0 for a free one; gives its port."""
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def after_an_outage(
    settings: Settings, running: Callable[[], AbstractContextManager[object]], named: str
) -> Iterator[Run]:
    """The service ends in the middle of a commit and comes back: nothing acknowledged is lost, nothing recorded twice.

    Gives, while the service is back and after a `check` without defects, a function that runs a command on the log.
    """

    def run(*command: str) -> dict[str, Any]:
        result = CliRunner().invoke(app, [*command, "--state", str(settings.state_dir), "--json"])
        assert result.exit_code == 0, result.output
        said: dict[str, Any] = json.loads(result.stdout)
        return said

    with running():
        context = short_lived(settings)
        node = context.__enter__()
        world = World(node.ledger)
        recipient, holder = world.recipient(), world.holder()
        consent = world.active_consent(recipient, holder)
        [before] = world.record(recipient.access(consent))
    late = recipient.access(consent)
    with pytest.raises(Unavailable, match=named):
        world.record(late)
    assert named in (node.ledger.unready_because or "")
    with running():
        [after] = world.record(late)
        assert after.index == before.index + 1
        context.__exit__(None, None, None)
        checked = run("check")
        assert (checked["defect_count"], checked["opened"] > 0) == (0, True)
        yield run


def all_keys_are_usable(run: Run) -> bool:
    """What `doctor` says of the four keys of a log."""
    verdicts = {one["what"]: one["verdict"] for one in run("doctor")["looks"]}
    return {verdicts[what] for what in ("log key", "KEK", "token key", "event key")} == {"ok"}
