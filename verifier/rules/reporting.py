"""Reports recomputed in the one pass over the log: what each entry counts for, in the periods that are asked for
(docs/spec/reports.md).

Which periods these are is known before the pass (`audit.planning`): a report may be defined after its period began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from hashlib import sha256
from typing import NamedTuple

from verifier.bytes.encoding import Object, encode_base64url
from verifier.errors import Code
from verifier.records.facts import Facts
from verifier.rules.chain_store import Chain, Said, Shelf
from verifier.rules.consents import Consent
from verifier.rules.findings import Reporter
from verifier.rules.orders import Alert
from verifier.rules.report_counts import Group, Period
from verifier.rules.report_forms import Definition, Issued
from verifier.rules.report_groups import groups_of
from verifier.rules.scores import ANSWERED, DAY_MS, DUE, IN_TIME
from verifier.rules.standing import Standing
from verifier.rules.waiting import LATE, NOTHING, WAITING, Waiting, is_awaited

UNREAD = "reports that rest on entries which were withheld, erased or unreadable"
LEFT_OUT = "reports (left out with the evidence, on request)"
FORGOTTEN = "reports whose period reaches back before the kept state"
ENDS = frozenset({"REJECTED", "EXPIRED", "REVOKED", "TERMINATED", "CONSUMED", "SUPERSEDED"})
WITHOUT_EVIDENCE = frozenset({"findings", "erasures", "alerts"})
ACTIVE = "consents_active"
OF_A_MOMENT = frozenset({ACTIVE, WAITING, LATE})
"""Measures that rest on all entries up to the end of the period."""
FOREVER = 2**63


class Wanted(NamedTuple):
    """A period of a report that is asked for."""

    definition: Definition
    since: int
    to: int


class Outcome(NamedTuple):
    """A report that was recomputed. `state`: empty if it is as it was issued, else what is wrong or open; `issued`: the
    index of its document, None if nobody issued it."""

    wanted: Wanted
    csv: bytes
    issued: int | None
    state: str


class Reporting:
    """`plan` the periods first; then shown every entry that counts; `issued` compares, `told` are the results."""

    def __init__(self, tell: Reporter, shelf: Shelf) -> None:
        self.tell, self.findings, self.shelf = tell, tell.findings, shelf
        self.planned = False
        """Whether any report is asked for."""
        self.complete, self.keep = True, False
        """Whether the entries of consents are shown at all; whether what became of each report is kept in `told`."""
        self.told: list[Outcome] = []
        self.parted: set[int] = set()
        """The reconciliation reports whose findings are wanted by participant."""
        self.asked: set[Wanted] = set()
        """Those whose CSV is wanted even if nobody issued them."""
        self._periods: dict[Wanted, Period] = {}
        self._coming: list[Period] = []
        self._now: list[Period] = []
        self._late: list[Period] = []
        """Periods with a score that ended less than a day ago: what ended in them may still be acknowledged in time."""
        self._parted: list[tuple[Issued | None, Wanted, Period]] = []
        """Those that wait for the findings of participants."""
        self._standing: dict[Definition, Standing] = {}
        self._waiting: dict[Definition, Waiting] = {}
        self._next = FOREVER
        self._unread = False

    def plan(self, wanted: Wanted) -> None:
        """A period that is asked for; before the first entry."""
        self.planned = True
        period = self._periods.get(wanted)
        if period is None:
            period = self._periods[wanted] = Period(*wanted)
            self._coming.append(period)
            self._coming.sort(key=lambda one: -one.since)
            self._next = -1
            if ACTIVE in wanted.definition.measures and wanted.definition not in self._standing:
                self._standing[wanted.definition] = Standing(wanted.definition)
            if not {WAITING, LATE}.isdisjoint(wanted.definition.measures):
                self._waiting.setdefault(wanted.definition, Waiting(wanted.definition)).plan(wanted.to)
        period.wanted += 1

    # --- the time -------------------------------------------------------------------------------------------

    def at(self, time: int) -> bool:
        """It is this time (ms); whether anything counts now."""
        if time >= self._next:
            self._turn(time)
        return bool(self._now or self._standing or self._waiting or self._late)

    def _turn(self, time: int) -> None:
        second = time // 1000
        self._take(second)
        for waiting in self._waiting.values():
            waiting.turn(time)
        self._late = [period for period in self._late if time < period.to * 1000 + DAY_MS]
        for period in [one for one in self._now if one.to <= second]:
            self._now.remove(period)
            if period.definition.weights is not None:
                self._late.append(period)
            self._fill(period)
        ends = [one.to * 1000 for one in self._now] + [one.since * 1000 for one in self._coming[-1:]]
        self._next = min([*ends, *(waiting.next for waiting in self._waiting.values())], default=FOREVER)

    def _fill(self, period: Period) -> None:
        """What is counted at the period's end."""
        standing, waiting = self._standing.get(period.definition), self._waiting.get(period.definition)
        if standing is not None:
            standing.fill(period)
        if waiting is not None:
            waiting.fill(period)
        if self._unread and not OF_A_MOMENT.isdisjoint(period.definition.measures):
            period.open = period.open or UNREAD

    def _take(self, second: int) -> None:
        """The periods that began; one that began before the pass did is not known."""
        while self._coming and self._coming[-1].since <= second:
            self._now.append(self._coming.pop())

    # --- entries --------------------------------------------------------------------------------------------

    def _each(self, consent: Consent) -> Iterator[tuple[Period, list[Group]]]:
        for period in self._now:
            yield period, groups_of(period.definition, consent.terms, consent.terms.permissions)

    def moved(self, before: Consent | None, chain: Chain, facts: Facts) -> None:
        """A `consent.*` entry that was judged."""
        after = chain.consent
        if after is None:
            return
        for standing in self._standing.values():
            standing.change(before, after)
        if is_awaited(before, after, facts):
            chain.awaited = chain.moved
            for waiting in self._waiting.values():
                waiting.ended(after)
        if not self._now:
            return
        act, ended = facts.act, after.status in ENDS and (before is None or before.status not in ENDS)
        first = after.version == 1 and after.status == "ACTIVE" and before is not None and not before.authenticated_at
        withdrawn = ended and act == "consent.revoke" and facts.content.get("by") in ("customer", "guardian")
        for period, groups in self._each(after):
            if "reason" in period.definition.by:
                continue
            period.count("consents_requested", groups, act == "consent.request")
            period.count("consents_authorised", groups, first)
            period.count("consents_ended", groups, ended)
            period.count("consents_withdrawn", groups, withdrawn)

    def accessed(self, before: Consent, after: Consent, facts: Facts, outcome: Object, time: int) -> None:
        """An access of a consent that is known and the signer's, with the decision that its entry names."""
        if not self.at(time):
            return
        if before.terms.once:
            for standing in self._standing.values():
                standing.change(before, after)
        told = [outcome.get(name) for name in ("reasons", "asserted")]
        reasons = [str(code) for codes in told if isinstance(codes, list) for code in codes]
        asked = facts.content["permissions"]
        permissions = [str(code) for code in asked] if isinstance(asked, list) else []
        allowed, alone = outcome["decision"] == "allow", not facts.content["customer_present"]
        consumed = after.status == "CONSUMED" != before.status
        for period in self._now:
            groups = groups_of(period.definition, before.terms, permissions, None if allowed else reasons)
            period.count("accesses_allowed", groups, allowed)
            period.count("accesses_refused", groups, not allowed)
            period.count("accesses_unattended", groups, allowed and alone)
            period.count("accesses_after_withdrawal", groups, allowed and before.status == "REVOKED")
            if consumed:
                own = groups_of(period.definition, before.terms, before.terms.permissions)
                period.count("consents_ended", own)

    def acknowledged(self, chain: Chain, basis: object, time: int) -> None:
        """A legal `consent.acknowledge`."""
        consent = chain.consent
        if consent is None or consent.status not in ENDS or basis != consent.basis:
            return
        first, chain.acknowledged = not chain.acknowledged, True
        if chain.awaited != NOTHING:
            for waiting in self._waiting.values():
                waiting.acknowledged(consent, chain.awaited)
            chain.awaited = NOTHING
        if first and time - chain.moved <= DAY_MS:
            for period in (*self._now, *self._late):
                if period.since * 1000 <= chain.moved < period.to * 1000:
                    period.note(IN_TIME, groups_of(period.definition, consent.terms, consent.terms.permissions))
        for period, groups in self._each(consent):
            period.count("acknowledged", groups)
            if first:
                period.acknowledge(groups, (time - chain.moved) // 1000)

    def complained(self, consent: Consent | None, due: int) -> None:
        """A legal `subject.feedback` about this consent (None: it is not known), to be answered by `due` (s)."""
        for period in self._now if consent is None else ():
            if "complaints" in period.definition.measures or period.definition.weights is not None:
                period.open = period.open or UNREAD
        if consent is not None:
            for period, groups in self._each(consent):
                period.count("complaints", groups)
                period.note(DUE, groups, due <= period.to)

    def answered(self, consent: Consent | None, said: Said) -> None:
        """What was said at `said.time` (ms) about this consent was answered or closed before it was due."""
        for period, groups in self._each(consent) if consent is not None else ():
            if period.since * 1000 <= said.time and said.due <= period.to:
                period.note(ANSWERED, groups)

    def documented(self, index: int, document: Object, erased: Mapping[str, int], alert: Alert | None) -> None:
        """An operator document: what of it counts. `erased`: the chains that were, by the entries that say so."""
        kind = document["type"]
        if kind == "erasure":
            chains = document["chains"]
            known = {str(text) for text in chains} if isinstance(chains, list) else set()
            self.erased(sum(erased.get(text) == index for text in known))
        elif kind == "reconciliation.reported":
            self.reconciled(index, int(str(document["findings"])))
        elif kind == "participant.removed":
            self.removed(str(document["participant"]))
        elif kind == "alert.raised" and alert is not None:
            self.alerted(alert)

    def erased(self, count: int) -> None:
        """So many chains were erased for the first time."""
        for period in self._now:
            period.count("erasures", [()], count)

    def reconciled(self, index: int, findings: int) -> None:
        """A report on the legs, with so many findings."""
        for period in self._now:
            if period.is_parted:
                period.reconciled.append(index)
                self.parted.add(index)
            elif not period.definition.by:
                period.count("findings", [()], findings)

    def alerted(self, alert: Alert) -> None:
        """An `alert.raised`."""
        for period in self._now if any("alerts" in one.definition.measures for one in self._now) else ():
            plain = {alert.kind: alert.about}
            if alert.kind == "consent" and period.definition.by:
                chain = self.shelf.get(alert.about.encode())
                if chain is None or chain.consent is None:
                    period.open = period.open or UNREAD
                    continue
                plain = {"holder": chain.consent.terms.holder, "recipient": chain.consent.terms.recipient}
            if all(name in plain for name in period.definition.by):
                period.count("alerts", [tuple(plain[name] for name in period.definition.by)])

    def removed(self, participant: str) -> None:
        """Note that a party was removed."""
        for standing in self._standing.values():
            standing.remove(participant)

    def missed(self, time: int) -> None:
        """An entry of a consent or a customer that cannot be read, or that rests on such a one."""
        self._unread = True
        if self.at(time):
            self._late = [period for period in self._late if time < period.to * 1000 + DAY_MS]
            for period in (*self._now, *self._late):
                if not WITHOUT_EVIDENCE.issuperset(period.definition.measures):
                    period.open = period.open or UNREAD

    # --- reports --------------------------------------------------------------------------------------------

    def issued(self, issued: Issued, definition: Definition) -> None:
        """A legal `report.issued`: its CSV is that of the entries."""
        if not self.complete:
            self.findings.unchecked[LEFT_OUT] += 1
            return
        wanted = Wanted(definition, issued.since, issued.to)
        period = self._periods.get(wanted)
        if period is None:  # an earlier run read its entries
            self.findings.unchecked[FORGOTTEN] += 1
            return
        if period.is_parted:
            self._parted.append((issued, wanted, deepcopy(period)))
        else:
            self._judge(issued, wanted, period)
        period.wanted -= 1
        if not period.wanted:  # nobody asks for it again
            del self._periods[wanted]

    def _judge(self, issued: Issued, wanted: Wanted, period: Period) -> None:
        csv, rows = period.csv()
        if period.open:
            self.findings.unchecked[period.open] += 1
            state = period.open
        else:
            found = (rows, encode_base64url(sha256(csv).digest()))
            state = "" if found == (issued.rows, issued.csv_hash) else "refuted"
            self.findings.checked["reports"] += 1
            if state:
                self.tell.at(issued.number).bad(
                    Code.UNMATCHED,
                    "the report is not what the entries give",
                    "document",
                    f"{found[0]} rows, hash {found[1]}",
                    f"{issued.rows} rows, hash {issued.csv_hash}",
                )
        if self.keep:
            self.told.append(Outcome(wanted, csv, issued.number, state))

    def finish(self, time: int) -> None:
        """The periods that are asked for, though nobody issued them. `time`: the log's last."""
        self.at(time + 1)
        for wanted in sorted(self.asked):
            period = self._periods.get(wanted)
            known = {one.wanted for one in self.told} | {one for issued, one, _ in self._parted if issued is not None}
            if period is None or wanted in known:
                continue
            if period in self._now:  # it is not over: as the log stands
                self._fill(period)
            if period.is_parted:
                self._parted.append((None, wanted, period))
            else:
                self._tell(wanted, period)

    def _tell(self, wanted: Wanted, period: Period) -> None:
        """A period that nobody issued."""
        if period.open:
            self.findings.unchecked[period.open] += 1
        self.told.append(Outcome(wanted, period.csv()[0], None, period.open))

    def settle(self, findings_of: Callable[[int], Mapping[tuple[str, str], int] | None]) -> None:
        """The periods that wait for the findings of a reconciliation report by holder and recipient (None: not known)."""
        for issued, wanted, period in self._parted:
            for index in period.reconciled:
                found = findings_of(index)
                if found is None:
                    period.open = period.open or UNREAD
                for parties, number in (found or {}).items():
                    plain = dict(zip(("holder", "recipient"), parties, strict=True))
                    period.count("findings", [tuple(plain[name] for name in period.definition.by)], number)
            if issued is None:
                self._tell(wanted, period)
            else:
                self._judge(issued, wanted, period)
