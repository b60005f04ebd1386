"""A log's published files on a web server that only hands out files, for readers who have no node."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from api.node.node import Node
from ledger.publish.directory import PublicDirectory
from ledger.publish.publisher import Published, Publisher


def publish_to(node: Node, folder: Path) -> Published:
    """What `consent-ledger publish` does, once."""
    return Publisher(node.ledger.store, node.ledger.vkey, PublicDirectory(folder), node.witnessed).publish()


class _Files(http.server.SimpleHTTPRequestHandler):
    missing = 404

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        super().send_error(self.missing if code == 404 else code, message, explain)

    def log_message(self, *_: object) -> None:
        """Not on the test's output."""


class _Secretive(_Files):
    missing = 403


@contextmanager
def site(folder: Path, *, missing: int = 404) -> Iterator[str]:
    """The address at which the folder's files are. `missing`: the status for a file that is not there; an object store says
    403 to those who may not list it."""
    handler = partial(_Files if missing == 404 else _Secretive, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
