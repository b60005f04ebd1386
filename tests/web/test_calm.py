"""Time to think: a pause can be undone, a session says when it ends, large letters, a file for a complaint, what is new."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from api.web.people import IDLE_MS, UNDO_MS
from ledger.consent.state import Status
from tests.clocks import HandClock
from tests.web.site import OLGA, Site, csrf_of, open_site
from tests.world import ConsentInWorld, record_index_head
from verifier.cli import main as verifier


@pytest.fixture(scope="module")
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory, clock: HandClock) -> Iterator[Site]:
    """A site whose clock goes only when told to."""
    with open_site(tmp_path_factory.mktemp("calm") / "site", clock=clock) as opened:
        yield opened


def state(site: Site, consent: ConsentInWorld) -> Status:
    return site.world.ledger.records.consent(site.bank.id, consent.consent_id).status


def test_a_pause_is_undone_within_ten_seconds_by_whoever_made_it(timed: Site, clock: HandClock) -> None:
    consent = timed.shared()
    path = f"/my/connections/{timed.key(consent)}"
    with timed.client() as client, timed.client() as elsewhere:
        clock.advance(seconds=360)  # the sign-in is not fresh any more: going on would ask for a new one
        csrf = {"csrf": csrf_of(client.get(path))}
        paused = client.post(f"{path}/pause", data=csrf)
        assert state(timed, consent) is Status.PAUSED
        assert f'action="{path}/undo"' in paused.text
        assert f'action="{path}/undo"' not in elsewhere.get(f"{path}?done=paused").text, (
            "another session did not pause it"
        )
        elsewhere.post(f"{path}/undo", data={"csrf": csrf_of(elsewhere.get(path))})
        assert state(timed, consent) is Status.PAUSED
        clock.advance(seconds=UNDO_MS / 1000)
        assert "Sharing" in client.post(f"{path}/undo", data=csrf).text
        assert state(timed, consent) is Status.ACTIVE


def test_after_the_time_for_undoing_only_a_confirmed_person_resumes(timed: Site, clock: HandClock) -> None:
    consent = timed.shared()
    path = f"/my/connections/{timed.key(consent)}"
    with timed.client() as client:
        csrf = {"csrf": csrf_of(client.get(path))}
        client.post(f"{path}/pause", data=csrf)
        clock.advance(seconds=UNDO_MS / 1000 + 1)
        assert "/undo" not in client.get(f"{path}?done=paused").text
        answer = client.post(f"{path}/undo", data=csrf, follow_redirects=False)
        assert answer.headers["location"] == f"{path}/resume"
        assert state(timed, consent) is Status.PAUSED


def test_a_page_knows_when_the_session_ends_and_staying_prolongs_it(timed: Site, clock: HandClock) -> None:
    def left(text: str) -> int:
        found = re.search(r'<dialog class="ending" data-ends="(\d+)"', text)
        assert found
        return int(found[1])

    with timed.client() as client:
        page = client.get("/my/settings")
        assert left(page.text) == IDLE_MS // 1000
        clock.advance(seconds=IDLE_MS / 1000 - 60)
        assert client.post("/stay", data={"csrf": csrf_of(page)}).json() == {"seconds": IDLE_MS // 1000}
        clock.advance(seconds=IDLE_MS / 1000 - 60)
        assert client.get("/my/settings").status_code == 200, "without «stay» it had ended"
        clock.advance(seconds=IDLE_MS / 1000)
        ended = client.get("/my/settings")
        assert ended.url.path == "/sign-in"
        assert "You were signed out" in ended.text, "it says why"
    with timed.client(None) as stranger:
        assert "You were signed out" not in stranger.get("/my/settings").text
        assert 'class="ending"' not in stranger.get("/").text


def test_large_letters_and_few_facts_stay_in_this_browser(timed: Site) -> None:
    with timed.client(None) as client:
        assert '<html lang="en">' in client.get("/verify").text
        page = client.get("/reading", params={"large": "1", "next": "/verify"})
        assert page.url.path == "/verify"
        assert '<html lang="en" class="large">' in page.text
        assert '<html lang="en">' in client.get("/reading", params={"large": "0", "next": "/verify"}).text


def test_the_manifest_names_what_there_is(timed: Site) -> None:
    with timed.client(None, language="zh-CN") as client:
        says = client.get("/manifest.webmanifest").json()
        assert (says["lang"], says["start_url"]) == ("zh-CN", "/my/connections")
        assert client.get(says["icons"][0]["src"]).status_code == 200


def test_the_file_for_a_complaint_is_checked_without_us(timed: Site, tmp_path: Path) -> None:
    consent = timed.shared()
    timed.read(consent)
    refused = timed.read(consent, permissions=["ReadPAN"])
    record_index_head(timed.world.ledger)
    path = f"/my/connections/{timed.key(consent)}/complaint.zip"
    with timed.client() as client:
        report = f"/my/receipts/{refused.index}/report"
        client.post(report, data={"csrf": csrf_of(client.get(report)), "words": "Why does it ask for this?"})
        content = client.get(path).content
        assert client.get(path).content[:4] == content[:4] == b"PK\x03\x04"
    with timed.client(OLGA) as stranger:
        assert stranger.get(path).status_code == 404
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(tmp_path)
    assert "Plum Budget" in (tmp_path / "README.txt").read_text()
    assert "Why does it ask for this?" in next((tmp_path / "reports").iterdir()).read_text()
    receipts = sorted((tmp_path / "receipts").iterdir())
    assert len(receipts) == json.loads((tmp_path / "completeness.json").read_text())["count"]
    assert f"{refused.index}.json" in {one.name for one in receipts}
    policy = ["--policy", str(tmp_path / "policy")]
    for one in receipts:
        assert verifier(["receipt", str(one), *policy]) == 0, one
    shown = [str(tmp_path / "completeness.json"), *map(str, receipts)]
    assert verifier(["completeness", *shown, "--consent", consent.consent_id, *policy]) == 0


def test_a_change_is_marked_where_she_agrees_to_it(timed: Site) -> None:
    consent = timed.shared()
    timed.world.record(timed.app.amend(consent, retention_days=3)[1])
    ask = f"/my/approve?consent={consent.consent_id}"
    with timed.client() as client:
        page = client.get(ask)
        accounts = re.findall(r'name="account"\s+value="([^"]+)"\s+checked', page.text)
        sent = {
            "csrf": csrf_of(page),
            "consent": consent.consent_id,
            "account": accounts,
            "separate": ["provision", "sensitive"],
        }
        review = client.post("/my/approve/review", data=sent).text
        marked = re.findall(r"<mark>(.*?)</mark>", review)
    assert len(marked) == 1
    assert "3 days" in marked[0]


@pytest.mark.browser
def test_two_minutes_before_the_end_she_is_asked_and_can_stay(shared_site: Site, browser: Browser) -> None:
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.clock.install()
    page.goto(f"{shared_site.url}/sign-in/start")
    page.get_by_role("button", name="Mei Lin").click()
    page.wait_for_url("**/my/connections")
    dialog = page.get_by_role("dialog", name="You will be signed out soon")
    page.clock.fast_forward("12:00")
    assert not dialog.is_visible()
    page.clock.fast_forward("01:05")
    dialog.wait_for()
    page.get_by_role("button", name="Stay signed in").click()
    dialog.wait_for(state="hidden")
    page.clock.fast_forward("13:05")
    dialog.wait_for()
    page.clock.fast_forward("02:05")
    page.get_by_text("You were signed out").wait_for()
    context.close()
