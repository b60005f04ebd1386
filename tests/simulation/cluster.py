"""A database server with a synchronous standby, over SQLite's own files, and what can happen to it.

A COMMIT is carried out when its fate is known. Until then it waits, as a session of PostgreSQL waits for its standby: nobody
sees it, and it keeps its locks. The fates: the standby has it, the wait was cancelled, the server crashed before or after its
disk had it, or with half of it there. SQLite itself recovers from what the disk then holds.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.simulation.hub import Hub, Process

SECTOR = 512
LOCK_SECONDS = 5.0
COMMIT_SECONDS = 30.0
"""As ledger/engines/patient.py waits for an answer."""

Fate = Literal["lost", "torn", "kept", "received"]
Image = dict[str, tuple[bytes, bytes]]
"""By database: the file, and its write-ahead log."""
Before = Callable[["Connection", str], None]
"""Called before each call of a driver; raises, waits, or lets it pass."""


def failure(words: str) -> sqlite3.OperationalError:
    return sqlite3.OperationalError(words)


def lost() -> sqlite3.ProgrammingError:
    """A session has ended. SQLAlchemy knows it by this sentence, and has no more of the pool's sessions from before."""
    return sqlite3.ProgrammingError("Cannot operate on a closed database.")


class Connection(sqlite3.Connection):
    """A process's session. What it calls goes through the cluster first."""

    cluster: Cluster
    process: Process
    name: str
    written = 0
    """Rows that had been changed when its transaction began."""
    lost = False
    """The server does not know it any more."""
    cancelled = False
    answerless = False
    """The next COMMIT is carried out, and its answer is lost."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql == "BEGIN IMMEDIATE":
            return self.cluster.begin(self)
        self.cluster.called(self, "execute")
        if sql.startswith("PRAGMA wal_checkpoint"):
            self.cluster.moved(self.name)
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        self.cluster.called(self, "execute")
        return super().executemany(sql, parameters)

    def cursor(self, factory: Any = None) -> sqlite3.Cursor:
        if self.lost:
            raise lost()
        return super().cursor(Cursor)

    def begin(self) -> sqlite3.Cursor:
        self.written = self.total_changes
        return super().execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        if self.lost:
            raise lost()
        if self.in_transaction:
            self.cluster.commit(self)

    def really_commit(self) -> None:
        super().commit()

    def rollback(self) -> None:
        if not self.lost and self.cluster.waits(self.name) is not self:
            super().rollback()

    def close(self) -> None:
        if not self.lost and self.cluster.waits(self.name) is not self:
            self.cluster.forget(self)
            self.really_close()
        self.lost = True

    def really_close(self) -> None:
        self.lost = True
        self.cluster.moved(self.name)  # the last one to close moves the write-ahead log into the file
        super().close()


class Cursor(sqlite3.Cursor):
    """A cursor of such a session."""

    connection: Connection

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql == "BEGIN IMMEDIATE":
            return self.connection.cluster.begin(self.connection)
        self.connection.cluster.called(self.connection, "execute")
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        self.connection.cluster.called(self.connection, "execute")
        return super().executemany(sql, parameters)


@dataclass
class Standby:
    """What a standby has received."""

    image: Image
    streams: bool = True
    whole: bool = True
    """It has all that was ever acknowledged: it may be promoted."""


@dataclass
class Script:
    """Whoever plays a trace of the model decides who has his turn: nobody else takes the log's lock, and no COMMIT of the log
    comes back, until it is told to. The key store does not wait: the model has no steps of it."""

    admits: str = ""
    """The process that may take the log's lock."""
    holds: bool = True


@dataclass
class Cluster:
    """One primary and at most one standby, both with the log's and the key store's database."""

    hub: Hub
    folder: Path
    before: Before
    heeds_warnings: bool = True
    up: bool = True
    waits_for_standby: bool = False
    standby: Standby | None = None
    script: Script | None = None
    _open: dict[str, list[Connection]] = field(default_factory=lambda: {"log": [], "keys": []})
    _waiting: dict[str, Connection] = field(default_factory=dict)
    _known: dict[str, bytes] = field(default_factory=dict)

    # -- sessions ---------------------------------------------------------------------------------------------------

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.sqlite"

    def connect(self, name: str) -> Connection:
        """A session for the process that runs now. Raises sqlite3.OperationalError while the server is down."""
        hub = self.hub
        if hub.current is not None:
            hub.pause(0.001)
        if not self.up:
            raise failure("connection refused")
        connection = sqlite3.connect(self.path(name), timeout=0, factory=Connection, check_same_thread=False)
        connection.cluster, connection.process, connection.name = self, hub.process, name
        self._open[name].append(connection)
        return connection

    def forget(self, connection: Connection) -> None:
        if connection in self._open[connection.name]:
            self._open[connection.name].remove(connection)

    def waits(self, name: str) -> Connection | None:
        """The session whose COMMIT waits, if one does."""
        return self._waiting.get(name)

    def called(self, connection: Connection, what: str) -> None:
        """A call of the driver has come: what may happen to it happens. Raises sqlite3.OperationalError, Died."""
        if connection.lost:
            raise lost()
        if self.hub.current is not None:
            self.before(connection, what)
            if connection.lost:
                raise lost()

    def begin(self, connection: Connection) -> sqlite3.Cursor:
        """Take the lock of a database, or wait for it."""
        hub, script = self.hub, self.script
        if script is not None and connection.name == "log":
            hub.wait(lambda: script.admits == connection.process.name or connection.lost, None)
        end = hub.now + LOCK_SECONDS
        while True:
            self.called(connection, "begin")
            try:
                return connection.begin()
            except sqlite3.OperationalError:
                if hub.now >= end or hub.current is None:
                    raise
            hub.pause(0.02 + hub.random.random() * 0.2)

    def commit(self, connection: Connection) -> None:
        """Commit. Raises sqlite3.OperationalError when the outcome is unknown to the caller."""
        hub = self.hub
        if hub.current is None or connection.total_changes == connection.written:
            connection.really_commit()
            return
        self.called(connection, "commit")
        if self.script is not None and connection.name == "keys":
            connection.really_commit()
            if self.standby is not None:
                self.standby.image["keys"] = self._read("keys")
            return
        self._waiting[connection.name] = connection
        end = hub.now + COMMIT_SECONDS
        while self._waiting.get(connection.name) is connection:
            hub.pause(0.0005 + hub.random.random() * 0.002 if self.streaming else 0.05)
            if self._waiting.get(connection.name) is not connection:
                break
            if self.streaming:
                self._carry_out(connection)
            elif hub.now >= end:
                connection.lost = True  # whoever asked does not wait any more; the server does
                raise failure("no answer from the database")
        if connection.cancelled:
            connection.cancelled = False
            if self.heeds_warnings:
                connection.close()
                raise failure("the server stopped waiting for its standby")
            return
        if connection.lost or connection.answerless:
            connection.close()
            raise lost()

    @property
    def streaming(self) -> bool:
        """Whether a COMMIT can come back now."""
        if self.script is not None and self.script.holds:
            return False
        return not self.waits_for_standby or (self.standby is not None and self.standby.streams)

    def _carry_out(self, connection: Connection) -> None:
        connection.really_commit()
        del self._waiting[connection.name]
        if connection.lost:  # nobody is left to be told
            self.forget(connection)
            connection.really_close()
        self.ship()

    # -- what is done to it -----------------------------------------------------------------------------------------

    def ship(self) -> None:
        """The standby receives all that is visible."""
        if self.standby is None:
            return
        if self.standby.streams:
            self.standby.image, self.standby.whole = self.image(), True
        elif not self.waits_for_standby:
            self.standby.whole = False

    def cancel(self, name: str = "log") -> bool:
        """The wait of a COMMIT is cancelled: it succeeds, with a warning. Whether there was one."""
        connection = self._waiting.get(name)
        if connection is None or (self.streaming and self.script is None):
            return False
        connection.cancelled = not connection.lost
        self._carry_out(connection)
        return True

    def returns(self) -> None:
        """The standby streams again, and what waited for it comes back."""
        if self.standby is None:
            return
        self.standby.streams = True
        self.settle()
        self.ship()

    def settle(self) -> None:
        """What waits for nobody any more is carried out."""
        for connection in list(self._waiting.values()):
            if connection.lost and self.streaming:
                self._carry_out(connection)

    def crash(self, fate: Fate) -> None:
        """The server's machine loses its power; what waits to be committed has this fate on its disk."""
        if fate == "received" and not self.streaming:
            fate = "kept"
        images: Image = {}
        for name in self._open:
            connection = self._waiting.pop(name, None)
            old = self._read(name)
            if connection is not None and fate != "lost":
                connection.really_commit()
            new = self._read(name)
            images[name] = (new[0], self._torn(old[1], new[1])) if fate == "torn" else new
        if fate == "received":
            self.ship()
        self._close()
        self._write(images)
        self.up = False

    def stop(self) -> None:
        """At the end of a run."""
        self._close()
        self.up = False

    def start(self) -> None:
        """The server starts from what its disk holds."""
        self.up = True

    def promote(self) -> bool:
        """The standby becomes the primary, and the only one; whether it may."""
        if self.standby is None or not self.standby.whole:
            return False
        if self.up:
            self.crash("lost")
        self._write(self.standby.image)
        self.standby, self.waits_for_standby = None, False
        self.start()
        return True

    def rebuild(self) -> None:
        """A new standby is made from the primary, and commits wait for it from now on."""
        if self.up and self.standby is None:
            self.standby, self.waits_for_standby = Standby(self.image()), True

    def replace(self, image: Image) -> None:
        """The databases are exchanged for others, while the server is down."""
        self._close()
        self._write(image)

    def drop(self, process: Process) -> None:
        """A process is gone: its sessions end. What it was waiting for is carried out all the same."""
        for name, connections in self._open.items():
            for connection in [one for one in connections if one.process is process]:
                if self._waiting.get(name) is connection:
                    connection.lost = True
                else:
                    connections.remove(connection)
                    connection.really_close()
        self.settle()

    def lose(self, connection: Connection) -> None:
        """One session is cut."""
        if not connection.lost and self._waiting.get(connection.name) is not connection:
            self.forget(connection)
            connection.really_close()

    def image(self) -> Image:
        """What the disk holds."""
        return {name: self._read(name) for name in self._open}

    # -- files ------------------------------------------------------------------------------------------------------

    def _read(self, name: str) -> tuple[bytes, bytes]:
        path = self.path(name)
        content = self._known.get(name)
        if content is None:
            content = self._known[name] = path.read_bytes()
        try:
            with open(f"{path}-wal", "rb") as file:  # noqa: PTH123  (for each commit)
                log = file.read()
        except FileNotFoundError:
            log = b""
        return content, log

    def moved(self, name: str) -> None:
        """The file of a database may have changed: only SQLite's own checkpoints do that."""
        self._known.pop(name, None)

    def _torn(self, old: bytes, new: bytes) -> bytes:
        """Each sector of a write that was not forced to disk is there, or is not."""
        size = max(len(old), len(new))
        old, new = old.ljust(size, b"\0"), new.ljust(size, b"\0")
        parts = [
            (new if old[at : at + SECTOR] == new[at : at + SECTOR] or self.hub.random.random() < 0.7 else old)[
                at : at + SECTOR
            ]
            for at in range(0, size, SECTOR)
        ]
        return b"".join(parts)

    def _close(self) -> None:
        for connections in self._open.values():
            for connection in connections:
                connection.really_close()
            connections.clear()
        self._waiting.clear()

    def _write(self, images: Image) -> None:
        for name, (content, log) in images.items():
            path = str(self.path(name))
            for suffix in ("-wal", "-shm"):
                if os.path.exists(path + suffix):  # noqa: PTH110
                    os.unlink(path + suffix)  # noqa: PTH108
            Path(path).write_bytes(content)
            if log:
                Path(path + "-wal").write_bytes(log)
        self._known.clear()
