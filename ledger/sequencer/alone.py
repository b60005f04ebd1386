"""Commands that stand alone in their batch, because what they record depends on everything before it.

They are made ready inside the transaction, below the log's lock: an index-head gets its map, composed documents their text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.errors import Refused
from ledger.participants import Registry
from ledger.planning.commands import Command, Composer, RecordComposed, RecordDocuments, RecordIndexHead
from ledger.planning.world import Plan
from ledger.storage.chainmap import PORTION, MapState
from ledger.storage.log import BatchTransaction, Head


def stands_alone(command: Command | None) -> bool:
    """Whether a command needs a batch of its own."""
    return isinstance(command, RecordIndexHead | RecordComposed)


@dataclass(frozen=True, slots=True)
class Ready:
    """A batch that can be planned."""

    commands: Sequence[Command]
    map: MapState | None = None
    """The completeness map below an index-head."""
    composer: Composer | None = None
    nothing: Plan | None = None
    """Set when nothing is to be recorded: the plan that says why."""

    def finish(self, transaction: BatchTransaction, before: Head, after: Head) -> MapState | None:
        """Write what belongs to the planned entries; where the map then stands, if it was looked at."""
        if self.composer is not None:
            self.composer.recorded(transaction.connection, before.size)
        if self.map is None:
            return None
        state = MapState(after.size, self.map.root, before.size, after.time)
        transaction.map.store(state)
        return state


def make_ready(
    transaction: BatchTransaction, head: Head, registry: Registry, commands: Sequence[Command], now: int
) -> Ready:
    """Make a batch ready. `now`: milliseconds. Raises Corrupt: nothing is signed over a map that does not continue what the
    last index-head has signed."""
    match commands:
        case [RecordIndexHead(every)]:
            return _ready_map(transaction, head, commands, every, now)
        case [RecordComposed(composer)]:
            try:
                documents = composer.compose(transaction.connection, registry, head.size, max(now, head.time))
            except Refused as refusal:
                return Ready(commands, nothing=Plan(results=[refusal], repeated=[False]))
            return Ready([RecordDocuments(tuple(documents))], composer=composer)
        case _:
            return Ready(commands)


def _ready_map(transaction: BatchTransaction, head: Head, commands: Sequence[Command], every: int, now: int) -> Ready:
    """Bring the map up to the log, as far as one transaction may."""
    state = transaction.map.state()
    young = state.head >= 0 and 0 <= now - state.head_time < every
    if young or (state.signed and state.size == head.size):
        return Ready(commands, state, nothing=Plan(results=[(state.head,)], repeated=[True]))
    behind = head.size - state.size > PORTION
    state = transaction.map.advance(head.size)
    return Ready(commands, state, nothing=Plan(results=[()], repeated=[False]) if behind else None)
