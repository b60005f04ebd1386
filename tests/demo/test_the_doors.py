"""The closing table of the demo, followed as it is printed: each address opened in a browser, each name clicked."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from string import Formatter

import pytest
from playwright.sync_api import Browser, Page

from api.demo.words import CATALOGUES, ENGLISH, PAGES, Language
from api.web.locale import CATALOGUES as OFFERED
from tests.conformance import ROOT
from tests.demo.running import RunningDemo


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Page]:
    """One browser for all doors, as somebody has who tries one after the other."""
    context = browser.new_context(locale="en-GB", viewport={"width": 390, "height": 844})
    yield context.new_page()
    context.close()


def enter(page: Page, demo: RunningDemo, who: str) -> str:
    """Open the address and click the name, as printed; the main heading of the page behind."""
    name, address = demo.doors[who]
    page.goto(address)
    page.get_by_role("button", name=name).click()
    page.wait_for_url(re.compile(r"/(my|console)/"))
    return page.locator("h1").inner_text()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(600)
def test_every_door_leads_through_the_journey_behind_it(demo: RunningDemo, visitor: Page) -> None:
    assert len(demo.doors) == 10, demo.said
    enter(visitor, demo, "customer, English")
    # by its own link: at night an advice about its reads stands above it
    visitor.get_by_role("link", name=re.compile(r"^Details\b.*Purse", re.DOTALL)).first.click()
    visitor.get_by_role("link", name=re.compile("^Stop sharing")).first.click()
    visitor.get_by_role("button", name="Stop sharing").click()
    assert visitor.locator("h1").inner_text() == "Sharing has stopped"

    enter(visitor, demo, "customer, Chinese")
    assert visitor.locator("html").get_attribute("lang") == "zh-CN"
    assert visitor.get_by_text("Ledgerly").first.is_visible()

    enter(visitor, demo, "customer, Portuguese")
    assert visitor.locator("html").get_attribute("lang") == "pt-BR"
    assert visitor.locator("h1").inner_text() == "Seus compartilhamentos"

    assert "Lendwell" in enter(visitor, demo, "customer, asked by an app")
    for box in visitor.locator("input[name=account], input[name=separate]").all():
        box.check()
    visitor.get_by_role("button", name="Continue").click()
    visitor.get_by_role("button", name="Agree without a passkey").click()
    assert "Your agreement is recorded" in visitor.locator("[role=status]").first.inner_text()

    behind = {
        "partner (the app Purse)": "/console/partner",
        "bank (North Bank)": "/console/partner",
        "technology provider (Signhouse)": "/console/provider",
        "auditor": "/console/audit",
        "regulator": "/console/supervision",
        "operator": "/console/operator",
    }
    for who, path in behind.items():
        assert enter(visitor, demo, who)
        assert path in visitor.url, who
        links = [one.get_attribute("href") or "" for one in visitor.locator("nav a").all()]
        inside = sorted({link for link in links if link.startswith(path)})
        assert inside, who
        for link in inside:
            answer = visitor.goto(f"{visitor.url.partition('/console')[0]}{link}")
            assert answer is not None
            assert answer.status == 200, (who, link)

    enter(visitor, demo, "technology provider (Signhouse)")
    shown = visitor.locator("main").inner_text()
    assert "North Bank" in shown
    assert shown.count("consent.reauthenticate") == 2, "one delegation of each bank"
    assert visitor.locator("main tbody tr").count() == 5, "what it signed"


@pytest.mark.parametrize("language", sorted(CATALOGUES))
def test_the_demo_says_everything_in_each_language(language: Language) -> None:
    def places(sentence: str) -> list[str]:
        return sorted(name for _, name, _, _ in Formatter().parse(sentence) if name)

    said = CATALOGUES[language]
    assert set(ENGLISH) == set(said)
    assert {key for key in ENGLISH if places(ENGLISH[key]) != places(said[key])} == set()
    assert PAGES[language] in OFFERED


@pytest.mark.parametrize(("language", "told"), [("zh", "至少需要 10 位客户"), ("pt", "pelo menos 10 clientes")])
def test_a_refusal_is_told_in_the_language_that_was_asked_for(language: str, told: str) -> None:
    command = [sys.executable, "-m", "api.cli.main", "demo", "--lang", language, "--customers", "3"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert done.returncode == 1
    assert told in done.stdout
