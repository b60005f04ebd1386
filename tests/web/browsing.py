"""What customers do in a browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.web.site import Site


def sign_in(page: Page, site: Site, name: str = "Mei Lin", path: str = "/my/connections") -> None:
    page.goto(f"{site.url}{path}")
    page.get_by_role("link", name="Sign in with your bank").click()
    page.get_by_role("button", name=name).click()


def tick_separately(page: Page) -> None:
    """Each separate consent, by its own control."""
    for box in page.get_by_label(re.compile("^Yes, separately")).all():
        expect(box).not_to_be_checked()
        box.check()
