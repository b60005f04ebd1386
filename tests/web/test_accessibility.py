"""Every page, in every language and both colour schemes: no violation that axe-core can find; no page wider than a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute
from playwright.sync_api import Browser, Page

from api.web.app import ROUTERS
from tests.web.accessibility import LANGUAGES, LOOKS, judged
from tests.web.scenes import Scene, scene_of
from tests.web.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def scene(shared_site: Site) -> Scene:
    """A site on which every page has something to show."""
    return scene_of(shared_site)


@pytest.fixture(params=LOOKS)
def phone(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A phone's browser in one language and colour scheme."""
    locale, scheme = request.param
    context = browser.new_context(
        locale=locale,
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": 390, "height": 844},
        reduced_motion="reduce",
    )
    yield context.new_page()
    context.close()


def test_no_page_has_a_violation(scene: Scene, phone: Page) -> None:
    url, wrong = scene.site.url, []
    for name, path in scene.open.items():
        phone.goto(url + path)
        wrong += judged(phone, name)
    phone.goto(f"{url}/sign-in/start")
    wrong += judged(phone, "development sign-in")
    phone.get_by_role("button", name="Mei Lin").click()
    phone.wait_for_url("**/my/connections")
    for name, path in scene.signed_in.items():
        phone.goto(url + path)
        wrong += judged(phone, name)
    phone.goto(url + scene.review)
    phone.locator("form[action='/my/approve/review'] button").first.click()
    wrong += judged(phone, "nothing chosen")
    phone.locator("input[name=account]").first.check()
    for box in phone.locator("input[name=separate]").all():
        box.check()
    phone.locator("form[action='/my/approve/review'] button").first.click()
    phone.wait_for_url("**/review")
    wrong += judged(phone, "review")
    phone.goto(url + scene.signed_in["check"])
    phone.locator("[data-receipt]").click()
    phone.locator("[data-verdict=good]").wait_for()
    wrong += judged(phone, "checked")
    assert wrong == []


def test_no_page_has_a_violation_or_hides_where_she_is_in_forced_colours(scene: Scene, browser: Browser) -> None:
    """The reader's own few colours (Windows contrast themes): what is chosen is not told by a ground alone."""
    url, wrong = scene.site.url, []
    context = browser.new_context(locale="zh-CN", forced_colors="active", viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{url}/sign-in/start")
    page.get_by_role("button", name="Mei Lin").click()
    page.wait_for_url("**/my/connections")
    for name, path in {**scene.open, **scene.signed_in}.items():
        page.goto(url + path)
        wrong += judged(page, name)
        for chosen in page.locator(".tabs a[aria-current], nav.main a[aria-current]").all():
            if chosen.evaluate("one => getComputedStyle(one).borderTopWidth") == "0px":
                wrong.append(f"{name}: nothing but colour says what is chosen")
    context.close()
    assert wrong == []


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_no_page_is_wider_than_a_small_phone_nor_with_letters_twice_as_large(
    scene: Scene, browser: Browser, language: str
) -> None:
    """WCAG 2.2: 1.4.10 (320 pixels) and 1.4.4 (200 %); and the pages in large letters of their own."""
    url, wrong = scene.site.url, []
    context = browser.new_context(locale=language, viewport={"width": 320, "height": 640}, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{url}/sign-in/start")
    page.get_by_role("button", name="Mei Lin").click()
    page.wait_for_url("**/my/connections")
    for how in ("small", "twice", "large"):
        page.set_viewport_size({"width": 320 if how == "small" else 390, "height": 844})
        if how == "large":
            page.goto(f"{url}/reading?large=1&next=/verify")
        for name, path in {**scene.open, **scene.signed_in}.items():
            page.goto(url + path)
            if how == "twice":
                page.evaluate("document.documentElement.style.fontSize = '200%'")
            over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            wrong += [f"{how}: {name}: {over} pixels too wide"] if over > 0 else []
    context.close()
    assert wrong == []


def test_every_page_that_can_be_read_is_judged(scene: Scene) -> None:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    # The consoles' pages are judged in a test of their own.
    paths = {route.path for route in routes if "GET" in route.methods and not route.path.startswith("/console")}
    judged_paths = [*scene.open.values(), *scene.signed_in.values(), "/my/approve/review", "/sign-in/start"]
    patterns = {path: re.compile(re.sub(r"\{\w+\}", "[^/]+", path) + r"(\?.*)?\Z") for path in paths}
    unseen = {path for path, pattern in patterns.items() if not any(pattern.match(one) for one in judged_paths)}
    # What is left is not a page: files, streams, redirections.
    assert unseen == {
        "/authorize",
        "/authorize/{authorisation}",
        "/brand.css",
        "/brand/logo",
        "/embed.js",
        "/my/overview.json",
        "/my/feedback/{number}/file",
        "/language",
        "/static/{name}",
        "/logo/{participant}",
        "/sign-in/callback",
        "/my/export/{form}",
        "/my/complete/file",
        "/my/earlier/complete",
        "/my/earlier/table",
        "/my/earlier/{index}",
        "/manifest.webmanifest",
        "/reading",
        "/my/connections/{key}/complaint.zip",
        "/my/connections/{key}/complete/file",
        "/my/receipts/{index}/file",
        "/my/connections/{key}/live",
    }
