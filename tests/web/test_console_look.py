"""Every page of the consoles, in every language and all colours: nothing that axe-core objects to, nothing too wide."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser

from api.web.app import CONSOLES
from tests.web.accessibility import LANGUAGES, LOOKS, Scheme, judged, too_wide
from tests.web.console_pages import pages_of
from tests.web.consoles import Consoles

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize("look", LOOKS)
def test_no_page_of_the_consoles_has_a_violation_or_is_wider_than_a_small_phone_nor_with_letters_twice_as_large(
    consoles: Consoles, browser: Browser, look: tuple[str, tuple[Scheme, ...]]
) -> None:
    """In light, dark and forced colours; each page is opened once for all that is asked of it."""
    (locale, schemes), wrong = look, list[str]()
    for who, paths in pages_of(consoles).items():
        context = browser.new_context(locale=locale, reduced_motion="reduce")
        page = context.new_page()
        page.goto(f"{consoles.url}/sign-in/start")
        page.get_by_role("button", name=who.title()).click()
        page.wait_for_url("**/console/**")
        for path in paths:
            wrong += too_wide(page, consoles.url + path, f"{who} {path}")
            wrong += judged(page, f"{who} {path}", schemes)
        context.close()
    assert wrong == []


@pytest.mark.parametrize("width", [850, 1180])
@pytest.mark.parametrize("locale", sorted(LANGUAGES))
def test_the_longest_menu_squeezes_neither_brand_nor_language(
    consoles: Consoles, browser: Browser, locale: str, width: int
) -> None:
    context = browser.new_context(locale=locale, viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(f"{consoles.url}/sign-in/start")
    page.get_by_role("button", name="Bea").click()
    page.wait_for_url("**/console/**")
    for what in (".brand", ".languages summary"):
        box = page.locator(what).first.bounding_box()
        assert box is not None
        assert box["height"] <= 48, f"{what} is {box['height']} px high: its words stand below each other"
        assert 0 <= box["x"] <= box["x"] + box["width"] <= width
    context.close()


@pytest.mark.parametrize("width", [390, 1180])
def test_each_state_of_a_partners_consents_has_a_row_with_its_number(
    consoles: Consoles, browser: Browser, width: int
) -> None:
    context = browser.new_context(locale="en-GB", viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(f"{consoles.url}/sign-in/start")
    page.get_by_role("button", name="Pia").click()
    page.wait_for_url("**/console/**")
    lower = 0.0
    rows = page.locator("section[aria-labelledby=states] li").all()
    assert len(rows) >= 3
    for row in rows:
        outer, number = row.bounding_box(), row.locator("strong").bounding_box()
        assert outer is not None
        assert number is not None
        assert outer["y"] >= lower, "two states beside each other"
        assert outer["x"] <= number["x"] <= number["x"] + number["width"] <= outer["x"] + outer["width"]
        lower = outer["y"] + outer["height"]
    context.close()


def test_every_page_of_the_consoles_is_judged(consoles: Consoles) -> None:
    paths = {route.path for router in CONSOLES for route in router.routes if "GET" in route.methods}  # type: ignore[attr-defined]
    seen = [path for listed in pages_of(consoles).values() for path in listed]
    patterns = {path: re.compile(re.sub(r"\{\w+\}", "[^/]+", path) + r"(\?.*)?\Z") for path in paths}
    unseen = {path for path, pattern in patterns.items() if not any(pattern.match(one) for one in seen)}
    # What is left is not a page: files, and the door that leads to one's own console.
    assert unseen == {
        "/console/partner/billing/{index}/invoice.{form}",
        "/console/audit/records.csv",
        "/console/partner/consents.csv",
        "/console/provider/acts.csv",
        "/console/provider/receipts/{index}/file",
        "/console/partner/feedback.csv",
        "/console",
        "/console/alerts/live",
        "/console/audit/bundle",
        "/console/audit/cases/{index}/bundle",
        "/console/audit/handovers/{index}/receipts",
        "/console/partner/receipts/{index}/file",
        "/console/supervision/figures.csv",
        "/console/incidents/{index}/pack",
    }


def test_every_field_at_a_desk_has_room_for_what_is_typed_into_it(consoles: Consoles, browser: Browser) -> None:
    """Beside a wide button, or in a narrow column: 110 pixels are some ten letters."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1180, "height": 900})
    page = context.new_page()
    page.goto(f"{consoles.url}/sign-in/start")
    page.get_by_role("button", name="Rita").click()
    page.wait_for_url("**/console/**")
    paths = [path for path in pages_of(consoles)["rita"] if re.search("cases|bundles|freezes|incidents$", path)]
    assert len(paths) == 4
    for path in paths:
        page.goto(consoles.url + path)
        fields = page.locator("form.ask :is(input:not([type=hidden], [type=checkbox]), select, textarea)")
        widths: list[float] = fields.evaluate_all("all => all.map(one => one.getBoundingClientRect().width)")
        assert widths
        assert min(widths) >= 110, path
    context.close()


def test_a_table_without_a_row_says_so_on_the_screen(consoles: Consoles, browser: Browser) -> None:
    """Not in a cell as wide as the columns, of which a screen shows the first few."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1180, "height": 900})
    page = context.new_page()
    page.goto(f"{consoles.url}/sign-in/start")
    page.get_by_role("button", name="Rita").click()
    page.wait_for_url("**/console/**")
    page.goto(f"{consoles.url}/console/supervision?by=holder&from=2001-01-01&to=2001-03-31")
    said = page.locator("section[aria-labelledby=table]").get_by_text("Nothing happened in this period.")
    box = said.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 1180
    context.close()
