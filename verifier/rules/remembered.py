"""What the scorer remembers of a recipient, a holder and a consent, and where an unreadable entry leaves it unsure
(docs/spec/risk.md)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
WEEK = 168
QUIET = {
    "rate": HOUR_MS,
    "night": DAY_MS,
    "new-permission": DAY_MS,
    "refused": HOUR_MS,
    "breadth": DAY_MS,
    "unattended": DAY_MS,
    "rows": HOUR_MS,
    "legs-differ": HOUR_MS,
    "woken": DAY_MS,
    "many": HOUR_MS,
    "after-end": DAY_MS,
    "model": HOUR_MS,
    "late-notice": DAY_MS,
    "no-notice": DAY_MS,
}
"""By rule, in ms."""


class Past(NamedTuple):
    """One of the last 100 accesses, as the model counts it."""

    refused: bool
    unattended: bool
    chain: bytes
    permissions: tuple[str, ...]
    night: bool
    accounts: int
    time: int


class Hours:
    """How many in this hour so far, and how many in the 168 hours before."""

    __slots__ = ("_past", "before", "hour", "now")

    def __init__(self) -> None:
        self.hour, self.now, self.before = -1, 0, 0
        self._past: deque[tuple[int, int]] = deque()

    def turn(self, hour: int) -> None:
        """It is this hour."""
        if hour == self.hour:
            return
        if self.now:
            self._past.append((self.hour, self.now))
            self.before += self.now
        self.hour, self.now = hour, 0
        while self._past and self._past[0][0] < hour - WEEK:
            self.before -= self._past.popleft()[1]


class Last:
    """The last `size` numbers and their sum."""

    __slots__ = ("numbers", "size", "sum")

    def __init__(self, size: int) -> None:
        self.size, self.sum = size, 0
        self.numbers: deque[int] = deque()

    def add(self, number: int) -> int:
        """One more; the number that fell out (0 if none did)."""
        self.numbers.append(number)
        self.sum += number
        if len(self.numbers) <= self.size:
            return 0
        fallen = self.numbers.popleft()
        self.sum -= fallen
        return fallen


@dataclass(slots=True)
class Doubt:
    """Since an entry at `time` (ms) could not be read, at `mark` of what the rule counts. `until`: see `Fires.is_sure`."""

    time: int
    mark: int
    until: int


@dataclass(slots=True)
class Fires:
    """When each rule fired last about one thing, and where that is not known: `spans` of indexes by rule, the last one open
    (None) while the doubt lasts. `seen`: how many entries of nobody knows whom were taken into account."""

    last: int
    fired: dict[str, int] = field(default_factory=dict)
    doubts: dict[str, Doubt] = field(default_factory=dict)
    spans: dict[str, list[list[int | None]]] = field(default_factory=dict)
    seen: int = 0

    def doubt(self, rule: str, index: int, time: int, mark: int = 0) -> None:
        """From the entry at `index` on it is not known whether this rule fires."""
        known = self.doubts.get(rule)
        if known is None:
            self.spans.setdefault(rule, []).append([index, None])
        self.doubts[rule] = Doubt(time, mark, max(time + QUIET[rule], known.until if known is not None else 0))

    def is_sure(self, rule: str, index: int, time: int, passed: bool, holds: bool) -> bool:
        """Whether it is known that the rule fires, or not, at this entry. `passed`: no window holds the unreadable entry any
        more. Then it may still be quiet since it fired unseen, until its condition has not held for its quiet time."""
        doubt = self.doubts.get(rule)
        if doubt is None:
            return True
        if passed and time >= doubt.until:
            del self.doubts[rule]
            self.spans[rule][-1][1] = index - 1
            return True
        if holds or not passed:
            doubt.until = time + QUIET[rule]
        return False

    def was_unsure(self, rule: str, index: int) -> bool:
        """Whether it was not known at that entry."""
        return any(
            first is not None and first <= index and (last is None or index <= last)
            for first, last in self.spans.get(rule, ())
        )


@dataclass(slots=True)
class Recipient(Fires):
    """A recipient's accesses. `count` are those of its own consents, `asked` all of which rule 4 speaks, `releases` what it
    was given."""

    count: int = 0
    asked: int = 0
    releases: int = 0
    hours: Hours = field(default_factory=Hours)
    consents: Hours = field(default_factory=Hours)
    day: int = -1
    unattended_at_night: int = 0
    on_day: int = 0
    after_end: int = 0
    refused: Last = field(default_factory=lambda: Last(50))
    recent: Last = field(default_factory=lambda: Last(100))
    earlier: Last = field(default_factory=lambda: Last(100))
    rows: Last = field(default_factory=lambda: Last(50))
    past: deque[Past] = field(default_factory=lambda: deque(maxlen=100))


@dataclass(slots=True)
class Habits:
    """A consent's allowed accesses since scoring began for the `epoch`-th time; times in ms. `hour`: the last one in which
    it was accessed; `fired`: as in `Fires`; `acknowledged`: its end was. Of rule 14, by the indexes of entries: `noticed`,
    those that its recipient acknowledged; `missed`, the last that could not be read; `shown`, the last that no consent has
    which is over; `over`: the last step that was read says that it is."""

    epoch: int
    allowed: int = 0
    first: int = 0
    latest: int = 0
    hour: int = -1
    permissions: list[str] = field(default_factory=list)
    fired: dict[str, int] = field(default_factory=dict)
    acknowledged: bool = False
    noticed: list[int] = field(default_factory=list)
    missed: int = -1
    shown: int = -1
    over: bool = False


@dataclass(slots=True)
class Requests:
    """The last requests with one purpose code: of how many permissions each; `since`: how many since one of nobody knows
    which purpose could not be read."""

    seen: int
    counts: Last = field(default_factory=lambda: Last(50))
    since: int = 0


@dataclass(slots=True)
class Unsure:
    """Where it was not known what fired, while scoring was in force before it was activated anew. `blind`: first and last
    entry of a time with entries of nobody knows whom, and who was seen then."""

    spans: dict[tuple[str, str, str], list[tuple[int, int]]] = field(default_factory=dict)
    blind: list[tuple[int, int, frozenset[str]]] = field(default_factory=list)

    def keep(self, kind: str, name: str, own: Fires, index: int) -> None:
        """The spans of one participant, which end here."""
        for rule, spans in own.spans.items():
            closed = [(first or 0, index if last is None else last) for first, last in spans]
            self.spans.setdefault((kind, name, rule), []).extend(closed)

    def holds(self, kind: str, name: str, rule: str, index: int) -> bool:
        """Whether it was not known at that entry."""
        spans = self.spans.get((kind, name, rule), ())
        return any(first <= index <= last for first, last in spans) or any(
            first <= index <= last and name not in seen for first, last, seen in self.blind
        )
