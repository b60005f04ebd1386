"""Outward forms of a report say what its CSV says, and no more: a figure that is not shown is in none of them."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from hashlib import sha256
from xml.etree import ElementTree as ET

import pytest

from api.cli.report_pdf import as_pdf
from ledger.canonical import b64u
from ledger.orders import MEASURES, ReportDefined
from ledger.reporting.forms import IssuedReport, as_json, as_xbrl
from ledger.reporting.periods import ReportPeriod
from tests.pdfs import read_pdf

CSV = (
    b"recipient,measure,value\napp-1,consents_active,1200\napp-1,accesses_refused,<5\n"
    b"other,consents_active,0\nother,accesses_refused,7\n"
)


@pytest.fixture
def report() -> IssuedReport:
    says = ReportDefined(
        report="monthly",
        period="month",
        utc_offset=480,
        by=("recipient",),
        measures=("consents_active", "accesses_refused"),
        suppress=5,
    )
    period = ReportPeriod(1_790_697_600, 1_793_376_000)
    return IssuedReport("bank.example/log", 17, says, period, CSV, b64u(sha256(CSV).digest()))


def test_the_json_names_log_entry_and_hash_and_has_every_figure(report: IssuedReport) -> None:
    said = json.loads(as_json(report))
    assert (said["log"], said["entry"], said["csv_hash"]) == ("bank.example/log", 17, report.csv_hash)
    assert said["figures"] == [
        {"recipient": "app-1", "measure": "consents_active", "value": 1200},
        {"recipient": "app-1", "measure": "accesses_refused", "value": None, "below": 5},
        {"recipient": "other", "measure": "consents_active", "value": 0},
        {"recipient": "other", "measure": "accesses_refused", "value": 7},
    ]


def test_the_xbrl_package_has_a_column_for_each_measure_and_defines_what_it_uses(report: IssuedReport) -> None:
    with zipfile.ZipFile(io.BytesIO(as_xbrl(report))) as archive:
        metadata = json.loads(archive.read("report.json"))
        rows = list(csv.reader(io.StringIO(archive.read("figures.csv").decode())))
        schema = ET.fromstring(archive.read("reports.xsd"))  # noqa: S314  (our own)
    assert rows == [["recipient", *report.says.measures], ["app-1", "1200", "#nil"], ["other", "0", "7"]]
    assert metadata["documentInfo"]["documentType"] == "https://xbrl.org/2021/xbrl-csv"
    [(name, template)] = metadata["tableTemplates"].items()
    assert metadata["tables"] == {name: {"url": "figures.csv", "template": name}}
    assert list(template["columns"]) == rows[0]
    defined = {element.get("name") for element in schema if element.get("name")}
    assert defined >= set(MEASURES)
    prefixes = metadata["documentInfo"]["namespaces"]
    for column in template["columns"].values():
        prefix, _, concept = column.get("dimensions", {"concept": "cl:recipient"})["concept"].partition(":")
        assert prefixes[prefix] == schema.get("targetNamespace")
        assert concept in defined
    assert template["dimensions"]["cl:recipient"] == "$recipient"
    assert template["dimensions"]["period"].count("/") == 1
    active = template["columns"]["consents_active"]["dimensions"]["period"]
    assert template["dimensions"]["period"].endswith(active), "a moment, the end of the period"


def test_the_same_report_gives_the_same_bytes(report: IssuedReport) -> None:
    for form in (as_json, as_xbrl):
        assert form(report) == form(report)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("2026-09-30 to 2026-10-30", "Recipient: app-1", "Accesses refused fewer than 5", "How to check it")),
        ("zh-CN", ("2026-09-30 至 2026-10-30", "数据接收方: app-1", "被拒访问次数 少于 5", "如何核验")),
        ("pt-BR", ("2026-09-30 a 2026-10-30", "Instituição receptora: app-1", "Acessos negados menos de 5")),
    ],
)
def test_a_board_hears_or_reads_figures_period_and_hash_in_its_language(
    report: IssuedReport, language: str, words: tuple[str, ...]
) -> None:
    paper = read_pdf(as_pdf(report, language))
    assert (paper.title, paper.language, paper.conformance) == ("monthly 2026-09-30", language[:2], "PDF/UA-1")
    for one in (*words, "17", report.csv_hash):
        assert one in paper.text, one
    assert paper.tags.count("H1") == 1
    assert paper.tags.count("Table") == 2
    assert paper.tags.count("TH") == 4, "each table says what its columns are"
    assert as_pdf(report, language) == as_pdf(report, language)


def test_a_name_in_a_report_is_never_markup(report: IssuedReport) -> None:
    hostile = b'recipient,measure,value\n"#image(""x"") *b* $x$ ]",consents_active,1\n'
    paper = read_pdf(as_pdf(report._replace(csv=hostile)))
    assert '#image("x") *b* $x$ ]' in paper.text
