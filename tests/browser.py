"""A real browser for tests: the system's Chromium, driven by Playwright, with a passkey device that is software.

Chromium is found by name on the PATH, or named by LEDGER_CHROMIUM; Playwright's own browser downloads are not
used. It speaks to addresses on this machine only.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, sync_playwright

from tests.conformance import lacking

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",  # the tests may run as root, in a container
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    # Nothing may leave this machine.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """Path of the system's Chromium, or None."""
    if named := os.environ.get("LEDGER_CHROMIUM"):
        return named
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for each file of tests.

    Not for the whole process: while Playwright runs, so does its event loop, and tests of other files use `asyncio.run`.
    """
    path = chromium()
    if path is None:
        lacking("no Chromium: install it (Debian: apt-get install chromium) or set LEDGER_CHROMIUM")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def browser_context(browser: Browser) -> Iterator[BrowserContext]:
    """A context of its own for each test: no cookies, no storage from any other test."""
    context = browser.new_context(locale="en-GB", timezone_id="UTC")
    yield context
    context.close()


@pytest.fixture
def page(browser_context: BrowserContext) -> Iterator[Page]:
    """An empty page; the test fails if a script on it ended in an uncaught error."""
    opened = browser_context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    assert errors == [], "uncaught errors on the page"


@dataclass(frozen=True)
class Authenticator:
    """A passkey device inside the browser, whose user can be told to agree or to fail verification."""

    session: CDPSession
    id: str

    def verify_user(self, succeeds: bool) -> None:
        """Whether the next ceremonies' user verification (finger, PIN) succeeds."""
        self.session.send("WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": succeeds})

    def credentials(self) -> list[dict[str, Any]]:
        """The passkeys on the device, as the DevTools protocol describes them."""
        answer = self.session.send("WebAuthn.getCredentials", {"authenticatorId": self.id})
        return list(answer["credentials"])


def virtual_authenticator(page: Page) -> Authenticator:
    """Give `page` a passkey device. WebAuthn itself needs a page on https or on http://localhost."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    answer = session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    return Authenticator(session, answer["authenticatorId"])
