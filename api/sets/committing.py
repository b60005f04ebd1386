"""Committing to the heads of a set's shards, about once a second while they grow (docs/spec/sets.md, 1).

A thread of the process that sequences the head log asks all shards at the same time. Several nodes may do so: the log takes no
head that is smaller than the last. A shard that is away holds up no other.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from ssl import SSLContext
from typing import Final

import httpx2
import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from api.sets.addresses import read_addresses
from api.sets.asking import ShardAsker, ShardAway, ShardForked
from ledger.app import Ledger
from ledger.canonical import b64u, encode
from ledger.clock import Clock, SystemClock
from ledger.documents import document_of
from ledger.errors import LedgerError, Refused
from ledger.notes.checkpoint import Checkpoint
from ledger.planning.commands import Recorded
from ledger.set_documents import HeadsCommitted, ShardHead
from ledger.sets import Shard

log = structlog.get_logger("api.sets")

TURN_SECONDS: Final = 1.0
TIMEOUT_SECONDS: Final = 5.0
"""Without a byte of an answer."""
LONGEST_SECONDS: Final = 10.0
"""For all that one shard is asked in a turn: one that answers a byte at a time holds up no other."""
LONGEST_PAUSE_SECONDS: Final = 15.0
REPEAT_MS: Final = 3_600_000
"""An unchanged head is told again after an hour: so the log shows that the shard was asked."""
HEADS: Final = 6
ROOM: Final = 600
"""Bytes that the heads of one document may take in a leaf of 1,024."""
FORKS: Final = "forks"
"""Folder of the state folder: checkpoints of shards that are not shown to continue what was committed, as they were signed."""


@dataclass(slots=True)
class _State:
    """The memory of one shard between turns."""

    asker: ShardAsker
    failures: int = 0
    not_before: float = 0.0
    """Monotonic seconds: a shard that fails is asked less and less often."""


class HeadCommitter:
    """`start` and `stop` for a server; `turn` for whoever wants to see one step."""

    def __init__(
        self,
        ledger: Ledger,
        set_file: Path,
        state_dir: Path,
        *,
        clock: Clock | None = None,
        longest: float = LONGEST_SECONDS,
    ) -> None:
        self._longest = longest
        self._ledger, self._set_file, self._forks = ledger, set_file, state_dir / FORKS
        self._clock = clock or SystemClock()
        self._states: dict[str, _State] = {}
        self._errors: dict[str, str] = {}
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._thread = threading.Thread(target=self._live, name="head committer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; what was not committed is at the next start."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def errors(self) -> Mapping[str, str]:
        """Why nothing is committed for a shard at present, by its origin."""
        return dict(self._errors)

    @cached_property
    def _certificates(self) -> SSLContext:
        """Whom to trust with https: to read them takes more than a turn does."""
        return httpx2.create_ssl_context(trust_env=False)

    def turn(self) -> list[Recorded]:
        """Ask each shard whose time has come, and commit to what has grown. Raises InvalidInput for an unfit file of addresses,
        Unavailable, Corrupt."""
        shards = self._ledger.registry.shards.shards
        if not shards:
            return []
        grown = asyncio.run(self._ask(shards, read_addresses(self._set_file)))
        recorded: list[Recorded] = []
        for heads in portions(grown.values()):
            try:
                recorded += self._ledger.record_documents(document_of(HeadsCommitted, heads=heads))
            except Refused as refusal:  # another node was first, with newer heads
                log.debug("not committed", reason=refusal.detail)
        return recorded

    async def _ask(self, shards: Mapping[str, Shard], addresses: Mapping[str, str]) -> dict[str, ShardHead]:
        limits = httpx2.Timeout(TIMEOUT_SECONDS)
        trust = self._certificates
        async with httpx2.AsyncClient(timeout=limits, verify=trust, follow_redirects=False, trust_env=False) as client:
            told = await asyncio.gather(*(self._ask_one(shard, addresses, client) for shard in shards.values()))
        return {head.origin: head for head in told if head is not None}

    async def _ask_one(
        self, shard: Shard, addresses: Mapping[str, str], client: httpx2.AsyncClient
    ) -> ShardHead | None:
        origin = shard.origin
        address = addresses.get(origin)
        if address is None:
            self._errors[origin] = f"{self._set_file} has no address for it"
            return None
        state = self._states.get(origin)
        if state is None or state.asker.address != address:
            state = self._states[origin] = _State(ShardAsker(shard, address))
        if state.not_before > time.monotonic():
            return None
        try:
            async with asyncio.timeout(self._longest):
                checkpoint = await state.asker.head(client, shard.head)
        except TimeoutError:
            self._refused(state, origin, ShardAway(f"no whole answer within {self._longest:g} s"))
            return None
        except (ShardAway, ShardForked) as error:
            self._refused(state, origin, error)
            return None
        state.failures, state.not_before = 0, 0.0
        self._errors.pop(origin, None)
        return self._news(shard, checkpoint)

    def _refused(self, state: _State, origin: str, error: ShardAway | ShardForked) -> None:
        state.failures += 1
        state.not_before = time.monotonic() + min(LONGEST_PAUSE_SECONDS, 2.0**state.failures)
        self._errors[origin] = str(error)
        if isinstance(error, ShardForked):
            kept = keep_fork(self._forks, origin, error)
            log.critical("a shard may have signed two histories", shard=origin, error=str(error), kept=str(kept))
        else:
            log.warning("a shard gives no head", shard=origin, error=str(error))

    def _news(self, shard: Shard, checkpoint: Checkpoint) -> ShardHead | None:
        last = shard.head
        if not checkpoint.size or (
            last is not None and last.size == checkpoint.size and self._clock.now() - last.time < REPEAT_MS
        ):
            return None
        return ShardHead(origin=shard.origin, root=b64u(checkpoint.root), size=checkpoint.size)

    def _live(self) -> None:
        while not self._end.wait(TURN_SECONDS):
            try:
                self.turn()
            except LedgerError as error:
                log.warning("heads are not committed now", error=error.detail)
            except Exception as error:  # a defect in one turn must not end all turns
                log.exception("unexpected error", error=type(error).__name__)


def portions(heads: Iterable[ShardHead]) -> Iterator[tuple[ShardHead, ...]]:
    """Heads in order of their origins, as many together as a document holds."""
    part: list[ShardHead] = []
    room = ROOM
    for head in sorted(heads, key=lambda one: one.origin):
        size = len(encode({"origin": head.origin, "root": head.root, "size": head.size})) + 1
        if part and (len(part) == HEADS or size > room):
            yield tuple(part)
            part, room = [], ROOM
        part.append(head)
        room -= size
    if part:
        yield tuple(part)


def keep_fork(folder: Path, origin: str, fork: ShardForked) -> Path:
    """Keep what the shard signed, as it came, and return where."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = sha256(origin.encode() + b"\0" + fork.note.encode()).hexdigest()[:32]
    path = folder / f"{name}.note"
    path.write_text(fork.note, encoding="utf-8")
    return path


class ShardFigures(Collector):
    """How far each shard of a set is committed, for the metrics: nothing where the log is no head log."""

    def __init__(self, ledger: Ledger, clock: Clock | None = None) -> None:
        self._ledger, self._clock = ledger, clock or SystemClock()

    @override
    def collect(self) -> Iterator[Metric]:
        """Two families."""
        shards: Sequence[Shard] = list(self._ledger.registry.shards.shards.values())
        size = GaugeMetricFamily(
            "consent_ledger_shard_committed_size", "Entries of a shard that the head log commits to", labels=["shard"]
        )
        age = GaugeMetricFamily(
            "consent_ledger_shard_committed_age_seconds", "Since a head of a shard was last committed", labels=["shard"]
        )
        for shard in shards:
            if shard.head is not None:
                size.add_metric([shard.origin], shard.head.size)
                age.add_metric([shard.origin], (self._clock.now() - shard.head.time) / 1000)
        if shards:
            yield size
            yield age
