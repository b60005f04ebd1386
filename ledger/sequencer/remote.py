"""A front process's line to the sequencing process of its node.

It has the shape of a sequencer, so nobody above it knows the difference. It lives on an event loop: frames of many requests
leave in one write, and answers come in on the loop's own thread, with no thread to wake.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections import Counter
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, cast

from typing_extensions import override

from ledger.errors import LedgerError, QueueFull, SequencerStopped, Unavailable
from ledger.participants import Registry
from ledger.planning.commands import Command
from ledger.sequencer.answers import Deliver
from ledger.sequencer.figures import Figures
from ledger.sequencer.follower import Follower
from ledger.sequencer.wire import ConfirmedFrame, FiguresFrame, Unframer, decode_answer, encode_command
from ledger.storage.horizon import Horizon

log = logging.getLogger("ledger.remote")

RETRY_SECONDS: Final = 0.02
SILENT_SECONDS: Final = 5.0
"""The desk speaks once a second."""


class RemoteSequencer:
    """The line. `start` must run on the event loop's thread; `submit` may be called from any."""

    def __init__(self, path: Path, follower: Follower, horizon: Horizon, *, max_waiting: int = 4096) -> None:
        """`path` is the desk's socket; `horizon` is told what the sequencing process knows to be confirmed."""
        # Set here and never again; horizon and follower may be asked from any thread.
        self._horizon = horizon
        self._path = path
        self._follower = follower
        self._max_waiting = max_waiting
        # Set by `start`; other threads use the loop by `call_soon_threadsafe` only.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        # All that follows is owned by the loop's thread. Other threads read what stands in one field, to tell somebody.
        self._waiting: dict[int, Deliver] = {}
        self._last_request = 0
        self._protocol: _Line | None = None
        self._ended = False
        self._told: str | None = None
        self._unready: str | None = "the sequencing process of this node has not said yet whether it records"
        self._told_at = time.monotonic()
        self._desk_waits = 0
        self.figures = Figures(waiting=lambda: self._desk_waits)

    @property
    def stopped_because(self) -> str | None:
        """Why nothing can be written now; None while it can."""
        if self._ended:
            return "this process is shutting down; another one will answer"
        if self._protocol is None:
            return "the sequencing process of this node does not answer; it is being started again"
        return self._told

    @property
    def unready_because(self) -> str | None:
        """Why a submission would probably not be recorded now; None when one would."""
        if (stopped := self.stopped_because) is not None:
            return stopped
        silent = time.monotonic() - self._told_at
        if silent > SILENT_SECONDS:
            return f"the sequencing process of this node has said nothing for {silent:.0f} s"
        return self._unready

    @property
    def registry(self) -> Registry:
        """Participants and keys as of the last refresh."""
        return self._follower.registry

    def start(self) -> None:
        """Connect. Raises Unavailable when the sequencing process does not answer in time."""
        self._follower.refresh()
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._loop.create_task(self._connect())

    def stop(self) -> None:
        """Close the line; what waits gets no answer here, and its statements may be submitted again."""
        self._ended = True
        protocol, self._protocol = self._protocol, None
        if protocol is not None and protocol.transport is not None:
            protocol.transport.close()
        self._fail_all(SequencerStopped("this process is shutting down; submitting the same statement again is safe"))

    def halt(self, reason: str) -> None:
        """A front signs nothing: it accepts no more for the sequencing process."""
        self._told = reason

    def refresh(self) -> Future[None]:
        """Learn of participants and keys that were recorded since."""
        done: Future[None] = Future()
        try:
            self._follower.refresh()
        except Unavailable as error:
            log.warning("cannot read participants and keys: %s", error.detail)
        done.set_result(None)
        return done

    def submit(self, command: Command, deliver: Deliver) -> None:
        """Send a command; `deliver` is called on the loop's thread. Raises QueueFull, SequencerStopped."""
        loop = self._loop
        if loop is not None and threading.get_ident() != self._loop_thread:
            loop.call_soon_threadsafe(self._submit_or_deliver, command, deliver)
            return
        self._submit(command, deliver)

    def _submit_or_deliver(self, command: Command, deliver: Deliver) -> None:
        try:
            self._submit(command, deliver)
        except LedgerError as error:
            deliver(error)

    def _submit(self, command: Command, deliver: Deliver) -> None:
        protocol = self._protocol
        if protocol is None:
            raise SequencerStopped(self.stopped_because or "not started")
        if len(self._waiting) >= self._max_waiting:
            self.figures.pushed_back_here += 1
            raise QueueFull(
                f"{self._max_waiting} submissions are waiting already; nothing was recorded, try again shortly"
            )
        self._last_request += 1
        self._waiting[self._last_request] = deliver
        protocol.put(encode_command(self._last_request, command))

    # -- the loop's thread ------------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._ended:
            try:
                await loop.create_unix_connection(lambda: _Line(self), str(self._path))
            except OSError:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    def connected(self, protocol: _Line) -> None:
        """The line is connected."""
        self._protocol = protocol

    def answered(self, body: bytes) -> None:
        """A frame came in."""
        request, answer = decode_answer(body)
        if isinstance(answer, ConfirmedFrame):
            self._horizon.reached(answer.size)
            return
        if isinstance(answer, FiguresFrame):
            self._take_figures(answer)
            return
        deliver = self._waiting.pop(request, None)
        if deliver is not None:
            deliver(answer)

    def lost(self) -> None:
        """The line is lost: nothing that waited on it will be answered."""
        self._protocol = None
        self._fail_all(
            Unavailable("the sequencing process ended before it answered; submitting the same statement again is safe")
        )
        if not self._ended and self._loop is not None:
            self._loop.create_task(self._connect())

    def _fail_all(self, error: LedgerError) -> None:
        waiting, self._waiting = self._waiting, {}
        for deliver in waiting.values():
            deliver(error)

    def _take_figures(self, frame: FiguresFrame) -> None:
        self._told = frame.stopped_because
        self._unready = frame.unready_because
        self._told_at = time.monotonic()
        values: dict[str, Any] = dict(frame.figures)
        self._desk_waits = values.pop("waiting")
        values.pop("pushed_back_here")  # each process counts its own
        for name, value in values.items():
            setattr(self.figures, name, Counter(value) if isinstance(value, dict) else value)


class _Line(asyncio.Protocol):
    """The connection to the desk."""

    def __init__(self, owner: RemoteSequencer) -> None:
        self._owner = owner
        self._frames = Unframer()
        self._unsent: list[bytes] = []
        self.transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, option, 1 << 20)
        self._owner.connected(self)

    def put(self, data: bytes) -> None:
        """Send soon, together with whatever else this turn of the loop produces."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent.append(data)

    def _flush(self) -> None:
        data, self._unsent = self._unsent, []
        if self.transport is not None:
            self.transport.write(b"".join(data))

    @override
    def data_received(self, data: bytes) -> None:
        for body in self._frames.feed(data):
            self._owner.answered(body)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.lost()
