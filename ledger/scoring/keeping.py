"""What the rules remember, as bytes: so that a reader that starts again need not read everything since the activation.

The bytes say nothing that the log does not say. Whoever reads them back compares `end` with the log, and reads the log again
when anything is not as it should be (docs/risk.md, «How soon, and at what cost»).
"""

from __future__ import annotations

from collections import deque
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from ledger.errors import InvalidInput
from ledger.scoring.memory import RECENT, ConsentMemory, DayWindow, Ended, HourWindow, RecipientMemory
from ledger.scoring.rules import Scorer
from ledger.scoring.seen import Raised, SeenAccess, SeenLeg

VERSION: Final = 1
Natural = Annotated[int, Meta(ge=0)]


class _Hour(Struct, frozen=True, array_like=True):
    number: int
    accesses: Natural
    consents: tuple[str, ...]


class _Day(Struct, frozen=True, array_like=True):
    number: int
    accesses: Natural
    at_night: Natural
    after_end: Natural


class _Recipient(Struct, frozen=True, array_like=True):
    hour: _Hour
    before: tuple[tuple[int, Natural, Natural], ...]
    day: _Day
    refusals: tuple[bool, ...]
    attendance: tuple[bool, ...]
    rows: tuple[int, ...]
    recent: tuple[SeenAccess, ...]
    accesses: Natural


class _Consent(Struct, frozen=True, array_like=True):
    allowed: Natural
    first: int
    last: int
    permissions: Natural
    """Place in the list of all sets of permissions that occur."""
    acknowledged: bool


class _Kept(Struct, frozen=True):
    recipients: dict[str, _Recipient]
    consents: dict[str, _Consent]
    permissions: tuple[tuple[str, ...], ...]
    breadths: dict[str, tuple[int, ...]]
    single: tuple[SeenLeg, ...]
    fired: tuple[tuple[str, str, int], ...]
    ends: tuple[Ended, ...] = ()
    """Those that wait for a notice, in their order. Absent where they were not kept yet: under scoring 1 and 2 none waits."""


class KeptScoring(Struct, frozen=True, kw_only=True):
    """What the rules remembered when they had read the entries below `size`."""

    v: int = VERSION
    begun: Natural
    """The entry that activated scoring."""
    scoring: int
    size: Natural
    end: bytes
    """The leaf hash of the last entry that was read."""
    waiting: tuple[Raised, ...]
    """What was found and was not on record yet."""
    memory: _Kept


def kept(scorer: Scorer, *, begun: int, size: int, end: bytes, waiting: list[Raised]) -> bytes:
    """The bytes. Time and size grow with the consents that were read: some 100 bytes each."""
    places: dict[frozenset[str], int] = {}
    consents = {
        name: _Consent(
            one.allowed, one.first, one.last, places.setdefault(one.permissions, len(places)), one.acknowledged
        )
        for name, one in scorer.consents.items()
    }
    memory = _Kept(
        {name: _recipient(one) for name, one in scorer.recipients.items()},
        consents,
        tuple(tuple(sorted(one)) for one in places),
        {purpose: tuple(counts) for purpose, counts in scorer.breadths.items()},
        tuple(scorer.single.values()),
        tuple((rule, about, time) for (rule, about), time in scorer.fired.items()),
        tuple(scorer.ends),
    )
    state = KeptScoring(begun=begun, scoring=scorer.scoring, size=size, end=end, waiting=tuple(waiting), memory=memory)
    return msgspec.msgpack.encode(state)


def read_kept(data: bytes) -> tuple[KeptScoring, Scorer]:
    """What `kept` wrote, and a scorer that remembers it. Raises InvalidInput for anything else."""
    try:
        state = msgspec.msgpack.decode(data, type=KeptScoring)
        if state.v != VERSION:
            raise InvalidInput("what the rules remembered was written by another version")
        return state, _scorer(state)
    except (msgspec.DecodeError, IndexError) as error:
        raise InvalidInput(f"what the rules remembered does not read: {error}") from None


def _recipient(one: RecipientMemory) -> _Recipient:
    day = one.day
    return _Recipient(
        _Hour(one.hour.number, one.hour.accesses, tuple(sorted(one.hour.consents))),
        tuple(one.before),
        _Day(day.number, day.accesses, day.at_night, day.after_end),
        tuple(one.refusals),
        tuple(one.attendance),
        tuple(one.rows),
        tuple(one.recent),
        one.accesses,
    )


def _scorer(state: KeptScoring) -> Scorer:
    scorer, memory = Scorer(state.scoring), state.memory
    for name, one in memory.recipients.items():
        scorer.recipients[name] = RecipientMemory(
            hour=HourWindow(one.hour.number, one.hour.accesses, set(one.hour.consents)),
            before=deque(one.before),
            accesses_before=sum(hour[1] for hour in one.before),
            consents_before=sum(hour[2] for hour in one.before),
            day=DayWindow(one.day.number, one.day.accesses, one.day.at_night, one.day.after_end),
            refusals=deque(one.refusals, maxlen=50),
            attendance=deque(one.attendance, maxlen=200),
            rows=deque(one.rows, maxlen=50),
            recent=deque(one.recent, maxlen=RECENT),
            accesses=one.accesses,
        )
    sets = [frozenset(one) for one in memory.permissions]
    for name, each in memory.consents.items():
        scorer.consents[name] = ConsentMemory(
            each.allowed, each.first, each.last, sets[each.permissions], each.acknowledged
        )
    for purpose, counts in memory.breadths.items():
        scorer.breadths[purpose].extend(counts)
    scorer.single.update({leg.basis: leg for leg in memory.single})
    for end in memory.ends:
        scorer.ends.wait(end)
    scorer.fired.update({(rule, about): time for rule, about, time in memory.fired})
    return scorer
