"""Reading the legs of accesses out of the log, and what reports have found (docs/spec/reconciliation.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

import msgspec
from msgspec import UNSET
from sqlalchemy import Connection, Select, func, or_, select

from ledger.entries.access_acts import AccessLeg
from ledger.entries.evidence import AccessOutcome, Evidence, decode_evidence
from ledger.entries.leaf import Kind
from ledger.entries.statement import payload_of
from ledger.errors import Conflict, NotPermitted
from ledger.participants import Registry
from ledger.policy.reconciliation import DELAY_MS, Comparison, Leg, LegFigures, LegKind, Place, ReconciliationReport
from ledger.queries.remit import Remit
from ledger.storage.findings import close_finding, code_of, keep_findings
from ledger.storage.legs import interaction_of
from ledger.storage.log import LogStore
from ledger.storage.standing import open_entry
from ledger.storage.tables import consents, entries, log_head, reconciliation_findings
from ledger.storage.times import last_before
from ledger.vault.keystore import KeyStore

PAGE: Final = 1_000
RULESET: Final = 2
"""The first ruleset that knows reports."""
_LEGS: Final = get_args(LegKind)


@dataclass(frozen=True, slots=True)
class StoredFinding:
    """A finding of a report. `closed_by`: the entry that brought the missing leg after all, if one did."""

    key: int
    """Rises with the access's index and the order of the codes: the key of pages."""
    report: int
    access: int
    code: str
    closed_by: int | None


class Survey:
    """Writes the next report, once (ledger.planning.commands.Composer). Before its turn comes, `look_ahead` reads what there is
    already, so that little is left to be read below the log's lock.

    Memory grows with the allowed accesses since the last report, some 300 bytes each.
    """

    def __init__(self, store: LogStore, keystore: KeyStore, first: int) -> None:
        self._store = store
        self._keystore = keystore
        self._comparison = Comparison(first)
        self._next = first
        self._report: ReconciliationReport | None = None

    def look_ahead(self, registry: Registry, at: int | None = None) -> None:
        """Read all entries that are committed by now. With `at` (ms), first see whether a report of that time has a subject.

        Raises what `compose` raises, Unavailable, Corrupt.
        """
        with self._store.read() as connection:
            size = connection.execute(select(log_head.c.size)).scalar_one()
            if at is not None:
                self._range_end(connection, registry, size, at)
            self._read(connection, size)

    def compose(self, connection: Connection, registry: Registry, size: int, time: int) -> list[Mapping[str, Any]]:
        """The report that an entry with index `size` and this `time` (ms) can make.

        Raises Conflict when there is nothing to report, or another node has just done so; NotPermitted before ruleset 2.
        """
        to_index = self._range_end(connection, registry, size, time)
        self._read(connection, size)
        self._report = self._comparison.report(to_index, masks=registry.ruleset > RULESET)
        return [self._report.document()]

    def _range_end(self, connection: Connection, registry: Registry, size: int, time: int) -> int:
        if registry.ruleset < RULESET:
            raise NotPermitted(f"reports are of ruleset {RULESET}, and this log follows ruleset {registry.ruleset}")
        if registry.reconciled != self._comparison.first:
            raise Conflict(f"another node has just reported: the next report begins at entry {registry.reconciled}")
        to_index = last_before(connection, size, time - DELAY_MS)
        if not _has_consents(connection, self._comparison.first, to_index):
            raise Conflict("there is nothing to reconcile yet: an access is looked at an hour after it was recorded")
        return to_index

    def recorded(self, connection: Connection, index: int) -> None:
        """Keep the findings of the report at `index`, in its own transaction; close those whose leg has come since."""
        if self._report is None:
            return
        keep_findings(connection, index, self._report.findings)
        for leg in self._comparison.late:
            if self._belongs(connection, leg):
                missing = "release-missing" if leg.kind == "access.release" else "receipt-missing"
                close_finding(connection, leg.basis, missing, leg.index)

    def _read(self, connection: Connection, size: int) -> None:
        for row, evidence in self._opened(connection, self._next, size):
            if evidence.act in _LEGS:
                self._comparison.leg(_leg_of(row, evidence))
            elif isinstance(evidence.outcome, AccessOutcome) and evidence.outcome.decision == "allow":
                masks = evidence.outcome.obligations.masks or ()
                self._comparison.allowed(row.idx, Place(row.chain, interaction_of(evidence)), masks)
        self._next = max(self._next, size)

    def _belongs(self, connection: Connection, leg: Leg) -> bool:
        for row, evidence in self._opened(connection, leg.basis, leg.basis + 1):
            if isinstance(evidence.outcome, AccessOutcome):
                return Place(row.chain, interaction_of(evidence)) == leg.place
        return False

    def _opened(self, connection: Connection, first: int, end: int) -> Iterator[tuple[Any, Evidence]]:
        """Consent entries with their evidence; erased ones are passed over."""
        for at in range(first, end, PAGE):
            query = select(entries).where(entries.c.idx >= at, entries.c.idx < min(end, at + PAGE))
            query = query.where(entries.c.kind == Kind.CONSENT.value, entries.c.sealed.is_not(None))
            rows = connection.execute(query.order_by(entries.c.idx)).all()
            ciphers = self._keystore.existing(row.chain for row in rows)
            for row in rows:
                if row.chain in ciphers:
                    yield row, decode_evidence(open_entry(row, ciphers[row.chain])[0])


class ReconciliationQueries:
    """Questions about reports and their findings. Blocking; each raises Unavailable."""

    def __init__(self, store: LogStore, keystore: KeyStore) -> None:
        self._store = store
        self._keystore = keystore

    def survey(self, first: int) -> Survey:
        """What writes the next report, which begins at entry `first`."""
        return Survey(self._store, self._keystore, first)

    def findings(
        self, viewer: str | Remit | None, *, open_only: bool = False, after: int = -1, limit: int = 50
    ) -> list[StoredFinding]:
        """Findings above `after` about consents of which `viewer` is holder or recipient, or which a remit covers (None: about
        all), in order."""
        table = reconciliation_findings
        query = _seen_by(select(table), viewer).where(table.c.key > after)
        if open_only:
            query = query.where(table.c.closed_by.is_(None))
        with self._store.read() as connection:
            rows = connection.execute(query.order_by(table.c.key).limit(min(limit, PAGE))).all()
        return [StoredFinding(row.key, row.report, row.access, code_of(row.key), row.closed_by) for row in rows]

    def last_report_time(self, reconciled: int) -> int:
        """When the newest report, which ended before entry `reconciled`, was recorded: milliseconds; 0 before the first."""
        if not reconciled:
            return 0
        query = select(entries.c.leaf).where(entries.c.kind == Kind.OPERATOR.value, entries.c.idx >= reconciled)
        with self._store.read() as connection:
            for row in connection.execute(query.order_by(entries.c.idx.desc())):
                leaf = msgspec.json.decode(row.leaf)
                if leaf["document"]["type"] == "reconciliation.reported":
                    time: int = leaf["time"]
                    return time
        return 0

    def open_count(self, remit: Remit | None = None) -> int:
        """How many findings are open, among those that a remit covers."""
        query = _seen_by(select(func.count()).select_from(reconciliation_findings), remit)
        with self._store.read() as connection:
            found: int = connection.execute(query.where(reconciliation_findings.c.closed_by.is_(None))).scalar_one()
            return found


def _seen_by(query: Select[Any], viewer: str | Remit | None) -> Select[Any]:
    """Only findings about consents that this viewer may see."""
    if viewer is None or (isinstance(viewer, Remit) and not viewer.is_limited):
        return query
    query = query.join(entries, entries.c.idx == reconciliation_findings.c.access).join(
        consents, consents.c.chain == entries.c.chain
    )
    if isinstance(viewer, Remit):
        return query.where(viewer.consents())
    return query.where(or_(consents.c.holder == viewer, consents.c.recipient == viewer))


def _leg_of(row: Any, evidence: Evidence) -> Leg:
    says = payload_of(evidence.statements[0])
    assert isinstance(says, AccessLeg)  # noqa: S101  (what the ledger itself has recorded as one)
    place = Place(row.chain, says.interaction_id)
    masks = None if says.masks is UNSET else says.masks
    return Leg(row.idx, says.act, says.basis, place, LegFigures(says.rows, says.bytes, says.digest), masks)


def _has_consents(connection: Connection, first: int, last: int) -> bool:
    """Whether there is anything to look at: else every report would be the reason for the next one."""
    query = select(entries.c.idx).where(
        entries.c.idx >= first, entries.c.idx <= last, entries.c.kind == Kind.CONSENT.value
    )
    return connection.execute(query.limit(1)).first() is not None
