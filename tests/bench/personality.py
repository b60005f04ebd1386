"""A tile log for opaque entries: `POST /add` gives an index (the smallest of C2SP tlog personalities).

Load generators and clients of other tile logs can drive this ledger's tree, notes, tiles and group commit with it, and it
can be put beside those logs on equal terms. It is a scratch log of its own in one SQLite file: no participants, no rules,
no high-water file, no promise beyond durable, included and signed. A consent never goes here.

    POST /add                          body: 1 to 65,535 bytes → 200, the index in decimal, once committed and signed
    GET  /checkpoint                   the signed checkpoint (C2SP tlog-checkpoint)
    GET  /tile/<L>/<N>[.p/<W>]         a hash tile, /tile/entries/… an entry bundle (C2SP tlog-tiles)
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from api.http.httpserver import run
from api.http.wire import App, Receive, Reply, Scope, Send
from ledger.assembly import read_signer
from ledger.errors import BadEncoding, Corrupt, LedgerError
from ledger.merkle.edge import Edge
from ledger.merkle.hashing import leaf_hash
from ledger.merkle.tiles import ENTRIES, MAX_ENTRY_BYTES, TILE_WIDTH, TilePath, encode_bundle, parse_path
from ledger.notes.checkpoint import sign_checkpoint
from ledger.notes.keys import Signer, format_secret_key
from ledger.secrets import write_secret

MAX_WAITING: Final = 4096
MAX_BATCH: Final = 1024
TEXT: Final = "text/plain; charset=utf-8"
_SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS entry (idx INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS tile (level INTEGER, number INTEGER, content BLOB NOT NULL, PRIMARY KEY (level, number));
CREATE TABLE IF NOT EXISTS head (id INTEGER PRIMARY KEY CHECK (id = 1), edge BLOB NOT NULL, note TEXT NOT NULL);
"""


class ScratchLog:
    """Opaque entries in one SQLite file. One process writes; `append` and `read` may be called from any thread, in turn."""

    def __init__(self, path: Path, signer: Signer) -> None:
        """Open the log, or begin it. Raises Corrupt when the file is another key's log."""
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.executescript(_SCHEMA)
        self._signer = signer
        self._edge = Edge()
        self.checkpoint = ""
        row = self._database.execute("SELECT edge, note FROM head").fetchone()
        if row is not None:
            self._edge, self.checkpoint = Edge.from_bytes(row[0]), row[1]
            if self.checkpoint.partition("\n")[0] != signer.vkey.name:
                raise Corrupt(f"{path} holds another log than {signer.vkey.name}")
        else:
            self.append([])

    def append(self, entries: Sequence[bytes]) -> int:
        """Make entries durable under a new signed checkpoint, all in one commit; the index of the first."""
        growth = self._edge.grow([leaf_hash(entry) for entry in entries])
        first, edge = self._edge.size, growth.edge()
        note = sign_checkpoint(self._signer.vkey.name, growth.size, growth.root, self._signer)
        self._database.execute("BEGIN IMMEDIATE")
        try:
            self._database.executemany("INSERT INTO entry VALUES (?, ?)", enumerate(entries, first))
            self._database.executemany("INSERT INTO tile VALUES (?, ?, ?)", growth.full_tiles())
            self._database.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?)", (edge.to_bytes(), note))
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise
        self._edge, self.checkpoint = edge, note
        return first

    def read(self, tile: TilePath) -> bytes | None:
        """A tile or bundle at a width that the log has reached; None when there is none."""
        if tile.level == ENTRIES:
            first = tile.number * TILE_WIDTH
            query = "SELECT content FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx"
            entries = [row[0] for row in self._database.execute(query, (first, first + tile.width))]
            return encode_bundle(entries) if len(entries) == tile.width else None
        query = "SELECT content FROM tile WHERE level = ? AND number = ?"
        row = self._database.execute(query, (tile.level, tile.number)).fetchone()
        content = (row[0] if row else self._edge.tile(tile.level, tile.number)) or b""
        return bytes(content[: 32 * tile.width]) if len(content) >= 32 * tile.width else None

    def close(self) -> None:
        """Close the file."""
        self._database.close()


class Personality:
    """The ASGI application. Whatever arrives while one commit runs shares the next."""

    def __init__(self, log: ScratchLog) -> None:
        self._log = log
        self._waiting: list[tuple[bytes, asyncio.Future[int]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()  # the connection to the file serves one thread at a time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await (await self._answer(scope, receive)).send(send)

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        path: str = scope["path"]
        match scope["method"], path:
            case "POST", "/add":
                return await self._add(receive)
            case "GET", "/checkpoint":
                return Reply(200, self._log.checkpoint.encode(), TEXT, (("cache-control", "no-cache"),))
            case "GET", _:
                return await self._tile(path)
            case _:
                return Reply(404, b"nothing is served here\n", TEXT)

    async def _add(self, receive: Receive) -> Reply:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return Reply(400, b"the caller left\n", TEXT)
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > MAX_ENTRY_BYTES:
                return Reply(413, b"an entry has at most 65535 bytes\n", TEXT, (("connection", "close"),))
        if not body:
            return Reply(400, b"an entry has at least one byte\n", TEXT)
        if len(self._waiting) >= MAX_WAITING:
            return Reply(503, b"too many entries wait\n", TEXT, (("retry-after", "1"),))
        index = asyncio.get_running_loop().create_future()
        self._waiting.append((body, index))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        try:
            return Reply(200, b"%d" % await index, TEXT)
        except sqlite3.Error as error:
            return Reply(503, f"not recorded: {type(error).__name__}\n".encode(), TEXT, (("retry-after", "1"),))

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            try:
                async with self._turn:
                    first = await asyncio.to_thread(self._log.append, [body for body, _ in batch])
            except sqlite3.Error as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for index, (_, future) in enumerate(batch, first):
                if not future.done():  # its caller may have left; the entry stands
                    future.set_result(index)

    async def _tile(self, path: str) -> Reply:
        try:
            tile = parse_path(path[1:])
        except BadEncoding as error:
            return Reply(404, f"{error.detail}\n".encode(), TEXT)
        async with self._turn:
            content = await asyncio.to_thread(self._log.read, tile)
        if content is None:
            return Reply(404, b"the log has not grown so far\n", TEXT)
        return Reply(200, content, "application/octet-stream", (("cache-control", "max-age=31536000, immutable"),))


def open_scratch_log(folder: Path, origin: str) -> ScratchLog:
    """The scratch log in a folder, with a key of its own; made when it is not there. Raises InvalidInput, Corrupt."""
    key = folder / "scratch.key"
    if not key.exists():
        write_secret(key, (format_secret_key(origin, os.urandom(32)) + "\n").encode())
    signer = read_signer(key)
    if signer.vkey.name != origin:
        raise Corrupt(f"{key} is the key of {signer.vkey.name}")
    return ScratchLog(folder / "scratch.sqlite", signer)


def create_app(folder: Path, origin: str) -> App:
    """The application over the scratch log in a folder."""
    return Personality(open_scratch_log(folder, origin))


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m tests.bench.personality FOLDER`: serve a scratch log on loopback."""
    parser = argparse.ArgumentParser(
        prog="tests.bench.personality", description="A scratch tile log: POST /add gives an index."
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--origin", default="scratch.example/1")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    given = parser.parse_args(arguments)
    try:
        app = create_app(given.folder, given.origin)
    except LedgerError as error:
        parser.exit(1, f"{error.detail}\n")
    run(app, host=given.host, port=given.port, lifespan="off", log_level="warning")


if __name__ == "__main__":
    main()
