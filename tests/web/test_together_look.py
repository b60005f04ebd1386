"""The one page of all banks in a real browser, in every state and language: readable, and walked as a person would."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from api.web.people import IDLE_MS
from api.web.words import Words
from tests.clocks import HandClock
from tests.web.accessibility import LANGUAGES, SCHEMES, judged
from tests.web.banks import ANNA, GUARDIAN, NAMES, NORTH, PEOPLE, SOUTH, Banks, open_banks

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CALLED = {one["sub"]: one["name"] for one in PEOPLE}


@pytest.fixture(scope="module")
def banks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Banks]:
    with open_banks(tmp_path_factory.mktemp("look") / "site", clock=HandClock()) as opened:
        for _ in range(2):
            opened.shared(GUARDIAN, "plum")
        opened.shared(ANNA[SOUTH], "quince")
        yield opened


def linked(page: Page, banks: Banks, words: Words, first: str, second: str) -> list[str]:
    """Walk the link in a browser; what was wrong with the pages on the way."""
    wrong = []
    page.goto(f"{banks.url}/sign-in/start")
    page.get_by_role("button", name=CALLED[first]).click()
    page.get_by_role("link", name=words.t("together.link")).click()
    wrong += judged(page, "nothing linked", SCHEMES)
    page.get_by_role("button", name=words.t("together.add")).click()
    page.get_by_role("button", name=CALLED[second]).click()
    page.wait_for_url("**/my/together/join")
    wrong += judged(page, "join", SCHEMES)
    page.get_by_role("button", name=words.t("together.join.yes")).click()
    page.wait_for_url("**/my/together")
    return wrong


@pytest.mark.parametrize("locale", sorted(LANGUAGES))
def test_every_state_can_be_read(banks: Banks, browser: Browser, locale: str) -> None:
    clock = banks.world.clock
    assert isinstance(clock, HandClock)
    words, wrong = Words(LANGUAGES[locale], "UTC"), []
    banks.agents[SOUTH].is_down = True
    context = browser.new_context(
        locale=locale,
        viewport={"width": 320, "height": 700},
        reduced_motion="reduce",
    )
    page = context.new_page()
    wrong += linked(page, banks, words, GUARDIAN, ANNA[SOUTH])
    assert page.get_by_text(words.t("together.unasked.text")).is_visible()
    wrong += judged(page, "could not be asked", SCHEMES)
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "letters twice as large"
    assert len(page.content().encode()) < 60_000
    clock.advance(seconds=IDLE_MS / 2000)
    page.goto(f"{banks.url}/my/connections")
    clock.advance(seconds=IDLE_MS / 2000 + 60)
    page.goto(f"{banks.url}/my/together")
    assert page.get_by_text(words.t("together.locked", bank=NAMES[NORTH])).is_visible()
    wrong += judged(page, "locked", SCHEMES)
    banks.agents[SOUTH].is_down = False
    page.get_by_role("button", name=words.t("together.ask")).click()
    page.wait_for_url("**/my/together#bank-*")
    assert not page.get_by_text(words.t("together.unasked.text")).is_visible()
    wrong += judged(page, "asked again", SCHEMES)
    context.close()
    assert wrong == []


def test_a_stop_from_the_one_page_takes_three_taps(banks: Banks, browser: Browser) -> None:
    """From the one page, at the bank where she is not: stop, confirm, back."""
    consent = banks.shared(ANNA[NORTH], "quince")
    context = browser.new_context(locale="en-GB", viewport={"width": 390, "height": 844})
    page = context.new_page()
    linked(page, banks, Words("en", "UTC"), ANNA[NORTH], ANNA[SOUTH])
    north = page.locator("section.bank", has_text=NAMES[NORTH]).first
    north.get_by_role("button", name="Stop sharing").click()
    page.wait_for_url("**/stop")
    assert NAMES[NORTH] in page.locator(".whose").inner_text()
    page.get_by_role("button", name="Stop sharing").click()
    page.wait_for_url("**/stopped")
    assert banks.status(consent) == "REVOKED"
    page.get_by_role("link", name="All my banks").last.click()
    page.wait_for_url("**/my/together")
    context.close()
