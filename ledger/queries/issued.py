"""Reports that are on record, with their files: as they were kept, or counted again (docs/reports.md, «Outward forms»)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, select

from ledger.canonical import b64u
from ledger.documents import document_of
from ledger.entries.leaf import parse_leaf
from ledger.errors import Conflict, NotFound
from ledger.orders import ReportIssued
from ledger.participants import Registry
from ledger.planning.commands import RecordComposed
from ledger.queries.counting import Counting
from ledger.queries.reports import PreparedReport, issued_reports, report_from_book
from ledger.reporting.forms import IssuedReport
from ledger.storage.operator import reports_on_record
from ledger.storage.tables import entries

FOLDER: Final = "reports"
"""Of a node's state folder: the files of the reports that it has issued, `CODE-FROM.csv`."""


class ReportIssue:
    """Records a report, unless entries of its period came after it was counted (ledger.planning.commands.Composer)."""

    def __init__(self, prepared: PreparedReport, *, once: bool = False) -> None:
        """`once`: not for a period that was issued already."""
        self._prepared = prepared
        self._once = once

    def compose(
        self,
        connection: Connection,
        registry: Registry,  # noqa: ARG002  (what a composer is given)
        size: int,
        time: int,
    ) -> list[Mapping[str, Any]]:
        """The document at index `size`. Raises Conflict when the period is not over, or grew meanwhile."""
        period, csv = self._prepared.period, self._prepared.csv
        if time // 1000 < period.end:
            raise Conflict("the period is not over: a report is issued after its end")
        report = self._prepared.says.report
        if self._once and any(
            (says["type"], says["report"], says.get("from")) == ("report.issued", report, period.first)
            for _, _, says in reports_on_record(connection)
        ):
            raise Conflict("another node has just issued the report of this period")
        row = connection.execute(select(entries.c.leaf).where(entries.c.idx == self._prepared.read_to)).one_or_none()
        if row is not None and parse_leaf(row.leaf).time < period.end * 1000:
            raise Conflict("entries of this period came while it was counted: issue the report again")
        if self._prepared.waiting:
            news = select(entries.c.chain).where(entries.c.idx >= self._prepared.looked_to)
            if not self._prepared.waiting.isdisjoint(connection.execute(news).scalars()):
                raise Conflict("an end may have been acknowledged while it was counted: issue the report again")
        return [
            document_of(
                ReportIssued,
                report=self._prepared.says.report,
                from_=period.first,
                to=period.end,
                to_index=size - 1,
                rows=csv.rows,
                csv_hash=self._prepared.csv_hash,
            )
        ]

    def recorded(self, connection: Connection, index: int) -> None:
        """Nothing is kept beside the log."""


def issue_of(prepared: PreparedReport, *, once: bool) -> RecordComposed:
    """The command that records a report; `once`: unless its period was issued already."""
    return RecordComposed(ReportIssue(prepared, once=once))


def keep_file(state_dir: Path, prepared: PreparedReport) -> Path:
    """Keep the file of a report that is on record. Raises OSError."""
    folder = state_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{prepared.says.report}-{prepared.period.first}.csv"
    beside = path.with_suffix(f".{os.getpid()}")
    beside.write_bytes(prepared.csv.content)
    beside.replace(path)
    return path


def issued_report(counting: Counting, origin: str, state_dir: Path, code: str, day: date) -> IssuedReport:
    """The last report of the period that begins on `day`, with the file that its hash is of.

    Raises NotFound when none was issued; Conflict when the file is not here and the entries do not give it any more, since some
    were erased.
    """
    prepared = report_from_book(counting, code, day)
    first = prepared.period.first
    of_period = [
        (index, says)
        for index, says in issued_reports(counting.store, code)
        if says["type"] == "report.issued" and says["from"] == first
    ]
    if not of_period:
        raise NotFound(f"no report {code!r} of the period from {day} was issued", member="report")
    index, says = of_period[-1]
    content = prepared.csv.content
    kept = state_dir / FOLDER / f"{code}-{first}.csv"
    if prepared.csv_hash != says["csv_hash"] and kept.exists():
        content = kept.read_bytes()
    if b64u(sha256(content).digest()) != says["csv_hash"]:
        raise Conflict(
            f"the file of this report (entry {index}) is not kept here, and the entries do not give it any more: "
            f"{prepared.unread} of its period were erased"
        )
    return IssuedReport(origin, index, prepared.says, prepared.period, content, says["csv_hash"])
