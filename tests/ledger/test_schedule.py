"""A node issues each report when its period ends, once: also after a restart, a long absence, and beside others."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from api.node.issuing import ReportIssuer
from ledger.canonical import b64u
from ledger.queries.reports import issued_reports
from ledger.storage.counted import BOOK_NAME, open_book
from tests.ledger.billed import billed
from tests.ledger.supervised import Place, supervised

DAY = 86_400


def define(place: Place, report: str, period: str = "day", **changes: Any) -> None:
    members = {"utc_offset": 480, "by": [], "measures": ["consents_requested"], "suppress": 0}
    place.document("report.defined", report=report, period=period, **{**members, **changes})


def issuer(place: Place, folder: Path) -> ReportIssuer:
    return ReportIssuer(place.node.ledger, folder, clock=place.node.clock)


def issued(place: Place) -> list[tuple[str, int]]:
    """(report, first second) of all issues on record."""
    found = issued_reports(place.node.ledger.store)
    return [(says["report"], says["from"]) for _, says in found if says["type"] == "report.issued"]


def to_next_day(place: Place) -> None:
    """One second into the next day of the definitions."""
    place.node.clock.advance(seconds=DAY - (place.now + 480 * 60) % DAY + 1)


def test_nothing_is_issued_before_a_period_ends_and_once_after(engine_url: str, tmp_path: Path) -> None:
    with supervised(engine_url, tmp_path) as place:
        define(place, "daily")
        define(place, "monthly", "month")
        place.node.grant()
        node = issuer(place, tmp_path)
        assert node.turn() == []
        to_next_day(place)
        assert len(node.turn()) == (2 if datetime.fromtimestamp(place.now + 480 * 60, UTC).day == 1 else 1)
        assert node.turn() == []
        assert ("daily", (place.now + 480 * 60) // DAY * DAY - DAY - 480 * 60) in issued(place)
        [kept] = (tmp_path / "reports").glob("daily-*.csv")
        assert kept.read_bytes() == b"measure,value\nconsents_requested,1\n"
        [says] = [one for _, one in issued_reports(place.node.ledger.store, "daily") if one["type"] == "report.issued"]
        assert says["csv_hash"] == b64u(sha256(kept.read_bytes()).digest())


def test_missed_reports_are_issued_late_in_order_and_by_whoever_comes_next(engine_url: str, tmp_path: Path) -> None:
    with supervised(engine_url, tmp_path) as place:
        define(place, "daily")
        for _ in range(3):
            to_next_day(place)
            place.node.grant()
        place.restart()
        (tmp_path / "elsewhere").mkdir()
        assert len(issuer(place, tmp_path / "elsewhere").turn()) == 3
        assert issuer(place, tmp_path).turn() == [], "another node, which has counted nothing so far"
        periods = issued(place)
        assert len(periods) == len(set(periods)) == 3
        assert [first for _, first in periods] == sorted(first for _, first in periods)


def test_two_nodes_that_count_at_once_issue_one_report(engine_url: str, tmp_path: Path) -> None:
    with supervised(engine_url, tmp_path) as place:
        define(place, "daily")
        to_next_day(place)
        (tmp_path / "other").mkdir()
        other = issuer(place, tmp_path / "other")
        found: list[list[int]] = []
        assert issuer(place, tmp_path).turn(meanwhile=lambda: found.append(other.turn())) == []
        assert [len(entries) for entries in found] == [1]
        assert len(issued(place)) == 1


def test_a_definition_that_is_replaced_goes_on_with_its_own_periods(sqlite_url: str, tmp_path: Path) -> None:
    with supervised(sqlite_url, tmp_path) as place:
        define(place, "r", "day", utc_offset=0)
        place.node.clock.advance(seconds=2 * DAY)
        define(place, "r", "month", utc_offset=0)
        place.node.clock.advance(seconds=70 * DAY)
        issuer(place, tmp_path).turn()
        lengths = [
            says["to"] - says["from"]
            for _, says in issued_reports(place.node.ledger.store, "r")
            if says["type"] == "report.issued"
        ]
        assert lengths[0] == DAY
        assert lengths[-1] >= 28 * DAY
        assert issuer(place, tmp_path).turn() == []


@pytest.mark.parametrize("erased", [False, True])
def test_a_report_is_issued_although_a_consent_of_its_period_was_erased(
    erased: bool, sqlite_url: str, tmp_path: Path
) -> None:
    from ledger.entries.leaf import consent_chain

    with supervised(sqlite_url, tmp_path) as place:
        define(place, "daily")
        gone = place.node.grant()
        if erased:
            place.node.ledger.erase([consent_chain(gone)], "gdpr-17", ("officer-1", "officer-2"))
        to_next_day(place)
        assert len(issuer(place, tmp_path).turn()) == 1
        [kept] = (tmp_path / "reports").glob("daily-*.csv")
        assert kept.read_text().endswith(f"consents_requested,{0 if erased else 1}\n")


def test_the_book_is_kept_where_a_tariff_is_counted_from_it_and_nowhere_else(sqlite_url: str, tmp_path: Path) -> None:
    with billed(sqlite_url, tmp_path) as place:
        node = issuer(place, tmp_path)
        place.agreed()
        assert node.keep_book(), "a line for all releases needs nobody to read one"
        assert not (tmp_path / BOOK_NAME).exists()
        by_rows = [{"free": 0, "rows_from": 5, "tiers": [{"from": 0, "price": 1}]}]
        place.agreed(tariff="by-rows", lines=by_rows)
        place.release()
        assert node.keep_book()
        with closing(open_book(tmp_path / BOOK_NAME)) as book, book.view():
            assert book.place()[0] == place.node.ledger.tree.size()
