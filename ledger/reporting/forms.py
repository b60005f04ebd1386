"""Outward forms of a report: JSON, and xBRL-CSV 1.0 (docs/reports.md, «Outward forms»). Pure.

The CSV is what the log holds the hash of; every other form is made of it and says that hash.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from ledger.orders import MEASURES, ReportDefined
from ledger.reporting.awaited import OF_A_MOMENT
from ledger.reporting.periods import ReportPeriod

NAMESPACE: Final = "https://consent-ledger.example/xbrl/reports/1"
"""Of our concepts and dimensions; the package holds the schema that defines them."""
INSTANT: Final = OF_A_MOMENT
"""Measures of a moment: the end of the period."""
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""Every file in a package is of this time, so that the same report gives the same bytes."""


class IssuedReport(NamedTuple):
    """A report as it is on record. `csv`: the bytes that `csv_hash` is of."""

    origin: str
    at: int
    says: ReportDefined
    period: ReportPeriod
    csv: bytes
    csv_hash: str


class ReportLine(NamedTuple):
    """One figure. `value` is None if it rests on too few: less than `below`."""

    group: dict[str, str]
    measure: str
    value: int | None
    below: int | None


def lines_of(report: IssuedReport) -> list[ReportLine]:
    """The figures in their order."""
    names = report.says.by
    found = []
    for row in list(csv.reader(io.StringIO(report.csv.decode())))[1:]:
        *group, measure, value = row
        hidden = value.startswith("<")
        members = dict(zip(names, group, strict=True))
        found.append(ReportLine(members, measure, None if hidden else int(value), int(value[1:]) if hidden else None))
    return found


def as_json(report: IssuedReport) -> bytes:
    """The figures, what they are of, and where in the log to check them."""
    says = report.says
    figures = [
        {**line.group, "measure": line.measure, "value": line.value}
        | ({} if line.below is None else {"below": line.below})
        for line in lines_of(report)
    ]
    document = {
        "log": report.origin,
        "entry": report.at,
        "report": says.report,
        "from": _moment(report.period.first),
        "to": _moment(report.period.end),
        "by": list(says.by),
        "measures": list(says.measures),
        "suppress": says.suppress,
        "csv_hash": report.csv_hash,
        "figures": figures,
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


def as_xbrl(report: IssuedReport) -> bytes:
    """A zip of `report.json` (the metadata), `figures.csv` (a row for each group, a column for each measure; `#nil` where too
    few stand behind a figure) and `reports.xsd` (our concepts)."""
    says, wide = report.says, dict[tuple[str, ...], dict[str, str]]()
    for line in lines_of(report):
        row = wide.setdefault(tuple(line.group.values()), {})
        row[line.measure] = "#nil" if line.value is None else str(line.value)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*says.by, *says.measures])
    for group, row in wide.items():
        writer.writerow([*group, *(row[measure] for measure in says.measures)])
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (
            ("report.json", json.dumps(_metadata(report), indent=1) + "\n"),
            ("figures.csv", text.getvalue()),
            ("reports.xsd", taxonomy()),
        ):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return stream.getvalue()


def _metadata(report: IssuedReport) -> dict[str, Any]:
    says, period = report.says, report.period
    lasted, ended = f"{_moment(period.first)}/{_moment(period.end)}", _moment(period.end)
    columns: dict[str, Any] = {name: {} for name in says.by}
    for measure in says.measures:
        when = {"period": ended} if measure in INSTANT else {}
        columns[measure] = {"dimensions": {"concept": f"cl:{measure}", **when}}
    dimensions = {"entity": f"log:{report.origin}", "period": lasted, **{f"cl:{name}": f"${name}" for name in says.by}}
    return {
        "documentInfo": {
            "documentType": "https://xbrl.org/2021/xbrl-csv",
            "namespaces": {"cl": NAMESPACE, "log": f"{NAMESPACE}/log", "xbrl": "https://xbrl.org/2021"},
            "taxonomy": ["reports.xsd"],
        },
        "tableTemplates": {"figures": {"columns": columns, "dimensions": dimensions, "decimals": 0}},
        "tables": {"figures": {"url": "figures.csv", "template": "figures"}},
    }


def taxonomy() -> str:
    """The XML schema of our concepts: a count for each measure, and a typed dimension for each thing to break down by."""
    concepts = "\n".join(
        f'  <xs:element name="{name}" id="cl_{name}" type="xbrli:integerItemType" substitutionGroup="xbrli:item"'
        f' nillable="true" xbrli:periodType="{"instant" if name in INSTANT else "duration"}"/>'
        for name in MEASURES
    )
    dimensions = "\n".join(
        f'  <xs:element name="{name}" id="cl_{name}" type="xbrli:stringItemType" abstract="true" nillable="true"\n'
        f'    substitutionGroup="xbrldt:dimensionItem" xbrli:periodType="duration" xbrldt:typedDomainRef="#cl_{name}_value"/>\n'
        f'  <xs:element name="{name}_value" id="cl_{name}_value" type="xs:string"/>'
        for name in ("grade", "holder", "permission", "purpose", "reason", "recipient", "standard")
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xbrli="http://www.xbrl.org/2003/instance"
  xmlns:xbrldt="http://xbrl.org/2005/xbrldt" xmlns:cl="{NAMESPACE}" targetNamespace="{NAMESPACE}"
  elementFormDefault="qualified">
  <xs:import namespace="http://www.xbrl.org/2003/instance"
    schemaLocation="http://www.xbrl.org/2003/xbrl-instance-2003-12-31.xsd"/>
  <xs:import namespace="http://xbrl.org/2005/xbrldt" schemaLocation="http://www.xbrl.org/2005/xbrldt-2005.xsd"/>
{concepts}
{dimensions}
</xs:schema>
"""


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
