"""One pass over the log in its order, in one snapshot: hashes, chains, tree, columns, bodies, and what they lead to.

It never replaces the auditor's `consent-verify`, which shares no code with this program and also replays the decisions.
Memory does not grow with the log: what is remembered of each chain and consent lies in a temporary file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError, StatementError

from api.checking.beside import examine_beside
from api.checking.columns import statement_columns
from api.checking.engine import examine_engine
from api.checking.findings import Findings
from api.checking.rows import NO_KEY, RowCheck
from api.checking.tree import ChainLinks, map_size
from api.checking.volumes import VolumeCheck
from ledger.canonical import b64u, unb64u
from ledger.entries.evidence import decode_evidence
from ledger.entries.leaf import CommitmentLeaf, IndexHeadLeaf, Leaf, OperatorLeaf, open_commitment, parse_leaf
from ledger.entries.statement import payload_of
from ledger.errors import BodiesAway, LedgerError, Unavailable
from ledger.merkle.edge import Edge
from ledger.merkle.hashing import leaf_hash
from ledger.merkle.tiles import tile_widths
from ledger.notes.checkpoint import Vkeys, open_checkpoint
from ledger.notes.keys import VerifierKey
from ledger.storage.legs import interaction_of
from ledger.storage.log import LogStore
from ledger.storage.operator import operator_documents
from ledger.storage.replay import Replay, Unfit, Unjudged
from ledger.storage.rows import open_evidence
from ledger.storage.spill import Spill
from ledger.storage.tables import checkpoints, entries, log_head, tiles
from ledger.vault.keystore import KeyStore

PAGE: Final = 1000

Progress = Callable[[int, int], None]
"""Takes entries done and entries in all."""


def examine(
    store: LogStore,
    keystore: KeyStore,
    vkeys: Vkeys,
    progress: Progress | None = None,
    witnesses: tuple[VerifierKey, ...] = (),
) -> Findings:
    """Hold every row and column of one snapshot against the entries, and the entries against what was signed.

    `witnesses`: the keys that kept cosignatures are held against. Raises Unavailable when the database does not answer.
    """
    found = Findings()
    try:
        with store.read() as connection, closing(Spill()) as spill:
            examine_engine(connection, found)
            examination = _Examination(connection, keystore, vkeys, progress, spill, found)
            _to_its_end(found, "entries and states", examination.run)
            reports, legs = examination.reports, examination.leg
            _to_its_end(found, "what lies beside", lambda: examine_beside(connection, found, witnesses, reports, legs))
        if examination.unrecorded:
            _to_its_end(found, "erasures", lambda: _unrecorded(store, found, examination.unrecorded))
    except Unavailable as error:
        if not found.count:
            raise
        found.could_not("database", f"the rest of it could not be read: {error.detail}")
    return found


def _unrecorded(store: LogStore, found: Findings, closed: dict[str, int]) -> None:
    """Keys that were destroyed without an erasure on record. One may have been recorded, and its key destroyed, since the
    snapshot: the log as it is now is asked."""
    with store.read() as connection:
        later = [said.says for said in operator_documents(connection, found.size)]
    for chain in (name for document in later if document["type"] == "erasure" for name in document["chains"]):
        closed.pop(chain, None)
    for index in closed.values():
        found.note(f"entry {index}", "the key of its chain was destroyed, and no entry records an erasure of it")


def _to_its_end(found: Findings, place: str, act: Callable[[], None]) -> None:
    """A damaged database holds values of any kind in any place: a value that cannot even be read is a defect, and the
    check goes on."""
    try:
        act()
    except LedgerError as error:
        if isinstance(error, Unavailable):
            raise
        found.note(place, error.detail)
    except (
        TypeError,
        ValueError,
        ArithmeticError,
        AttributeError,
        LookupError,
        StatementError,
        msgspec.MsgspecError,
    ) as error:
        if isinstance(error, DBAPIError):
            raise
        found.note(place, f"they cannot be read to their end: a value is of another kind ({type(error).__name__})")


class _Examination:
    def __init__(
        self,
        connection: Connection,
        keystore: KeyStore,
        vkeys: Vkeys,
        progress: Progress | None,
        spill: Spill,
        found: Findings,
    ) -> None:
        self._connection = connection
        self._keystore = keystore
        self._vkeys = vkeys
        self._progress = progress
        self._found = found
        self._edge = Edge()
        self._last = bytes(32)
        self._time = 0
        self._links = ChainLinks(spill, found)
        self._replay = Replay(spill)
        self._map_size = -1
        self._destroyed: set[bytes] = set()
        self._closed = spill.table("closed", sealed=False)
        self._volumes = VolumeCheck(found)
        self.unrecorded: dict[str, int] = {}
        """Chains whose key was destroyed although no erasure in this snapshot says so, each with an entry: the first."""
        self.reports: dict[int, str] = {}
        """`findings_hash` of each reconciliation report, by its index."""

    def leg(self, access: int, act: str) -> int | None:
        """The first leg of this act under an access, of its interaction; None without one that can be read."""
        came = self._replay.leg(access, act)
        if came is None:
            return None
        told = {}
        for row in self._connection.execute(select(entries).where(entries.c.idx.in_([access, came]))):
            cipher = self._keystore.existing([row.chain], remember=False).get(row.chain)
            if cipher is None or row.sealed is None:
                return None
            try:
                told[row.idx] = (row.chain, decode_evidence(open_evidence(row.idx, row.sealed, cipher)[0]))
            except BodiesAway:  # the entry was told of when its turn came
                return None
        if set(told) != {access, came}:
            return None
        (chain, asked), (its_chain, leg) = told[access], told[came]
        interaction = getattr(payload_of(leg.statements[0]), "interaction_id", None)
        return came if (chain, interaction_of(asked)) == (its_chain, interaction) else None

    def run(self) -> None:
        head = self._connection.execute(select(log_head)).one_or_none()
        if head is None:
            self._found.note("head", "there is no log in this database")
            return
        self._found.size = head.size
        if not isinstance(head.confirmed, int) or not 0 <= head.confirmed <= head.size:
            self._found.note("head", "what it calls confirmed is beyond the log")
        self._map_size = map_size(self._connection)
        rows = self._rows(head.size)
        note = ""
        for size, note in self._checkpoints():
            hashes = [leaf_hash(_bytes(row.leaf)) for row in self._take(rows, size - self._edge.size)]
            self._tree(size, note, hashes)
        if self._edge.size != head.size:
            self._found.note("head", f"it says {head.size} entries, and checkpoints cover {self._edge.size}")
        elif head.size:
            stored = (bytes(head.last_hash), bytes(head.edge), head.checkpoint, head.time)
            if stored != (self._last, self._edge.to_bytes(), note, self._time):
                self._found.note("head", "it does not continue the last entry, edge and checkpoint")
        if next(rows, None) is not None:
            self._found.note(f"entry {self._edge.size}", "no checkpoint covers it")
        self._count_tiles()
        self._links.root()
        if self._map_size >= self._edge.size or self._map_size < 0:
            self._links.compare_stored(self._connection, head.size)
        erased = self._replay.registry.erased
        closed = ((b64u(chain), int.from_bytes(index, "big")) for chain, index in self._closed.items())
        self.unrecorded = dict(islice((pair for pair in closed if pair[0] not in erased), PAGE))
        self._volumes.compare_stored(self._connection)
        RowCheck(self._connection, self._keystore, self._replay, self._found).run()

    def _checkpoints(self) -> Iterator[tuple[int, str]]:
        after = 0
        while True:
            query = select(checkpoints).where(checkpoints.c.size > after).order_by(checkpoints.c.size).limit(PAGE)
            page = self._connection.execute(query).all()
            if not page:
                return
            for row in page:
                yield row.size, row.note
            after = page[-1].size

    def _rows(self, size: int) -> Iterator[Any]:
        after = -1
        while True:
            page = self._connection.execute(
                select(entries).where(entries.c.idx > after).order_by(entries.c.idx).limit(PAGE)
            ).all()
            if not page:
                return
            chains = {row.chain for row in page if row.sealed is not None}
            ciphers = self._keystore.existing(chains, remember=False)
            closed = chains - ciphers.keys()
            self._destroyed = self._keystore.destroyed(closed) if closed else set()
            for row in page:
                self._entry(row, ciphers)
                yield row
            after = page[-1].idx
            if self._progress is not None:
                self._progress(min(after + 1, size), size)

    def _take(self, rows: Iterator[Any], count: int) -> Iterator[Any]:
        for _ in range(count):
            row = next(rows, None)
            if row is None:
                self._found.note("end", "entries are missing that a checkpoint covers")
                return
            yield row

    def _tree(self, size: int, note: str, hashes: list[bytes]) -> None:
        growth = self._edge.grow(hashes)
        self._edge = growth.edge()
        for tile in growth.full_tiles():
            query = select(tiles.c.content).where(tiles.c.level == tile.level, tiles.c.number == tile.number)
            if self._connection.execute(query).scalar_one_or_none() != tile.content:
                self._found.note(f"tile {tile.level}/{tile.number}", "it is missing or differs from the entries")
        try:
            signed = open_checkpoint(note, self._vkeys)
            if (signed.size, signed.root) != (size, growth.root) or growth.size != size:
                self._found.note(f"checkpoint {size}", "the entries do not lead to its root")
        except LedgerError as error:
            self._found.note(f"checkpoint {size}", error.detail)

    def _count_tiles(self) -> None:
        full = sum(count for _, count, _ in tile_widths(self._edge.size))
        stored = self._connection.execute(select(func.count()).select_from(tiles)).scalar_one()
        if stored != full:
            self._found.note("tiles", f"the table has {stored}, and a log of this size has {full} full ones")

    def _entry(self, row: Any, ciphers: Any) -> None:
        place = f"entry {row.idx}"
        if row.idx == self._map_size:
            self._links.compare_stored(self._connection, self._found.size)
        raw = _bytes(row.leaf)
        hashed = leaf_hash(raw)
        if raw is not row.leaf:
            self._found.note(place, "its leaf is stored as something else than bytes")
        try:
            leaf = parse_leaf(raw)
        except LedgerError as error:
            self._found.note(place, error.detail)
            self._last = hashed
            return
        if hashed != row.leaf_hash:
            self._found.note(place, "the stored leaf hash is not that of the leaf")
        if leaf.index != row.idx or leaf.prev != b64u(self._last):
            self._found.note(place, "it does not continue the entry before it")
        if leaf.time < self._time:
            self._found.note(place, "time runs backwards")
        self._last, self._time = hashed, max(leaf.time, self._time)
        self._chain(place, leaf, row, hashed)
        self._lead(place, leaf, row, ciphers)

    def _chain(self, place: str, leaf: Leaf, row: Any, hashed: bytes) -> None:
        named = (None, None) if isinstance(leaf, IndexHeadLeaf) else (unb64u(leaf.chain), leaf.seq)
        if (row.kind, row.chain, row.seq) != (leaf.kind, *named):
            self._found.note(place, "its columns kind, chain and seq are not those of the leaf")
        if not isinstance(leaf, IndexHeadLeaf):
            self._links.take(row.idx, unb64u(leaf.chain), leaf.seq, leaf.prev_in_chain, hashed)
        elif (leaf.map_size, leaf.map_root) != (leaf.index, b64u(self._links.root())):
            self._found.note(place, "it does not commit the completeness map over the leaves before it")
        if isinstance(leaf, IndexHeadLeaf):
            self._links.head, self._links.head_time = row.idx, leaf.time

    def _lead(self, place: str, leaf: Leaf, row: Any, ciphers: Any) -> None:
        """What an entry says is what its columns say, and fits what the entries before it lead to."""
        if not isinstance(leaf, CommitmentLeaf):
            if (row.sealed, row.iss, row.jti, row.position, row.payload_hash) != (None,) * 5:
                self._found.note(place, "it has a body or a statement, and is a leaf in clear")
            if isinstance(leaf, OperatorLeaf):
                self._judge(place, lambda: self._replay.document(row.idx, leaf.time, leaf.document))
                if leaf.document.get("type") == "reconciliation.reported":
                    self.reports[leaf.index] = str(leaf.document.get("findings_hash"))
        elif row.sealed is None:
            self._found.note(place, "its evidence is missing")
        elif not self._volumes.take(row):
            self._replay.pass_over(row.chain)
        elif row.chain in self._destroyed:
            self._found.erased += 1
            self._closed.put(row.chain, row.idx.to_bytes(8, "big"))
        elif row.chain not in ciphers:
            self._found.note(place, NO_KEY)
        else:
            try:
                self._judge(place, lambda: self._open(place, leaf, row, ciphers[row.chain]))
            except BodiesAway as error:
                self._volumes.away(place, error)
                self._replay.pass_over(row.chain)

    def _judge(self, place: str, act: Callable[[], None]) -> None:
        try:
            act()
        except BodiesAway:
            raise
        except LedgerError as error:
            self._found.note(place, error.detail)
        except Unfit as error:
            self._found.note(place, str(error))
        except Unjudged as error:
            self._found.could_not(
                place, f"what it led to was not compared, the rules of this version refuse it: {error}"
            )

    def _open(self, place: str, leaf: CommitmentLeaf, row: Any, cipher: Any) -> None:
        body, opening = open_evidence(row.idx, row.sealed, cipher)
        open_commitment(leaf, body, opening)
        self._found.opened += 1
        try:
            evidence = decode_evidence(body)
        except msgspec.MsgspecError:
            self._found.note(place, "its evidence is not of a form that this version reads")
            return
        if (row.iss, row.jti, row.position, row.payload_hash) != statement_columns(evidence):
            self._found.note(place, "its columns iss, jti, position and payload_hash are not those of its statement")
        self._replay.entry(row.idx, leaf.time, row.chain, evidence)


def _bytes(value: object) -> bytes:
    """A column's bytes; SQLite lets whoever tampers store any type in it."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
