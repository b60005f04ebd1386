"""The rules, replayed in log order from the evidence alone: each entry to those who judge its kind.

`signers` checks who signed it, `judging` its effect on a consent, `subjects` its effect on a customer; `matching` keeps
what can only be compared at the end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from verifier.bytes.encoding import Object
from verifier.crypto.backend import Backend
from verifier.errors import CannotCheck, Code, OtherVersion, Refuted, unforeseen
from verifier.records.commitment import chain_of
from verifier.records.declarations import DECLARED
from verifier.records.facts import OTHER_VERSION, Facts, Found
from verifier.records.history_acts import SHEET
from verifier.records.leaf import EVIDENT, Leaf, text_of
from verifier.rules.alerts import Alerts, ReadModel
from verifier.rules.catalogue import HASHES, KNOWN_RULESETS
from verifier.rules.chain_store import Chain, Shelf
from verifier.rules.declaring import Declarations
from verifier.rules.findings import Findings, Reporter
from verifier.rules.gestures import Gestures
from verifier.rules.judging import Judge
from verifier.rules.matching import Matching
from verifier.rules.participants import Registry, chain_name
from verifier.rules.reporting import Reporting
from verifier.rules.sheets import Sheets
from verifier.rules.signers import later_defects, signer_defects
from verifier.rules.subjects import Subjects
from verifier.rules.usage import Usage
from verifier.tlog.trust import Trust

UNREGISTERED = "the key of the statement is not registered"
OTHER_RULES = "entries under a ruleset this verifier does not know"
REFUSED = "evidence that was refused (see the defects)"
HOUR_MS = 3_600_000

TimeOf = Callable[[int], "int | None"]
"""The time of the entry at an index; None if it cannot be read."""


class Replay:
    """Feed every leaf in order to `add`, with what its evidence said; then `finish`."""

    def __init__(
        self,
        origin: str,
        findings: Findings,
        shelf: Shelf,
        full: bool,
        trust: Trust,
        backend: Backend,
        time_of: TimeOf,
        read_model: ReadModel = lambda _: None,
    ) -> None:
        self.origin, self.findings, self.shelf, self.full, self.time_of = origin, findings, shelf, full, time_of
        self.gestures = Gestures(trust, backend, shelf.limit)
        self.registry = Registry()
        self.matching = Matching()
        self.tell = Reporter(findings)
        self.reports = Reporting(self.tell, shelf)
        self.judge = Judge(self.tell, self.registry, shelf, self.matching.legs, self.reports)
        self.alerts = Alerts(self.tell, self.registry.orders, shelf, read_model)
        self.usage = Usage(self.registry.orders.partners, self.matching.legs, time_of)
        self.declarations = Declarations(self.tell, self.registry)
        self.subjects = Subjects(self.tell, shelf, self.matching, self.gestures, self.reports)
        self.sheets = Sheets(self.tell, self.registry, self.declarations, shelf)
        self.time = 0
        self.breaks: set[int] = set()
        """Entries before which their chain has an unreadable one: those of `links`."""
        self.others: set[int] = set()
        """Leaves of a version that this verifier cannot read: those of `links`."""
        self.unknown_rules = False
        self._flagged = False
        # signers found in order since the registry changed last
        self._sound: set[tuple[str, str, str, str, bool, bool]] = set()

    # --- one entry ------------------------------------------------------------------------------------------

    def add(self, index: int, leaf: Leaf, found: Found | None) -> None:
        """Judge the entry at `index`. `found` is None when it has no evidence line."""
        self.tell.index = index
        try:
            self._add(index, leaf, found)
        except Refuted as refusal:
            self.tell.refuse(refusal)
            self._unread(leaf)
        except (CannotCheck, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - one guard per entry: no input ends an audit
            self.tell.refuse(unforeseen(error))
            self._unread(leaf)
        if not self.unknown_rules:
            self.alerts.passed(index, leaf.time)

    def _add(self, index: int, leaf: Leaf, found: Found | None) -> None:
        self.time = max(self.time, leaf.time)
        if self.usage.lost_at >= 0:
            self.usage.found(self.time)
        if self.unknown_rules:
            self._beyond(index, leaf, found)
            return
        if leaf.kind == "operator":
            self._operator(leaf)
        elif leaf.kind != "index-head":
            # Step 8.1.
            if index == 0:
                self.tell.bad(
                    Code.CONSENT_INVALID,
                    "the log does not open with ledger.opened",
                    "kind",
                    "operator",
                    leaf.kind,
                )
            # Step 8.6.
            if self.registry.erased and leaf.chain.decode() in self.registry.erased:
                self._erased(leaf)
            chain = self.shelf.get(leaf.chain)
            if chain is not None:
                if self.breaks and index in self.breaks:
                    chain.known = False
                    if leaf.kind == "participant":
                        self.declarations.unread(leaf.chain, self.tell.index)
                # Step 8.8.
                if leaf.kind == "participant" and self.registry.ruleset in (1, 2):
                    found_under = f"one under ruleset {self.registry.ruleset}"
                    self.tell.bad(
                        Code.CONSENT_INVALID,
                        "a leaf of this kind exists from ruleset 3 onwards",
                        "kind",
                        "ruleset 3",
                        found_under,
                    )
                self._disclosed(leaf, chain, found)

    def _beyond(self, index: int, leaf: Leaf, found: Found | None) -> None:
        """An entry under a ruleset that this verifier does not know (step 8.0): the meaning of its evidence, and
        whether it is allowed, stay open. Only one thing is checked, which no ruleset can change: that the leaf commits
        to this evidence."""
        if leaf.kind == "operator":
            with contextlib.suppress(Refuted):  # for the list of who could sign; it need not be legal by our rules
                self.registry.fold_beyond(leaf.document or {}, index, leaf.time)
        elif leaf.kind != "index-head":
            if found is None:
                self.matching.put_missing(leaf.chain, index, leaf.kind)
            else:
                for row in found.defects:
                    if row[0] == Code.BAD_COMMITMENT:
                        self.tell.row(row)
        if leaf.kind != "index-head":
            self.findings.unchecked[OTHER_RULES] += 1

    def _erased(self, leaf: Leaf) -> None:
        """The key of an erased chain is gone: nothing can have been added to it."""
        self.tell.bad(
            Code.CONSENT_INVALID,
            "an entry was added to a chain that was erased before",
            "chain",
            "no entry of this chain",
            f"erased by entry {self.registry.erased[leaf.chain.decode()]}",
        )

    def lose(self, index: int) -> None:
        """An entry that cannot be read."""
        self.matching.lose(index)
        self.declarations.lost.append(index)
        self.alerts.lose(index, self.time)
        self.reports.missed(self.time)
        self.usage.lose(self.time)
        self.subjects.unread(index, "", None)
        self.unknown_rules = self.unknown_rules or index in self.others

    def _unread(self, leaf: Leaf) -> None:
        """An entry whose leaf can be read, but not its evidence: whatever rests on it is unknown."""
        if leaf.kind in EVIDENT:
            self.matching.put_refused(leaf.chain, self.tell.index, leaf.kind)
            self._leave_open(leaf, self.shelf.get(leaf.chain))

    def _leave_open(self, leaf: Leaf, chain: Chain | None) -> None:
        """Leave open everything that rests on an entry whose evidence was not read."""
        index, consent = self.tell.index, None if chain is None else chain.consent
        if leaf.kind == "participant":
            self.declarations.unread(leaf.chain, index)
        else:
            self.reports.missed(self.time)
        if leaf.kind == "consent":
            self.alerts.miss(index, leaf, chain)
            self.usage.missed(self.time, consent)
        self.subjects.unread(index, leaf.kind, leaf.chain)
        if chain is not None:
            chain.known = False

    def _operator(self, leaf: Leaf) -> None:
        document = leaf.document or {}
        self._sound.clear()
        legal = True
        try:
            # Steps 8.1, 8.2, 8.3.
            self.registry.fold(document, self.tell.index, leaf.time)
        except OtherVersion as refusal:  # it may say anything: as under rules that nobody knows
            self.findings.postpone(self.tell.index, refusal.defect.sentence, refusal.defect.found)
            self.unknown_rules = True
            self.matching.legs.last_lost = self.tell.index
            return
        except Refuted as refusal:
            if self.declarations.excuses(document, refusal):
                return
            self.tell.refuse(refusal)
            if refusal.defect.code is not Code.CONSENT_INVALID:
                return  # nothing in it can be taken over
            legal = False
        expected = text_of(chain_of(chain_name(document)))
        # Step 8.4.
        if leaf.chain != expected:
            self.tell.bad(
                Code.BAD_CHAIN,
                "the document is filed under another chain than it names",
                "chain",
                expected,
                leaf.chain,
            )
        if self.tell.index == 0 and legal and self.registry.origin != self.origin:
            self.tell.bad(
                Code.BAD_ENCODING,
                "the log was opened under another origin",
                "document.origin",
                self.origin,
                self.registry.origin,
            )
        if document["type"] in ("ledger.opened", "ruleset.activated"):
            self._rules()
        self._supervised(leaf.time, document, legal)
        if not legal:
            return
        if document["type"] == "reconciliation.reported":
            self._report(leaf.time, document)
        self.findings.acts[str(document["type"])] += 1
        self.findings.checked["operator documents"] += 1

    def _supervised(self, time: int, document: Object, legal: bool) -> None:
        """What alerts and reports rest on."""
        orders, kind = self.registry.orders, str(document["type"])
        if self.reports.at(time):
            self.reports.documented(self.tell.index, document, self.registry.erased, orders.alert)
        if kind == "scoring.activated":
            self.alerts.begin(self.tell.index)
        elif kind == "model.activated":
            self.alerts.model()
        # Step 8.16.
        elif kind == "alert.raised" and legal and orders.alert is not None:
            self.alerts.raised(orders.alert)
        # Step 9.13.
        elif kind == "report.issued" and legal and orders.issued is not None:
            self.reports.issued(orders.issued, orders.issued.definition_of(orders.definitions[orders.issued.report]))

    def _rules(self) -> None:
        """Whether this verifier knows the ruleset in force: else there is no verdict (step 8.0)."""
        ruleset = self.registry.ruleset
        # Step 8.0.
        if self.registry.is_judged or not ruleset:
            return
        self.unknown_rules = True
        self.matching.legs.last_lost = max(self.matching.legs.last_lost, self.tell.index)
        known = ", ".join(map(str, KNOWN_RULESETS))
        if ruleset in KNOWN_RULESETS:  # the number alone, or beside another catalogue
            known = f"that number by the catalogue {HASHES.get(ruleset, 'of its own')}, which the log does not name"
        self.findings.open = self.findings.open or (
            f"from entry {self.tell.index} on the log is under ruleset {ruleset}, and this verifier knows {known}: "
            "what the entries above it mean cannot be checked"
        )

    def _report(self, time: int, document: Object) -> None:
        """It ends with the last entry of an hour ago; its figures are compared at the end."""
        self.matching.legs.report(self.tell.index, document)
        last = int(str(document["to_index"]))
        before, after = self.time_of(last), self.time_of(last + 1)
        if before is None or after is None:
            self.findings.unchecked["ranges of reconciliation reports whose entries could not be read"] += 1
        # Step 8.5.
        elif not before <= time - HOUR_MS < after:
            self.tell.bad(
                Code.CONSENT_INVALID,
                "the report does not end with the last entry that was an hour old",
                "document.to_index",
                f"before {time - HOUR_MS}, and the next entry after it",
                f"entry {last}, times {before} and {after}",
            )

    def _disclosed(self, leaf: Leaf, chain: Chain, found: Found | None) -> None:
        if leaf.kind == "subject" and not leaf.seq:
            chain.began = leaf.time
        if found is None:
            self._leave_open(leaf, chain)
            self.matching.put_missing(leaf.chain, self.tell.index, leaf.kind)
            return
        self._flagged = False
        if found.defects:
            self._tell_rows(found)
        facts = found.facts
        if facts is None:
            self._unread(leaf)
            if not any(row[0] == OTHER_VERSION for row in found.defects):
                self.findings.unchecked[REFUSED] += 1
            return
        self.findings.checked["evidence bodies"] += 1
        self.findings.acts[facts.act] += 1
        if facts.kid:
            self._signed(facts, chain)
        if self.registry.is_judged:
            self._judge(leaf, chain, facts)
        else:
            chain.known = False  # the log has no opening, so its rules are unknown
            self.matching.put_refused(leaf.chain, self.tell.index, leaf.kind)
            self.findings.unchecked[OTHER_RULES] += 1

    def _tell_rows(self, found: Found) -> None:
        for row in found.defects:
            self._flagged = self._flagged or row[0] == Code.BAD_SIGNATURE
            if self.matching.lost and row[1] == UNREGISTERED:
                self.findings.unchecked["statements whose key may stand in an entry that could not be read"] += 1
            else:
                self.tell.row(row)

    def _signed(self, facts: Facts, chain: Chain) -> None:
        if self.matching.lost and not self._parties_known(facts):
            chain.known = False
        else:
            self._check_signer(facts)
        self.findings.checked["signed statements"] += 1
        self.matching.put_identity(facts.jti_key, facts.payload_key, facts.position, self.tell.index)

    def _judge(self, leaf: Leaf, chain: Chain, facts: Facts) -> None:
        act = facts.act
        # Step 8.8.
        ruleset = self.registry.ruleset
        later = [] if ruleset >= 3 else [*later_defects(self.registry, facts)]
        for row in later if leaf.kind != "participant" else ():  # of that kind, the leaf was told
            self.tell.row(row)
        # Step 8.9.
        if facts.assertion is not None and act != "consent.authorise":
            self.tell.bad(Code.CONSENT_INVALID, "a passkey signs authorisations only", "act", "consent.authorise", act)
        if ruleset >= 3 and self.registry.orders.scoring and leaf.kind == "consent":
            self.alerts.see(self.tell.index, leaf, chain, facts)
        if act in DECLARED:
            if not later:
                self.declarations.judge(leaf, chain, facts)
        elif act == "access.request":
            self.judge.access(leaf, chain, facts)
        elif act.startswith("consent."):
            if act == "consent.authorise":
                self.subjects.authorised(leaf.chain, facts)
            self.judge.consent(leaf, chain, facts)
        elif act.startswith("access."):
            self.judge.leg(leaf, chain, facts)
        elif act == SHEET:
            if not later:
                self.sheets.judge(facts)
        else:
            self.subjects.judge(leaf, chain, facts)

    # --- signers --------------------------------------------------------------------------------------------

    def _check_signer(self, facts: Facts) -> None:
        known = (facts.kid, facts.iss, facts.behalf, facts.act, facts.relayed, facts.position < 0)
        if known in self._sound and facts.act != "freeze.order":  # who may order one depends on its scope
            return
        # Step 8.7.
        rows = [*signer_defects(self.registry, facts, self.tell.index, self._flagged)]
        if not rows and not self._flagged:
            self._sound.add(known)
        for row in rows:
            self.tell.row(row)

    def _parties_known(self, facts: Facts) -> bool:
        """Whether those the rules ask about are registered; if not, an unreadable entry may have said it."""
        terms = facts.content.get("terms")
        parties = {facts.iss, facts.party, str(terms["holder"]) if isinstance(terms, dict) else facts.iss}
        return parties <= self.registry.participants.keys() and facts.kid in self.registry.keys

    # --- the end --------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """The checks that need the whole log."""
        self.subjects.finish()
        # Step 9.10.
        self.alerts.finish(self.time)
        self.reports.finish(self.time)
        self.usage.begin(self.tell.index + 1)
        self.matching.legs.parted = self.reports.parted
        self.matching.finish(self.findings, self.registry.erased, self.full, self.time)
        # Step 9.14.
        self.usage.finish(self.findings)
        self.sheets.finish()
        self.reports.settle(self.matching.legs.findings_of)
