"""The rules of docs/spec/risk.md, over entries in the order of their indexes. Integers only: all readers get the same ones."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, Literal, NamedTuple

from ledger.orders import RULES, SCORING, Rule
from ledger.scoring.memory import ConsentMemory, Ended, Ends, RecipientMemory
from ledger.scoring.model import Model
from ledger.scoring.seen import (
    DAY_MS,
    HOUR_MS,
    Raised,
    Seen,
    SeenAccess,
    SeenEnd,
    SeenForeign,
    SeenLeaf,
    SeenLeg,
    SeenNotice,
    SeenRequest,
)

_DAILY: Final = frozenset(
    {"night", "new-permission", "breadth", "unattended", "woken", "after-end", "late-notice", "no-notice"}
)
MONTH_MS: Final = 30 * DAY_MS
DORMANT_MS: Final = 60 * DAY_MS


class _Found(NamedTuple):
    rule: Rule
    kind: Literal["consent", "holder", "recipient"]
    about: str
    score: int
    features: tuple[int, ...]
    model: str | None = None


class Scorer:
    """Reads entries one after the other. Not thread-safe. Memory grows with recipients, consents, legs that lack the other."""

    def __init__(self, scoring: int = SCORING) -> None:
        """`scoring`: which rules, as `scoring.activated` says."""
        self.scoring = scoring
        self.recipients: defaultdict[str, RecipientMemory] = defaultdict(RecipientMemory)
        self.consents: defaultdict[str, ConsentMemory] = defaultdict(ConsentMemory)
        self.breadths: defaultdict[str, deque[int]] = defaultdict(lambda: deque(maxlen=50))
        self.single: dict[int, SeenLeg] = {}
        """By the access: the first leg, until the first of the other side has come."""
        self.ends = Ends()
        self.fired: dict[tuple[str, str], int] = {}
        self._model: tuple[str, Model] | None = None

    def use(self, code: str, model: Model) -> None:
        """This model scores from the next entry onwards."""
        self._model = code, model

    def read(self, seen: Seen) -> list[Raised]:
        """The alerts at this entry, in their order."""
        found: Iterator[_Found]
        if isinstance(seen, SeenAccess):
            found = self._access(seen)
        elif isinstance(seen, SeenForeign):
            found = self._refused(self.recipients[seen.signer], seen.signer, refused=True)
        elif isinstance(seen, SeenRequest):
            found = self._request(seen)
        elif isinstance(seen, SeenLeg):
            found = self._leg(seen)
        elif isinstance(seen, SeenNotice):
            found = self._notice(seen)
        else:
            found = self._end(seen)
        raised = self._raised(seen, sorted(found, key=lambda each: RULES.index(each.rule)))
        if self.ends.next_due is not None and self.ends.next_due <= seen.time:
            # of one recipient the first that falls due fires; alerts of one entry and rule stand in the order of the names
            raised += sorted(self._raised(seen, self._unanswered(seen)), key=lambda each: each.about.encode())
        return raised

    def _raised(self, seen: Seen, found: Iterable[_Found]) -> list[Raised]:
        return [
            Raised(seen.index, one.rule, one.kind, one.about, min(1_000, one.score), one.features, one.model)
            for one in found
            if self._is_new(one, seen.time)
        ]

    def _is_new(self, found: _Found, time: int) -> bool:
        key = found.rule, found.about
        last = self.fired.get(key)
        if last is not None and time - last < (DAY_MS if found.rule in _DAILY else HOUR_MS):
            return False
        self.fired[key] = time
        return True

    # -- accesses ---------------------------------------------------------------------------------------------------

    def _access(self, seen: SeenAccess) -> Iterator[_Found]:
        own = self.recipients[seen.recipient]
        own.enter(seen.time // HOUR_MS, seen.time // DAY_MS)
        own.accesses += 1
        own.hour.accesses += 1
        own.hour.consents.add(seen.consent)
        own.day.accesses += 1
        own.attendance.append(seen.unattended)
        own.recent.append(seen)
        yield from self._rates(own, seen)
        yield from self._refused(own, seen.recipient, refused=seen.refused)
        yield from self._attendance(own, seen)
        yield from self._after_end(own, seen)
        yield from self._modelled(own, seen)
        if not seen.refused:
            yield from self._allowed(seen)

    def _rates(self, own: RecipientMemory, seen: SeenAccess) -> Iterator[_Found]:
        now, before = own.hour.accesses, own.accesses_before
        if now >= 50 and 168 * now >= 8 * (before + 168):
            yield _Found("rate", "recipient", seen.recipient, 50 * 168 * now // (before + 168), (now, before))
        different, others = len(own.hour.consents), own.consents_before
        if different >= 40 and 168 * different >= 6 * (others + 168):
            score = 60 * 168 * different // (others + 168)
            yield _Found("many", "recipient", seen.recipient, score, (different, others))

    @staticmethod
    def _refused(own: RecipientMemory, recipient: str, *, refused: bool) -> Iterator[_Found]:
        own.refusals.append(refused)
        count = sum(own.refusals)
        if len(own.refusals) == 50 and count >= 20:
            yield _Found("refused", "recipient", recipient, 20 * count, (count, 50))

    @staticmethod
    def _attendance(own: RecipientMemory, seen: SeenAccess) -> Iterator[_Found]:
        if seen.unattended and seen.at_night:
            own.day.at_night += 1
            if own.day.at_night >= 30 and 2 * own.day.at_night >= own.day.accesses:
                score = 1_000 * own.day.at_night // own.day.accesses
                yield _Found("night", "recipient", seen.recipient, score, (own.day.at_night, own.day.accesses))
        if len(own.attendance) == 200:
            earlier, later = sum(islice(own.attendance, 100)), sum(islice(own.attendance, 100, 200))
            if later >= 90 and earlier <= 50:
                yield _Found("unattended", "recipient", seen.recipient, 10 * later, (later, earlier))

    @staticmethod
    def _after_end(own: RecipientMemory, seen: SeenAccess) -> Iterator[_Found]:
        if seen.ended_at is None or seen.time - seen.ended_at < HOUR_MS:
            return
        own.day.after_end += 1
        if own.day.after_end >= 3:
            score = 400 + 50 * own.day.after_end
            yield _Found("after-end", "recipient", seen.recipient, score, (own.day.after_end,))

    def _modelled(self, own: RecipientMemory, seen: SeenAccess) -> Iterator[_Found]:
        if self._model is None or not own.is_looked_at():
            return
        code, model = self._model
        vector = own.vector()
        score = model.score(vector)
        if score >= model.threshold:
            yield _Found("model", "recipient", seen.recipient, score, vector, code)

    def _allowed(self, seen: SeenAccess) -> Iterator[_Found]:
        own = self.consents[seen.consent]
        asked = frozenset(seen.permissions)
        new = len(asked - own.permissions)
        if own.allowed >= 10 and seen.time - own.first >= MONTH_MS and new:
            yield _Found("new-permission", "consent", seen.consent, 300 + 100 * new, (new, own.allowed))
        if own.allowed and seen.unattended and seen.time - own.last >= DORMANT_MS:
            days = (seen.time - own.last) // DAY_MS
            yield _Found("woken", "consent", seen.consent, 10 * days, (days,))
        if not own.allowed:
            own.first = seen.time
        own.allowed += 1
        own.last = seen.time
        if new:
            own.permissions |= asked

    # -- notices ----------------------------------------------------------------------------------------------------

    def _notice(self, seen: SeenNotice) -> Iterator[_Found]:
        own = self.consents[seen.consent]
        first, own.acknowledged = not own.acknowledged, True
        self.ends.answered(seen.consent)
        waited = seen.time - seen.ended_at
        if self.scoring >= 2 and first and waited >= DAY_MS:
            hours = waited // HOUR_MS
            yield _Found("late-notice", "recipient", seen.recipient, 400 + 10 * hours, (hours,))

    def _end(self, seen: SeenEnd | SeenLeaf) -> Iterator[_Found]:
        if self.scoring >= 3 and isinstance(seen, SeenEnd):
            self.ends.wait(Ended(seen.recipient, seen.consent, seen.time))
        yield from ()

    def _unanswered(self, seen: Seen) -> Iterator[_Found]:
        for end in self.ends.due(seen.time):
            yield _Found("no-notice", "recipient", end.recipient, 900, ((seen.time - end.time) // HOUR_MS,))

    # -- requests and legs ------------------------------------------------------------------------------------------

    def _request(self, seen: SeenRequest) -> Iterator[_Found]:
        before = self.breadths[seen.purpose]
        count, together = len(before), sum(before)
        if count >= 20 and seen.permissions >= 8 and seen.permissions * count >= 2 * together:
            score = 250 * seen.permissions * count // together
            yield _Found("breadth", "recipient", seen.recipient, score, (seen.permissions, together, count))
        before.append(seen.permissions)

    def _leg(self, seen: SeenLeg) -> Iterator[_Found]:
        if seen.kind == "access.release":
            own = self.recipients[seen.recipient].rows
            count, together = len(own), sum(own)
            if count >= 20 and seen.rows >= 1_000 and seen.rows * count >= 10 * together:
                score = 50 * seen.rows * count // max(together, 1)
                yield _Found("rows", "recipient", seen.recipient, score, (seen.rows, together, count))
            own.append(seen.rows)
        other = self.single.get(seen.basis)
        if other is None:
            self.single[seen.basis] = seen
        elif other.kind != seen.kind:
            del self.single[seen.basis]
            release, receipt = (other, seen) if other.kind == "access.release" else (seen, other)
            if (release.rows, release.bytes, release.digest) != (receipt.rows, receipt.bytes, receipt.digest):
                yield _Found("legs-differ", "holder", seen.holder, 800, (release.rows, receipt.rows))
