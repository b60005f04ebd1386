"""`consent-ledger report` on a real log: a report is defined, issued, and is what the entries give."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.node.issuing import ReportIssuer
from ledger.canonical import b64u
from ledger.entries.leaf import consent_chain
from ledger.errors import Conflict
from ledger.queries.counting import Counting
from ledger.queries.issued import issued_report
from ledger.queries.reports import prepare_report
from tests.ledger.supervised import supervised


def run(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--state", str(state)])


@pytest.fixture
def state(tmp_path: Path, engine_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", engine_url)
    assert run(tmp_path / "state", "init", "--origin", "bank.example/log").exit_code == 0
    run(tmp_path / "state", "ruleset", "activate", "3")
    return tmp_path / "state"


def test_a_report_is_defined_and_issued_and_its_file_has_the_hash_on_record(state: Path) -> None:
    day = datetime.now(UTC).date() - timedelta(days=2)
    defined = run(state, "report", "define", "few", "--period", "day", "--measure", "complaints", "--measure", "alerts")
    assert defined.exit_code == 0, defined.output
    file = state / "few.csv"
    issued = run(state, "report", "issue", "few", "--from", day.isoformat(), "--csv", str(file))
    assert issued.exit_code == 0, issued.output
    assert file.read_bytes() == b"measure,value\ncomplaints,0\nalerts,0\n"
    assert b64u(sha256(file.read_bytes()).digest()) in run(state, "report", "show", "few").output
    again = run(state, "report", "issue", "few", "--from", day.isoformat(), "--csv", str(file), "--from-entries")
    assert again.exit_code == 0, again.output
    assert file.read_bytes() == b"measure,value\ncomplaints,0\nalerts,0\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("define", "bad", "--period", "day", "--measure", "erasures", "--by", "holder"), "erasures"),
        (("define", "bad", "--period", "day", "--measure", "complaints", "--by", "colour"), "colour"),
        (("issue", "nothing", "--from", "2026-01-01"), "no such report"),
        (("issue", "nothing", "--from", "january"), "january"),
    ],
)
def test_an_uncountable_measure_is_refused_by_its_name(arguments: tuple[str, ...], named: str, state: Path) -> None:
    refused = run(state, "report", *arguments)
    assert refused.exit_code == 1
    assert named in refused.output


def test_entries_of_an_erased_consent_are_told_of_and_never_counted_as_none(engine_url: str, tmp_path: Path) -> None:
    with supervised(engine_url, tmp_path) as place:
        ledger = place.node.ledger
        place.document(
            "report.defined",
            report="asked",
            period="month",
            utc_offset=0,
            by=[],
            measures=["consents_requested"],
            suppress=0,
        )
        gone = place.node.grant()
        place.node.grant()
        place.node.revoke(gone)
        month = datetime.fromtimestamp(place.now, UTC).date().replace(day=1)
        assert prepare_report(ledger.store, ledger.keystore, "asked", month).unread == 0
        ledger.erase([consent_chain(gone)], "gdpr-17", ("officer-1", "officer-2"))
        prepared = prepare_report(ledger.store, ledger.keystore, "asked", month)
        assert (prepared.unread, prepared.csv.content) == (3, b"measure,value\nconsents_requested,1\n")


@pytest.mark.parametrize("form", ["csv", "json", "xbrl", "pdf"])
def test_an_issued_report_is_written_in_every_form_and_one_that_was_not_issued_in_none(state: Path, form: str) -> None:
    day = (datetime.now(UTC).date() - timedelta(days=2)).isoformat()
    run(state, "report", "define", "few", "--period", "day", "--measure", "complaints")
    asked = ("report", "file", "few", "--from", day, "--form", form, "--out", str(state / "out"))
    refused = run(state, *asked)
    assert (refused.exit_code, "was issued" in refused.output, (state / "out").exists()) == (1, True, False)
    assert run(state, "report", "issue", "few", "--from", day).exit_code == 0
    written = run(state, *asked)
    assert written.exit_code == 0, written.output
    begins = {"csv": b"measure,value", "json": b"{", "xbrl": b"PK", "pdf": b"%PDF"}[form]
    assert (state / "out").read_bytes().startswith(begins)


def test_a_file_that_the_entries_give_no_more_is_the_one_that_was_kept_or_none(engine_url: str, tmp_path: Path) -> None:
    with supervised(engine_url, tmp_path) as place:
        ledger = place.node.ledger
        place.document(
            "report.defined",
            report="asked",
            period="day",
            utc_offset=0,
            by=[],
            measures=["consents_requested"],
            suppress=0,
        )
        gone, day = place.node.grant(), datetime.fromtimestamp(place.now, UTC).date()
        place.node.clock.advance(seconds=2 * 86_400)
        assert len(ReportIssuer(ledger, tmp_path, clock=place.node.clock).turn()) == 2
        ledger.erase([consent_chain(gone)], "gdpr-17", ("officer-1", "officer-2"))
        with closing(Counting.beside(ledger.store, ledger.keystore, tmp_path)) as counting:
            kept = issued_report(counting, ledger.origin, tmp_path, "asked", day)
            assert kept.csv == b"measure,value\nconsents_requested,1\n"
            (tmp_path / "nowhere").mkdir()
            with pytest.raises(Conflict, match="2 of its period were erased"):
                issued_report(counting, ledger.origin, tmp_path / "nowhere", "asked", day)
