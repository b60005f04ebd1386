"""Advice: from her own entries, each of which it names; waved away for good, or until something new happens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.clocks import LateClock
from tests.web.site import OLGA, Site, csrf_of, join_named, open_site
from tests.world import DAY

HINT = re.compile(r'<li class="card hint">(.*?)</li>', re.DOTALL)


@pytest.fixture
def clock() -> LateClock:
    return LateClock(100)


@pytest.fixture
def late(tmp_path: Path, clock: LateClock) -> Iterator[Site]:
    """A site whose clock is behind, so that the past can go by."""
    with open_site(tmp_path / "site", clock=clock) as opened:
        yield opened


def hints(client: httpx2.Client) -> dict[str, tuple[str, list[int]]]:
    """What the overview advises: what it says → the name of the advice, and the entries that it rests on."""
    found = {}
    for block in HINT.findall(client.get("/my/connections").text):
        says = " ".join(re.sub(r"<[^>]+>", "", block.partition("</strong>")[0]).split())
        name = re.search(r'name="advice"\s+value="([^"]+)"', block)
        assert name, block
        found[says] = (name[1], [int(index) for index in re.findall(r"/my/receipts/(\d+)", block)])
    return found


def dismiss(client: httpx2.Client, name: str) -> httpx2.Response:
    page = client.get("/my/settings")
    return client.post("/my/advice/dismiss", data={"csrf": csrf_of(page), "advice": name})


def bounded(site: Site, clock: LateClock, **terms: object) -> dict[str, object]:
    """Terms with nothing to advise about."""
    now = clock.now() // 1000
    return {"expires_at": now + 300 * DAY, "history_from": now - DAY, **terms}


def test_unused_connections_are_reported_at_45_days_and_again_at_90(late: Site, clock: LateClock) -> None:
    consent = late.shared(**bounded(late, clock))
    read = late.read(consent)
    with late.client() as client:
        clock.catch_up(44)
        assert hints(client) == {}
    clock.catch_up(2)
    with late.client() as client:
        [(says, (name, entries))] = hints(client).items()
        assert says == "Plum Budget has read nothing for 45 days or longer"
        assert entries == [read.index], "the last read is what it rests on"
        assert dismiss(client, name).status_code == 200
        assert hints(client) == {}
    clock.catch_up(46)
    with late.client() as client:
        assert list(hints(client)) == ["Plum Budget has read nothing for 90 days or longer"]


def test_no_end_and_the_whole_history_are_told_and_stay_waved_away(late: Site, clock: LateClock) -> None:
    consent = late.shared(expires_at=0, history_from=0)
    with late.client() as client:
        told = hints(client)
        assert set(told) == {"Plum Budget may read without an end date", "Plum Budget may read your whole history"}
        assert all(
            entries == [late.world.ledger.records.consent(late.bank.id, consent.consent_id).basis]
            for _, entries in told.values()
        )
        for name, _ in told.values():
            dismiss(client, name)
        assert hints(client) == {}
    with late.client() as client:
        assert hints(client) == {}, "in another session too"
    with late.client("wei") as client:
        assert len(hints(client)) == 2, "what one holder waved away, the other still reads"


def test_refusals_come_back_only_when_there_are_new_ones(late: Site, clock: LateClock) -> None:
    consent = late.shared(**bounded(late, clock))
    first = [late.read(consent, permissions=["ReadPAN"]).index for _ in range(3)]
    with late.client() as client:
        [(says, (name, entries))] = hints(client).items()
        assert says == "Plum Budget was refused 3 times in 14 days"
        assert entries == first[::-1]
        dismiss(client, name)
        late.read(consent, permissions=["ReadPAN"])
        assert hints(client) == {}, "one more is not yet worth a look"
        for _ in range(2):
            late.read(consent, permissions=["ReadPAN"])
        assert list(hints(client)) == ["Plum Budget was refused 3 times in 14 days"]


def test_more_than_it_uses_four_connections_and_reads_at_night(late: Site, clock: LateClock) -> None:
    consents = [late.shared(**bounded(late, clock, frequency_per_day=20)) for _ in range(4)]
    for _ in range(31):
        late.read(consents[0], permissions=["ReadAccountsBasic"])
        clock.catch_up(1)
    hour = (clock.now() // 3_600_000) % 24  # London in its winter, where the page is read
    clock.catch_up(((24 + 2 - hour) % 24) / 24)
    for _ in range(3):
        late.read(consents[0], permissions=["ReadAccountsBasic"], customer_present=False)
    with late.client() as client:
        told = hints(client)
    assert any(re.match("Plum Budget may read more than it uses: .*Transactions", says) for says in told), told
    assert "Plum Budget has 4 connections to your data" in told
    assert "Plum Budget read 3 times at night in 14 days" in told


def test_nobody_is_advised_about_anothers_dealings_nor_can_wave_them_away(late: Site, clock: LateClock) -> None:
    late.shared(expires_at=0)
    with late.client() as client:
        name = next(iter(hints(client).values()))[0]
    with late.client(OLGA) as client:
        assert hints(client) == {}
        assert dismiss(client, name).status_code == 404


def test_apps_are_grouped_with_what_the_directory_says_of_them(tmp_path: Path) -> None:
    png = b"\x89PNG\r\n\x1a\n" + b"0" * 20
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "plum.png").write_bytes(png)
    listed = {"plum": {"legal_name": "Plum Budget Limited", "registration": "FRN 900001", "logo": "plum.png"}}
    with open_site(folder, directory=listed) as site:
        other = join_named(site.world, "tally", "Tally Books")
        for app in (None, None, other):
            site.shared(app=app)
        with site.client() as client:
            page = client.get("/my/connections").text
            assert page.count('<li class="card app">') == 2
            assert page.count('<section class="connection">') == 3
            assert "Plum Budget Limited" in page
            assert "FRN 900001" in page
            address = re.search(r'<img class="logo" src="(/logo/plum\?v=\w+)"', page)
            assert address
            logo = client.get(address[1])
            assert (logo.content, logo.headers["content-type"]) == (png, "image/png")
            assert client.get("/logo/tally").status_code == 404
            assert "Registered as" in page, "what the directory does not know has its id"
