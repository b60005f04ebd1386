"""A reader with nothing but the page: its words answer who did what, how often, what is usual, and what a button does
(docs/people.md, «What the page answers by itself»)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from api.web.locale import CATALOGUES
from api.web.words import HOME_ZONE, Words
from tests.clocks import HandClock, LateClock
from tests.web.gallery import READS, live_through_two_weeks
from tests.web.reading import words_of
from tests.web.site import Site, open_site

APP = "Plum Budget"
SHOWN = READS[2:]
"""The reads of the days that a page counts: today and yesterday had none, and are of the fourteen."""
REFUSED = SHOWN.count(READS[1])
"""The scene has the app refused on each day of so many reads."""


@dataclass(frozen=True)
class Lived:
    """A site after two weeks, and its customer's pages by name."""

    site: Site
    pages: dict[str, str]

    def text(self, page: str, language: str) -> str:
        """A page's words."""
        with self.site.client(language=language) as client:
            answer = client.get(self.pages[page])
        assert answer.status_code == 200
        return words_of(answer.text)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    today = HandClock()  # in the middle of a day, wherever the reader is
    clock = LateClock(15, today)
    with open_site(tmp_path_factory.mktemp("reader") / "site", clock=clock) as site:
        pages = live_through_two_weeks(site, clock)
        today.advance(seconds=3_600)
        yield Lived(site, pages)


@pytest.fixture(params=sorted(CATALOGUES))
def words(request: pytest.FixtureRequest) -> Words:
    return Words(request.param, HOME_ZONE[request.param])


def said(words: Words, key: str, **values: object) -> str:
    """A sentence as it stands on a page."""
    return words_of(str(words.h(key, **values)))


def test_each_event_says_whose_act_it_was_its_time_and_its_outcome(lived: Lived, words: Words) -> None:
    page = lived.text("connection", words.language)
    assert said(words, "access.title", who=APP) in page
    assert words.t("did.consent.authorise", who=words.t("who.you")) in page
    assert words.t("access.allowed") in page
    assert words.t("access.refused") in page
    assert words.t("cluster.balances") in page


def test_the_number_of_reads_and_the_usual_one_stand_there(lived: Lived, words: Words) -> None:
    page = lived.text("connection", words.language)
    reads = words.n("often.reads", sum(SHOWN))
    assert words.t("often.sum", reads=reads, background=words.number(0), refused=words.number(REFUSED)) in page
    week, before = sum(SHOWN[7:]), sum(SHOWN[:7])
    assert words.t("often.less", usual=words.number(before), now=words.number(week)) in page


def test_before_a_button_is_pressed_the_page_says_that_it_only_shows_what_would_happen(
    lived: Lived, words: Words
) -> None:
    page = lived.text("connection", words.language)
    assert words.t("connection.buttons") in page
    assert words.t("connection.stop") in page
    size = lived.site.world.ledger.tree.size()
    for step in ("stop", "pause", "stop-all", "change"):
        lived.text(step, words.language)
    assert lived.site.world.ledger.tree.size() == size, "looking changes nothing, as the page says"


def test_a_change_that_waits_says_that_nothing_has_changed(lived: Lived, words: Words) -> None:
    page = lived.text("connection", words.language)
    assert said(words, "connection.answer.change", recipient=APP) in page
    assert words.t("connection.version.waits") in page


def test_a_request_that_was_refused_is_not_told_as_a_read(lived: Lived, words: Words) -> None:
    page = lived.text("connection", words.language)
    _, _, after = page.partition(words.code("reason", "PERMISSION_MISSING"))
    told = after[: after.index(words.t("history.receipt"))]
    assert words.t("access.asked") in told
    assert words.t("access.present") not in told


def test_the_effect_of_a_button_stands_beside_it(lived: Lived, words: Words) -> None:
    stop = lived.text("stop", words.language)
    for key in ("stop.what.text", "stop.service.text", "stop.delete", "stopped.again", "stop.later.request"):
        assert said(words, key, recipient=APP) in stop, key
    assert words.t("stop.yes") in stop
    assert words.t("stop.no") in stop
    pause = lived.text("pause", words.language)
    assert words.t("pause.pause.text") in pause
    stopped = lived.text("stopped", words.language)
    assert words.t("stopped.told.no.text") in stopped
