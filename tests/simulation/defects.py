"""Builds of the ledger with one defect each. A simulation that does not notice them would notice nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from typing_extensions import override

from ledger.errors import LedgerError
from ledger.planning.commands import Command
from ledger.sequencer.answers import Answer, Deliver
from ledger.sequencer.batches import Committed, Waiting, answer_all
from ledger.sequencer.loop import Sequencer
from ledger.sequencer.memory import Memory
from ledger.sequencer.watch import ClockWatch
from ledger.storage.horizon import OPTION, Horizon
from ledger.storage.log import BatchTransaction, Head, LogStore
from ledger.vault.keystore import KeyStore

RIGHT: Final = "right"
HASTY: Final = "acknowledges before the commit"
CANCELLED: Final = "acknowledges a cancelled wait"
UNCONFIRMED: Final = "shows what is not confirmed"
FORGETFUL: Final = "keeps no high water"
PAPER: Final = "erases on paper only"
STALE: Final = "decides by what it remembers"
BELIEVING: Final = "believes its clock"
BROKEN: Final = (HASTY, CANCELLED, UNCONFIRMED, FORGETFUL, PAPER, STALE, BELIEVING)


class Build:
    """How the ledger of a run is put together."""

    def __init__(self, name: str = RIGHT) -> None:
        assert name == RIGHT or name in BROKEN, name
        self.name = name

    @property
    def heeds_warnings(self) -> bool:
        """Whether a COMMIT that ends with a warning is an unknown outcome."""
        return self.name != CANCELLED

    @property
    def records_highwater(self) -> bool:
        return self.name != FORGETFUL

    @property
    def judges_clock(self) -> bool:
        return self.name != BELIEVING

    @property
    def sequencer(self) -> type[Sequencer]:
        return {HASTY: Hasty, STALE: Stale}.get(self.name, Sequencer)

    def watch(self, watch: ClockWatch) -> ClockWatch | None:
        return watch if self.judges_clock else None

    def spoil(self, store: LogStore, keystore: KeyStore) -> None:
        """Put the defect of storage or key store in."""
        if self.name == UNCONFIRMED:
            store.horizon = Boundless()
            store._reader = store._reader.execution_options(**{OPTION: store.horizon})
        elif self.name == PAPER:
            keystore.destroy = lambda chains: len(list(chains))  # type: ignore[method-assign]


class Boundless(Horizon):
    """All that can be seen is shown."""

    @property
    @override
    def size(self) -> int:
        return 2**62

    @override
    def reached(self, size: int) -> int:
        return 2**62


class Hasty(Sequencer):
    """Answers when the transaction is written, and commits it then."""

    _batch: Sequence[Waiting] = ()

    @override
    def _sequence(self, batch: list[Waiting]) -> None:
        self._batch = batch = [Waiting(item.command, _once(item.deliver)) for item in batch]
        super()._sequence(batch)

    @override
    def _write(
        self, transaction: BatchTransaction, commands: Sequence[Command], doubtful: list[Committed]
    ) -> tuple[Committed, Callable[[], None]]:
        committed, advance = super()._write(transaction, commands, doubtful)
        if committed.growth is not None:
            answer_all(self._batch, committed)
        return committed, advance


def _once(deliver: Deliver) -> Deliver:
    answers: list[object] = []

    def first(answer: Answer | LedgerError) -> None:
        answers.append(answer)
        if len(answers) == 1:
            deliver(answer)

    return first


class Stale(Sequencer):
    """Keeps the states of consents when another node has written."""

    @override
    def _recall(self, transaction: BatchTransaction, head: Head) -> Memory:
        before: Any = self._memory
        memory = super()._recall(transaction, head)
        if before is not None and memory is not before:
            memory.consents.update(before.consents)
        return memory

    @override
    def _forget(self) -> None:
        kept = {} if self._memory is None else self._memory.consents
        super()._forget()
        if self._memory is not None:
            self._memory.consents.update(kept)
