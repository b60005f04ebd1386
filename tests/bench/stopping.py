"""How long it is from the click on «stop» to the page that says «stopped»: `python -m tests.bench.stopping [COUNT]`.

In a real browser. The ledger signs, commits (SQLite, synchronous=FULL) and makes the receipt before that page is shown. By
turns the same browser opens a bare answer of the same server, which reads no record: what that takes is the machine and its
load, not the stop. Prints the medians, what nine of ten stay below, and the slowest, in milliseconds.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser import FLAGS, chromium
from tests.web.site import MEI, open_site

LEAST = 10
BARE = "/manifest.webmanifest"


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


def open_bare(page: Page, address: str) -> float:
    """Milliseconds that the browser takes for an answer behind which there is nothing."""
    begun = time.perf_counter()
    page.goto(address)
    return (time.perf_counter() - begun) * 1000


def told(name: str, took: list[float]) -> str:
    """The figures of one kind, in words."""
    ordered = sorted(took)
    return (
        f"{name}: {len(took)}; median {statistics.median(ordered):.0f} ms; nine of ten below "
        f"{ordered[len(ordered) * 9 // 10]:.0f} ms; slowest {ordered[-1]:.0f} ms"
    )


def main(count: int) -> None:
    """Measure `count` stops and as many bare answers by turns, after one of each that is not counted."""
    with tempfile.TemporaryDirectory() as folder, open_site(Path(folder) / "site") as site, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_context(locale="en-GB", viewport={"width": 390, "height": 844}).new_page()
        page.goto(f"{site.url}/sign-in/start")
        page.get_by_role("button", name=site.people[MEI].name).click()
        page.wait_for_url("**/my/connections")
        keys = [site.key(site.shared()) for _ in range(count + 1)]
        before = os.getloadavg()[0]
        turns = [(open_bare(page, site.url + BARE), stop(page, f"{site.url}/my/connections/{key}")) for key in keys][1:]
        browser.close()
    print(told("stops", [stopped for _, stopped in turns]))
    print(told("bare answers", [bare for bare, _ in turns]))
    beyond = statistics.median(stopped - bare for bare, stopped in turns)
    print(
        f"a stop beyond the bare answer of its turn: median {beyond:.0f} ms; load {before:.0f} to {os.getloadavg()[0]:.0f}"
    )


if __name__ == "__main__":
    main(max(LEAST, int(sys.argv[1])) if len(sys.argv) > 1 else 30)
