"""Holds rows against what the log has signed, before anything rests on them.

The head's checkpoint signs the tree. A leaf of the tree, the last index-head, signs the completeness map: how many leaves each
chain has, and which is the last. Somebody who writes in the database alone can take rows away; the signed map still has them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, func, or_, select

from ledger.canonical import b64u
from ledger.entries.leaf import NO_HASH, IndexHeadLeaf, Kind, OperatorLeaf, heads_chain, parse_leaf
from ledger.errors import BadEncoding, Corrupt, LedgerError
from ledger.kept import Kept
from ledger.merkle.edge import Edge
from ledger.merkle.hashing import Hash, leaf_hash
from ledger.merkle.proofs import prove_inclusion, verify_inclusion
from ledger.merkle.tiles import TileReader
from ledger.notes.checkpoint import Vkeys, open_checkpoint
from ledger.planning.world import ChainHead
from ledger.storage.chainmap import ChainMap, unsigned
from ledger.storage.rows import AFTER_CHANGE
from ledger.storage.tables import entries, log_head, tiles

COUNTED: Final = 100_000
"""Entries above the last index-head that a start counts, at most."""

BRANCHES: Final = 512
"""Upper pages of the map that are kept: those of the last index-head, and some of the one before."""

_TILE: Final = select(tiles.c.content).where(tiles.c.level == bindparam("level"), tiles.c.number == bindparam("number"))


class SignedTree:
    """The tree that an edge leads to. Its user must have held that edge against the signed checkpoint."""

    def __init__(self, connection: Connection, edge: Edge) -> None:
        self._connection = connection
        self._edge = edge
        self._read = TileReader(edge.size, self._tile).read_hashes

    def demand(self, index: int, hashed: Hash) -> None:
        """Raises Corrupt unless the tree has this leaf hash at this index."""
        try:
            proof = prove_inclusion(index, self._edge.size, self._read)
            verify_inclusion(index, self._edge.size, hashed, proof, self._edge.root())
        except LedgerError:
            raise Corrupt(f"entry {index} is not the one in the tree that the log has signed. {AFTER_CHANGE}") from None

    def _tile(self, level: int, number: int, width: int) -> bytes:
        row = self._connection.execute(_TILE, {"level": level, "number": number}).scalar_one_or_none()
        content = self._edge.tile(level, number) if row is None else row
        if content is None:
            raise Corrupt(f"tile {level}/{number} is missing")
        return bytes(content[: width * 32])


class SignedMap:
    """The completeness map as the last index-head signs it. One for each thread that asks."""

    def __init__(self) -> None:
        self._known: tuple[int, Hash] = (-1, b"")
        """Index of an index-head that was found in the signed tree, and the root that it signs."""
        self._branches: Kept[tuple[str, Hash], list[Hash]] = Kept(BRANCHES)

    def hold(
        self,
        connection: Connection,
        heads: Mapping[bytes, ChainHead],
        chains: Collection[bytes],
        tree: Callable[[], SignedTree],
    ) -> int:
        """Hold the ends of these chains, as their rows give them, against the map; how many leaves it covers, 0 while it is
        signed by none. A chain without rows is absent from `heads`. Raises Corrupt for one that lost its last entries.
        """
        stored = ChainMap(connection)
        state = stored.said()
        if not state.signed:  # it is being brought up to the log, in several transactions
            return 0
        if self._known != (state.head, state.root):
            self._demand_signed(connection, state.head, state.root, tree())
            self._known = state.head, state.root
        for chain, value in stored.values(state, chains, self._branches).items():
            end, count = heads.get(chain, ChainHead()), int.from_bytes(value[:8], "big")
            if end.seq < count or (end.seq == count and end.last_hash != value[8:]):
                raise Corrupt(
                    f"a chain has lost its last entries: index-head {state.head} counts {count}, its rows are {end.seq}, or "
                    f"the last of them is another. {AFTER_CHANGE}"
                )
        return state.size

    @staticmethod
    def _demand_signed(connection: Connection, index: int, root: Hash, tree: SignedTree) -> None:
        raw = connection.execute(select(entries.c.leaf).where(entries.c.idx == index)).scalar_one_or_none()
        try:
            leaf = None if raw is None else parse_leaf(raw)
        except BadEncoding:
            leaf = None
        if raw is None or not isinstance(leaf, IndexHeadLeaf) or (leaf.index, leaf.map_root) != (index, b64u(root)):
            raise unsigned(index)
        tree.demand(index, leaf_hash(raw))


class _End(NamedTuple):
    """The last document of a chain so far, entry `at`."""

    at: int
    seq: int
    hashed: Hash


def hold_documents(connection: Connection, vkeys: Callable[[], Vkeys]) -> None:
    """Hold the operator's documents against what the log has signed: each continues the one before it in its chain, and the
    last of each chain is the one that the map names, or stands in the tree. Above the map, no entry is missing.

    `vkeys` gives the log's keys, those that its documents name among them: it is asked last, when these are known to be the
    documents of the tree, and then says whether the tree is a signed one. Raises Corrupt, BadSignature. Reads what a start
    reads anyway, and for each participant one way down the map.
    """
    head = connection.execute(select(log_head.c.size, log_head.c.edge, log_head.c.checkpoint)).one_or_none()
    if head is None or not head.size:
        return
    edge = Edge.from_bytes(head.edge)
    tree = SignedTree(connection, edge)
    state = ChainMap(connection).state()
    covered = state.size if state.signed else 0
    ends, below = _ends(connection, head.size, covered)
    if covered:
        heads = {chain: ChainHead(end.seq + 1, end.hashed) for chain, end in below.items()}
        SignedMap().hold(connection, heads, ends.keys(), lambda: tree)
    for chain, end in ends.items():
        if below.get(chain) != end:
            tree.demand(end.at, end.hashed)
    if head.size - covered <= COUNTED:
        above = select(func.count()).where(entries.c.idx >= covered, entries.c.idx < head.size)
        if (count := connection.execute(above).scalar_one()) != head.size - covered:
            raise Corrupt(f"{head.size - covered - count} entries from {covered} onwards are missing. {AFTER_CHANGE}")
    signed = open_checkpoint(head.checkpoint, vkeys())
    if (edge.size, signed.size, edge.root()) != (head.size, head.size, signed.root):
        raise Corrupt(f"the head row does not agree with its own checkpoint of size {signed.size}")


def _ends(connection: Connection, size: int, covered: int) -> tuple[dict[bytes, _End], dict[bytes, _End]]:
    """The last document of each chain, in the whole log and below `covered`. Raises Corrupt for a broken chain.

    The chain of heads of a set is looked at where it ends, and above `covered`: it may be millions long.
    """
    query = select(entries.c.idx, entries.c.chain, entries.c.seq, entries.c.leaf, entries.c.leaf_hash)
    query = query.where(entries.c.kind == Kind.OPERATOR.value, entries.c.idx < size)
    ends: dict[bytes, _End] = {}
    below: dict[bytes, _End] = {}
    heads = query.where(entries.c.chain == heads_chain())
    last = heads.where(entries.c.idx < covered).order_by(entries.c.seq.desc()).limit(1)
    for row in connection.execute(last):
        ends[heads_chain()] = below[heads_chain()] = _document(row, None)
    others = or_(entries.c.chain != heads_chain(), entries.c.idx >= covered)
    for row in connection.execute(query.where(others).order_by(entries.c.idx)):
        chain = bytes(row.chain or b"")
        ends[chain] = _document(row, ends.get(chain, _End(-1, -1, NO_HASH)))
        if row.idx < covered:
            below[chain] = ends[chain]
    return ends, below


def _document(row: Any, before: _End | None) -> _End:
    """The operator document of a row, which continues the one before it in its chain. Raises Corrupt."""
    try:
        leaf, hashed = parse_leaf(row.leaf), leaf_hash(row.leaf)
    except (BadEncoding, TypeError):
        leaf, hashed = None, b""
    said = row.idx, b64u(bytes(row.chain or b"")), row.seq, row.leaf_hash
    if (
        not isinstance(leaf, OperatorLeaf)
        or (leaf.index, leaf.chain, leaf.seq, hashed) != said
        or (before is not None and (leaf.prev_in_chain, leaf.seq) != (b64u(before.hashed), before.seq + 1))
    ):
        raise Corrupt(
            f"entry {row.idx} was changed in the database, or the operator document before it in its chain was. "
            f"{AFTER_CHANGE}"
        )
    return _End(row.idx, leaf.seq, hashed)
