"""A report that a board reads: one PDF with the figures, what they are of, and how to check them. Needs fpdf2."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime
from typing import Any

from ledger.errors import InvalidInput
from ledger.reporting.forms import IssuedReport, lines_of

_INK, _SOFT, _BAND = (28, 35, 48), (90, 99, 114), (240, 243, 247)
_TITLES = {
    "consents_requested": "Consents requested",
    "consents_authorised": "Consents authorised",
    "consents_ended": "Consents ended",
    "consents_withdrawn": "Consents withdrawn",
    "consents_active": "Active consents at the end",
    "accesses_allowed": "Accesses allowed",
    "accesses_refused": "Accesses refused",
    "accesses_unattended": "Allowed without the customer",
    "accesses_after_withdrawal": "Allowed after withdrawal",
    "acknowledged": "Ends acknowledged",
    "acknowledge_seconds_max": "Slowest acknowledgement (s)",
    "acknowledge_seconds_median": "Median acknowledgement (s)",
}


def as_pdf(report: IssuedReport) -> bytes:
    """The PDF. Its texts are ASCII, since names in reports are codes. Raises InvalidInput without fpdf2."""
    try:
        fpdf: Any = importlib.import_module("fpdf")
    except ImportError:
        raise InvalidInput("a PDF needs the package fpdf2 (pip install fpdf2); the other forms do not") from None
    says, period = report.says, report.period
    paper = fpdf.FPDF(orientation="P", unit="mm", format="A4")
    paper.set_title(f"{says.report} {_day(period.first, says.utc_offset)}")
    paper.set_creation_date(datetime.fromtimestamp(period.end, UTC))
    paper.set_auto_page_break(auto=True, margin=18)
    paper.add_page()
    _line(paper, says.report, 20, bold=True)
    last = _day(period.end - 1, says.utc_offset)
    _line(paper, f"{_day(period.first, says.utc_offset)} to {last} (UTC{says.utc_offset / 60:+g} h)", 11, soft=True)
    _line(paper, f"Log {report.origin}, entry {report.at}", 11, soft=True)
    paper.ln(4)
    group: dict[str, str] | None = None
    for line in lines_of(report):
        if line.group != group:
            group = line.group
            if group:
                paper.ln(2)
                _line(paper, ", ".join(f"{name}: {value}" for name, value in group.items()), 12, bold=True)
        shown = f"fewer than {line.below}" if line.value is None else f"{line.value:,}"
        _pair(paper, _TITLES.get(line.measure, line.measure.replace("_", " ").capitalize()), shown)
    paper.ln(6)
    _line(paper, "How to check it", 12, bold=True)
    if says.suppress:
        _line(paper, f"Numbers below {says.suppress} are not shown, so that nobody can be told apart.", 10, soft=True)
    _line(paper, f"SHA-256 of the CSV, as the log holds it: {report.csv_hash}", 10, soft=True)
    _line(paper, "Anyone with the log's bundle recounts it: consent-verify bundle FILE --policy POLICY", 10, soft=True)
    return bytes(paper.output())


def _line(paper: Any, text: str, size: int, *, bold: bool = False, soft: bool = False) -> None:
    paper.set_font("Helvetica", "B" if bold else "", size)
    paper.set_text_color(*(_SOFT if soft else _INK))
    paper.multi_cell(0, size * 0.5, text, new_x="LMARGIN", new_y="NEXT")


def _pair(paper: Any, name: str, value: str) -> None:
    paper.set_font("Helvetica", "", 10)
    paper.set_text_color(*_INK)
    paper.set_fill_color(*_BAND)
    paper.cell(120, 7, name, fill=True)
    paper.cell(0, 7, value, fill=True, align="R", new_x="LMARGIN", new_y="NEXT")


def _day(seconds: int, offset: int) -> str:
    return datetime.fromtimestamp(seconds + offset * 60, UTC).date().isoformat()
