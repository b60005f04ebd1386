"""Every page, in every language and all colours: no violation that axe-core can find; no page wider than a phone."""

from __future__ import annotations

import re

import pytest
from fastapi.routing import APIRoute
from playwright.sync_api import Browser, Page

from api.web.app import ROUTERS
from tests.web.accessibility import LOOKS, OVER, PHONE, Scheme, judged, too_wide
from tests.web.scenes import Scene, scene_of
from tests.web.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def scene(shared_site: Site) -> Scene:
    """A site on which every page has something to show."""
    return scene_of(shared_site)


@pytest.mark.parametrize("look", LOOKS)
def test_no_page_has_a_violation_or_is_wider_than_a_small_phone_nor_with_letters_twice_as_large(
    scene: Scene, browser: Browser, look: tuple[str, tuple[Scheme, ...]]
) -> None:
    """In light, dark and forced colours, on a small phone, and in large letters: the browser's and the pages' own."""
    url, (locale, schemes), wrong = scene.site.url, look, list[str]()
    context = browser.new_context(locale=locale, viewport=PHONE, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    for name, path in scene.open.items():
        page.goto(url + path)
        wrong += judged(page, name, schemes)
    page.goto(f"{url}/sign-in/start")
    wrong += judged(page, "development sign-in", schemes)
    page.get_by_role("button", name="Mei Lin").click()
    page.wait_for_url("**/my/connections")
    for name, path in scene.open.items():
        wrong += too_wide(page, url + path, name)
        wrong += judged(page, f"{name}, signed in", ["forced"]) if "forced" in schemes else []
    for name, path in scene.signed_in.items():
        wrong += too_wide(page, url + path, name)
        wrong += judged(page, name, schemes)
    page.goto(url + scene.review)
    page.locator("form[action='/my/approve/review'] button").first.click()
    wrong += judged(page, "nothing chosen", schemes)
    page.locator("input[name=account]").first.check()
    for box in page.locator("input[name=separate]").all():
        box.check()
    page.locator("form[action='/my/approve/review'] button").first.click()
    page.wait_for_url("**/review")
    wrong += judged(page, "review", schemes)
    page.goto(url + scene.signed_in["check"])
    page.locator("[data-receipt]").click()
    page.locator("[data-verdict=good]").wait_for()
    wrong += judged(page, "checked", schemes)
    page.goto(f"{url}/reading?large=1&next=/verify")
    for name, path in {**scene.open, **scene.signed_in}.items():
        page.goto(url + path)
        wrong += [f"large: {name}: wider than the screen"] if page.evaluate(OVER) > 0 else []
    context.close()
    assert wrong == []


FAULTY = """<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Faulty</title><style>
    main { background: white } @media (prefers-color-scheme: dark) { main { background: #222; color: #333 } }
    nav a { border: 0 } @media (min-width: 380px) { p { width: 500px } } @media (max-width: 330px) { p { width: 40em } }
    </style><nav class="main"><a href="/" aria-current="page">Here</a></nav><main><h1>A page</h1><p>One</p>
    <div class="tabs" style="overflow-x: auto; width: 90px; white-space: nowrap"><a href="/all">All that there is</a>"""


def test_a_fault_is_found_in_each_of_the_colours_and_sizes(page: Page) -> None:
    page.route("**/faulty", lambda route: route.fulfill(body=FAULTY, content_type="text/html"))
    wide = too_wide(page, "http://localhost/faulty", "it")
    assert [one.partition(" it:")[0] for one in wide] == ["small:", "twice:"]
    rules = {one.partition(": <")[0] for one in judged(page, "it", ("light", "dark", "forced"))}
    assert rules == {
        *(f"it ({scheme}): wider than the screen" for scheme in ("light", "dark", "forced")),
        *(f"it ({scheme}): tabs beyond the edge" for scheme in ("light", "dark", "forced")),
        "it (dark): color-contrast",
        "it: nothing but colour says what is chosen",
    }


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
