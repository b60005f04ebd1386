"""What a participant remembers of the log: the newest checkpoint, against which every later one is held.

A log that shows different histories to different people must, sooner or later, show one of them two checkpoints that do not
fit. Whoever remembers finds out; whoever exchanges checkpoints with others finds out earlier.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, NoReturn, Protocol

from api.client.errors import Equivocation, RolledBack
from api.client.receipts import Trust
from ledger.errors import InvalidInput
from ledger.merkle.proofs import verify_consistency
from ledger.notes.checkpoint import Checkpoint, open_checkpoint

FetchConsistency = Callable[[int, int], Awaitable[list[bytes]]]
"""Takes two tree sizes, the smaller first; returns the proof's hashes (32 bytes each)."""

KEPT: Final = 1_024


class CheckpointMemory(Protocol):
    """Where the newest checkpoint is kept between runs."""

    def read(self) -> str | None:
        """The signed note, or None when nothing has been seen yet."""
        ...

    def write(self, note: str) -> None:
        """Replace it."""
        ...


class InMemory:
    """Remembers as long as the process lives."""

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
    """Holds every checkpoint that is seen against the newest one. Safe to use from many tasks of one event loop."""

    def __init__(
        self, trust: Trust, memory: CheckpointMemory, fetch: FetchConsistency, *, evidence: Path | None = None
    ) -> None:
        """`evidence`: a folder for pairs of checkpoints that do not fit. Raises BadEncoding or BadSignature when what is
        remembered is not a checkpoint of this log."""
        self._trust = trust
        self._memory = memory
        self._fetch = fetch
        self._evidence = evidence
        self._lock = asyncio.Lock()
        self._seen: OrderedDict[int, tuple[bytes, str]] = OrderedDict()
        self._newest: tuple[Checkpoint, str] | None = None
        if (note := memory.read()) is not None:
            self._newest = open_checkpoint(note, trust.vkey), note

    @property
    def newest(self) -> Checkpoint | None:
        """The largest checkpoint that has been found consistent with all before it."""
        return None if self._newest is None else self._newest[0]

    def check_not_smaller(self, checkpoint: Checkpoint, note: str, than: Checkpoint | None) -> None:
        """Raises RolledBack when the log's newest checkpoint is smaller than one that was known before it was asked."""
        if than is not None and self._newest is not None and checkpoint.size < than.size:
            said = f"the log says that it has {checkpoint.size} entries; it had {than.size} before"
            raise RolledBack(said, first=self._newest[1], second=note, evidence=self._keep(self._newest[1], note))

    async def observe(self, checkpoint: Checkpoint, note: str) -> None:
        """Take in a checkpoint whose signature has been checked.

        Raises Equivocation when it does not fit the newest one, and whatever fetching the proof raises.
        """
        if self._is_known(checkpoint, note):
            return
        async with self._lock:
            if self._is_known(checkpoint, note):  # another task has just asked
                return
            newest = self._newest
            if newest is not None:
                await self._compare(newest, (checkpoint, note))
            self._seen[checkpoint.size] = checkpoint.root, note
            if len(self._seen) > KEPT:
                self._seen.popitem(last=False)
            if newest is None or checkpoint.size > newest[0].size:
                self._newest = checkpoint, note
                self._memory.write(note)

    def _is_known(self, checkpoint: Checkpoint, note: str) -> bool:
        known = self._seen.get(checkpoint.size)
        if known is None:
            return False
        if known[0] != checkpoint.root:
            self._refuse("two different roots for one size", known[1], note)
        return True

    async def _compare(self, newest: tuple[Checkpoint, str], other: tuple[Checkpoint, str]) -> None:
        small, large = sorted((newest[0], other[0]), key=lambda seen: seen.size)
        if small.size == 0:
            return
        proof = [] if small.size == large.size else await self._fetch(small.size, large.size)
        try:
            verify_consistency(small.size, large.size, proof, small.root, large.root)
        except InvalidInput as error:
            self._refuse(f"sizes {small.size} and {large.size}: {error.detail}", newest[1], other[1])

    def _refuse(self, reason: str, known: str, note: str) -> NoReturn:
        raise Equivocation(
            f"the log's checkpoints contradict each other ({reason})", first=known, second=note,
            evidence=self._keep(known, note),
        )  # fmt: skip

    def _keep(self, known: str, note: str) -> Path | None:
        """Write both notes into a new folder: evidence that outlives this process."""
        if self._evidence is None:
            return None
        sizes = [open_checkpoint(text, self._trust.vkey).size for text in (known, note)]
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
