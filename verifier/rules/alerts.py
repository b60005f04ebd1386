"""The alerts that the log raised, held against those that the rules give (docs/spec/risk.md, «The document»)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from verifier.errors import Code
from verifier.records.facts import Facts
from verifier.records.leaf import Leaf
from verifier.records.terms import parse_terms
from verifier.rules.chain_store import Chain, Shelf
from verifier.rules.findings import Reporter
from verifier.rules.firing import NUMBERS, Fired
from verifier.rules.forest import Forest
from verifier.rules.notices import RULE, Notices
from verifier.rules.orders import RULES, Alert, Orders
from verifier.rules.scorer import Scorer

DUE_MS = 60_000
UNREAD = "alerts that rest on entries which were withheld, erased or unreadable"
NO_MODEL = "alerts of a model whose bytes are not in the bundle"
FORGOTTEN = "alerts whose rules reach back before the kept state"
LEFT_OUT = "alerts (left out with the evidence, on request)"
MISSING, WRONG, INVENTED, UNORDERED, GIVEN, OPEN = (
    "missing",
    "changed",
    "invented",
    "out of order",
    "as the rules give",
    "not checked",
)

ReadModel = Callable[[str], "Forest | None"]
"""The model whose bytes have this hash (base64url); None if it cannot be read."""
Told = Callable[[int, "Alert | Fired", str], None]
"""Takes the index, the alert, and what became of it."""


class Alerts:
    """Shown every entry while scoring is in force, and every `alert.raised`; `finish` tells what is missing."""

    def __init__(self, tell: Reporter, orders: Orders, shelf: Shelf, read_model: ReadModel) -> None:
        self.tell, self.findings, self.orders, self.shelf, self.read_model = (
            tell,
            tell.findings,
            orders,
            shelf,
            read_model,
        )
        self.scorer, self.notices = Scorer(), Notices(shelf)
        self.watch: Told | None = None
        self.complete = True
        """Whether the entries of consents are shown at all."""
        self._owed: dict[tuple[int, int, str, str], Fired] = {}
        self._last = (-1, 0, "")

    # --- entries --------------------------------------------------------------------------------------------

    def begin(self, index: int) -> None:
        """A `scoring.activated`."""
        if self.orders.scoring:
            self.scorer.begin(index)
        self.notices.begin(index, self.orders.scoring == 3)

    def model(self) -> None:
        """A `model.activated`: its bytes are read from the bundle."""
        name = self.orders.model
        forest = self.read_model(self.orders.models[name])
        self.scorer.model, self.scorer.forest, self.scorer.without_model = name, forest, forest is None

    def see(self, index: int, leaf: Leaf, chain: Chain, facts: Facts) -> None:
        """An entry of a consent that could be read, before it changes the consent's state."""
        if self.notices.on:
            self.notices.see(index, leaf, chain, self.scorer.habits(chain), facts)
        if facts.act == "access.request":
            fired = self.scorer.access(index, leaf, chain, facts)
        elif facts.act in ("access.release", "access.receive"):
            fired = self.scorer.leg(index, leaf, chain, facts)
        elif facts.act == "consent.acknowledge" and self.orders.scoring >= 2:
            fired = self.scorer.notice(index, leaf, chain, facts)
        elif facts.act == "consent.request":
            terms = facts.content["terms"]
            assert isinstance(terms, dict)  # noqa: S101 - the form was checked when the statement was read
            fired = self.scorer.request(index, leaf, parse_terms(terms))
        else:
            return
        self._owe(fired)

    def passed(self, index: int, time: int) -> None:
        """A leaf that could be read, after everything that it brings about."""
        if self.notices.on:
            self._owe(self.notices.passed(index, time))

    def _owe(self, fired: Iterable[Fired]) -> None:
        for one in fired:
            self._owed[one.at_index, one.number, one.kind, one.about] = one

    def miss(self, index: int, leaf: Leaf, chain: Chain | None) -> None:
        """An entry of a consent that could not be read."""
        if self.orders.scoring:
            self.scorer.miss(index, leaf.time, None if chain is None else chain.consent)
        if self.notices.on and chain is not None:
            self.notices.miss(index, leaf, chain, self.scorer.habits(chain))

    def lose(self, index: int, time: int) -> None:
        """A leaf that could not be read. `time`: of the last one that could."""
        if self.orders.scoring:
            self.scorer.miss(index, time, None)
        if self.notices.on:
            self.notices.lose(index)

    # --- alerts ---------------------------------------------------------------------------------------------

    def raised(self, alert: Alert) -> None:
        """An `alert.raised` of the right form."""
        if not self.complete:
            self.findings.unchecked[LEFT_OUT] += 1
            return
        number = NUMBERS[alert.rule]
        owed = self._owed.pop((alert.at_index, number, alert.kind, alert.about), None)
        stands = (alert.at_index, number, alert.about)
        place, self._last = self._last, max(self._last, stands)
        if stands <= place:
            expected = f"after entry {place[0]}, rule {RULES[place[1] - 1]}" if place[1] else "an entry"
            self._bad(Code.BAD_CHAIN, "the alert is out of order", expected, _place(alert))
            self._told(alert, UNORDERED)
        elif owed is None:
            self._unowed(alert)
        else:
            expected, found = _figures(owed), _figures(alert)
            if expected != found:
                self._bad(Code.CONSENT_INVALID, "the rules give another alert", expected, found)
            self.findings.checked["alerts"] += expected == found
            self._told(alert, GIVEN if expected == found else WRONG)

    def _unowed(self, alert: Alert) -> None:
        if self._was_unsure(alert):
            self.findings.unchecked[NO_MODEL if alert.rule == "model" and self.scorer.without_model else UNREAD] += 1
            self._told(alert, OPEN)
            return
        self._bad(Code.CONSENT_INVALID, "no rule gives this alert", "none", _place(alert))
        self._told(alert, INVENTED)

    def _was_unsure(self, alert: Alert) -> bool:
        if alert.rule == RULE:
            return self.notices.was_unsure(alert.kind, alert.about, alert.at_index)
        chain = self.shelf.get(alert.about.encode()) if alert.kind == "consent" else None
        return self.scorer.was_unsure(alert.kind, alert.about, alert.rule, alert.at_index, chain)

    def finish(self, time: int) -> None:
        """Those that are due, and not there. `time`: the log's last."""
        for owed in self._owed.values() if self.complete else ():
            if time - owed.time > DUE_MS:
                self.tell.at(owed.at_index).bad(
                    Code.INCOMPLETE, "an alert that the rules give is missing", "", _figures(owed), "none"
                )
                if self.watch is not None:
                    self.watch(owed.at_index, owed, MISSING)

    def _bad(self, code: Code, sentence: str, expected: str, found: str) -> None:
        self.tell.bad(code, sentence, "document", expected, found)

    def _told(self, alert: Alert, state: str) -> None:
        if self.watch is not None:
            self.watch(alert.number, alert, state)

    # --- for a resumed run ----------------------------------------------------------------------------------

    def kept(self) -> list[object]:
        """The state that a later run needs: the alerts that are owed, the last one, which scoring this is."""
        return [list(self._owed.values()), self._last, self.scorer.epoch, self.scorer.begun]

    def take_up(self, kept: list[object], index: int, time: int) -> None:
        """Continue from the state of an earlier run. The scorer's memory of the entries below `index` is lost, which leaves as
        much open as an unreadable entry of an unknown party."""
        owed, last, epoch, begun = kept
        for one in owed if isinstance(owed, list) else ():
            fired = Fired._make([*one[:6], tuple(one[6]), one[7]])
            self._owed[fired.at_index, fired.number, fired.kind, fired.about] = fired
        if isinstance(last, list):
            self._last = (int(last[0]), int(last[1]), str(last[2]))
        self.scorer.epoch, self.scorer.begun = int(str(epoch)), int(str(begun))
        self.notices.take_up(self.scorer.begun, time, self.orders.scoring == 3)
        if self.orders.scoring:
            self.scorer.resumed = index
            self.scorer.miss(index - 1, time, None)
            self.findings.unchecked[FORGOTTEN] += 1
        if self.orders.model:
            self.model()

    def close(self) -> None:
        """Give temporary files back."""
        self.scorer.close()
        self.notices.close()


def _figures(alert: Alert | Fired) -> str:
    rule = alert.rule if isinstance(alert, Alert) else RULES[alert.number - 1]
    model = f", model {alert.model}" if alert.model else ""
    features = ", ".join(map(str, alert.features))
    return f"{rule} about {alert.kind} {alert.about}: score {alert.score}, features {features}{model}"


def _place(alert: Alert) -> str:
    return f"{alert.rule} about {alert.kind} {alert.about}, at entry {alert.at_index}"
