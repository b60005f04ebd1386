"""What a database engine must be able to do for the log: the contract of `engines/sqlite.py` and `engines/postgres.py`.

Nothing else in the core asks which engine it is. A new engine is a module with the functions of `Backend` and a class with
the methods of `Driver`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Engine, Table

from ledger.errors import InvalidInput

ENTRY_COLUMNS: Final = (
    "idx",
    "kind",
    "chain",
    "seq",
    "leaf",
    "leaf_hash",
    "sealed",
    "iss",
    "jti",
    "position",
    "payload_hash",
)

HEAD_COLUMNS: Final = "size, time, last_hash, edge, checkpoint, confirmed"
CONFIRM: Final = "UPDATE log_head SET confirmed = CASE WHEN confirmed < {0} THEN {0} ELSE confirmed END WHERE id = 1"
"""With the engine's own placeholder. It writes, whatever the row says."""

Row = tuple[Any, ...]


class Driver(Protocol):
    """What is done differently on each engine, for speed. What every batch needs goes to the engine's own driver: in a small
    batch SQLAlchemy's bookkeeping for each statement costs more than the statement."""

    def lock_head(self, connection: Connection, keys: Sequence[tuple[str, bytes]] = ()) -> tuple[Row | None, list[Row]]:
        """The head row (HEAD_COLUMNS, then the database's own time in ms where that is not this machine's), locked, None when
        there is none; and, as they stand below the lock, rows (iss, jti, position, idx, payload_hash) of the statements with
        these (iss, jti)."""

    def insert_entries(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert rows of ENTRY_COLUMNS."""

    def move_head(self, connection: Connection, old_size: int, row: Row) -> int:
        """Store a checkpoint and move the head from `old_size`; rows moved. `row` is in the order of HEAD_COLUMNS."""

    def confirm(self, connection: Connection, size: int) -> None:
        """Write to the head row that `size` at least is confirmed; a write also when the row knows that."""

    def write(self, connection: Connection, rows: Sequence[Row], old_size: int, head: Row) -> int:
        """`insert_entries`, then `move_head`, in as few round trips as the engine allows; rows moved."""

    def chain_heads(self, connection: Connection, chains: Sequence[bytes]) -> Iterable[Any]:
        """Rows (chain, seq, leaf_hash) of the last entry of each of these chains that has one."""

    def read_pages(self, connection: Connection, prefixes: Sequence[str]) -> Iterable[Any]:
        """Rows (prefix, page) of those of these pages of the completeness map that exist."""

    def write_pages(self, connection: Connection, pages: Mapping[str, bytes]) -> None:
        """Store pages of the completeness map, new ones and changed ones."""

    def first_checkpoints(self, connection: Connection, indexes: Sequence[int]) -> Iterable[Any]:
        """Rows (index, size, note) of the first checkpoint that includes each of these entries."""

    def hold_durable(self, connection: Connection) -> None:
        """Make this transaction's commit wait for the disk, whatever its session was told before. `lock_head` does so too."""

    def verify_files(self, connection: Connection) -> None:
        """After a commit and before its answer. Raises Corrupt when the database's files are no longer those that this
        connection writes into: what was just committed lies where nobody will look for it."""

    def end_stalled(self, connection: Connection, /) -> int:
        """End the sessions of nodes that hold the log's lock and will never let it go; how many."""


class Backend(Protocol):
    """One kind of database: how its engines are opened. Opening changes nothing but the permissions of its files."""

    @property
    def driver(self) -> Driver:
        """Its driver."""

    @property
    def in_file(self) -> bool:
        """Whether a database is a file of this machine, whose writers wait for each other."""

    def insert_into(self, table: Table) -> Any:
        """An INSERT that can be told what to do ON CONFLICT."""

    def make_database(self, url: str, beside: str, /) -> None:
        """Make a database on the server of another one. Raises InvalidInput."""

    def make_private(self, url: str, /) -> None:
        """Let only its owner open the database's files, a new one's from the first moment. Raises InvalidInput."""

    def writer_engine(self, url: str) -> Engine:
        """For the one connection that writes: a transaction takes the log's lock and commits durably."""

    def reader_engine(self, url: str, pool_size: int) -> Engine:
        """For readers: each transaction sees one state and cannot write."""

    def operations_engine(self, url: str) -> Engine:
        """For what is not the log but lies beside it."""

    def keystore_engine(self, url: str) -> Engine:
        """For the key store: commits are durable, and deleted keys leave nothing behind."""

    def token_engine(self, url: str) -> Engine:
        """For one-time tokens, in sessions of their own: no session of it is ever used for the log."""

    def move_log(self, reader: Engine, /) -> None:
        """What of the engine's write-ahead log must be moved by us, in portions that hold up no writer for long."""

    def empty_log(self, engine: Engine, /) -> bool:
        """Leave no old page behind in the write-ahead log; False when a reader prevents that."""

    def weaknesses(self, connection: Connection, /) -> list[str]:
        """What of the server's set-up weakens what the log promises, in sentences for the operator. Raises InvalidInput for
        a set-up under which what was acknowledged can be lost."""

    def explain(self, error: BaseException) -> str:
        """An error of the driver in words for the operator's log. Never quotes a value."""


def driver_of(connection: Connection) -> Any:
    """The engine's own connection below SQLAlchemy's, inside its transaction. Its errors are the driver's own."""
    driver = connection.connection.driver_connection
    if driver is None:
        raise InvalidInput("the database connection is closed")
    return driver
