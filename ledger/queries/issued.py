"""Reports that are on record, with their files: as they were kept, or counted again (docs/reports.md, «Outward forms»)."""

from __future__ import annotations

import os
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Final

from ledger.canonical import b64u
from ledger.errors import Conflict, NotFound
from ledger.planning.commands import RecordComposed
from ledger.queries.counting import Counting
from ledger.queries.reports import PreparedReport, ReportIssue, issued_reports, report_from_book
from ledger.reporting.forms import IssuedReport

FOLDER: Final = "reports"
"""Of a node's state folder: the files of the reports that it has issued, `CODE-FROM.csv`."""


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
