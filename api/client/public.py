"""The log's public files: those of a node, or as `publish` left them on any web server (docs/spec/log.md, «Published files»).

Such a server computes no proofs; then they are made here, from tiles. Tiles may lie: whoever verifies the proof finds out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from api.client.answers import hashes_of
from api.client.errors import ReceiptRefused, RefusedByLedger
from api.client.transport import Answer, Transport
from ledger.errors import LedgerError
from ledger.merkle.hashing import HASH_SIZE
from ledger.merkle.proofs import ReadHashes, prove_consistency, prove_inclusion
from ledger.merkle.tiles import TILE_WIDTH, TilePath, TileReader, format_path, parse_path
from ledger.notes.checkpoint import parse_checkpoint
from ledger.notes.note import parse_note

FetchTile = Callable[[str], Awaitable[bytes]]
"""Takes a tile's C2SP path; returns its bytes."""

NOT_THERE: Final = frozenset({403, 404, 410})
"""403 is what object stores say of a file that is not there to those who may not list the others."""

T = TypeVar("T")


class PublicLog:
    """Reads them; nothing is verified here. Raises RefusedByLedger, LedgerUnavailable, ReceiptRefused."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def newest(self) -> str:
        """The newest checkpoint, signed."""
        for path in ("checkpoint/newest", "checkpoint.newest"):
            if (found := await self._found(path)) is not None:
                return found.body.decode("utf-8", "replace")
        return (await self._get("checkpoint")).body.decode("utf-8", "replace")

    async def keys(self) -> bytes:
        """What the log says of its keys."""
        return (await self._get("log/keys")).body

    async def tile(self, path: str) -> bytes:
        """A tile by its C2SP path; of one that has been filled since, its beginning."""
        found = await self._found(path)
        if found is not None:
            return found.body
        tile = parse_path(path)
        whole = await self._get(format_path(tile._replace(width=TILE_WIDTH)))
        return whole.body[: tile.width * HASH_SIZE]

    async def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the tree of `new` entries begins with that of `old`."""
        found = await self._found(f"proofs/consistency?old={old}&new={new}")
        if found is not None:
            return hashes_of(found.json())
        return (await prove_from_tiles([old], new, self.tile))[old]

    async def inclusion(self, index: int, size: int) -> list[bytes]:
        """The proof of entry `index` in the tree of `size` entries."""
        found = await self._found(f"proofs/inclusion?index={index}&size={size}")
        if found is not None:
            return hashes_of(found.json())
        try:
            head = parse_checkpoint(parse_note(await self.newest()).text)
        except LedgerError as error:
            raise ReceiptRefused(f"the checkpoint does not read: {error.detail}") from None
        return await _read(head.size, self.tile, lambda read: prove_inclusion(index, size, read))

    async def _get(self, path: str) -> Answer:
        return await self._transport.ask("GET", f"/{path}")

    async def _found(self, path: str) -> Answer | None:
        try:
            return await self._get(path)
        except RefusedByLedger as refused:
            if refused.status not in NOT_THERE:
                raise
            return None


async def prove_from_tiles(sizes: Sequence[int], size: int, fetch: FetchTile) -> dict[int, list[bytes]]:
    """Consistency proofs from each of `sizes` to `size`, from tiles of the larger tree.

    Tiles may lie: the proofs show it when they are verified. Raises ReceiptRefused, what `fetch` raises.
    """
    proofs: dict[int, list[bytes]] = {size: []}

    def prove(read: ReadHashes) -> dict[int, list[bytes]]:
        for old in sizes:
            if old not in proofs:
                proofs[old] = prove_consistency(old, size, read)
        return proofs

    return await _read(size, fetch, prove)


class _Missing(Exception):
    """A tile that must be fetched first."""

    def __init__(self, level: int, number: int, width: int) -> None:
        super().__init__(level, number, width)
        self.tile = TilePath(level, number, width)


async def _read(size: int, fetch: FetchTile, prove: Callable[[ReadHashes], T]) -> T:
    """What `prove` makes of the hashes of the tree of `size` entries: it is begun again with each tile that it lacked."""
    tiles: dict[TilePath, bytes] = {}

    def fetched(level: int, number: int, width: int) -> bytes:
        try:
            return tiles[TilePath(level, number, width)]
        except KeyError:
            raise _Missing(level, number, width) from None

    try:
        reader = TileReader(size, fetched)
        while True:
            try:
                return prove(reader.read_hashes)
            except _Missing as missing:
                tiles[missing.tile] = await fetch(format_path(missing.tile))
    except LedgerError as error:
        raise ReceiptRefused(f"the log's tiles do not give the proof: {error.detail}") from None
