"""Putting a node together from a configuration: files, databases, keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ledger.app import Ledger
from ledger.catalogue import OPENS_UNDER
from ledger.clock import Clock, SystemClock
from ledger.custody.log_key import LogKeyring, make_log_key, read_signer
from ledger.documents import opening
from ledger.engines.engine import keystore_engine, reader_engine, writer_engine
from ledger.entries.leaf import NO_HASH
from ledger.errors import Conflict, Corrupt
from ledger.highwater import HighWater
from ledger.merkle.edge import Edge
from ledger.notes.checkpoint import sign_checkpoint
from ledger.notes.keys import Signer, VerifierKey
from ledger.publish.places import fetching_from
from ledger.queries.tree import visible_size
from ledger.sequencer.follower import Follower
from ledger.sequencer.loop import Sequencer
from ledger.sequencer.reading import ReadingOnly
from ledger.sequencer.remote import RemoteSequencer
from ledger.sequencer.watch import LEAD_MS, ClockWatch
from ledger.storage.log import Head, LogStore
from ledger.storage.volumes import NOWHERE, Volumes
from ledger.vault.keeper import AskedKek
from ledger.vault.kek import Kek, make_kek, read_kek
from ledger.vault.keystore import KeyStore


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Where a node finds its parts. Secrets are files, never values."""

    database_url: str
    """SQLAlchemy URL of the log: `sqlite:///…` or `postgresql+psycopg://…`."""
    keystore_url: str
    """SQLAlchemy URL of the key store: another database, with credentials and backups of its own."""
    log_key_file: Path
    """The log's note key, text, mode 0600."""
    kek_file: Path
    """The key-encryption key (ledger/vault/kek.py), mode 0600."""
    highwater_file: Path
    """Outside the database and its backups."""
    max_waiting: int = 4096
    max_batch: int = 512
    clock_file: Path | None = None
    """Where this machine's clock is anchored (ledger/sequencer/watch.py); None: in memory only."""
    clock_lead_ms: int = LEAD_MS
    """How far this machine's clock may be ahead of the time that has passed, and of the database's clock."""
    bodies_at: str = ""
    """Where old bodies were moved: a folder, or the address of an object store; empty: nowhere."""
    index_interval_ms: int = 0
    """Milliseconds within which an index-head covers every entry; 0: only when one is asked for."""


def make_keys(config: NodeConfig, origin: str, *, log_key: str = "", kek: str = "") -> None:
    """Make the log key and the key-encryption key, in their files or at the URIs `log_key` and `kek`.

    Raises Conflict when a file exists already, InvalidInput, Unavailable.
    """
    make_log_key(config.log_key_file, origin, log_key)
    make_kek(config.kek_file, kek)


def open_ledger(config: NodeConfig, *, clock: Clock | None = None) -> Ledger:
    """Build a node; `start` makes it write. A `clock` other than the machine's is believed as it is.

    Raises NotFound or InvalidInput for missing or unfit key files.
    """
    keys = LogKeyring.at(config.log_key_file)
    watch = ClockWatch(config.clock_file, lead=config.clock_lead_ms) if clock is None else None
    clock = clock or SystemClock()
    keystore = _key_store(config, clock)
    store = LogStore(writer_engine(config.database_url), reader_engine(config.database_url), keystore)
    sequencer = Sequencer(
        store,
        keys,
        HighWater(config.highwater_file, keys.own.vkey),
        clock,
        max_waiting=config.max_waiting,
        max_batch=config.max_batch,
        index_interval_ms=config.index_interval_ms,
        watch=watch,
    )
    return Ledger(store, keystore, sequencer, keys.own.vkey, clock)


def open_front(config: NodeConfig, desk: Path, vkey: VerifierKey, kek: AskedKek) -> Ledger:
    """A node's front: it reads, checks signatures and hands commands to the sequencing process at `desk`.

    It opens neither the log's signing key, whose public half is `vkey`, nor the key-encryption key: it asks the process that
    keeps it.
    """
    keystore = KeyStore(
        keystore_engine(config.keystore_url), kek, kek_epoch=kek.epoch, bodies=_bodies(config.bodies_at)
    )
    store = LogStore(writer_engine(config.database_url), reader_engine(config.database_url), keystore)
    return Ledger(
        store,
        keystore,
        RemoteSequencer(desk, Follower(store, keystore), store.horizon, max_waiting=config.max_waiting),
        vkey,
    )


def open_reader(config: NodeConfig, vkey: VerifierKey) -> Ledger:
    """A node that only reads, from a standby if need be: it has no signing key of the log, whose public half is `vkey`."""
    keystore = _key_store(config)
    store = LogStore(writer_engine(config.database_url), reader_engine(config.database_url), keystore)
    return Ledger(store, keystore, ReadingOnly(Follower(store, keystore)), vkey)


def _key_store(config: NodeConfig, clock: Clock | None = None) -> KeyStore:
    return key_store_of(config.keystore_url, read_kek(config.kek_file), clock, _bodies(config.bodies_at))


def _bodies(where: str) -> Volumes:
    return Volumes(fetching_from(where) if where else None)


def key_store_of(url: str, kek: Kek, clock: Clock | None = None, bodies: Volumes = NOWHERE) -> KeyStore:
    """The key store at `url`, opened with this KEK; `bodies`: where those are that were moved."""
    return KeyStore(keystore_engine(url), kek.wrapping(), kek_epoch=kek.epoch, clock=clock, bodies=bodies)


def create_log(config: NodeConfig, *, clock: Clock | None = None, ruleset: int = OPENS_UNDER) -> None:
    """Open a new log in a migrated, empty database: the head of size 0, then «ledger.opened» as entry 0.

    Raises Conflict when the database holds a log, Corrupt when this node has signed for it before.
    """
    signer = read_signer(config.log_key_file)
    if config.highwater_file.exists():
        raise Corrupt(
            f"{config.highwater_file} says that this node has signed for this log before: a new database would be a second "
            "history. Bring the old database back, or choose another origin and other files"
        )
    ledger = open_ledger(config, clock=clock)
    try:
        _make_head(ledger, signer)
        ledger.start()
        ledger.record_documents(opening(signer.vkey.name, ruleset))
    finally:
        ledger.stop()


def _make_head(ledger: Ledger, signer: Signer) -> None:
    """The head of an empty log, unless a crash of an earlier `create_log` left just that. Raises Conflict."""
    with ledger.store.read() as connection:
        size = visible_size(connection)
    if size:
        raise Conflict(f"this database holds a log of {size} entries already")
    if size is None:
        edge = Edge()
        note = sign_checkpoint(signer.vkey.name, 0, edge.root(), signer)
        ledger.store.create_head(Head(0, 0, NO_HASH, edge.to_bytes(), note))
