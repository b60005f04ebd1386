"""The desk: where the front processes of a node hand their commands to its one sequencing process.

A Unix socket that only the node's own user can reach. One thread reads from each front; the sequencer's thread writes
answers into buffers, and one thread sends them, so that a slow front never holds up a commit.
"""

from __future__ import annotations

import logging
import selectors
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from ledger.errors import Corrupt, LedgerError
from ledger.secrets import listen_privately
from ledger.sequencer.answers import Answer, SequencerLike
from ledger.sequencer.wire import Unframer, decode_command, encode_answer, encode_confirmed, encode_figures
from ledger.storage.horizon import Horizon

log = logging.getLogger("ledger.desk")

READ_BYTES: Final = 256 * 1024
FIGURES_SECONDS: Final = 1.0
SEND_SECONDS: Final = 10
"""A front that reads nothing for so long is cut off."""


class PlanningDesk:
    """Listens on a Unix socket and serves fronts until closed."""

    def __init__(self, sequencer: SequencerLike, path: Path, horizon: Horizon) -> None:
        """`path` is replaced if it exists: a dead process's socket. `horizon`: what the fronts are to know of it."""
        # Set here and never again. The sequencer and the horizon may be asked from any thread.
        self._sequencer = sequencer
        self._horizon = horizon
        self._path = path
        # Guarded by `_lock`: the accepting thread adds a line, the line's own reading thread discards it, the sequencer's
        # thread and the sending thread copy the set. Never held while anything is sent.
        self._lock = threading.Lock()
        self._lines: set[_Line] = set()
        # Any thread writes a byte to the first; the sending thread alone reads the second.
        self._wake, self._woken = socket.socketpair()
        # Set once, by `close`; the accepting and the sending thread read it at each turn.
        self._closed = False
        # Used by the accepting thread; `close` closes it, which ends that thread.
        self._listening = listen_privately(path)
        horizon.tell(self._confirmed)
        for target in (self._accept, self._send):
            threading.Thread(target=target, name=f"desk{target.__name__}", daemon=True).start()

    def await_leave(self, seconds: float) -> None:
        """Wait until no front is connected any more. A service manager that ends all processes at once would cut off
        what the fronts have accepted and not yet handed on."""
        until = time.monotonic() + seconds
        while self._lines and time.monotonic() < until:
            time.sleep(0.05)

    def close(self) -> None:
        """Accept no more fronts, and close the lines that there are. The socket's file stays: it may be the successor's
        already."""
        self._closed = True
        self._listening.close()
        self._wake.send(b"x")

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            line = _Line(connection, self._wake)
            with self._lock:
                self._lines.add(line)
            line.put(encode_confirmed(self._horizon.size))
            threading.Thread(target=self._read, args=(line,), name="desk-line", daemon=True).start()

    def _confirmed(self, size: int) -> None:
        """On the sequencer's thread, before it answers: a front that hands a receipt on can show its checkpoint too."""
        told = encode_confirmed(size)
        with self._lock:
            lines = list(self._lines)
        for line in lines:
            line.put(told)

    def _read(self, line: _Line) -> None:
        frames = Unframer()
        try:
            while data := line.socket.recv(READ_BYTES):
                for body in frames.feed(data):
                    self._take(line, body)
        except (OSError, Corrupt) as error:
            log.warning("a front process was cut off: %s", error)
        with self._lock:
            self._lines.discard(line)
        line.socket.close()

    def _take(self, line: _Line, body: bytes) -> None:
        request, command = decode_command(body)

        def deliver(answer: Answer | LedgerError) -> None:
            line.put(encode_answer(request, answer))

        try:
            self._sequencer.submit(command, deliver)
        except LedgerError as error:
            deliver(error)

    def _send(self) -> None:
        """Send what was put; once a second tell all fronts the figures."""
        due = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            while not self._closed:
                if selector.select(max(0.0, due - time.monotonic())):
                    self._woken.recv(4096)
                figures = None
                if time.monotonic() >= due:  # however much there is to send: fronts take silence for the end
                    due = time.monotonic() + FIGURES_SECONDS
                    asked = self._sequencer
                    figures = encode_figures(asked.stopped_because, asked.unready_because, _figures(asked))
                with self._lock:
                    lines = list(self._lines)
                for line in lines:
                    if figures is not None:
                        line.put(figures, wake=False)
                    line.flush()


class _Line:
    """One front process: its socket, and answers on their way to it."""

    def __init__(self, connection: socket.socket, wake: socket.socket) -> None:
        self.socket = connection
        # not settimeout: that would make the reading thread's socket non-blocking too
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_SECONDS, 0))
        # Set here and never again: any thread writes to it.
        self._wake = wake
        # Guarded by `_lock`: any thread adds, the sending thread takes all. The socket is read by the line's own thread and
        # written by the sending thread; it is sent to without the lock, so that a slow front holds up no answer.
        self._lock = threading.Lock()
        self._unsent = bytearray()

    def put(self, data: bytes, *, wake: bool = True) -> None:
        """Add an answer. Many puts in a row wake the sender once."""
        with self._lock:
            was_empty = not self._unsent
            self._unsent += data
        if was_empty and wake:
            self._wake.send(b"x")

    def flush(self) -> None:
        """Send all that was put; a front that does not read is cut off."""
        with self._lock:
            data, self._unsent = self._unsent, bytearray()
        if not data:
            return
        try:
            self.socket.sendall(data)
        except OSError as error:
            log.warning("a front process does not take its answers: %s", error)
            self.socket.close()


def _figures(sequencer: SequencerLike) -> dict[str, Any]:
    """The figures as plain values. They change while they are read, which does no harm."""
    figures = sequencer.figures
    found: dict[str, Any] = {"waiting": figures.waiting()}
    for field in fields(figures):
        if field.name not in ("waiting", "told"):
            value = getattr(figures, field.name)
            found[field.name] = dict(value.copy()) if isinstance(value, Counter) else value
    return found
