"""A report that a board reads: one tagged PDF (ISO 14289-1) with the figures, what they are of, and how to check them. Needs
typst. `report.typ` is the page; what it shows is data to it and never markup."""

from __future__ import annotations

import importlib
import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final

from api.web.words import Words
from ledger.errors import InvalidInput
from ledger.reporting.forms import IssuedReport, ReportLine, lines_of

LATIN: Final = "Libertinus Serif"
"""Comes with typst: a report looks the same on every machine."""
CHINESE: Final = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "PingFang SC",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "SimHei",
    "SimSun",
)
"""Fonts that show Chinese, the better ones first."""


def as_pdf(report: IssuedReport, language: str = "en") -> bytes:
    """The PDF in one of the languages of the pages; the same report gives the same bytes. Raises InvalidInput without typst,
    or without a font for Chinese where one is needed."""
    try:
        typst: Any = importlib.import_module("typst")
    except ImportError:
        raise InvalidInput("a PDF needs the package typst (pip install typst); the other forms do not") from None
    here = set(typst.Fonts().families())
    chinese = [name for name in CHINESE if name in here][:1]
    if language.startswith("zh") and not chinese:
        raise InvalidInput("this machine has no font for Chinese (for example Noto Sans CJK); --lang en needs none")
    shown = {**_shown(report, Words(language, "UTC")), "fonts": [LATIN, *chinese]}
    page = (files("api.cli") / "report.typ").read_bytes()
    made: bytes = typst.compile(
        page,
        format="pdf",
        sys_inputs={"data": json.dumps(shown, ensure_ascii=False)},
        pdf_standards=["ua-1"],
        timestamp=report.period.end,
    )
    return made


def _shown(report: IssuedReport, words: Words) -> dict[str, Any]:
    says, period, t = report.says, report.period, words.t
    first, last = _day(period.first, says.utc_offset), _day(period.end - 1, says.utc_offset)
    groups: list[tuple[dict[str, str] | None, list[ReportLine]]] = []
    for line in lines_of(report):
        if not groups or groups[-1][0] != line.group:
            groups.append((line.group, []))
        groups[-1][1].append(line)
    check = [t("report.hash", hash=report.csv_hash), t("report.recount")]
    if says.suppress:
        check.insert(0, t("report.suppressed", least=says.suppress))
    return {
        "lang": words.language.partition("-")[0],
        "title": f"{says.report} {first}",
        "origin": report.origin,
        "about": [
            t("report.period", first=first, last=last, offset=f"{says.utc_offset / 60:+g}"),
            t("report.log", origin=report.origin, at=report.at),
        ],
        "words": {name: t(f"report.word.{name}") for name in ("figure", "value", "check")},
        "groups": [
            {
                "title": " · ".join(f"{t(f'report.by.{name}')}: {value}" for name, value in (group or {}).items()),
                "rows": [
                    (
                        t(f"report.measure.{line.measure}"),
                        t("report.below", least=line.below) if line.value is None else words.number(line.value),
                    )
                    for line in lines
                ],
            }
            for group, lines in groups
        ],
        "check": check,
    }


def _day(seconds: int, offset: int) -> str:
    return datetime.fromtimestamp(seconds + offset * 60, UTC).date().isoformat()
