"""A participant's memory of the log: the newest checkpoint, with which every later one must be consistent.

A log that shows different histories to different people must, sooner or later, show one of them two checkpoints that do not
fit. Participants who keep checkpoints find out; those who exchange them with others find out earlier.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, NoReturn, Protocol

from api.client.errors import ClientError, Equivocation, RolledBack
from api.client.public import FetchTile, prove_from_tiles
from api.client.receipts import Trust
from ledger.errors import InvalidInput, LedgerError
from ledger.merkle.proofs import verify_consistency
from ledger.notes.checkpoint import Checkpoint, open_checkpoint

FetchConsistency = Callable[[int, int], Awaitable[list[bytes]]]
"""Takes two tree sizes, the smaller first; returns the proof's hashes (32 bytes each)."""

KEPT: Final = 1_024


class SignedCheckpoint(NamedTuple):
    """A checkpoint with the note it was read from."""

    checkpoint: Checkpoint
    note: str


class CheckpointMemory(Protocol):
    """Where the newest checkpoint is kept between runs."""

    def read(self) -> str | None:
        """The signed note, or None when nothing has been seen yet."""
        ...

    def write(self, note: str) -> None:
        """Replace it."""
        ...


class InMemory:
    """Remembers until the process ends."""

    def __init__(self) -> None:
        self._note: str | None = None

    def read(self) -> str | None:
        """See CheckpointMemory."""
        return self._note

    def write(self, note: str) -> None:
        """See CheckpointMemory."""
        self._note = note


class InFile:
    """Remembers in a file, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> str | None:
        """See CheckpointMemory."""
        try:
            return self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def write(self, note: str) -> None:
        """See CheckpointMemory."""
        partial = self._path.with_name(self._path.name + ".new")
        partial.write_text(note, encoding="utf-8")
        partial.replace(self._path)


class CheckpointWatch:
    """Compares every checkpoint that is seen with the newest one. Safe to use from many tasks of one event loop.

    Checkpoints that arrive while a proof is on its way are proved together, from tiles: so a busy client fetches a few tiles
    for a crowd of receipts, and a quiet one a single proof for each.
    """

    def __init__(
        self,
        trust: Trust,
        memory: CheckpointMemory,
        fetch_proof: FetchConsistency,
        fetch_tile: FetchTile,
        *,
        evidence: Path | None = None,
    ) -> None:
        """`evidence`: a folder for pairs of checkpoints that do not fit. Raises BadEncoding or BadSignature when what is
        remembered is not a checkpoint of this log."""
        self._trust = trust
        self._memory = memory
        self._fetch_proof = fetch_proof
        self._fetch_tile = fetch_tile
        self._evidence = evidence
        self._lock = asyncio.Lock()
        self._waiting: dict[int, SignedCheckpoint] = {}
        self._seen: OrderedDict[int, SignedCheckpoint] = OrderedDict()
        self._newest: SignedCheckpoint | None = None
        if (note := memory.read()) is not None:
            self._newest = SignedCheckpoint(open_checkpoint(note, trust.vkeys), note)

    def believe(self, trust: Trust) -> None:
        """From now on these keys may sign. They are more than before, since what was seen stays seen."""
        self._trust = trust

    @property
    def newest(self) -> Checkpoint | None:
        """The largest checkpoint that has been found consistent with all before it."""
        return None if self._newest is None else self._newest.checkpoint

    def check_not_smaller(self, checkpoint: Checkpoint, note: str, than: Checkpoint | None) -> None:
        """Raises RolledBack when the log's newest checkpoint is smaller than one that was known before it was asked."""
        if than is not None and self._newest is not None and checkpoint.size < than.size:
            said = f"the log says that it has {checkpoint.size} entries; it had {than.size} before"
            kept = self._keep(self._newest.note, note)
            raise RolledBack(said, first=self._newest.note, second=note, evidence=kept)

    async def observe(self, checkpoint: Checkpoint, note: str) -> None:
        """Take in a checkpoint whose signature has been checked.

        Raises Equivocation when it does not fit what is known, and whatever fetching the proof raises.
        """
        own = SignedCheckpoint(checkpoint, note)
        if self._is_known(own):
            return
        other = self._waiting.setdefault(checkpoint.size, own)
        self._check_same(other, own)
        try:
            async with self._lock:
                if not self._is_known(own):  # else the task before has proved it along with its own
                    await self._prove(own)
        finally:
            self._waiting.pop(checkpoint.size, None)

    def _is_known(self, own: SignedCheckpoint) -> bool:
        known = self._seen.get(own.checkpoint.size)
        if known is None:
            return False
        self._check_same(known, own)
        return True

    def _check_same(self, known: SignedCheckpoint, other: SignedCheckpoint) -> None:
        if known.checkpoint.root != other.checkpoint.root:
            self._refuse("two different roots for one size", known, other)

    async def _prove(self, own: SignedCheckpoint) -> None:
        waiting = {signed.checkpoint.size: signed for signed in (*self._waiting.values(), own)}
        if len(waiting) > 1:
            with suppress(ClientError, LedgerError):  # then its own proof tells which of them is wrong
                await self._prove_together(list(waiting.values()))
        if own.checkpoint.size in self._seen:
            return
        if self._newest is not None:
            await self._compare(self._newest, own)
        self._accept(own)

    async def _prove_together(self, waiting: list[SignedCheckpoint]) -> None:
        """Prove all that wait, and the newest, to be beginnings of the largest of them."""
        known = [] if self._newest is None else [self._newest]
        *smaller, largest = sorted([*known, *waiting], key=lambda signed: signed.checkpoint.size)
        sizes = sorted({signed.checkpoint.size for signed in smaller if signed.checkpoint.size > 0})
        proofs = await prove_from_tiles(sizes, largest.checkpoint.size, self._fetch_tile)
        for signed in smaller:
            if signed.checkpoint.size > 0:
                old, new = signed.checkpoint, largest.checkpoint
                verify_consistency(old.size, new.size, proofs[old.size], old.root, new.root)
        for signed in waiting:
            self._accept(signed)

    async def _compare(self, known: SignedCheckpoint, other: SignedCheckpoint) -> None:
        small, large = sorted((known.checkpoint, other.checkpoint), key=lambda seen: seen.size)
        if small.size == 0:
            return
        proof = [] if small.size == large.size else await self._fetch_proof(small.size, large.size)
        try:
            verify_consistency(small.size, large.size, proof, small.root, large.root)
        except InvalidInput as error:
            self._refuse(f"sizes {small.size} and {large.size}: {error.detail}", known, other)

    def _accept(self, signed: SignedCheckpoint) -> None:
        self._seen[signed.checkpoint.size] = signed
        if len(self._seen) > KEPT:
            self._seen.popitem(last=False)
        if self._newest is None or signed.checkpoint.size > self._newest.checkpoint.size:
            self._newest = signed
            self._memory.write(signed.note)

    def _refuse(self, reason: str, known: SignedCheckpoint, other: SignedCheckpoint) -> NoReturn:
        raise Equivocation(
            f"the log's checkpoints contradict each other ({reason})",
            first=known.note,
            second=other.note,
            evidence=self._keep(known.note, other.note),
        )

    def _keep(self, known: str, note: str) -> Path | None:
        """Write both notes into a new folder: evidence that outlives this process."""
        if self._evidence is None:
            return None
        sizes = [open_checkpoint(text, self._trust.vkeys).size for text in (known, note)]
        for number in range(1_000):
            folder = self._evidence / f"checkpoints-{sizes[0]}-{sizes[1]}-{number}"
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                continue
            (folder / "known").write_text(known, encoding="utf-8")
            (folder / "seen").write_text(note, encoding="utf-8")
            return folder
        return None
