"""Pictures of the pages: all of them, in every language, on a phone and on a desk, or those of docs/gallery.

    python -m tests.web.gallery FOLDER            # every page, to be looked at; `--language pt-BR`: in that one only
    python -m tests.web.gallery --docs            # renews docs/gallery

Needs Chromium and, for Chinese, a font that has it (Debian: fonts-wqy-microhei). Names are invented.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import FLAGS, chromium
from tests.clocks import LateClock
from tests.web.accessibility import LANGUAGES
from tests.web.console_pages import pages_of
from tests.web.consoles import open_consoles, provided
from tests.web.site import WEI, Site, join_named, open_site
from tests.world import DAY

DOCS: Final = Path(__file__).resolve().parents[2] / "docs" / "gallery"
PHONE: Final = {"width": 390, "height": 844}
DESK: Final = {"width": 1180, "height": 900}
READS: Final = (1, 2, 3, 1, 0, 2, 3, 1, 2, 3, 1, 0, 2, 1)
"""How often the app reads on each of fourteen days."""


def live_through_two_weeks(site: Site, clock: LateClock) -> dict[str, str]:
    """What happens on the site, and its customer's pages by name."""
    books = join_named(site.world, "tally", "Tally Books")
    loans = join_named(site.world, "harbour", "Harbour Loans")
    now = clock.now() // 1000
    budget = site.shared(expires_at=now + 90 * DAY)
    for reads in READS:
        for _ in range(reads):
            access = site.read(budget)
            site.world.record(site.bank.leg("release", budget, access, rows=48))
            site.world.record(site.app.leg("receive", budget, access, rows=48))
        if reads == READS[1]:
            refused = site.read(budget, permissions=["ReadStatementsDetail"])
        clock.catch_up(1)
    clock.catch_up(365)
    tally = site.shared(
        app=books, purpose={"code": "accounting", "text": "Books"}, permissions=["ReadAccountsBasic"], grade=2
    )
    ended = site.shared(app=loans, purpose={"code": "lending", "text": "A loan"})
    paused = site.shared(app=loans, purpose={"code": "lending", "text": "A loan"})
    site.read(tally, app=books, purpose="accounting", permissions=["ReadAccountsBasic"])
    site.world.record(site.app.amend(budget, retention_days=180)[1])
    site.world.record(site.bank.step("revoke", ended))
    site.world.record(site.bank.step("pause", paused))
    asked = site.ask(app=books, authorisers_required=2, purpose={"code": "accounting", "text": "Books"})
    several = site.agree(
        site.ask(
            app=books,
            authorisers_required=2,
            reauthenticate_days=90,
            reconfirm_days=30,
            purpose={"code": "accounting", "text": "Books"},
        ),
        accounts=4,
    )
    site.agree(several, WEI)
    whole = site.key(several)
    key = site.key(budget)
    return {
        "front": "/",
        "active": "/my/connections",
        "action": "/my/connections?tab=action",
        "connection": f"/my/connections/{key}",
        "history": f"/my/connections/{key}/history",
        "stop": f"/my/connections/{key}/stop",
        "stopped": f"/my/connections/{site.key(ended)}/stopped",
        "paused": f"/my/connections/{site.key(paused)}",
        "stop-all": "/my/stop-all",
        "pause": f"/my/connections/{key}/pause",
        "approve": f"/my/approve?consent={asked.consent_id}",
        "change": f"/my/approve?consent={budget.consent_id}",
        "receipts": "/my/receipts",
        "receipt": f"/my/receipts/{refused.index}",
        "report": f"/my/receipts/{refused.index}/report",
        "settings": "/my/settings",
        "export": "/my/export",
        "several": f"/my/connections/{whole}",
        "erase": "/my/erase",
        "account": f"/my/connections/{whole}/accounts?account={several.accounts[0]}",
        "step-up": "/step-up",
        "check": f"/verify?entry={refused.index}",
        "missing": "/my/connections/999999",
    }


@contextmanager
def visitor(
    browser: Browser, url: str, who: str, *, phone: bool, language: str = "en-GB", dark: bool = False
) -> Iterator[Page]:
    """A browser in which somebody is signed in through the development identity provider."""
    context = browser.new_context(
        locale=language,
        color_scheme="dark" if dark else "light",
        viewport=PHONE if phone else DESK,  # type: ignore[arg-type]
        reduced_motion="reduce",
        timezone_id="Europe/London",
    )
    page = context.new_page()
    page.goto(f"{url}/sign-in/start")
    page.get_by_role("button", name=who).click()
    page.wait_for_url("**/my/connections" if who in {"Mei Lin", "Wei Chen"} else "**/console/**")
    yield page
    context.close()


def picture(page: Page, url: str, folder: Path, name: str, *, whole: bool = True) -> None:
    page.goto(url)
    page.screenshot(path=folder / f"{name}.png", full_page=whole)


def everything(browser: Browser, folder: Path, languages: Sequence[str]) -> None:
    """Every page in each of these languages, on a phone and on a desk, one of them light and one dark."""
    clock = LateClock(15)
    views = [(phone, language, dark) for dark, language in enumerate(languages) for phone in (True, False)]
    with tempfile.TemporaryDirectory() as place, open_site(Path(place) / "site", clock=clock) as site:
        pages = live_through_two_weeks(site, clock)
        for phone, language, number in views:
            dark = bool(number % 2) == phone
            with visitor(browser, site.url, "Mei Lin", phone=phone, language=language, dark=dark) as page:
                for name, path in pages.items():
                    picture(page, site.url + path, folder, f"{name}-{'phone' if phone else 'desk'}-{language}")
    with tempfile.TemporaryDirectory() as place, open_consoles(Path(place) / "site") as consoles:
        for phone, language, number in views:
            dark = bool(number % 2) == phone
            for who, paths in pages_of(consoles).items():
                with visitor(browser, consoles.url, who.title(), phone=phone, language=language, dark=dark) as page:
                    for order, path in enumerate(paths):
                        name = path.partition("?")[0].strip("/").replace("/", "-")
                        held = f"{name}-{who}{order}-{'phone' if phone else 'desk'}-{language}"
                        picture(page, consoles.url + path, folder, held)


def for_docs(browser: Browser) -> None:
    """The pictures that the documentation shows."""
    clock = LateClock(15)
    with tempfile.TemporaryDirectory() as place, open_site(Path(place) / "site", clock=clock) as site:
        pages = live_through_two_weeks(site, clock)
        with visitor(browser, site.url, "Mei Lin", phone=False) as page:
            for name, path in (("connections", "active"), ("connection", "connection"), ("verify", "check")):
                page.goto(site.url + pages[path])
                if path == "check":
                    page.locator("[data-receipt]").click()
                    page.locator("[data-verdict=good]").wait_for()
                page.screenshot(path=DOCS / f"{name}-desktop.png")
        views = (
            ("active", "en-GB", False),
            ("connection", "zh-CN", True),
            ("stop", "en-GB", False),
            ("approve", "zh-CN", True),
            ("stopped", "pt-BR", False),
        )
        for path, language, dark in views:
            with visitor(browser, site.url, "Mei Lin", phone=True, language=language, dark=dark) as page:
                page.goto(site.url + pages[path])
                if path == "approve":  # the separate consents are what there is to see
                    page.locator(".separate").scroll_into_view_if_needed()
                page.screenshot(path=DOCS / f"phone-{path}.png")
    with tempfile.TemporaryDirectory() as place, open_consoles(Path(place) / "site", plum="Plum Budget") as consoles:
        size = consoles.world.ledger.tree.size()
        provided(consoles)
        for who, name, path in (
            ("Rita", "proof", f"/console/audit/proof?index={size // 2}"),
            ("Olaf", "operator", "/console/operator"),
            ("Pia", "partner", "/console/partner"),
            ("Tess", "provider", "/console/provider"),
        ):
            with visitor(browser, consoles.url, who, phone=False) as page:
                picture(page, consoles.url + path, DOCS, f"console-{name}", whole=False)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--language", choices=sorted(LANGUAGES), action="append", help="again for another")
    parser.add_argument("--docs", action="store_true", help="renew docs/gallery")
    asked = parser.parse_args()
    path = chromium()
    assert path, "no Chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        if asked.docs:
            for_docs(browser)
        if asked.folder:
            asked.folder.mkdir(parents=True, exist_ok=True)
            everything(browser, asked.folder, asked.language or sorted(LANGUAGES))
        browser.close()


if __name__ == "__main__":
    main()
