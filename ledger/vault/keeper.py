"""One process of a node keeps the key-encryption key, and the fronts ask it: they never hold that key themselves.

A frame is be32 length ‖ MessagePack array, on a Unix socket that only the node's own user can reach. The keeper wraps and
unwraps data keys, each bound to its chain, and nothing else: it opens no other text that was ever sealed with its key.
"""

from __future__ import annotations

import logging
import queue
import re
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from ledger.custody.places import WrappingKey
from ledger.errors import Corrupt, InvalidInput, LedgerError, NotFound, Unavailable
from ledger.secrets import listen_privately
from ledger.vault.cipher import KEY_SIZE

log = logging.getLogger("ledger.keeper")

FRAME_LIMIT: Final = 2**20
AT_ONCE: Final = 1_000
"""Keys in one question."""
ANSWER_SECONDS: Final = 30.0
"""The key may be in a place of its own, which takes its time."""
DATA_KEY: Final = re.compile(rb"consent-ledger/data_keys/wrapped/[0-9a-f]{64}/[1-9][0-9]{0,8}")
"""Where a data key is wrapped (`KeyStore`): what is sealed is bound to its place."""
AWAY: Final = (
    "the process of this node that keeps the key-encryption key does not answer; it is being started again, try again"
)
_REFUSALS: Final = {kind.__name__: kind for kind in (Corrupt, InvalidInput, NotFound, Unavailable)}


class _Asked(Struct, frozen=True, array_like=True):
    verb: Literal["open", "seal", "probe"]
    texts: tuple[tuple[bytes, bytes], ...] = ()
    """What to open or seal, each with its place."""


class _Told(Struct, frozen=True, array_like=True):
    epoch: int
    texts: tuple[bytes, ...] = ()
    refusal: str = ""
    """The error's name, and what it says."""
    detail: str = ""


_encode: Final = msgspec.msgpack.Encoder().encode
_asked: Final = msgspec.msgpack.Decoder(_Asked)
_told: Final = msgspec.msgpack.Decoder(_Told)


class Keeper:
    """Answers to every line until its process ends, or `close`."""

    def __init__(self, kek: WrappingKey, epoch: int, path: Path) -> None:
        """`path` is replaced if it exists: a dead process's socket."""
        self._kek = kek
        self._epoch = epoch
        self._listening = listen_privately(path)
        # Guarded by `_lock`: the accepting thread adds a line, its own thread discards it, `close` ends all.
        self._lock = threading.Lock()
        self._lines: set[socket.socket] = set()
        threading.Thread(target=self._accept, name="keeper", daemon=True).start()

    def close(self) -> None:
        """End all lines, and take no more. The socket's file stays: it may be the successor's already."""
        with self._lock:
            lines = [self._listening, *self._lines]
        for line in lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            with self._lock:
                self._lines.add(line)
            threading.Thread(target=self._serve, args=(line,), name="keeper-line", daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with line:
            try:
                while body := _receive(line):
                    _send(line, self._answer(body))
            except (OSError, msgspec.DecodeError) as error:
                log.warning("a process was cut off that asked for data keys: %s", error)
            finally:
                with self._lock:
                    self._lines.discard(line)

    def _answer(self, body: bytes) -> _Told:
        asked = _asked.decode(body)
        try:
            return _Told(self._epoch, self._done(asked))
        except LedgerError as error:
            name = type(error).__name__
            return _Told(self._epoch, (), name if name in _REFUSALS else Unavailable.__name__, error.detail)

    def _done(self, asked: _Asked) -> tuple[bytes, ...]:
        if not all(DATA_KEY.fullmatch(place) for _, place in asked.texts):
            raise InvalidInput("only data keys are wrapped under the key-encryption key")
        match asked.verb:
            case "open":
                return tuple(self._kek.open(*one) for one in asked.texts)
            case "seal":
                if any(len(key) != KEY_SIZE for key, _ in asked.texts):
                    raise InvalidInput(f"a data key has {KEY_SIZE} bytes")
                return tuple(self._kek.seal(*one) for one in asked.texts)
            case "probe":
                self._kek.probe()
                return ()


class AskedKek:
    """The key-encryption key as a front has it: a WrappingKey that asks the keeper. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        """Raises Unavailable when the keeper does not answer."""
        self._path = path
        self._idle: queue.LifoQueue[socket.socket] = queue.LifoQueue()
        self.epoch = self._ask(_Asked("open")).epoch
        """The epoch of the key that the keeper had at the start. After a change, all processes are started anew."""

    def seal(self, plaintext: bytes, place: bytes) -> bytes:
        """See Wrapper."""
        return self._texts("seal", [(plaintext, place)])[0]

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """See Wrapper."""
        return self._texts("open", [(sealed, place)])[0]

    def open_all(self, sealed: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        """As `open`, of several with their places: in one question, or a few."""
        return [
            text for at in range(0, len(sealed), AT_ONCE) for text in self._texts("open", sealed[at : at + AT_ONCE])
        ]

    def probe(self) -> None:
        """See WrappingKey."""
        self._ask(_Asked("probe"))

    def close(self) -> None:
        """Close the lines that nobody uses."""
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def _texts(self, verb: Literal["open", "seal"], texts: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, ...]:
        told = self._ask(_Asked(verb, tuple(texts))).texts
        if len(told) != len(texts):
            raise Unavailable(AWAY)
        return told

    def _ask(self, asked: _Asked) -> _Told:
        """Asking again is safe: nothing is kept of a question. Raises what the keeper raised, Unavailable."""
        while True:
            try:
                line, used = self._idle.get_nowait(), True
            except queue.Empty:
                line, used = self._connected(), False
            try:
                _send(line, asked)
                body = _receive(line)
                told = _told.decode(body) if body else None
            except TimeoutError:
                line.close()
                raise Unavailable(AWAY) from None
            except (OSError, msgspec.DecodeError):
                told = None
            if told is not None:
                break
            line.close()
            if not used:
                raise Unavailable(AWAY)  # else the keeper ended meanwhile: a new line leads to its successor
        self._idle.put(line)
        if told.refusal:
            raise _REFUSALS.get(told.refusal, Unavailable)(told.detail)
        return told

    def _connected(self) -> socket.socket:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.settimeout(ANSWER_SECONDS)
        try:
            line.connect(str(self._path))
        except OSError:
            line.close()
            raise Unavailable(AWAY) from None
        return line


def _send(line: socket.socket, message: _Asked | _Told) -> None:
    body = _encode(message)
    line.sendall(len(body).to_bytes(4, "big") + body)


def _receive(line: socket.socket) -> bytes:
    """One frame; empty once the other end has gone. Raises OSError."""
    length = int.from_bytes(_exactly(line, 4), "big")
    if length > FRAME_LIMIT:
        raise OSError(f"a frame of {length} bytes")
    return _exactly(line, length)


def _exactly(line: socket.socket, size: int) -> bytes:
    got = bytearray()
    while len(got) < size:
        part = line.recv(size - len(got))
        if not part:
            return b""
        got += part
    return bytes(got)
