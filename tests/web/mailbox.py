"""A mail server for tests: takes what is sent to it on this machine, or refuses it as it is told to."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage


class Mailbox(socketserver.ThreadingTCPServer):
    """What arrived is in `mails`. `refuse`: the reply to every recipient; `silent`: so many mails are taken without a reply."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Visit)
        self.mails: list[EmailMessage] = []
        self.refuse = ""
        self.silent = 0

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Visit(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        self._say("220 mailbox")
        while line := self.rfile.readline():
            word = line.split(b":")[0].strip().upper()
            if word == b"DATA":
                self._say("354 go on")
                self._take()
            elif word.startswith(b"QUIT"):
                self._say("221 bye")
                return
            elif word == b"RCPT TO" and self.server.refuse:
                self._say(self.server.refuse)
            else:
                self._say("250 ok")

    def _take(self) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        self.server.mails.append(message_from_bytes(b"".join(lines), policy=policy.default))  # type: ignore[arg-type]
        if self.server.silent:
            self.server.silent -= 1
            self.connection.close()
            return
        self._say("250 taken")

    def _say(self, text: str) -> None:
        try:
            self.wfile.write(text.encode() + b"\r\n")
        except (OSError, ValueError):
            return


@contextmanager
def open_mailbox() -> Iterator[Mailbox]:
    """A mail server until the end of the block."""
    with Mailbox() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
