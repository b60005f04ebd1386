"""What lies beside the log and speaks of it: witnesses' lines, findings of reports, the cursor of events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, and_, or_, select

from api.checking.findings import Findings
from ledger.entries.leaf import Kind
from ledger.errors import LedgerError
from ledger.notes.keys import VerifierKey
from ledger.notes.note import parse_signature
from ledger.policy.reconciliation import Finding, findings_hash
from ledger.storage.findings import code_of
from ledger.storage.tables import checkpoints, cosignatures, entries, event_cursor, log_head
from ledger.storage.tables import reconciliation_findings as reported
from ledger.witnessing import open_cosignatures

PAGE: Final = 1_000
CLOSES: Final = {"release-missing": "access.release", "receipt-missing": "access.receive"}
"""The act of the leg that ends a finding."""


def examine_beside(
    connection: Connection,
    found: Findings,
    witnesses: tuple[VerifierKey, ...],
    reports: Mapping[int, str],
    leg: Callable[[int, str], int | None],
) -> None:
    """Compare them with the entries and checkpoints. `witnesses`: those whose lines are shown to anybody; `reports`: the
    `findings_hash` of each report by its index; `leg`: the entry of an access's first leg of an act."""
    _cosignatures(connection, found, witnesses)
    _reported(connection, found, reports, leg)
    size = connection.execute(select(log_head.c.size)).scalar_one_or_none()
    for row in connection.execute(select(event_cursor)):
        if not isinstance(row.next_index, int) or not 0 <= row.next_index <= (size or 0):
            found.note("event cursor", "it is beyond the log")


def _cosignatures(connection: Connection, found: Findings, witnesses: tuple[VerifierKey, ...]) -> None:
    names = {key.name for key in witnesses}
    query = select(cosignatures, checkpoints.c.note).outerjoin(checkpoints, checkpoints.c.size == cosignatures.c.size)
    query = query.order_by(cosignatures.c.size, cosignatures.c.witness).limit(PAGE)
    page = connection.execute(query).all()
    while page:
        for row in page:
            place = f"cosignature of {row.witness} under checkpoint {row.size}"
            if row.note is None:
                found.note(place, "there is no such checkpoint")
                continue
            try:
                name = parse_signature(row.line).name
                said = (
                    open_cosignatures(row.note, row.line, witnesses) if name in names else {name: (row.line, row.time)}
                )
            except (LedgerError, TypeError) as error:
                found.note(place, getattr(error, "detail", "it is not a signature line"))
                continue
            if said != {row.witness: (row.line, row.time)}:
                found.note(place, "it is not that witness's line, or of another time")
        last = page[-1]
        same = and_(cosignatures.c.size == last.size, cosignatures.c.witness > last.witness)
        page = connection.execute(query.where(or_(cosignatures.c.size > last.size, same))).all()


def _reported(
    connection: Connection, found: Findings, hashes: Mapping[int, str], leg: Callable[[int, str], int | None]
) -> None:
    """The findings of each report are those that it commits to."""
    for report, committed in hashes.items():
        rows = connection.execute(select(reported).where(reported.c.report == report).order_by(reported.c.key)).all()
        try:
            said = tuple(Finding(row.access, code_of(row.key)) for row in rows)
            is_same = findings_hash(said) == committed and all(row.key // 8 == row.access for row in rows)
        except (IndexError, TypeError):
            is_same = False
        if not is_same:
            found.note(f"report {report}", "the findings that are stored for it are not those it commits to")
        for row in _wrongly_closed(connection, rows):
            found.note(f"finding {row.key}", f"entry {row.closed_by} does not close it")
        for row in rows if is_same else ():
            act = CLOSES.get(code_of(row.key))
            came = leg(row.access, act) if act is not None and row.closed_by is None else None
            if came is not None and came < max(hashes):  # the newest report closed what had come before it
                found.note(f"finding {row.key}", f"entry {came} closes it, and its row does not say so")
    strangers = connection.execute(select(reported.c.key).where(reported.c.report.not_in(list(hashes))).limit(1)).all()
    for row in strangers:
        found.note(f"finding {row.key}", "there is no such report")


def _wrongly_closed(connection: Connection, rows: Any) -> Iterator[Any]:
    """Rows that another chain's entry, or one before the report, or none closes."""
    for row in rows:
        if row.closed_by is None:
            continue
        chains = {
            one.idx: one.chain
            for one in connection.execute(
                select(entries.c.idx, entries.c.chain).where(
                    entries.c.idx.in_([row.closed_by, row.access]), entries.c.kind == Kind.CONSENT.value
                )
            )
        }
        if row.closed_by <= row.access or chains.get(row.closed_by) is None or len(set(chains.values())) != 1:
            yield row
