"""How long it is from the click on «stop» to the page that says «stopped»: `python -m tests.bench.stopping [COUNT]`.

In a real browser. The ledger signs, commits (SQLite, synchronous=FULL) and makes the receipt before that page is shown. Prints
the median, what nine of ten stay below, and the slowest, in milliseconds.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser import FLAGS, chromium
from tests.web.site import MEI, open_site

LEAST = 10


def stop(page: Page, address: str) -> float:
    """Milliseconds from the last click to the heading of the page that says that it stopped."""
    page.goto(address)
    page.get_by_role("link", name="Stop sharing").first.click()
    button = page.locator("main form button").first
    button.wait_for()
    begun = time.perf_counter()
    button.click()
    page.wait_for_url("**/stopped")
    page.locator("h1").wait_for()
    return (time.perf_counter() - begun) * 1000


def main(count: int) -> None:
    """Measure `count` stops, one after the other, after one that is not counted."""
    with tempfile.TemporaryDirectory() as folder, open_site(Path(folder) / "site") as site, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_context(locale="en-GB", viewport={"width": 390, "height": 844}).new_page()
        page.goto(f"{site.url}/sign-in/start")
        page.get_by_role("button", name=site.people[MEI].name).click()
        page.wait_for_url("**/my/connections")
        keys = [site.key(site.shared()) for _ in range(count + 1)]
        took = sorted(stop(page, f"{site.url}/my/connections/{key}") for key in keys)[: count + 1]
        browser.close()
    print(
        f"stops: {count}; median {statistics.median(took):.0f} ms; nine of ten below {took[len(took) * 9 // 10]:.0f} ms; "
        f"slowest {took[-1]:.0f} ms"
    )


if __name__ == "__main__":
    main(max(LEAST, int(sys.argv[1])) if len(sys.argv) > 1 else 30)
