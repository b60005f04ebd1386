"""Logs of a million entries in seconds: rows, tiles and edge written in bulk, head and checkpoint signed by the log's own key.

The filler entries are leaves of nothing (a hundred to a chain, and their content is a number), but the tree over them, the
indexes, the completeness map and the signatures are what they would be; the node that opens such a log cannot tell.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from sqlalchemy import Engine, insert, select, update

from api.node.slots import highwater_files
from ledger.assembly import read_signer
from ledger.engines.engine import driver_for, writer_engine
from ledger.highwater import HighWater
from ledger.merkle.edge import Edge, FullTile
from ledger.merkle.hashing import HASH_SIZE, leaf_hash, parents
from ledger.merkle.tiles import TILE_WIDTH, tile_widths
from ledger.notes.checkpoint import sign_checkpoint
from ledger.storage.chainmap import rebuild_map
from ledger.storage.tables import checkpoints, log_head, tiles
from tests.bench.places import Place

PORTION = 65_536
PER_CHAIN = 100
"""Filler entries to a chain, spread over the whole log as the accesses under a consent are."""


def fill(log: Place, size: int) -> None:
    """Let the log (of no running node) have `size` entries."""
    engine = writer_engine(log.settings.database_url)
    signer = read_signer(log.settings.log_key_file)
    with engine.begin() as connection:
        head = connection.execute(select(log_head)).one()
    edge = Edge.from_bytes(head.edge)
    chains = [os.urandom(32) for _ in range(max(1, (size - edge.size) // PER_CHAIN))]
    start = edge.size
    while edge.size < size:
        leaves = [b'{"filler":%d}' % number for number in range(edge.size, min(size, edge.size + PORTION))]
        hashes = [leaf_hash(leaf) for leaf in leaves]
        first = edge.size
        full = edge.extend(hashes)
        rows = [
            (number, "consent", chains[turn], seq, leaf, leaf_hash_, None, "filler", os.urandom(16), 0, bytes(32))
            for number, leaf, leaf_hash_ in zip(range(first, edge.size), leaves, hashes, strict=True)
            for seq, turn in [divmod(number - start, len(chains))]
        ]
        note = sign_checkpoint(signer.vkey.name, edge.size, edge.root(), signer)
        with engine.begin() as connection:
            driver_for(engine).insert_entries(connection, rows)
            if full:
                connection.execute(insert(tiles), [tile._asdict() for tile in full])
            connection.execute(insert(checkpoints).values(size=edge.size, note=note))
            connection.execute(
                update(log_head).values(
                    size=edge.size, confirmed=edge.size, last_hash=hashes[-1], edge=edge.to_bytes(), checkpoint=note
                )
            )
    rebuild_map(log.settings.database_url, afresh=False, portion=4 * PORTION)
    _settle(engine)
    for path in highwater_files(log.settings.highwater_dir):
        HighWater(path, signer.vkey).record(note)


def _settle(engine: Engine) -> None:
    """What housekeeping would have done meanwhile."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    else:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE entries")
    engine.dispose()


# -- trees without entries ------------------------------------------------------------------------------------------


class EvenTree:
    """A tree of any size whose leaves are all equal: a full tile of a level looks like any other, so one is enough.

    Proofs and edges in it have the shape and cost of any tree of its size.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        hashes = [leaf_hash(b"even")]
        self._levels: list[bytes] = []
        for _ in tile_widths(size):
            self._levels.append(hashes[0] * TILE_WIDTH)
            row = [hashes[0]] * TILE_WIDTH
            while len(row) > 1:
                row = parents(row)
            hashes = row

    def tile(self, level: int, _number: int, width: int) -> bytes:
        """The first `width` hashes of a tile."""
        return self._levels[level][: 32 * width]

    def edge(self) -> Edge:
        """Its right edge."""
        return Edge.from_tiles(self.size, self.tile)

    def full_tiles(self) -> Iterator[FullTile]:
        """Every full tile: 8 KiB for each 256 leaves."""
        for level, full, _ in tile_widths(self.size):
            for number in range(full):
                yield FullTile(level, number, self._levels[level][: TILE_WIDTH * HASH_SIZE])


def plant(log: Place, tree: EvenTree) -> None:
    """Put a tree without entries into the tables of a log that nobody will write to: what proofs read."""
    engine = writer_engine(log.settings.database_url)
    signer = read_signer(log.settings.log_key_file)
    edge = tree.edge()
    note = sign_checkpoint(signer.vkey.name, tree.size, edge.root(), signer)
    with engine.begin() as connection:
        already = {(row.level, row.number) for row in connection.execute(select(tiles.c.level, tiles.c.number))}
        portion: list[dict[str, object]] = []
        for tile in tree.full_tiles():
            if (tile.level, tile.number) not in already:
                portion.append(tile._asdict())
            if len(portion) == 2048:
                connection.execute(insert(tiles), portion)
                portion = []
        if portion:
            connection.execute(insert(tiles), portion)
        connection.execute(
            update(log_head).values(size=tree.size, confirmed=tree.size, edge=edge.to_bytes(), checkpoint=note)
        )
    _settle(engine)
