"""The ledger counts its reports and the verifier recounts them, each from docs/spec/reports.md alone: on random histories they
get the same bytes; and a report that says one more is refuted at its place."""

from __future__ import annotations

from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ledger.canonical import b64u
from ledger.errors import InvalidInput, Refused
from ledger.planning.commands import RecordComposed
from ledger.queries.issued import ReportIssue
from ledger.queries.reports import PreparedReport, prepare_report
from tests.ledger.supervised import Place, supervised
from tests.verdicts import audited
from tests.verifier.report_story import DAY, DEFINITIONS, history


def issue(place: Place, code: str, day: date) -> tuple[PreparedReport, int]:
    ledger = place.node.ledger
    prepared = prepare_report(ledger.store, ledger.keystore, code, day)
    return prepared, ledger.submit_and_wait(RecordComposed(ReportIssue(prepared)))[0].index


@pytest.mark.parametrize("seed", [1, 2])
def test_the_verifier_gets_every_report_that_the_ledger_issues(seed: int, sqlite_url: str, tmp_path: Path) -> None:
    with history(tmp_path, sqlite_url, seed) as (place, day, invented):
        for least in (0, 5):
            for code in DEFINITIONS:
                prepared, _ = issue(place, f"{code}-{least}", day)
                assert prepared.unread == 0
                if least == 0:
                    assert prepared.csv.rows > 0, code
                if code == "all":
                    never = [line for line in prepared.csv.content.decode().splitlines() if line.endswith(",0")]
                    assert never == ["accesses_after_withdrawal,0", "erasures,0"]
        audit = audited(place.node.ledger, tmp_path / "bundle")
        assert {(str(one.code), one.place.index) for one in audit.findings.defects} == invented
        assert dict(audit.findings.unchecked) == {}


def test_a_report_that_says_one_more_is_refuted_at_its_own_index(sqlite_url: str, tmp_path: Path) -> None:
    with history(tmp_path, sqlite_url, 4) as (place, day, invented):
        prepared, index = issue(place, "recipient-0", day)
        head, number = prepared.csv.content.decode().splitlines()[1].rsplit(",", 1)
        better = prepared.csv.content.decode().replace(f"{head},{number}\n", f"{head},{int(number) + 1}\n", 1)
        wrong = place.document(
            "report.issued",
            report="recipient-0",
            **{"from": prepared.period.first},
            to=prepared.period.end,
            to_index=index,
            rows=prepared.csv.rows,
            csv_hash=b64u(sha256(better.encode()).digest()),
        ).index
        told = {
            (str(one.code), one.place.index) for one in audited(place.node.ledger, tmp_path / "bundle").findings.defects
        }
        assert told == {("UNMATCHED", wrong), *invented}


def test_a_report_is_not_issued_before_its_end_nor_counted_as_nobody_could(engine_url: str, tmp_path: Path) -> None:
    with supervised(engine_url, tmp_path) as place:
        members: dict[str, Any] = {"period": "month", "utc_offset": 0, "suppress": 0}
        place.document("report.defined", report="open", by=[], measures=["complaints"], **members)
        place.document("report.defined", report="erased", by=["holder"], measures=["erasures"], **members)
        month = datetime.fromtimestamp(place.now, UTC).date().replace(day=1)
        with pytest.raises(Refused, match="not over"):
            issue(place, "open", month)
        with pytest.raises(InvalidInput, match="no period"):
            issue(place, "open", month.replace(day=2))
        with pytest.raises(InvalidInput, match="erasures cannot be counted by holder"):
            issue(place, "erased", month)
        place.node.clock.advance(seconds=40 * DAY)
        prepared, _ = issue(place, "open", month)
        assert prepared.csv.content == b"measure,value\ncomplaints,0\n"
