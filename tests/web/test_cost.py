"""Pages cost the same whether a customer has two hundred events or two hundred thousand."""

from __future__ import annotations

import datetime as dt
import html
import os
import re
import time

import pytest

from tests.web.costs import counted, fill
from tests.web.site import Site

MANY = int(os.environ.get("LEDGER_MANY_EVENTS", "10000"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_page_reads_more_when_there_are_many_events(site: Site) -> None:
    consent = site.shared()
    key = site.key(consent)
    today = dt.datetime.now(dt.UTC).date().isoformat()
    paths = [
        "/my/connections",
        f"/my/connections/{key}",
        f"/my/connections/{key}/history",
        "/my/receipts",
        f"/my/connections/{key}/history?show=refused",
        f"/my/connections/{key}/history?show=allowed",
        f"/my/connections/{key}/history?before=150",
        f"/my/connections/{key}/complete",
        f"/my/connections/{key}/history?day={today}",
        f"/my/connections/{key}/stop",
        "/my/stop-all",
        "/verify",
        "/my/feedback",
        "/my/notices",
        "/my/overview.json",
    ]
    measured: list[dict[str, tuple[int, int, float]]] = []
    with site.client() as client:
        for count in (200, MANY - 200):
            fill(site, consent, count)
            cost: dict[str, tuple[int, int, float]] = {}
            for path in paths:
                client.get(path)
                with counted() as said:
                    began = time.perf_counter()
                    size = len(client.get(path).content)
                    cost[path] = (len(said), size, time.perf_counter() - began)
            measured.append(cost)
    few, many = measured
    print("\n".join(f"{path}: {few[path]} {many[path]}" for path in paths))
    for path in paths:
        assert many[path][0] <= 1.5 * few[path][0], f"{path}: statements"
        assert many[path][1] <= 1.5 * few[path][1], f"{path}: bytes"
        assert many[path][1] <= 60_000, f"{path}: heavier than a page may be"


def test_a_long_history_is_read_to_its_beginning_without_gap_or_repeat(shared_site: Site) -> None:
    site = shared_site
    consent = site.shared()
    fill(site, consent, 170)
    from api.office.discretion import Discretion
    from api.web.customer import EVENTS, Dealings

    dealings = Dealings(site.world.ledger, site.people["mei"], site.world.clock.now(), Discretion(), str)
    connection = dealings.connection(site.key(consent))
    seen: list[int] = []
    before: int | None = None
    while True:
        page = dealings.history(connection, before=before)
        assert len(page.rows) <= EVENTS
        seen += [row.event.seq for row in page.rows]
        if page.older is None:
            break
        before = page.older
    assert seen == list(range(page.length))[::-1]


def test_a_filtered_history_is_read_in_pages_without_gap_or_repeat(shared_site: Site) -> None:
    """All of many events fit the filter: each page holds so many, and together they are all."""
    consent = shared_site.shared()
    fill(shared_site, consent, 90)
    key, seen = shared_site.key(consent), []
    path: str | None = f"/my/connections/{key}/history?show=allowed"
    with shared_site.client() as client:
        while path:
            page = client.get(path).text
            assert len(page) <= 60_000
            seen += [int(index) for index in re.findall(r'href="/my/receipts/(\d+)">', page)]
            older = re.search(r'href="([^"]*before=\d+)"', page)
            path = html.unescape(older[1]) if older else None
    assert len(seen) == len(set(seen)) == 90
    assert seen == sorted(seen, reverse=True)
