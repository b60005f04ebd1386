"""What a database engine must be able to do for the log: the contract of `sqlite.py` and `postgres.py` beside it.

Nothing else asks which engine it is. A new engine is a module with the functions of `Backend` and a class with the methods of
`Driver`, a line in ENGINES (engines/engine.py), its guards in the first migration, and a line in tests/engines.py: then every
test that asks for an engine asks for it too. MUST and MUST NOT are meant as in RFC 2119.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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

SHOWN_COLUMNS: Final = ", ".join(
    (*(f"e.{name}" for name in ENTRY_COLUMNS), "k.holder", "k.recipient", "c.size", "c.note")
)
"""Of `proved_entries`: e, k and c are an entry, its consent and its checkpoint."""
HEAD_COLUMNS: Final = "size, time, last_hash, edge, checkpoint, confirmed"
CONFIRM: Final = "UPDATE log_head SET confirmed = CASE WHEN confirmed < {0} THEN {0} ELSE confirmed END WHERE id = 1"
"""With the engine's own placeholder. It writes, whatever the row says."""

Row = tuple[Any, ...]


MOST_UNSOUND: Final = 20
"""What is broken in one place is told this often at most."""


@dataclass(frozen=True, slots=True)
class Unsound:
    """What the engine says of its own pages and indexes."""

    place: str
    said: str
    checked: bool = True
    """False: the engine could not look, for the reason that `said` gives."""


class Driver(Protocol):
    """The statements that differ between engines, for speed. Those that every batch needs go to the engine's own
    driver: in a small batch SQLAlchemy's bookkeeping for each statement costs more than the statement.

    Every method works inside the transaction of the connection that it is given and MUST NOT commit it. It MUST let the
    errors of the engine's driver through as they are.
    """

    def lock_head(self, connection: Connection, keys: Sequence[tuple[str, bytes]] = ()) -> tuple[Row | None, list[Row]]:
        """The head row (HEAD_COLUMNS, then the database's own time in ms where that is not this machine's), None when there is
        none; and rows (iss, jti, position, idx, payload_hash) of the statements with these (iss, jti).

        From its return to the end of the transaction, no other transaction MUST be able to lock the head. The rows MUST be
        read below the lock: a statement that another node recorded before it MUST be among them. The commit MUST be
        durable, as `hold_durable` says.
        """

    def insert_entries(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert rows of ENTRY_COLUMNS: all of them, or it MUST raise. A second row of an index MUST be refused."""

    def move_head(self, connection: Connection, old_size: int, row: Row) -> int:
        """Store a checkpoint and move the head from `old_size`; rows moved. `row` is in the order of HEAD_COLUMNS.

        It MUST move nothing, and answer 0, when the head is not at `old_size`.
        """

    def confirm(self, connection: Connection, size: int) -> None:
        """Write to the head row that `size` at least is confirmed. It MUST write also when the row knows that, since the
        commit of this write is what waits for the disk; it MUST NOT lower what the row knows."""

    def write(self, connection: Connection, rows: Sequence[Row], old_size: int, head: Row) -> int:
        """`insert_entries`, then `move_head`, in as few round trips as the engine allows; rows moved. Both MUST be done, or
        neither once the transaction is over."""

    def chain_heads(self, connection: Connection, chains: Sequence[bytes]) -> Iterable[Any]:
        """Rows (chain, seq, leaf_hash) of the last entry of each of these chains that has one, in any order."""

    def read_pages(self, connection: Connection, prefixes: Sequence[str]) -> Iterable[Any]:
        """Rows (prefix, page) of those of these pages of the completeness map that exist, in any order."""

    def write_pages(self, connection: Connection, pages: Mapping[str, bytes]) -> None:
        """Store pages of the completeness map. New ones MUST be added and changed ones replaced."""

    def first_checkpoints(self, connection: Connection, indexes: Sequence[int]) -> Iterable[Any]:
        """Rows (index, size, note) of the first checkpoint that includes each of these entries. It MUST be the smallest one:
        receipts are the same bytes whenever they are asked for."""

    def proved_entries(self, connection: Connection, indexes: Sequence[int]) -> Iterable[Any]:
        """Rows (ENTRY_COLUMNS, holder, recipient, size, note), with these names, of those of these entries that exist, in any
        order: the parties of an entry's consent, NULL where there is none, and the first checkpoint that includes it, as
        `first_checkpoints` says."""

    def hold_durable(self, connection: Connection) -> None:
        """This transaction's commit MUST NOT return before what it wrote survives a power cut, whatever its session was told
        before. `lock_head` does so too."""

    def keep_writers_out(self, connection: Connection, table: str) -> None:
        """Until this transaction ends, nobody else writes into this table; readers go on."""

    def verify_files(self, connection: Connection) -> None:
        """After a commit and before its answer. MUST raise Corrupt when the database's files are no longer those that this
        connection writes into: what was just committed lies where nobody will look for it."""

    def end_stalled(self, connection: Connection, /) -> int:
        """End the sessions of nodes that hold the log's lock and will never let it go; how many. It MUST NOT end one that
        still works."""


class Backend(Protocol):
    """One kind of database: how its engines are opened. Opening MUST change nothing but the permissions of its files."""

    @property
    def driver(self) -> Driver:
        """Its driver."""

    @property
    def in_file(self) -> bool:
        """Whether a database is a file of this machine, whose writers wait for each other."""

    def insert_into(self, table: Table) -> Any:
        """An INSERT that can be told what to do ON CONFLICT."""

    def make_database(self, url: str, beside: str, /) -> None:
        """Make a database on the server of another one; nothing when it exists. Raises InvalidInput."""

    def make_private(self, url: str, /) -> None:
        """Only its owner MUST be able to open the database's files, a new one's from the first moment. Raises InvalidInput."""

    def writer_engine(self, url: str) -> Engine:
        """For the one connection that writes: a transaction MUST take the log's lock when it begins, or by `lock_head`, and
        its commit MUST be durable."""

    def reader_engine(self, url: str, pool_size: int) -> Engine:
        """For readers: each transaction MUST see one state from its beginning to its end, and MUST NOT be able to write. A
        reader MUST NOT hold up the writer."""

    def operations_engine(self, url: str) -> Engine:
        """For what is not the log but lies beside it. A power cut may undo its commits."""

    def keystore_engine(self, url: str) -> Engine:
        """For the key store: commits MUST be durable, and a deleted key MUST leave nothing behind in the database's files."""

    def token_engine(self, url: str) -> Engine:
        """For one-time tokens, in sessions of their own: a session of it MUST NOT be used for the log."""

    def pages_engine(self, url: str) -> Engine:
        """For what the pages remember of people. A power cut may undo its commits; a deleted row MUST leave nothing behind
        in the database's files once `sweep` has answered True."""

    def move_log(self, reader: Engine, /) -> None:
        """What of the engine's write-ahead log must be moved by us. It MUST hold up no writer for long."""

    def empty_log(self, engine: Engine, /) -> bool:
        """Leave no old page behind in the write-ahead log. It MUST answer False when a reader prevents that."""

    def sweep(self, engine: Engine, tables: Sequence[str], /) -> bool:
        """Leave nothing of the rows that were deleted from these tables. It MUST answer False when a reader prevents that."""

    def weaknesses(self, connection: Connection, /) -> list[str]:
        """What of the server's set-up weakens what the log promises, in sentences for the operator. MUST raise InvalidInput
        for a set-up under which what was acknowledged can be lost."""

    def lock_catalogue(self, connection: Connection, /) -> None:
        """Until this transaction ends, nobody else MUST be able to make tables; they wait."""

    def database_bytes(self, connection: Connection, /) -> int:
        """The size of the database, in bytes."""

    def unsound(self, connection: Connection, tables: Sequence[str], /) -> Iterator[Unsound]:
        """What is broken in these tables and their indexes. What could not be examined MUST be said (`checked=False`)."""

    def explain(self, error: BaseException) -> str:
        """An error of the driver in words for the operator's log. It MUST NOT quote a value."""


def driver_of(connection: Connection) -> Any:
    """The engine's own connection below SQLAlchemy's, inside its transaction. Its errors are the driver's own."""
    # what SQLAlchemy calls `driver_connection` is the same for drivers that wait, found by three more calls, four times a batch
    driver = connection.connection.dbapi_connection
    if driver is None:
        raise InvalidInput("the database connection is closed")
    return driver
