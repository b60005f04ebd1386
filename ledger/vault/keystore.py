"""The key store: one data key per consent and per subject, wrapped, in a database of its own.

It is never in the ledger's dump and has credentials and backups of its own: whoever holds only the ledger's database holds
ciphertext. Data keys are wrapped by a key-encryption key (KEK) with AES-256-GCM, bound to their chain and the KEK's epoch.
Erasing a chain destroys its data key; `rewrap` under a new KEK, after which the old KEK is destroyed, makes every older
backup of this store unreadable too.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    bindparam,
    func,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ledger.clock import Clock, SystemClock
from ledger.custody.places import WrappingKey
from ledger.engines.engine import backend_of, insert_into, make_tables
from ledger.errors import Corrupt, NotFound, Unavailable
from ledger.vault.cipher import KEY_SIZE, Bodies, Cipher
from ledger.vault.keeper import AskedKek

metadata: Final = MetaData()
data_keys: Final = Table(
    "data_keys",
    metadata,
    Column("chain", LargeBinary(32), primary_key=True),
    Column("kek_epoch", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=True),
    Column("created_at", Integer().with_variant(postgresql.BIGINT(), "postgresql"), nullable=False),
    Column("destroyed_at", Integer().with_variant(postgresql.BIGINT(), "postgresql"), nullable=True),
)
"""`wrapped` is NULL once the key is destroyed; the row stays, so that the chain never gets a second key."""
_KEYS: Final = select(data_keys.c.chain, data_keys.c.kek_epoch, data_keys.c.wrapped).where(
    data_keys.c.chain.in_(bindparam("asked", expanding=True))
)
key_store: Final = Table(
    "key_store",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("store_id", LargeBinary(16), nullable=False),
)
"""One row: what tells this key store from others. Its backups have the same."""

_CACHE_SIZE: Final = 65_536


class KeyStore:
    """Data keys by chain, cached in memory as ciphers. Thread-safe."""

    def __init__(
        self,
        engine: Engine,
        kek: bytes | WrappingKey,
        *,
        kek_epoch: int = 1,
        clock: Clock | None = None,
        bodies: Bodies | None = None,
    ) -> None:
        """`kek` is the key-encryption key of `kek_epoch`: 32 bytes, or what wraps with it elsewhere. `bodies`: where those are
        that were moved out of the log's database. The tables are made if they do not exist."""
        self._bodies = bodies
        self._engine = engine
        self._backend = backend_of(engine)
        self._kek = _wrapping(kek)
        self._epoch = kek_epoch
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._cache: OrderedDict[bytes, Cipher] = OrderedDict()
        self._forgotten: set[bytes] = set()
        """Erased chains: whoever read a key a moment before must not bring it back into memory. Owned by the lock."""
        # what a listener or a PRAGMA sends goes to the driver itself, whose errors SQLAlchemy does not see
        self._failures = (DBAPIError, PoolTimeout, engine.dialect.loaded_dbapi.Error)
        with self._answering():
            make_tables(engine, metadata.sorted_tables)

    def identity(self) -> bytes:
        """The 16 bytes that tell this key store from others; made at the first question."""
        query = select(key_store.c.store_id).where(key_store.c.id == 1)
        with self._connected() as connection:
            known: bytes | None = connection.execute(query).scalar_one_or_none()
        if known is not None:
            return bytes(known)
        with self._changing() as connection:
            row = {"id": 1, "store_id": os.urandom(16)}
            connection.execute(insert_into(self._engine, key_store).on_conflict_do_nothing(), row)
            return bytes(connection.execute(query).scalar_one())

    def ciphers(self, chains: Iterable[bytes], *, begun: Collection[bytes] = ()) -> dict[bytes, Cipher]:
        """The ciphers of these chains; keys that do not exist are made and are durable when this returns.

        `begun`: those of them that have entries already, to which no key is ever made. Raises Corrupt when one of these has
        none, NotFound for a chain whose key was destroyed.

        A key that is there, though its chain has no entry yet, may be what a commit left behind that nobody confirmed:
        a failover would lose it, while its cipher stayed in memory. It is written once more before anything is sealed
        with it.
        """
        wanted = set(chains)
        with self._lock:
            found = {chain: self._cache[chain] for chain in wanted.intersection(begun) if chain in self._cache}
        missing = wanted - found.keys()
        if missing:
            if lost := self.lacking(missing.intersection(begun)):
                raise no_key(len(lost))
            found |= self._load(missing, make=True, begun=set(begun))
        return found

    def lacking(self, chains: Iterable[bytes]) -> set[bytes]:
        """Those of these chains for which there never was a key here: not even a destroyed one."""
        wanted = set(chains)
        return wanted - self._select(wanted).keys()

    def cipher(self, chain: bytes) -> Cipher:
        """The cipher of one existing chain. Raises NotFound when its key was destroyed or never made."""
        with self._lock:
            known = self._cache.get(chain)
        return known if known is not None else self._load({chain}, make=False)[chain]

    def existing(self, chains: Iterable[bytes], *, remember: bool = True) -> dict[bytes, Cipher]:
        """The ciphers of those of these chains whose keys exist. A pass over the whole log does not `remember`: its ciphers,
        2.5 KiB each, would fill the memory and push out those that are in use."""
        wanted = set(chains)
        with self._lock:
            found = {chain: self._cache[chain] for chain in wanted if chain in self._cache}
        rows = self._select(wanted - found.keys())
        opened = self._unwrap({chain: row for chain, row in rows.items() if row[1]})
        return found | (self._remember(opened) if remember else opened)

    def destroyed(self, chains: Iterable[bytes]) -> set[bytes]:
        """Those of these chains whose keys were destroyed; a chain that never had one here is not among them."""
        return {chain for chain, (_, wrapped) in self._select(set(chains)).items() if wrapped is None}

    def destroy(self, chains: Iterable[bytes]) -> int:
        """Destroy the data keys of these chains; how many existed. Nothing that they encrypted can be read again.

        Raises Unavailable when a reader kept SQLite from overwriting the old bytes; doing it again is safe.
        """
        doomed = list(chains)
        marks = [
            {"chain": chain, "kek_epoch": self._epoch, "wrapped": None, "created_at": now, "destroyed_at": now}
            for now in (self._clock.now(),)
            for chain in doomed
        ]
        with self._changing() as connection:
            if marks:  # also for a chain whose key is not here: it never gets one
                connection.execute(insert_into(self._engine, data_keys).on_conflict_do_nothing(), marks)
                self._check_epoch(connection, doomed)
            done = connection.execute(
                update(data_keys)
                .where(data_keys.c.chain.in_(doomed), data_keys.c.wrapped.is_not(None))
                .values(wrapped=None, destroyed_at=self._clock.now())
            ).rowcount
        self.forget(doomed)
        self._truncate_wal()
        return done

    def forget(self, chains: Iterable[bytes]) -> None:
        """Drop these chains from the memory of this process, after another one erased them."""
        with self._lock:
            for chain in chains:
                self._forgotten.add(chain)
                self._cache.pop(chain, None)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()
        if isinstance(self._kek, AskedKek):
            self._kek.close()

    def rewrap(self, kek: bytes | WrappingKey, epoch: int) -> int:
        """Wrap all live data keys under a new KEK; how many. Destroy the old KEK afterwards to erase old backups."""
        new = _wrapping(kek)
        with self._changing() as connection:
            # a process that makes a key meanwhile waits, and then finds the new epoch (`_check_epoch`)
            self._backend.driver.keep_writers_out(connection, data_keys.name)
            rows = connection.execute(select(data_keys).where(data_keys.c.wrapped.is_not(None))).all()
            changed = [
                {
                    "of": row.chain,
                    "wrapped": new.seal(
                        self._kek.open(row.wrapped, _place(row.chain, row.kek_epoch)), _place(row.chain, epoch)
                    ),
                }
                for row in rows
            ]
            if changed:
                named = data_keys.c.chain == bindparam("of")
                connection.execute(update(data_keys).where(named).values(wrapped=bindparam("wrapped")), changed)
            connection.execute(update(data_keys).values(kek_epoch=epoch))
        self._kek, self._epoch = new, epoch
        self._truncate_wal()
        return len(rows)

    def epoch(self) -> int | None:
        """The epoch of the KEK that the keys here are wrapped under; None while there is no key."""
        with self._engine.connect() as connection:
            found: int | None = connection.execute(select(data_keys.c.kek_epoch).limit(1)).scalar_one_or_none()
        return found

    def live(self) -> int:
        """How many keys there are that were not destroyed."""
        query = select(func.count()).select_from(data_keys).where(data_keys.c.wrapped.is_not(None))
        with self._engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def check_kek(self) -> None:
        """Open one key, whichever. Raises Corrupt when it is wrapped under another KEK than this node's."""
        query = select(data_keys).where(data_keys.c.wrapped.is_not(None)).limit(1)
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            return
        try:
            self._unwrap({row.chain: (row.kek_epoch, row.wrapped)})
        except Corrupt:
            if row.kek_epoch != self._epoch:
                raise
            raise Corrupt(
                "the key-encryption key of this node does not open the keys of this key store: it is another one. Bring back "
                "the KEK that belongs to it; see docs/operating.md, «The key store»"
            ) from None

    def _check_epoch(self, connection: Connection, chains: Collection[bytes]) -> None:
        """Inside a transaction that has written keys of these chains, so that a change of the KEK comes before it or after it:
        all keys are wrapped under one KEK. Raises Corrupt: a node that is started anew reads the new one."""
        query = select(data_keys.c.kek_epoch).where(data_keys.c.chain.not_in(chains)).limit(1)
        epoch = connection.execute(query).scalar_one_or_none()
        if epoch is not None and epoch != self._epoch:
            raise _other_epoch(epoch, self._epoch)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """A database that refuses or does not answer is Unavailable here too: callers try again on that."""
        try:
            yield
        except self._failures as error:
            raise Unavailable(f"the key store does not answer: {self._explain(error)}") from error

    def _explain(self, error: Exception) -> str:
        return self._backend.explain(getattr(error, "orig", None) or error)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with self._answering(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        """A transaction that is durable when the block ends: a body whose key was lost would be unreadable for ever."""
        with self._connected() as connection:
            with connection.begin():
                self._backend.driver.hold_durable(connection)
                yield connection
            self._backend.driver.verify_files(connection)

    def _truncate_wal(self) -> None:
        """Leave no old page behind in the write-ahead log. Not possible inside a transaction."""
        with self._answering():
            emptied = self._backend.empty_log(self._engine)
        if not emptied:
            raise Unavailable(
                "the keys are destroyed, but a reader keeps their old bytes in a file; destroy them again"
            )

    def probe(self) -> None:
        """Ask for one key, whichever, and for the KEK's place. Raises Unavailable when one does not answer, or the store's
        file is gone: keys made from now on would be nowhere at the next start."""
        try:
            with self._engine.connect() as connection:
                connection.execute(select(data_keys.c.kek_epoch).limit(1)).all()
                self._backend.driver.verify_files(connection)
        except self._failures as error:
            raise Unavailable(f"it does not answer: {self._explain(error)}") from error
        except Corrupt:
            raise Unavailable(
                "its file was removed or exchanged under a running node; put it back, then start again"
            ) from None
        self._kek.probe()

    def _select(self, chains: set[bytes]) -> dict[bytes, tuple[int, bytes | None]]:
        rows: dict[bytes, tuple[int, bytes | None]] = {}
        if not chains:
            return rows
        ordered = list(chains)
        with self._connected() as connection:
            for at in range(0, len(ordered), 500):  # SQLite bounds the number of parameters
                for row in connection.execute(_KEYS, {"asked": ordered[at : at + 500]}):
                    rows[row.chain] = (row.kek_epoch, row.wrapped)
        return rows

    def _load(self, chains: set[bytes], *, make: bool, begun: Collection[bytes] = frozenset()) -> dict[bytes, Cipher]:
        rows = self._select(chains)
        absent = chains - rows.keys()
        if make and (unsure := rows.keys() - set(begun)):
            self._confirm(unsure)
        if absent and make:
            self._make(absent)
            rows |= self._select(absent)  # another process may have been first: its key is the one
        elif absent:
            raise NotFound("there is no data key for this chain")
        if any(wrapped is None for _, wrapped in rows.values()):
            raise NotFound("the data key of this chain was destroyed: its bodies are erased")
        ciphers = self._remember(self._unwrap(rows))
        if len(ciphers) < len(rows):
            raise NotFound("the data key of this chain was destroyed: its bodies are erased")
        return ciphers

    def _confirm(self, chains: set[bytes]) -> None:
        """A commit of our own, behind the one that made these keys: when it comes back, they are durable."""
        with self._changing() as connection:
            changed = data_keys.c.chain.in_(sorted(chains))
            connection.execute(update(data_keys).where(changed).values(kek_epoch=data_keys.c.kek_epoch))

    def _make(self, chains: set[bytes]) -> None:
        now = self._clock.now()
        values = [
            {
                "chain": chain,
                "kek_epoch": self._epoch,
                "wrapped": self._kek.seal(os.urandom(KEY_SIZE), _place(chain, self._epoch)),
                "created_at": now,
                "destroyed_at": None,
            }
            for chain in chains
        ]
        with self._changing() as connection:
            connection.execute(insert_into(self._engine, data_keys).on_conflict_do_nothing(), values)
            self._check_epoch(connection, chains)

    def _unwrap(self, rows: Mapping[bytes, tuple[int, bytes | None]]) -> dict[bytes, Cipher]:
        """The ciphers of these chains, from their rows: all in one question to the KEK's place."""
        sealed = []
        for chain, (epoch, wrapped) in rows.items():
            if wrapped is None or epoch != self._epoch:
                raise _other_epoch(epoch, self._epoch)
            sealed.append((wrapped, _place(chain, epoch)))
        ciphers = [Cipher(key, self._bodies) for key in _open_all(self._kek, sealed)] if sealed else []
        return dict(zip(rows, ciphers, strict=True))

    def _remember(self, ciphers: dict[bytes, Cipher]) -> dict[bytes, Cipher]:
        """Those of them that were not erased since they were read; they stay in memory."""
        with self._lock:
            ciphers = {chain: cipher for chain, cipher in ciphers.items() if chain not in self._forgotten}
            self._cache.update(ciphers)
            while len(self._cache) > _CACHE_SIZE:
                self._cache.popitem(last=False)
        return ciphers


def _wrapping(kek: bytes | WrappingKey) -> WrappingKey:
    return Cipher(kek) if isinstance(kek, bytes) else kek


def _open_all(kek: WrappingKey, sealed: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
    return kek.open_all(sealed) if isinstance(kek, AskedKek) else [kek.open(*one) for one in sealed]


def no_key(chains: int) -> Corrupt:
    """Chains with entries have no key here, and their bodies are not on record as erased."""
    return Corrupt(
        f"the key store has no key for {chains} of the chains that have entries: it is older than the log, or belongs to "
        "another one. Stop all nodes and bring back the newest key store; see docs/operating.md, «The key store»"
    )


def _other_epoch(found: int, held: int) -> Corrupt:
    """The KEK was changed, and this process holds one of another time."""
    return Corrupt(
        f"a data key is wrapped under KEK epoch {found}, and this node holds epoch {held}: give it the KEK of epoch {found} "
        "and start it anew. On the machine where it was changed, «consent-ledger kek rotate» finishes a change that was cut "
        "short; see docs/operating.md, «Changing the KEK»"
    )


def _place(chain: bytes, epoch: int) -> bytes:
    return f"consent-ledger/data_keys/wrapped/{chain.hex()}/{epoch}".encode()
