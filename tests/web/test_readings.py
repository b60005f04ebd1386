# ruff: noqa: RUF001 (Chinese punctuation is meant)
"""How often an app read: counted from what was looked at, and nothing said that is not known."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

import pytest

from api.web.readings import DAY_MS, DAYS, WEEK_MS, Reading, Readings, how_often, usual
from tests.clocks import LateClock
from tests.web.site import Site, open_site
from tests.world import DAY

NOW = int(dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC).timestamp() * 1000)


def read(days_ago: float, *, allowed: bool = True, present: bool = True) -> Reading:
    time = NOW - int(days_ago * DAY_MS)
    return Reading(time, time, allowed, present, () if allowed else ("NOT_PERMITTED",), ("ReadBalances",))


def seen(*accesses: Reading, since: int | None = None) -> Readings:
    return Readings(tuple(sorted(accesses, key=lambda one: one.time)), (), since)


def test_a_day_counts_what_was_read_and_what_was_refused_in_her_own_zone() -> None:
    late = seen(read(0.51), read(0.51, present=False), read(3, allowed=False))  # 23:45 UTC the day before
    utc, china = (how_often(late, NOW, zone, 0) for zone in ("UTC", "Asia/Shanghai"))
    assert (utc.reads, utc.background, utc.refused) == (2, 1, 1)
    assert [day.allowed for day in utc.days][-2:] == [2, 0]
    assert [day.allowed for day in china.days][-2:] == [0, 2], "midnight is another one there"
    assert len(utc.days) == DAYS
    assert utc.days[-1].date == dt.date(2026, 11, 30)


def test_uncounted_days_are_unknown_and_not_zero() -> None:
    cut = how_often(seen(read(1), since=NOW - 3 * DAY_MS), NOW, "UTC", 0)
    assert [day.known for day in cut.days] == [False] * 11 + [True] * 3, "not even the day on which the look begins"
    assert cut.since == NOW - 3 * DAY_MS
    whole = how_often(seen(read(1)), NOW, "UTC", 0)
    assert all(day.known for day in whole.days)
    assert whole.since is None


def test_the_usual_figure_is_the_middle_of_the_known_weeks_before_the_last_seven_days() -> None:
    weeks = [read(7 * week + 1 + step / 10) for week, reads in ((1, 4), (2, 6), (3, 5)) for step in range(reads)]
    stands_out = usual(seen(*weeks, *(read(1 + step / 20) for step in range(12))), NOW, NOW - 4 * WEEK_MS)
    assert stands_out is not None
    assert (stands_out.usual, stands_out.now, stands_out.change) == (5, 12, "more")
    quiet = usual(seen(*weeks, read(2)), NOW, NOW - 4 * WEEK_MS)
    assert quiet is not None
    assert quiet.change == "less"
    refused = usual(seen(*weeks, *(read(1 + step / 20, allowed=False) for step in range(12))), NOW, NOW - 4 * WEEK_MS)
    assert refused is not None
    assert refused.now == 0, "a refusal is no read"


@pytest.mark.parametrize(("started", "since"), [(NOW - 10 * DAY_MS, None), (0, NOW - 10 * DAY_MS)])
def test_nothing_is_usual_before_a_whole_week_is_known(started: int, since: int | None) -> None:
    assert usual(seen(*(read(9 - step) for step in range(8)), since=since), NOW, started) is None


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, int]]:
    """A site on which an app read on ten days, twice a day, and what the connection is addressed by."""
    clock = LateClock(11)
    with open_site(tmp_path_factory.mktemp("often") / "site", clock=clock) as site:
        consent = site.shared(expires_at=clock.now() // 1000 + 90 * DAY)
        for _ in range(10):
            site.read(consent)
            site.read(consent, customer_present=False)
            clock.catch_up(1)
        site.read(consent, permissions=["ReadPAN"])
        clock.catch_up(1)
        yield site, site.key(consent)


def test_the_page_answers_how_often_with_numbers_and_leads_to_the_day(lived: tuple[Site, int]) -> None:
    site, key = lived
    with site.client() as client:
        page = client.get(f"/my/connections/{key}").text
        assert re.search(r"Last 14 days: 20 reads \(10 in the background\); 1\s+more\s+refused", page)
        days = re.findall(
            rf'href="(/my/connections/{key}/history\?day=[\d-]+)"><span\s+class="only-read">([^<]+)<', page
        )
        assert len(days) == DAYS
        busy = [(path, said) for path, said in days if "2 reads (1 in the background)" in said]
        assert len(busy) == 10
        on_that_day = client.get(busy[0][0]).text
        assert on_that_day.count('class="event allowed"') == 2
        quiet = next(path for path, said in days if "0 reads" in said and "1 refused" not in said)
        assert "Nothing of this kind on this page." in client.get(quiet).text
    with site.client(language="zh-CN") as client:
        assert "近 14 天读取 20 次（后台 10 次），另有 1 次被拒绝" in client.get(f"/my/connections/{key}").text


def test_the_overview_says_how_many_apps_and_how_many_reads_this_week(lived: tuple[Site, int]) -> None:
    site, _ = lived
    with site.client() as client:
        numbers = re.findall(r"<dt>([^<]+)</dt><dd>\s*(\d+)", client.get("/my/connections").text)
    assert dict(numbers)["apps can read"] == "1"
    assert dict(numbers)["reads in 7 days"] == "10", "two each on the five days that are within the last seven"
