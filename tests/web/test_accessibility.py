"""Every page, in every language and both colour schemes: no violation that axe-core can find; no page wider than a phone."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest
from fastapi.routing import APIRoute
from msgspec import structs
from playwright.sync_api import Browser, Page

from api.web.app import ROUTERS
from api.web.heeding import answer
from ledger.documents import Disclosure, document_of
from tests.web.accessibility import LANGUAGES, judged
from tests.web.site import MEI, WEI, Site, csrf_of
from tests.world import DAY

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@dataclass(frozen=True)
class Scene:
    """A site on which every page has something to show, and the addresses of its pages."""

    site: Site
    open: dict[str, str]
    signed_in: dict[str, str]
    review: str


@pytest.fixture(scope="module")
def scene(shared_site: Site) -> Scene:
    site = shared_site
    now = site.world.clock.now() // 1000
    live = site.shared(expires_at=now + 5 * DAY, authorisers_required=1)
    access = site.read(live)
    site.read(live, permissions=["ReadPAN"])
    site.world.record(site.app.amend(live, retention_days=5)[1])
    # A connection of which every part can be taken back, one joint account that waits, and what a regulator was shown.
    both = site.agree(site.ask(authorisers_required=2, reauthenticate_days=90, reconfirm_days=30), accounts=4)
    site.agree(both, WEI)
    joint = site.shared(accounts=4)
    whole = site.key(both)
    done = site.world.ledger.records.history(site.bank.id, both.consent_id)[-1].index
    site.world.join("regulator-1", "regulator", client=False)
    site.world.ledger.record_documents(
        document_of(
            Disclosure, participant="regulator-1", case="case-7", from_index=access.index, to_index=access.index
        )
    )
    ended, paused, asked = site.shared(), site.shared(), site.ask(authorisers_required=2)
    site.world.record(site.bank.step("revoke", ended))
    site.world.record(site.bank.step("pause", paused))
    key = site.key(live)
    with site.client() as client:
        said = feedback_of(site, access.index, client)
    return Scene(
        site,
        {"front": "/", "sign-in": "/sign-in", "verify": "/verify", "join": "/join", "nowhere": "/nowhere"},
        {
            "active": "/my/connections",
            "action": "/my/connections?tab=action",
            "ended": "/my/connections?tab=ended",
            "connection": f"/my/connections/{key}",
            "history": f"/my/connections/{key}/history",
            "a day": f"/my/connections/{key}/history?day={dt.datetime.now(dt.UTC).date().isoformat()}",
            "everything": "/my/complete",
            "all of one": f"/my/connections/{key}/complete",
            "empty history": f"/my/connections/{key}/history?show=changes&before=1",
            "stop": f"/my/connections/{key}/stop",
            "stopped": f"/my/connections/{site.key(ended)}/stopped",
            "ended connection": f"/my/connections/{site.key(ended)}",
            "stop all": "/my/stop-all",
            "pause": f"/my/connections/{key}/pause",
            "resume": f"/my/connections/{site.key(paused)}/resume",
            "approve": f"/my/approve?consent={asked.consent_id}",
            "change": f"/my/approve?consent={live.consent_id}",
            "receipts": "/my/receipts",
            "receipt": f"/my/receipts/{access.index}",
            "report": f"/my/receipts/{access.index}/report",
            "all feedback": "/my/feedback",
            "feedback": f"/my/feedback/{said}",
            "settings": "/my/settings",
            "notices": "/my/notices",
            "export": "/my/export",
            "several": f"/my/connections/{whole}",
            "an account": f"/my/connections/{whole}/accounts?account={both.accounts[0]}",
            "a separate consent": f"/my/connections/{whole}/separate?kind=provision",
            "my yes": f"/my/connections/{whole}/approval",
            "again": f"/my/connections/{whole}/renew",
            "changed": f"/my/connections/{whole}/changed/{done}",
            "erase": "/my/erase",
            "together": "/my/together",
            "not to be joined": "/my/together/join",
            "a joint account": f"/my/approve?consent={joint.consent_id}",
            "found": "/my/connections?q=Plum&sort=ending",
            "step-up": "/step-up",
            "check": f"/verify?entry={access.index}",
            "missing": "/my/connections/999999",
        },
        f"/my/approve?consent={asked.consent_id}",
    )


def feedback_of(site: Site, index: int, client: httpx2.Client) -> str:
    """The number of some feedback about an entry that was answered late."""
    page = client.get(f"/my/receipts/{index}/report")
    client.post(f"/my/receipts/{index}/report", data={"csrf": csrf_of(page), "words": "I was asleep <i>then</i>"})
    [given] = site.office.store.feedback.about(site.people[MEI], index)
    site.office.store.feedback.amend(given.number, lambda one: structs.replace(one, due=1))
    answer(
        site.office, site.office.store.feedback.one(given.number), "holder", "answered", "It was the nightly update."
    )
    return given.number


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=sorted(LANGUAGES))
def phone(request: pytest.FixtureRequest, browser: Browser, scheme: str) -> Iterator[Page]:
    """A phone's browser in one language and colour scheme."""
    context = browser.new_context(
        locale=request.param,
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
        "/manifest.webmanifest",
        "/reading",
        "/my/connections/{key}/complaint.zip",
        "/my/connections/{key}/complete/file",
        "/my/receipts/{index}/file",
        "/my/connections/{key}/live",
    }
