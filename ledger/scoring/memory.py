"""What the rules remember of one recipient and of one consent."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ledger.scoring.seen import DAY_MS, SeenAccess

HOURS: Final = 168
"""A recipient's own history: the hours of a week."""
UNANSWERED_MS: Final = 3 * DAY_MS
"""An end falls due then, unless it was taken note of."""
RECENT: Final = 100
"""Accesses that the model looks at."""


@dataclass(slots=True)
class HourWindow:
    """One hour of a recipient."""

    number: int
    accesses: int = 0
    consents: set[str] = field(default_factory=set)


@dataclass(slots=True)
class DayWindow:
    """One day of a recipient."""

    number: int = -1
    accesses: int = 0
    at_night: int = 0
    """Unattended ones before five."""
    after_end: int = 0


@dataclass(slots=True)
class RecipientMemory:
    """Windows over a recipient's accesses. Memory: those of a week by hour, and the last two hundred one by one."""

    hour: HourWindow = field(default_factory=lambda: HourWindow(-1))
    before: deque[tuple[int, int, int]] = field(default_factory=deque)
    """(hour, accesses, different consents) of the hours before the present one, the last 168 of them at most."""
    accesses_before: int = 0
    consents_before: int = 0
    """The sums over `before`."""
    day: DayWindow = field(default_factory=DayWindow)
    refusals: deque[bool] = field(default_factory=lambda: deque(maxlen=50))
    attendance: deque[bool] = field(default_factory=lambda: deque(maxlen=200))
    """Whether each was unattended."""
    rows: deque[int] = field(default_factory=lambda: deque(maxlen=50))
    recent: deque[SeenAccess] = field(default_factory=lambda: deque(maxlen=RECENT))
    accesses: int = 0

    def enter(self, hour: int, day: int) -> None:
        """Move to this hour and day, if they are new."""
        if hour != self.hour.number:
            if self.hour.accesses:
                ended = self.hour.number, self.hour.accesses, len(self.hour.consents)
                self.before.append(ended)
                self.accesses_before += ended[1]
                self.consents_before += ended[2]
            self.hour = HourWindow(hour)
            while self.before and self.before[0][0] < hour - HOURS:
                _, accesses, different = self.before.popleft()
                self.accesses_before -= accesses
                self.consents_before -= different
        if day != self.day.number:
            self.day = DayWindow(day)

    def is_looked_at(self) -> bool:
        """Whether a model looks at this access: each fiftieth, from the hundredth onwards."""
        return self.accesses >= RECENT and self.accesses % 50 == 0

    def vector(self) -> tuple[int, ...]:
        """What the model looks at, over the last hundred accesses."""
        seen = self.recent
        minutes = (seen[-1].time - seen[0].time) // 60_000
        return (
            sum(one.refused for one in seen),
            sum(one.unattended for one in seen),
            len({one.consent for one in seen}),
            len({permission for one in seen for permission in one.permissions}),
            sum(one.at_night for one in seen),
            sum(one.accounts for one in seen),
            sum(len(one.permissions) for one in seen),
            min(minutes, 1_000_000),
        )


class Vectors:
    """The vectors that a model would see of accesses, counted from the first that is shown."""

    def __init__(self) -> None:
        self._recipients: defaultdict[str, RecipientMemory] = defaultdict(RecipientMemory)

    def see(self, seen: SeenAccess) -> tuple[int, ...] | None:
        """One access, in the order of the log; the vector, if a model looks at it."""
        own = self._recipients[seen.recipient]
        own.accesses += 1
        own.recent.append(seen)
        return own.vector() if own.is_looked_at() else None


@dataclass(slots=True)
class ConsentMemory:
    """The allowed accesses of a consent so far, and whether its end was acknowledged."""

    allowed: int = 0
    first: int = 0
    """Times (ms) of the first and of the last one."""
    last: int = 0
    permissions: frozenset[str] = frozenset()
    acknowledged: bool = False


class Ended(NamedTuple):
    """An end that nobody has taken note of yet: whose it is to do, the consent, and when it ended (ms)."""

    recipient: str
    consent: str
    time: int


class Ends:
    """Ends that wait for a notice, in the order of the log: each enters and leaves once, at its notice or when it falls due.

    Memory: those of the last three days (docs/spec/risk.md, «An end that nobody takes note of»). A queue that keeps its order
    when one leaves out of its middle, and whose front is found at once however many have left.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, Ended] = OrderedDict()
        self.next_due: int | None = None
        """When (ms) the first of them falls due; None while none waits."""

    def __iter__(self) -> Iterator[Ended]:
        return iter(self._waiting.values())

    def wait(self, end: Ended) -> None:
        """From now on its notice is waited for."""
        self._waiting[end.consent] = end
        self._look()

    def answered(self, consent: str) -> None:
        """The end of this consent was taken note of, if one waits."""
        if self._waiting.pop(consent, None) is not None:
            self._look()

    def due(self, time: int) -> Iterator[Ended]:
        """Those that fall due at this time (ms); they leave."""
        while self.next_due is not None and self.next_due <= time:
            _, end = self._waiting.popitem(last=False)
            self._look()
            yield end

    def _look(self) -> None:
        first = next(iter(self._waiting.values()), None)
        self.next_due = None if first is None else first.time + UNANSWERED_MS
