"""One person with two banks sees one page: what she links, what each bank is, what stops where, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.web.people import IDLE_MS
from api.web.ties import MOST, SPAN_MS, Tie, Ties
from ledger.canonical import b64u
from tests.clocks import HandClock
from tests.web.banks import ANNA, GUARDIAN, NAMES, NORTH, OTHER, SOUTH, Banks, chosen, open_banks, section
from tests.web.site import csrf_of

UNASKED = "could not be asked"
NOTHING = "Nothing is shared now"


@pytest.fixture
def banks(tmp_path: Path) -> Iterator[Banks]:
    with open_banks(tmp_path / "site") as opened:
        yield opened


def test_one_page_shows_both_banks_and_stops_at_the_right_one(banks: Banks) -> None:
    north, south = banks.shared(ANNA[NORTH], "plum"), banks.shared(ANNA[SOUTH], "quince")
    strangers = banks.shared(OTHER, "plum")
    with banks.browser() as anna:
        page = banks.link(anna)
        assert "Plum" in section(page, NORTH)
        assert "Anna Nowak" in section(page, NORTH)
        assert "Quince" in section(page, SOUTH)
        assert "Anna Maria Nowak-Lee" in section(page, SOUTH)
        stop = f"/my/connections/{banks.key(north, ANNA[NORTH])}/stop"
        assert f'value="{stop}"' in page.text, "she is at the other bank now: this button goes there first"
        shown = banks.post(anna, "/my/together/open", bank=banks.number(anna, NORTH), then=stop)
        assert shown.url.path == stop
        assert f"<bdi>{NAMES[NORTH]}</bdi>" in shown.text, "the page says whose it is"
        done = anna.post(stop, data={"csrf": csrf_of(shown)})
        assert 'href="/my/together"' in done.text, "and leads back"
        assert banks.status(north) == "REVOKED"
        assert banks.status(south) == banks.status(strangers) == "ACTIVE"
        page = anna.get("/my/together")
        assert "Plum" not in section(page, NORTH)
        assert "Quince" in section(page, SOUTH)
    [act] = [one["body"] for one in banks.agents[NORTH].asked if one["body"]["intent"] == "step"]
    assert act["person"]["sub"] == ANNA[NORTH]
    assert not any(one["body"]["intent"] == "step" for one in banks.agents[SOUTH].asked)


def test_nothing_is_linked_before_she_agreed_at_both_banks(banks: Banks) -> None:
    banks.shared(ANNA[NORTH], "plum")
    with banks.browser() as anna:
        banks.sign_in(anna, ANNA[NORTH])
        asked = chosen(anna, banks.post(anna, "/my/together/add"), ANNA[SOUTH])
        assert asked.url.path == "/my/together/join"
        assert NAMES[NORTH] not in asked.text, "the other bank's name is not said on this bank's page"
        page = anna.get("/my/together")
        assert 'class="card app bank"' not in page.text, "at the second bank nothing is known of the first"


def test_another_person_at_the_same_browser_is_shown_nothing(banks: Banks) -> None:
    """Anna's browser keeps the link; another person signs in there, and cannot get into it either."""
    banks.shared(ANNA[NORTH], "plum")
    with banks.browser() as browser:
        banks.link(browser)
        banks.post(browser, "/sign-out")
        banks.sign_in(browser, OTHER)
        page = browser.get("/my/together")
        assert 'class="card app bank"' not in page.text
        assert NAMES[NORTH] not in page.text
        assert banks.post(browser, "/my/together/join").status_code == 403
        for step in ("open", "ask", "remove"):
            assert banks.post(browser, f"/my/together/{step}", bank="0").status_code == 404


def test_a_locked_session_is_said_and_opened_again(tmp_path: Path) -> None:
    clock = HandClock()
    with open_banks(tmp_path / "site", clock=clock) as banks, banks.browser() as anna:
        banks.shared(ANNA[NORTH], "plum")
        banks.link(anna)
        clock.advance(seconds=IDLE_MS / 2000)
        anna.get("/my/connections")  # she goes on at the second bank only
        clock.advance(seconds=IDLE_MS / 2000 + 60)
        page = anna.get("/my/together")
        told = section(page, NORTH)
        assert f"You are signed out at {NAMES[NORTH]}" in told
        assert NOTHING not in told
        assert "Plum" not in told
        assert "You are signed out" not in section(page, SOUTH)
        opened = banks.post(anna, "/my/together/open", bank=banks.number(anna, NORTH), then="/my/together")
        page = chosen(anna, opened, ANNA[NORTH])
        assert page.url.path == "/my/together"
        assert "Plum" in section(page, NORTH)
        assert "signed out" not in section(page, SOUTH), "the session at the other bank went on"


@pytest.mark.parametrize("kept", [False, True])
def test_a_bank_that_is_down_could_not_be_asked_and_is_never_empty(tmp_path: Path, kept: bool) -> None:
    """Kept to herself: without the bank's answer nothing of it may be shown, and that is not «nothing»."""
    with open_banks(tmp_path / "site", down=[SOUTH]) as banks, banks.browser() as anna:
        banks.shared(ANNA[SOUTH], "quince", **({"suppress_notify": True} if kept else {}))
        banks.shared(ANNA[NORTH], "plum")
        told = section(page := banks.link(anna), SOUTH)
        assert f"{NAMES[SOUTH]} {UNASKED}" in told
        assert NOTHING not in told
        assert ("Quince" in told) is not kept
        assert UNASKED not in section(page, NORTH)
        banks.agents[SOUTH].is_down = False
        assert UNASKED in section(anna.get("/my/together"), SOUTH), "looking asks nobody"
        page = banks.post(anna, "/my/together/ask", bank=banks.number(anna, SOUTH))
        assert UNASKED not in section(page, SOUTH)
        assert "Quince" in section(page, SOUTH)


def test_a_bank_without_connections_says_so(banks: Banks) -> None:
    with banks.browser() as anna:
        assert NOTHING in section(banks.link(anna), SOUTH)


def test_erased_at_one_bank_she_keeps_the_other_and_nothing_tells_of_the_first(banks: Banks) -> None:
    banks.shared(ANNA[SOUTH], "quince")
    with banks.browser() as anna:
        banks.link(anna)
        banks.office.store.drop_person(banks.people[ANNA[NORTH]].key)
        page = anna.get("/my/together")
        assert "Quince" in section(page, SOUTH)
        assert NAMES[NORTH] not in page.text


def test_she_takes_a_bank_off_also_while_signed_out_there(tmp_path: Path) -> None:
    clock = HandClock()
    with open_banks(tmp_path / "site", clock=clock) as banks, banks.browser() as anna:
        banks.link(anna)
        clock.advance(seconds=IDLE_MS / 2000)
        anna.get("/my/connections")
        clock.advance(seconds=IDLE_MS / 2000 + 60)
        page = banks.post(anna, "/my/together/remove", bank=banks.number(anna, NORTH))
        assert 'class="card app bank"' not in page.text, "with one bank left there is no link"
        assert "together" not in anna.cookies
        assert rows(banks) == 0


def rows(banks: Banks) -> int:
    with banks.office.store.engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM web_ties").scalar_one())


def test_signing_out_ends_her_sessions_at_all_banks_of_this_browser(banks: Banks) -> None:
    with banks.browser() as anna:
        banks.link(anna)
        banks.post(anna, "/sign-out")
        banks.sign_in(anna, ANNA[NORTH])
        page = anna.get("/my/together")
        assert "signed out" in section(page, SOUTH)
        assert "signed out" not in section(page, NORTH)


def test_a_guardian_sees_whose_page_it_is(banks: Banks) -> None:
    banks.shared(GUARDIAN, "plum")
    with banks.browser() as greta:
        page = banks.link(greta, GUARDIAN)
        told = section(page, NORTH)
        assert "Greta Lind · as a guardian · for Little Tom" in told
        assert "guardian" not in section(page, SOUTH)
        banks.post(greta, "/my/together/open", bank=banks.number(greta, NORTH), then="/my/connections")
        for path in ("/my/connections", "/my/receipts", "/my/settings"):
            there = greta.get(path).text
            assert "Little Tom" in there, path
            assert "about the customer you act for" in there, path


def test_a_banks_own_site_is_not_told_of_another_bank(tmp_path: Path) -> None:
    site = "http://localhost:9"
    with open_banks(tmp_path / "site", frame_ancestors=(site,)) as banks, banks.browser() as anna:
        banks.shared(ANNA[SOUTH], "quince")
        banks.sign_in(anna, ANNA[SOUTH])
        assert "quince" in anna.get("/my/overview.json", headers={"origin": site}).text
        banks.link(anna, ANNA[SOUTH], ANNA[NORTH])
        there = anna.get("/my/overview.json", headers={"origin": site})
        anna.cookies.clear()
        stranger = anna.get("/my/overview.json", headers={"origin": site})
        assert (there.status_code, there.content) == (401, stranger.content)
        assert set(there.headers) == set(stranger.headers)


def test_eight_banks_stand_on_a_page_and_not_nine(banks: Banks) -> None:
    ties: Ties = banks.office.store.ties
    for number in range(MOST):
        assert ties.put("s" * 43, Tie(f"bank-{number}", b64u(bytes([number]) * 32), "t"), 1)
    assert not ties.put("s" * 43, Tie("ninth", b64u(b"n" * 32), "t"), 1)
    assert [one.holder for one in ties.of("s" * 43).values()] == [f"bank-{number}" for number in range(MOST)]
    assert ties.of("x" * 43) == {}


def test_a_row_that_was_moved_or_changed_does_not_count_and_old_ones_go(banks: Banks) -> None:
    ties, secret = banks.office.store.ties, "s" * 43
    for key in (b"a", b"b"):
        assert ties.put(secret, Tie("north", b64u(key * 32), "t"), 1)
    with banks.office.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE web_ties SET sealed = (SELECT min(sealed) FROM web_ties)")
    assert len(ties.of(secret)) <= 1
    ties.purge(SPAN_MS)
    assert rows(banks) == 2
    ties.purge(20 * SPAN_MS)
    assert rows(banks) == 0
