"""Scores: what is taken from a thousand for refusals, findings, late acknowledgements and unanswered complaints."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import integers

from ledger.errors import Conflict, InvalidInput
from ledger.orders import ScoreWeights
from ledger.planning.commands import RecordComposed
from ledger.queries.issued import ReportIssue
from ledger.queries.reports import PreparedReport, prepare_report
from ledger.reporting.tally import ScoreInputs
from tests.ledger.supervised import Place, supervised
from tests.world import DAY, FINTECH, reference

WEIGHTS = {"acknowledge": 200, "complaints": 300, "findings": 100, "refused": 400}
EQUAL = ScoreWeights(acknowledge=250, complaints=250, findings=250, refused=250)


@pytest.fixture
def place(engine_url: str, tmp_path: Path) -> Iterator[Place]:
    with supervised(engine_url, tmp_path) as made:
        yield made


def define(place: Place, **changes: Any) -> date:
    """Defined, and the clock at the beginning of the day that is scored."""
    members = {
        "report": "quality",
        "period": "day",
        "utc_offset": 0,
        "by": ["recipient"],
        "measures": ["accesses_allowed", "score"],
        "suppress": 0,
        "weights": WEIGHTS,
    }
    place.document("report.defined", **{**members, **changes})
    place.node.clock.time = (place.now // DAY + 1) * DAY * 1000
    return datetime.fromtimestamp(place.now, UTC).date()


def prepared(place: Place, day: date) -> PreparedReport:
    ledger = place.node.ledger
    return prepare_report(ledger.store, ledger.keystore, "quality", day)


def score(place: Place, day: date) -> str:
    [line] = [line for line in prepared(place, day).csv.content.decode().splitlines() if ",score," in line]
    return line


def test_each_share_takes_its_part(place: Place) -> None:
    day = define(place)
    consent, node = place.node.grant(), place.node
    for _ in range(3):
        assert place.reasons(consent) == ()
    assert place.reasons(consent, permissions=["ReadParty"]) != ()  # a quarter is refused
    in_time, late = node.grant(), node.grant()
    for one in (in_time, late):
        node.bank.record(
            "subject.feedback",
            about=-1,
            consent_id=one,
            due=place.now + 3_600,
            kind="other",
            number=f"n-{one[:8]}",
            subject=reference("alice"),
        )
    answered = {"by": "holder", "number": f"n-{in_time[:8]}", "state": "answered", "subject": reference("alice")}
    node.bank.record("subject.answer", **answered)
    ends = [node.revoke(one).index for one in (in_time, late)]
    node.fintech.record("consent.acknowledge", consent_id=in_time, basis=ends[0])
    node.clock.advance(seconds=DAY + 1)
    # 400 · 250 + 200 · 500 + 300 · 500
    assert score(place, day) == f"{FINTECH},score,{1000 - 350}"
    node.fintech.record("consent.acknowledge", consent_id=late, basis=ends[1])
    assert score(place, day) == f"{FINTECH},score,{1000 - 350}"  # it came too late


def test_an_end_that_is_acknowledged_within_a_day_after_the_period_is_in_time(place: Place) -> None:
    day = define(place)
    consent = place.node.grant()
    place.node.clock.advance(seconds=DAY - 60)
    end = place.node.revoke(consent).index
    place.node.clock.advance(seconds=3_600)
    before = prepared(place, day)
    assert f"{FINTECH},score,800" in before.csv.content.decode()
    place.node.fintech.record("consent.acknowledge", consent_id=consent, basis=end)
    with pytest.raises(Conflict):  # it was counted without it
        place.node.ledger.submit_and_wait(RecordComposed(ReportIssue(before)))
    after = prepared(place, day)
    assert f"{FINTECH},score,1000" in after.csv.content.decode()
    place.node.ledger.submit_and_wait(RecordComposed(ReportIssue(after)))


def test_a_score_behind_which_too_few_stand_is_not_shown(place: Place) -> None:
    day = define(place, suppress=5, measures=["score"])
    consent = place.node.grant()
    place.node.access(consent)
    place.node.clock.advance(seconds=DAY)
    assert score(place, day) == "other,score,<5"


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": None},
        {"measures": ["accesses_allowed"]},
        {"by": []},
        {"by": ["holder", "recipient"]},
        {"by": ["purpose"]},
        {"measures": ["score", "accesses_allowed"]},
        {"weights": {**WEIGHTS, "refused": 401}},
        {"weights": {**WEIGHTS, "refused": -1}},
        {"weights": {**WEIGHTS, "colour": 0}},
    ],
)
def test_a_definition_that_cannot_be_is_refused(sqlite_url: str, tmp_path: Path, changes: dict[str, Any]) -> None:
    with supervised(sqlite_url, tmp_path) as place, pytest.raises(InvalidInput):
        define(place, **changes)


counts = integers(0, 50)


@given(counts, counts, counts, counts, counts)
def test_a_score_lies_between_nothing_and_a_thousand(one: int, two: int, three: int, four: int, five: int) -> None:
    inputs = ScoreInputs(one, two, three, four + five, four, one + two, one)
    assert 0 <= inputs.score(EQUAL) <= 1_000
    assert ScoreInputs(allowed=one).score(EQUAL) == 1_000
