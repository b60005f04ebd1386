"""Reports out of the log: counting the entries of a period, and recording what they give (docs/spec/reports.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import date
from hashlib import sha256
from struct import Struct
from typing import Any, Final, NamedTuple

from msgspec import UNSET
from sqlalchemy import Connection, select

from ledger.canonical import b64u, unb64u
from ledger.consent.state import LIVE, Consent, Status
from ledger.entries.acts import ConsentAcknowledge, ConsentStep, SubjectFeedback
from ledger.entries.evidence import AccessOutcome, ConsentOutcome, Evidence, decode_evidence
from ledger.entries.leaf import CommitmentLeaf, Kind, OperatorLeaf, consent_chain, open_commitment, parse_leaf
from ledger.errors import Corrupt
from ledger.orders import ReportDefined, ScoreWeights
from ledger.queries.booked import count_from_book
from ledger.queries.counting import Counting, dims_of
from ledger.queries.scored import Scored
from ledger.reporting.awaited import AWAITED, LATE_MS, OF_A_MOMENT, is_awaited
from ledger.reporting.periods import Defined, ReportPeriod, period_of
from ledger.reporting.tally import Dimensions, ReportCSV, ReportTally, ScoreInputs, check_countable
from ledger.storage.counted_facts import Dims
from ledger.storage.log import LogStore
from ledger.storage.operator import reports_on_record
from ledger.storage.replay import Replay, Unfit, Unjudged
from ledger.storage.rows import open_evidence
from ledger.storage.spill import Spill
from ledger.storage.standing import item_of, recorded_payload
from ledger.storage.tables import entries, reconciliation_findings
from ledger.vault.keystore import KeyStore

PAGE: Final = 500
_END: Final = Struct(">QQ??")
_FOREIGN: Final = frozenset({"CONSENT_UNKNOWN", "CONSENT_NOT_YOURS"})
_EVIDENT: Final = frozenset({Kind.CONSENT.value, Kind.SUBJECT.value})
"""Kinds of entries that a report may count."""


class PreparedReport(NamedTuple):
    """A report that can be recorded. `unread`: entries of erased chains that it would have to count."""

    says: ReportDefined
    period: ReportPeriod
    csv: ReportCSV
    csv_hash: str
    unread: int
    read_to: int
    """The first entry that was not read: it does not exist yet, or lies after the period."""
    waiting: frozenset[bytes] = frozenset()
    """For a score: chains whose end nobody had acknowledged by `looked_to`."""
    looked_to: int = 0
    """For a score: the first entry that was not looked at for an acknowledgement."""


def prepare_report(store: LogStore, keystore: KeyStore, code: str, day: date) -> PreparedReport:
    """Count the period of this report that begins on `day`.

    Reads all entries from the first one onwards. Raises NotFound, InvalidInput (also for what cannot be counted
    exactly), Corrupt, Unavailable.
    """
    with store.read() as connection, closing(Spill()) as spill:
        says, period = _defined(connection, code, day)
        count = _Count(connection, keystore, spill, says, period)
        read_to = count.read()
        csv = count.tally.csv()
        return PreparedReport(
            says, period, csv, b64u(sha256(csv.content).digest()), count.unread, read_to, count.waiting, count.looked_to
        )


def report_from_book(counting: Counting, code: str, day: date) -> PreparedReport:
    """The same from the count book, which is first brought to the end of the log: entries that it has read are not read again.

    A score rests on more than the book holds; it is counted from the entries. Raises what `prepare_report` raises.
    """
    with counting.store.read() as connection:
        says, period = _defined(connection, code, day)
    if "score" in says.measures:
        return prepare_report(counting.store, counting.keystore, code, day)
    counting.catch_up()
    with counting.book.view():
        read_to, _ = counting.book.place()
        tally, unread = count_from_book(counting.book, says, period)
    csv = tally.csv()
    return PreparedReport(says, period, csv, b64u(sha256(csv.content).digest()), unread, read_to)


def _defined(connection: Connection, code: str, day: date) -> tuple[ReportDefined, ReportPeriod]:
    defined = [
        Defined(one.time, definition_of(one.says))
        for one in reports_on_record(connection)
        if one.says["type"] == "report.defined" and one.says["report"] == code
    ]
    says, period = period_of(defined, day)
    check_countable(says)
    return says, period


def definition_of(document: Mapping[str, Any]) -> ReportDefined:
    """A definition as it is recorded."""
    return ReportDefined(
        report=document["report"],
        period=document["period"],
        utc_offset=document["utc_offset"],
        by=tuple(document["by"]),
        measures=tuple(document["measures"]),
        suppress=document["suppress"],
        weights=ScoreWeights(**document["weights"]) if "weights" in document else UNSET,
    )


class _End(NamedTuple):
    """The entry that ended a consent, and its time (ms)."""

    at: int
    time: int
    acknowledged: bool
    awaited: bool
    """Whether the recipient is to acknowledge it."""

    def written(self) -> bytes:
        """For the disk."""
        return _END.pack(*self)

    @classmethod
    def read(cls, stored: bytes) -> _End:
        """From there."""
        return cls(*_END.unpack(stored))


class _Count:
    """Reads the entries below the end of a period, once."""

    def __init__(
        self, connection: Connection, keystore: KeyStore, spill: Spill, says: ReportDefined, period: ReportPeriod
    ) -> None:
        self._connection = connection
        self._keystore = keystore
        self._replay = Replay(spill)
        self._ends = spill.table("ends", sealed=False)
        """By chain: the entry that ended a consent."""
        self._active = spill.table("active", sealed=False)
        self._measures = frozenset(says.measures)
        self._from, self._to = period.first * 1000, period.end * 1000
        self.tally = ReportTally(says)
        self._scored = Scored(self.tally, period) if "score" in self._measures else None
        self.unread = 0
        self.looked_to = 0

    def read(self) -> int:
        """Count; the first index that was not read."""
        next_index = 0
        for index, leaf, sealed, cipher in self._entries():
            self.looked_to = index + 1
            if leaf.time >= self._to:
                if self._scored is None:
                    break
                self._later(index, leaf, sealed, cipher)
                continue
            next_index = index + 1
            try:
                if isinstance(leaf, OperatorLeaf):
                    self._document(index, leaf)
                elif isinstance(leaf, CommitmentLeaf):
                    if cipher is None or sealed is None:
                        self._pass_over(leaf)
                        continue
                    body, opening = open_evidence(index, sealed, cipher)
                    open_commitment(leaf, body, opening)
                    self._entry(index, leaf, decode_evidence(body))
            except (Unfit, Unjudged) as error:
                raise Corrupt(f"entry {index}: {error}; run «consent-ledger check»") from None
        self._of_the_moment()
        if self._scored is not None:
            self._scored.close()
        return next_index

    def _of_the_moment(self) -> None:
        if "consents_active" in self._measures:
            removed = self._replay.registry.removed
            for _, moved in self._replay.consents():
                if moved is not None and moved.consent.status_at(self._to, removed) is Status.ACTIVE:
                    self.tally.count("consents_active", dimensions(moved.consent))
        for chain, stored in () if self._measures.isdisjoint(AWAITED) else self._ends.items():
            end, moved = _End.read(stored), self._replay.consent(chain)
            if end.awaited and not end.acknowledged and moved is not None:
                self.tally.count("unacknowledged", dimensions(moved.consent))
                if end.time <= self._to - LATE_MS:
                    self.tally.count("unacknowledged_late", dimensions(moved.consent))

    @property
    def waiting(self) -> frozenset[bytes]:
        """Chains whose end nobody has acknowledged so far, for a score."""
        return frozenset() if self._scored is None else self._scored.waiting

    def _later(self, index: int, leaf: Any, sealed: Any, cipher: Any) -> None:
        """After the period: only whether it acknowledges an end of the period."""
        if (
            self._scored is None
            or not isinstance(leaf, CommitmentLeaf)
            or unb64u(leaf.chain) not in self._scored.waiting
        ):
            return
        if cipher is None or sealed is None:
            self.unread += 1
            return
        body, opening = open_evidence(index, sealed, cipher)
        open_commitment(leaf, body, opening)
        self._scored.entry(leaf.time, unb64u(leaf.chain), decode_evidence(body))

    def _entries(self) -> Iterator[tuple[int, Any, Any, Any]]:
        query = select(entries.c.idx, entries.c.leaf, entries.c.sealed).order_by(entries.c.idx).limit(PAGE)
        after = -1
        while page := self._connection.execute(query.where(entries.c.idx > after)).all():
            leaves = [parse_leaf(row.leaf) for row in page]
            chains = [unb64u(leaf.chain) if isinstance(leaf, CommitmentLeaf) else None for leaf in leaves]
            ciphers = self._keystore.existing({chain for chain in chains if chain is not None}, remember=False)
            for row, leaf, chain in zip(page, leaves, chains, strict=True):
                yield row.idx, leaf, row.sealed, None if chain is None else ciphers.get(chain)
            after = page[-1].idx

    def _pass_over(self, leaf: CommitmentLeaf) -> None:
        if leaf.kind in _EVIDENT and (leaf.time >= self._from or not self._measures.isdisjoint(OF_A_MOMENT)):
            self.unread += 1

    # -- documents --------------------------------------------------------------------------------------------------

    def _document(self, index: int, leaf: OperatorLeaf) -> None:
        before = self._replay.registry.erased
        self._replay.document(index, leaf.time, leaf.document)
        if leaf.time < self._from:
            return
        match leaf.document["type"]:
            case "erasure":
                self.tally.count("erasures", {}, len(set(leaf.document["chains"]) - before))
            case "alert.raised":
                self._alert(leaf.document["about"])
            case "reconciliation.reported" if not self._measures.isdisjoint({"findings", "score"}):
                self._findings(index, leaf.document["findings"])
            case _:
                pass

    def _alert(self, about: Mapping[str, str]) -> None:
        if about["kind"] != "consent":
            self.tally.count("alerts", {about["kind"]: (about["id"],)})
        elif (moved := self._replay.consent(unb64u(about["id"]))) is not None:
            self.tally.count("alerts", dimensions(moved.consent))
        else:
            self.unread += 1

    def _findings(self, index: int, number: int) -> None:
        found = reconciliation_findings
        query = select(entries.c.chain).join(found, found.c.access == entries.c.idx).where(found.c.report == index)
        chains = self._connection.execute(query).scalars().all()
        if len(chains) != number:
            raise Corrupt(f"the findings of the report at entry {index} are not all here; run «consent-ledger check»")
        for chain in chains:
            moved = self._replay.consent(bytes(chain))
            if moved is None:
                self.unread += 1
            of: Dimensions = {} if moved is None else dimensions(moved.consent)
            self.tally.count("findings", of)
            self.tally.score(of, ScoreInputs(findings=1))

    # -- entries of consents and customers --------------------------------------------------------------------------

    def _entry(self, index: int, leaf: CommitmentLeaf, evidence: Evidence) -> None:
        chain = unb64u(leaf.chain)
        before = self._replay.consent(chain)
        self._replay.entry(index, leaf.time, chain, evidence)
        after = self._replay.consent(chain)
        counts = leaf.time >= self._from
        if self._scored is not None:
            self._scored.entry(leaf.time, chain, evidence)
        if leaf.kind == Kind.SUBJECT.value:
            if counts and evidence.act == "subject.feedback":
                self._complaint(chain, evidence)
        elif after is not None:
            was = None if before is None else before.consent
            self._moved(index, leaf.time, chain, was, after.consent, evidence, counts=counts)
            if evidence.act == "access.request" and counts:
                self._access(after.consent if was is None else was, evidence)
            elif evidence.act == "consent.acknowledge":
                self._acknowledged(leaf.time, chain, after.consent, evidence, counts=counts)

    def _moved(
        self,
        index: int,
        time: int,
        chain: bytes,
        was: Consent | None,
        now: Consent,
        evidence: Evidence,
        *,
        counts: bool,
    ) -> None:
        """Count the step that an entry made a consent take, if it made it take one."""
        of = dimensions(now)
        if was is None and counts:
            self.tally.count("consents_requested", of)
        if now.version == 1 and now.status is Status.ACTIVE and self._active.get(chain) is None:
            self._active.put(chain, b"\1")
            if counts:
                self.tally.count("consents_authorised", of)
        if now.status not in LIVE and was is not None and was.status in LIVE:
            says, outcome = recorded_payload(evidence) if evidence.statements else None, evidence.outcome
            ruleset = outcome.ruleset if isinstance(outcome, ConsentOutcome) else 0
            awaited = is_awaited(says, now.terms.recipient, ruleset)
            self._ends.put(chain, _End(index, time, acknowledged=False, awaited=awaited).written())
            if counts:
                self.tally.count("consents_ended", of)
                if self._scored is not None:
                    self._scored.ended(index, time, chain, of)
                if (
                    isinstance(says, ConsentStep)
                    and says.act == "consent.revoke"
                    and says.by in ("customer", "guardian")
                ):
                    self.tally.count("consents_withdrawn", of)

    def _access(self, consent: Consent, evidence: Evidence) -> None:
        outcome = evidence.outcome
        if not isinstance(outcome, AccessOutcome) or not _FOREIGN.isdisjoint(outcome.reasons):
            return
        item = item_of(evidence)
        of: Dimensions = {**dimensions(consent), "permission": item.permissions}
        if outcome.decision == "deny":
            self.tally.count("accesses_refused", {**of, "reason": outcome.all_reasons})
            self.tally.score(of, ScoreInputs(refused=1))
            return
        self.tally.count("accesses_allowed", of)
        self.tally.score(of, ScoreInputs(allowed=1))
        if not item.customer_present:
            self.tally.count("accesses_unattended", of)
        if consent.status is Status.REVOKED:
            self.tally.count("accesses_after_withdrawal", of)

    def _acknowledged(self, time: int, chain: bytes, consent: Consent, evidence: Evidence, *, counts: bool) -> None:
        says, stored = recorded_payload(evidence), self._ends.get(chain)
        end = None if stored is None else _End.read(stored)
        if not isinstance(says, ConsentAcknowledge) or end is None or says.basis != end.at:
            return
        if counts:
            self.tally.count("acknowledged", dimensions(consent))
            if not end.acknowledged:
                self.tally.delay((time - end.time) // 1000, dimensions(consent))
        self._ends.put(chain, end._replace(acknowledged=True).written())

    def _complaint(self, chain: bytes, evidence: Evidence) -> None:
        says = recorded_payload(evidence)
        if not isinstance(says, SubjectFeedback):
            return
        moved = self._replay.consent(consent_chain(says.consent_id))
        if moved is None:
            self.unread += 1
            return
        self.tally.count("complaints", dimensions(moved.consent))
        if self._scored is not None:
            self._scored.complained(chain, says, dimensions(moved.consent))


def dimensions(consent: Consent) -> Dims:
    """The dimensions of a consent under its present terms."""
    return dims_of(consent.terms)


def issued_reports(store: LogStore, code: str | None = None) -> list[tuple[int, dict[str, Any]]]:
    """(index, document) of the definitions and issues on record, of one report or all, in order. Raises Corrupt."""
    with store.read() as connection:
        said = reports_on_record(connection)
    return [(one.at, one.says) for one in said if code in (None, one.says["report"])]
