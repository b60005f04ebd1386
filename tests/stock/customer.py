"""The customer with her browser: Chromium, on the ledger's own pages, with nothing but what stands on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Page, sync_playwright

from tests.browser import FLAGS, chromium

PATIENCE = 240_000
"""Milliseconds for a page: machines that run this are busy."""


@dataclass(frozen=True)
class CustomerAtHerBrowser:
    """She signs in with her bank for each of her errands."""

    page: Page
    ledger: str
    """The address of the ledger's pages."""

    def agrees(self, address: str, back: str = "") -> str:
        """She follows an app's address and agrees to all that is asked; where she is then: `back` at the app, if it says
        where."""
        self.page.context.clear_cookies()
        self.page.goto(address)
        self._signs_in()
        self.page.locator("input[name=account]").first.wait_for()
        for box in self.page.locator("input[name=account], input[name=separate]").all():
            box.check()
        self.page.locator("form[action='/my/approve/review'] button").first.click()
        self.page.wait_for_url("**/review")
        self.page.get_by_role("button", name="Agree without a passkey").click()
        if back:
            self.page.wait_for_url(back + "**")
        else:
            self.page.get_by_text("Your agreement is recorded").wait_for()
        return self.page.url

    def stops(self) -> None:
        """She stops the first app of her list."""
        self.page.context.clear_cookies()
        self.page.goto(f"{self.ledger}/my/connections")
        self._signs_in()
        self.page.get_by_role("link", name="Stop sharing").first.click()
        self.page.get_by_role("button", name="Stop sharing").click()
        self.page.get_by_role("heading", name="Sharing has stopped").wait_for()

    def _signs_in(self) -> None:
        self.page.get_by_text("Sign in with your bank").click()
        self.page.get_by_role("button", name="Mei Lin").click()


@contextmanager
def at_her_browser(ledger: str) -> Iterator[CustomerAtHerBrowser]:
    """A browser that takes this machine's certificates for good."""
    path = chromium()
    if path is None:
        raise SystemExit("no Chromium: install it (Debian: apt-get install chromium) or set LEDGER_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS, timeout=PATIENCE)
        context = browser.new_context(locale="en-GB", timezone_id="UTC", ignore_https_errors=True)
        context.set_default_timeout(PATIENCE)
        context.set_default_navigation_timeout(PATIENCE)
        yield CustomerAtHerBrowser(context.new_page(), ledger)
        browser.close()
