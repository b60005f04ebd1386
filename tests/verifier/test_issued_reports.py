"""Reports: what each measure counts, what is suppressed, and what a report that is bettered by one is told
(docs/spec/reports.md)."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.verifier.begun import alerted
from tests.verifier.forge import DAY, HOLDER, OTHER, RECIPIENT, Json, write
from tests.verifier.reported import ALL, HOUR, begun, lived, told
from verifier.cli import main
from verifier.rules.report_counts import Period
from verifier.rules.report_forms import Definition

PLAIN = """measure,value
consents_requested,3
consents_authorised,2
consents_ended,2
consents_withdrawn,1
consents_active,1
accesses_allowed,3
accesses_refused,2
accesses_unattended,2
accesses_after_withdrawal,0
acknowledged,2
acknowledge_seconds_max,5
acknowledge_seconds_median,5
unacknowledged,0
unacknowledged_late,0
findings,0
complaints,1
erasures,2
alerts,0
"""


def test_each_measure_counts_what_the_page_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = begun()
    world.define_report(measures=ALL)
    lived(world)
    world.tick(DAY)
    world.issue(PLAIN)
    world.issue("\n".join([PLAIN.splitlines()[0], *(f"{name},0" for name in ALL)]) + "\n", first=-1, last=0)
    assert told(world, tmp_path, capsys) == ([], {"asserted reasons: the holder's word, signed by it": 1}, [])


def test_alerts_are_counted_where_they_are_raised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = begun()
    world.define_report(measures=["alerts"])
    alerted(world)
    world.define_report("another")  # no document beside it is one
    world.tick(DAY)
    world.issue("measure,value\nalerts,1\n")
    assert told(world, tmp_path, capsys)[0] == []
    lie = world.issue("measure,value\nalerts,0\n")
    assert told(world, tmp_path, capsys)[0] == [("UNMATCHED", lie)]


@pytest.mark.parametrize(
    ("by", "measures", "rows"),
    [
        (
            ["holder", "recipient"],
            ["consents_requested", "accesses_allowed"],
            [
                f"{HOLDER},{RECIPIENT},consents_requested,2",
                f"{HOLDER},{RECIPIENT},accesses_allowed,3",
                f"{HOLDER},{OTHER},consents_requested,1",
                f"{HOLDER},{OTHER},accesses_allowed,0",
            ],
        ),
        (
            ["permission"],
            ["consents_active", "accesses_allowed"],
            ["ReadBalances,consents_active,1", "ReadBalances,accesses_allowed,3"],
        ),
        (
            ["reason"],
            ["accesses_allowed", "accesses_refused"],
            ["PURPOSE_MISMATCH,accesses_refused,1", "TOKEN_EXPIRED,accesses_refused,1"],
        ),
        (
            ["grade", "purpose", "standard"],
            ["acknowledged", "acknowledge_seconds_max"],
            ["3,AIS,uk-ob,acknowledged,2", "3,AIS,uk-ob,acknowledge_seconds_max,5"],
        ),
    ],
)
def test_a_report_is_parted_by_its_dimensions(
    by: list[str], measures: list[str], rows: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = begun()
    world.define_report(by=by, measures=measures)
    lived(world)
    world.tick(DAY)
    lines = sorted(rows, key=lambda row: row.split(",")[: len(by)])
    world.issue("\n".join([",".join([*by, "measure", "value"]), *lines]) + "\n")
    assert told(world, tmp_path, capsys)[0] == []


def test_a_report_that_is_bettered_by_one_is_refuted_at_its_index(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = begun()
    world.define_report(measures=["accesses_refused"])
    lived(world)
    world.tick(DAY)
    lies = [
        world.issue("measure,value\naccesses_refused,1\n"),
        world.issue("measure,value\naccesses_refused,2\n", rows=2),
    ]
    world.issue("measure,value\naccesses_refused,2\n")
    assert told(world, tmp_path, capsys)[0] == [("UNMATCHED", index) for index in lies]


def test_a_report_must_be_of_a_period_that_is_over_and_that_the_definition_gives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = begun()
    csv = "measure,value\naccesses_allowed,0\n"
    lies = [world.issue(csv)]  # not defined yet
    world.define_report()
    lies.append(world.issue(csv))  # not over
    world.tick(DAY - world.time % DAY - 1)
    lies.append(world.issue(csv))
    world.tick(1)
    world.issue(csv)
    lies += [
        world.issue(csv, to=world.day(1) - 1),
        world.issue(csv, **{"from": world.day(0) + 1}),
        world.issue(csv, to_index=len(world.entries)),
        world.issue(csv, to_index=len(world.entries) - 2),
    ]
    assert told(world, tmp_path, capsys)[0] == [("CONSENT_INVALID", index) for index in lies]


def test_a_period_belongs_to_the_definition_before_it_or_to_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = begun()
    consent = world.grant()
    world.access(consent)
    world.define_report(measures=["consents_requested"])
    world.tick(1)
    world.define_report(measures=["accesses_allowed"])
    world.tick(DAY)
    world.access(consent)
    world.tick(DAY)
    world.issue("measure,value\nconsents_requested,1\n")
    world.issue("measure,value\naccesses_allowed,1\n", first=1, last=2)
    assert told(world, tmp_path, capsys)[0] == []


@pytest.mark.parametrize(
    ("offset", "period", "since", "to"),
    [(480, "day", -8 * 3_600, 16 * 3_600), (-840, "day", 14 * 3_600 - 86_400, 14 * 3_600), (0, "month", None, None)],
)
def test_a_period_begins_where_its_definition_says(
    offset: int, period: str, since: int, to: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = begun()
    world.define_report(period=period, utc_offset=offset)
    start, end = world.first + (since or 0), world.first + (to or 0)
    if period == "month":
        start, end = 1_788_220_800, 1_790_812_800  # September 2026
    world.time = end * 1000 - 1
    consent = world.grant()
    world.access(consent)
    world.tick(1)
    world.access(consent)
    csv = "measure,value\naccesses_allowed,1\n"
    world.issue(csv, **{"from": start, "to": end})
    assert told(world, tmp_path, capsys)[0] == []


# --- suppression ----------------------------------------------------------------------------------------------


def period(limit: int, counts: dict[str, Sequence[int]], by: tuple[str, ...] = ("purpose",)) -> str:
    """A CSV of groups with accesses and complaints."""
    made = Period(Definition(0, 0, "x", "day", 0, by, ("accesses_allowed", "complaints"), limit), 0, 86_400)
    for group, (accesses, complaints) in counts.items():
        name = (group,) if by else ()
        made.count("accesses_allowed", [name], accesses)
        made.count("complaints", [name], complaints)
    return made.csv()[0].decode().partition("\n")[2]


def test_small_counts_are_suppressed_and_small_groups_are_put_together() -> None:
    assert period(5, {"A": (5, 4), "B": (0, 5)}) == (
        "A,accesses_allowed,5\nA,complaints,<5\nB,accesses_allowed,0\nB,complaints,5\n"
    )
    together = {"A": (4, 0), "B": (3, 1), "C": (9, 0)}
    assert period(5, together) == (
        "C,accesses_allowed,9\nC,complaints,0\nother,accesses_allowed,7\nother,complaints,<5\n"
    )
    assert period(5, {"A": (4, 0), "C": (9, 0)}).endswith("other,accesses_allowed,<5\nother,complaints,0\n")
    assert period(5, {"other": (1, 0), "A": (4, 0)}) == "other,accesses_allowed,5\nother,complaints,0\n"
    assert period(0, {"A": (1, 0)}) == "A,accesses_allowed,1\nA,complaints,0\n"
    assert period(5, {"": (4, 0)}, ()) == "accesses_allowed,<5\ncomplaints,0\n"
    assert period(5, {}) == ""


def test_maxima_and_medians_stand_on_enough_acknowledgements() -> None:
    measures = ("acknowledged", "acknowledge_seconds_max", "acknowledge_seconds_median")

    def csv(limit: int, *seconds: int) -> list[str]:
        made = Period(Definition(0, 0, "x", "day", 0, (), measures, limit), 0, 86_400)
        for value in seconds:
            made.count("acknowledged", [()])
            made.acknowledge([()], value)
        return [line.rpartition(",")[2] for line in made.csv()[0].decode().splitlines()[1:]]

    assert csv(0) == ["0", "0", "0"]
    assert csv(3, 7, 1) == ["<3"] * 3
    assert csv(2, 7, 1) == ["2", "7", "1"]
    assert csv(2, 7, 1, 5) == ["3", "7", "5"]
    assert csv(2, 4, 4, 9, 9) == ["4", "9", "4"]


# --- active consents ------------------------------------------------------------------------------------------


def test_active_consents_are_those_whose_status_is_so_at_the_end_of_each_day(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A random life, held against the status of each consent at each midnight."""
    dice, world = random.Random(4), begun()
    world.define_report(measures=["consents_active"], by=["grade", "recipient"])
    world.register("third.example", ["recipient"])
    consents: list[str] = []
    mine: list[str] = []
    for number in range(12):
        for _ in range(10):
            world.tick(dice.randrange(2 * HOUR))
            consent = dice.choice(consents) if consents else ""
            act = dice.choice(("new", "new", "end", "pause", "use", "amend"))
            if number > 7 and consent and world.consents[consent]["terms"]["recipient"] != RECIPIENT:
                continue
            if act == "new" or not consent:
                who = dice.choice((RECIPIENT, "third.example"))
                if who == "third.example" and number > 7:
                    continue
                end = dice.choice((0, 0, world.time // 1000 + dice.randrange(1, 300_000), world.day(number + 2)))
                once = dice.random() < 0.3
                more: Json = {"once_seconds": dice.randrange(1, 200_000)} if once else {}
                consents.append(world.request(who, recipient=who, once=once, expires_at=end, **more))
                world.authorise(consents[-1])
                mine += [consents[-1]] * (who == RECIPIENT and not end and not once)
            elif act == "end" and world.status(consent) == "ACTIVE":
                world.revoke(consent)
            elif act == "pause" and world.status(consent) == "ACTIVE":
                world.end(consent, "consent.pause", "PAUSED")
            elif act == "use":
                world.access(consent, world.consents[consent]["terms"]["recipient"])
            elif act == "amend" and world.status(consent) == "ACTIVE" and consent in mine:
                world.amend(consent, permissions=["ReadOffers"])
                world.authorise(consent)
        if number == 7:
            world.remove("third.example")
        if world.time // 1000 < world.day(number + 1):
            world.time = world.day(number + 1) * 1000
        at = (world.time // 1000 - world.first) // 86_400
        world.time = world.day(at) * 1000
        states = [world.consents[one]["terms"] for one in consents if world.status(one) == "ACTIVE"]
        counts = Counter(f"{terms['grade']},{terms['recipient']}" for terms in states)
        lines = [f"{group},consents_active,{count}" for group, count in sorted(counts.items())]
        csv = "\n".join(["grade,recipient,measure,value", *lines]) + "\n"
        world.issue(csv, first=at - 1, last=at)
        world.tick(1)
    found = told(world, tmp_path, capsys)
    assert found[0] == []


# --- what cannot be known, and the command --------------------------------------------------------------------


def test_a_figure_that_rests_on_an_unread_entry_is_not_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = begun()
    world.define_report()
    consent = world.grant()
    gone = world.access(consent)
    world.tick(DAY)
    world.issue("measure,value\naccesses_allowed,9\n")
    other = world.grant()
    world.access(other)
    world.tick(DAY)
    world.issue("measure,value\naccesses_allowed,1\n", first=1, last=2)
    write(world.files("partial", frozenset({gone})), tmp_path / "bundle")
    (tmp_path / "policy").write_text(world.policy())
    status = main(["bundle", str(tmp_path / "bundle"), "--policy", str(tmp_path / "policy"), "--jobs", "1", "--json"])
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert status == 0
    counts = {one["what"]: one["count"] for one in events if one["event"] in ("checked", "unchecked")}
    assert counts["reports that rest on entries which were withheld, erased or unreadable"] == 1
    assert counts["reports"] == 1


def test_the_command_lists_reports_and_computes_a_period_that_nobody_issued(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = begun()
    world.define_report(measures=["consents_active", "accesses_allowed"])
    consent = world.grant()
    world.access(consent)
    world.tick(DAY)
    right = world.issue("measure,value\nconsents_active,1\naccesses_allowed,1\n")
    wrong = world.issue("measure,value\nconsents_active,1\naccesses_allowed,2\n")
    world.access(consent)
    world.access(consent)
    lines = told(world, tmp_path, capsys, command="report")[2]
    assert lines == [
        f"daily 2026-09-22/2026-09-23 (entry {right}): as the entries give it",
        f"daily 2026-09-22/2026-09-23 (entry {wrong}): REFUTED: the entries give other figures",
    ]
    period_of = ("--code", "daily", "--from", "2026-09-23", "--csv", str(tmp_path / "out.csv"))
    lines = told(world, tmp_path, capsys, *period_of, command="report")[2]
    assert lines == ["daily 2026-09-23/2026-09-24 (not issued): computed from the entries"]
    assert (tmp_path / "out.csv").read_bytes() == b"measure,value\nconsents_active,1\naccesses_allowed,2\n"
    lines = told(world, tmp_path, capsys, "--code", "daily", "--from", str(world.day(1)), command="report")[2]
    assert lines[1:] == ["measure,value", "consents_active,1", "accesses_allowed,2"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--code", "weekly", "--from", "2026-09-23"), "defines no report weekly"),
        (("--code", "daily", "--from", "yesterday"), "not yesterday"),
        (("--code", "daily"), "together"),
        (("--csv", "x.csv"), "name it with"),
    ],
)
def test_a_question_that_cannot_be_answered_is_exit_status_2(
    words: tuple[str, ...], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = begun()
    world.define_report()
    write(world.files(), tmp_path / "bundle")
    (tmp_path / "policy").write_text(world.policy())
    status = main(["report", str(tmp_path / "bundle"), "--policy", str(tmp_path / "policy"), "--jobs", "1", *words])
    assert status == 2
    assert reason in capsys.readouterr().out


def test_a_resumed_audit_checks_the_reports_whose_periods_begin_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = begun()
    world.define_report()
    consent = world.grant()
    world.access(consent)
    assert told(world, tmp_path, capsys, "--keep", str(tmp_path / "state"))[0] == []
    world.tick(DAY)
    world.issue("measure,value\naccesses_allowed,9\n")
    world.access(consent)
    world.tick(DAY)
    lie = world.issue("measure,value\naccesses_allowed,9\n", first=1, last=2)
    found, unchecked, _ = told(world, tmp_path, capsys, "--since", str(tmp_path / "state"))
    assert found == [("UNMATCHED", lie)]
    assert unchecked["reports whose period reaches back before the kept state"] == 1
