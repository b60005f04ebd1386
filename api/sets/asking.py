"""Asking one shard for its head, and believing it only if it is signed and grows (docs/spec/sets.md, 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import httpx2
import msgspec

from api.client.answers import hashes_of, key_leaves_of
from api.client.errors import ReceiptRefused
from api.client.succession import successors
from ledger.errors import BadSignature, InvalidInput, LedgerError
from ledger.merkle.proofs import verify_consistency
from ledger.notes.checkpoint import Checkpoint, open_checkpoint
from ledger.notes.keys import VerifierKey
from ledger.sets import CommittedHead, Shard

ANSWER_LIMIT: Final = 1_000_000
"""Bytes of an answer: a log's documents about its keys fit many times."""


class ShardAway(Exception):
    """A shard gave no head that can be used now; the text says why, for the operator."""


class ShardForked(Exception):
    """A shard has signed a tree that does not begin with the one that was committed: `note` is the proof of it."""

    def __init__(self, said: str, note: str) -> None:
        super().__init__(said)
        self.note = note


class ShardAsker:
    """Asks one shard. It remembers the log key to which the shard's own documents have led from the one it opened with."""

    def __init__(self, shard: Shard, address: str) -> None:
        self.origin, self.address = shard.origin, address
        self._vkeys: tuple[VerifierKey, ...] = (shard.vkey,)

    async def head(self, client: httpx2.AsyncClient, last: CommittedHead | None) -> Checkpoint:
        """The shard's newest checkpoint, which continues the head that was committed last.

        Raises ShardAway, ShardForked.
        """
        try:
            there = _There(self.address, client)
            note = (await there.get("/checkpoint/newest")).decode()
            checkpoint = await self._open(there, note)
            await _check(there, checkpoint, note, last)
        except (UnicodeDecodeError, msgspec.DecodeError, LedgerError, ReceiptRefused) as error:
            raise ShardAway(f"its answer cannot be used: {_words(error)}") from None
        return checkpoint

    async def _open(self, there: _There, note: str) -> Checkpoint:
        try:
            return open_checkpoint(note, self._vkeys)
        except BadSignature:
            found = await successors(self._vkeys, key_leaves_of(await there.get("/log/keys")), there.inclusion)
            if not found:
                raise
            self._vkeys = (found[-1].vkey,)  # the one before has ended: it signs nothing larger
            return open_checkpoint(note, self._vkeys)


async def _check(there: _There, checkpoint: Checkpoint, note: str, last: CommittedHead | None) -> None:
    if last is None:
        return
    if checkpoint.size < last.size:
        raise ShardAway(f"it shows a checkpoint of {checkpoint.size} entries; {last.size} are committed")
    proof: Sequence[bytes] = ()
    if checkpoint.size > last.size:
        proof = hashes_of(await there.json(f"/proofs/consistency?old={last.size}&new={checkpoint.size}"))
    try:
        verify_consistency(last.size, checkpoint.size, proof, last.root, checkpoint.root)
    except InvalidInput as error:
        said = f"its tree of {checkpoint.size} entries is not shown to begin with that of {last.size}"
        raise ShardForked(f"{said} which entry {last.index} commits: {error.detail}", note) from None


class _There:
    """A shard's public log over HTTP. Raises ShardAway."""

    def __init__(self, address: str, client: httpx2.AsyncClient) -> None:
        self._address, self._client = address, client

    async def inclusion(self, index: int, size: int) -> list[bytes]:
        return hashes_of(await self.json(f"/proofs/inclusion?index={index}&size={size}"))

    async def json(self, path: str) -> object:
        return msgspec.json.decode(await self.get(path))

    async def get(self, path: str) -> bytes:
        try:
            async with self._client.stream("GET", self._address + path) as answer:
                content = b""
                async for part in answer.aiter_bytes():
                    content += part
                    if len(content) > ANSWER_LIMIT:
                        raise ShardAway("its answer is too long")
                if answer.status_code != 200:
                    raise ShardAway(f"{path.partition('?')[0]} answers {answer.status_code}")
                return content
        except httpx2.HTTPError as error:
            raise ShardAway(f"no answer ({type(error).__name__})") from None


def _words(error: Exception) -> str:
    return getattr(error, "detail", None) or str(error)
