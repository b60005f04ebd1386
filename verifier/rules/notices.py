"""Rule 14: an end of a consent that its recipient takes no note of (docs/spec/risk.md, «An end that nobody takes note of»).

Ends wait in one queue, in the order of their entries, until a leaf stands 72 hours after them. What an entry that cannot be
read leaves unknown waits in the same queue: it may have been an end.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

from verifier.records.facts import Facts
from verifier.records.leaf import Leaf
from verifier.rules.chain_store import Chain, Shelf
from verifier.rules.consents import OPEN
from verifier.rules.firing import NUMBERS, Fired
from verifier.rules.remembered import HOUR_MS, QUIET, Habits
from verifier.rules.spilled import Spilled

RULE = "no-notice"
OVERDUE = 259_200_000
SCORE = 900
ENDS = ("consent.revoke", "consent.terminate")
ANYBODY = ""
NOT_YET = math.inf
"""The end of a time of which the next leaf that can be read has not been seen."""


class Notices:
    """Shown the entries of consents while scoring is in force, and after each leaf asked what falls due there."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.on = False
        self._queue = Spilled()
        """By a running number: time and index of an entry, its chain, whether it is an end for certain."""
        self._first = self._next = 0
        self._front: tuple[int, int, str, bool] | None = None
        """What stands first in the queue."""
        self._stirred = False
        """Whether what stands first in the queue may have left it."""
        self._fired: dict[str, int] = {}
        self._open: dict[str, list[float]] = {}
        """By recipient, or anybody: from which entry on, and up to which time, nobody knows what fires."""
        self._spans: dict[str, list[tuple[int, int]]] = {}
        """The same of times that are over, by their first and last entries."""
        self._blind: float | None = None
        """When an end would fall due that an unreadable leaf may have been."""

    def begin(self, index: int, on: bool) -> None:
        """Begin with nothing remembered at the next entry, or stop."""
        for about in [*self._open]:
            self._close(about, index)
        self._queue.clear()
        self._fired.clear()
        self._first = self._next = 0
        self.on, self._blind, self._front = on, None, None

    def take_up(self, begun: int, time: int, on: bool) -> None:
        """Go on after an audit that ended at `time`, of whose ends nothing is known."""
        self.on = on
        if on:
            self._open[ANYBODY] = [begun, math.inf]
            self._blind = time + OVERDUE

    def close(self) -> None:
        """Give temporary files back."""
        self._queue.close()

    # --- entries ----------------------------------------------------------------------------------------------

    def see(self, index: int, leaf: Leaf, chain: Chain, habits: Habits, facts: Facts) -> None:
        """An entry of a consent that could be read, before it changes the consent's state."""
        consent, act = chain.consent, facts.act
        if act == "consent.acknowledge":
            basis = int(str(facts.content["basis"]))
            if (consent is None or facts.party == consent.terms.recipient) and basis not in habits.noticed:
                habits.noticed = [*habits.noticed, basis]
                self._stirred = True
        elif act.startswith("consent."):
            habits.shown, habits.over = index, (facts.outcome or {}).get("status") not in OPEN
            self._stirred = True
            theirs = not chain.known if consent is None else facts.party != consent.terms.recipient
            if act in ENDS and theirs:
                self._wait(index, leaf, certain=consent is not None)
        elif act == "access.request" and (facts.outcome or {}).get("decision") == "allow":
            self._stirred = self._stirred or habits.missed > habits.shown
            habits.shown = index

    def miss(self, index: int, leaf: Leaf, chain: Chain, habits: Habits) -> None:
        """An entry of a consent that could not be read."""
        habits.missed = index
        over = habits.over or (chain.consent is not None and chain.consent.status not in OPEN)
        if leaf.seq and not over:
            self._wait(index, leaf, certain=False)

    def lose(self, index: int) -> None:
        """A leaf that could not be read: it tells no time and no chain."""
        self._leave_open(ANYBODY, index, math.inf)
        self._blind = NOT_YET

    def _wait(self, index: int, leaf: Leaf, *, certain: bool) -> None:
        self._queue.put(str(self._next), json.dumps([leaf.time, index, leaf.chain.decode(), certain]))
        self._next += 1

    # --- what falls due ---------------------------------------------------------------------------------------

    def passed(self, index: int, time: int) -> Iterator[Fired]:
        """What fires at the leaf at `index` of `time` (ms), after everything that it brings about itself."""
        if self._blind == NOT_YET:
            self._blind = time + OVERDUE
        for about in [about for about, (_, until) in self._open.items() if until <= time]:
            self._close(about, index - 1)
        if self._blind is not None and time >= self._blind:
            self._open[ANYBODY][1] = time + QUIET[RULE]
            self._blind = None
        while (front := self._foremost()) is not None:
            at, number, name, certain = front
            due = time - at >= OVERDUE
            if not due and not self._stirred:
                return
            chain = self.shelf.get(name.encode())
            if chain is None or chain.habits is None or not self._counts(chain.habits, number, certain):
                pass  # it was taken note of, or was no end
            elif not due:
                break
            elif certain and chain.habits.missed < number and chain.consent is not None:
                yield from self._fire(chain.consent.terms.recipient, index, time, (time - at) // HOUR_MS)
            else:
                self._leave_open(ANYBODY if chain.consent is None else chain.consent.terms.recipient, index, time)
            self._queue.drop(str(self._first))
            self._first, self._front = self._first + 1, None
        self._stirred = False

    def _foremost(self) -> tuple[int, int, str, bool] | None:
        if self._front is None and (text := self._queue.get(str(self._first))) is not None:
            time, index, chain, certain = json.loads(text)
            self._front = time, index, chain, certain
        return self._front

    @staticmethod
    def _counts(habits: Habits, number: int, certain: bool) -> bool:
        """Whether an end, or what may be one, is still to be taken note of."""
        return number not in habits.noticed and (certain or habits.shown <= number)

    def _fire(self, name: str, index: int, time: int, hours: int) -> Iterator[Fired]:
        if name in self._open or ANYBODY in self._open:
            self._leave_open(name, index, time)
        elif time - self._fired.get(name, -QUIET[RULE]) >= QUIET[RULE]:
            self._fired[name] = time
            yield Fired(index, NUMBERS[RULE], "recipient", name, time, SCORE, (hours,))

    # --- what nobody knows ------------------------------------------------------------------------------------

    def _leave_open(self, about: str, index: int, time: float) -> None:
        """Nobody knows whether the rule fires here, nor for its quiet time from here on."""
        span = self._open.get(about)
        if span is None:
            span = self._open[about] = [self._reopened(about, index), 0]
        span[1] = max(span[1], time + QUIET[RULE])

    def _reopened(self, about: str, index: int) -> int:
        """Where the time begins that is open from this entry on: one that ended right before it goes on."""
        spans = self._spans.get(about)
        return spans.pop()[0] if spans and spans[-1][1] == index - 1 else index

    def _close(self, about: str, last: int) -> None:
        first, _ = self._open.pop(about)
        self._spans.setdefault(about, []).append((int(first), last))

    def was_unsure(self, kind: str, about: str, at_index: int) -> bool:
        """Whether nobody knows if the rule fired about this at that entry."""
        return kind == "recipient" and any(
            (name in self._open and self._open[name][0] <= at_index)
            or any(first <= at_index <= last for first, last in self._spans.get(name, ()))
            for name in (about, ANYBODY)
        )
