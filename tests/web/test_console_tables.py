"""The consoles' tables and searches: what is asked for is what is shown, in the file too, and nobody finds another's."""

from __future__ import annotations

import csv
import datetime as dt
import io
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from ledger.canonical import b64u
from ledger.entries.leaf import consent_chain
from ledger.queries.overview import OverviewQueries
from tests.web.consoles import Consoles
from tests.web.reading import words_of
from tests.world import DAY


def ids(consoles: Consoles, who: str, query: str) -> list[str]:
    """The names of the consents in the file of a table, in its order."""
    named = {consent.consent_id: name for name, consent in consoles.consents.items()}
    with consoles.client(who) as client:
        answer = client.get(f"/console/partner/consents.csv?{query}")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    # The site's erasure is on record; its key goes with the next housekeeping, a second later.
    return [name for name in (named[row["consent"]] for row in rows) if name != "erased"]


def test_the_table_is_filtered_by_state_and_by_the_other_side(consoles: Consoles) -> None:
    mine = set(ids(consoles, "pia", ""))
    assert "rival" not in mine
    assert {"active", "soon", "revoked"} <= mine
    assert set(ids(consoles, "pia", "status=REVOKED")) == {"revoked"}
    assert ids(consoles, "ben", "other=rival") == ["rival"]
    assert ids(consoles, "bea", "other=rival") == []
    assert "active" in ids(consoles, "bea", "other=plum")
    assert ids(consoles, "pia", "other=bank-b") == []


def test_the_table_is_sorted_by_request_and_by_end(consoles: Consoles) -> None:
    newest = ids(consoles, "pia", "order=newest")
    assert ids(consoles, "pia", "order=oldest") == newest[::-1]
    keys = [consoles.key(name) for name in newest]
    assert keys == sorted(keys, reverse=True)
    ending = ids(consoles, "pia", "order=ending&status=ACTIVE")
    ends = [consoles.consents[name].terms["expires_at"] or 2**53 for name in ending]
    assert ends == sorted(ends)
    assert ending[0] == "soon"


def test_days_are_whole_days_of_the_reader(consoles: Consoles) -> None:
    overview = OverviewQueries(consoles.world.ledger.store)
    first = overview.leaf(consoles.key("active")).time
    day = dt.datetime.fromtimestamp(first / 1000, dt.UTC).date()
    assert "active" in ids(consoles, "pia", f"since={day}&until={day}")
    assert ids(consoles, "pia", "since=2099-01-01") == []
    assert ids(consoles, "pia", "until=2001-01-01") == []
    with consoles.client("pia") as client:
        assert client.get("/console/partner/consents?since=yesterday").status_code == 404


def test_a_consent_id_leads_to_the_consent_and_a_reference_to_all_of_the_customers(consoles: Consoles) -> None:
    consent = consoles.consents["active"]
    with consoles.client("bea") as client:
        found = client.get("/console/partner/consents", params={"q": consent.consent_id})
        assert found.url.path == f"/console/partner/consents/{consoles.key('active')}"
        mine = client.get("/console/partner/consents", params={"q": consent.customer})
        assert mine.status_code == 200
        assert consent.consent_id in mine.text
    with consoles.client("pia") as client:
        other = client.get("/console/partner/consents", params={"q": consent.customer})
        assert other.status_code == 404, "an app knows no bank's references"
    with consoles.client("rex") as client:
        foreign = client.get("/console/partner/consents", params={"q": consent.consent_id})
        assert foreign.status_code == 404
        assert "Nothing of yours has this id" in words_of(foreign.text)


def test_no_cell_of_the_file_is_a_formula(consoles: Consoles) -> None:
    with consoles.client("bea") as client:
        text = client.get("/console/partner/consents.csv").text.removeprefix("\ufeff")
    for row in csv.reader(io.StringIO(text)):
        assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_an_auditor_finds_an_entry_by_number_day_and_leaf_and_a_chain_by_hash_or_id(consoles: Consoles) -> None:
    overview = OverviewQueries(consoles.world.ledger.store)
    consent = consoles.consents["active"]
    index = consoles.key("active")
    leaf = overview.leaf(index)
    chain = consent_chain(consent.consent_id)
    with consoles.client("ada") as client:

        def found(query: str) -> str:
            answer = client.get("/console/audit/find", params={"q": query})
            assert answer.status_code == 200, query
            return f"{answer.url.path}?{answer.url.query.decode()}" if "/proof" in answer.url.path else answer.text

        for query in (str(index), leaf.leaf_hash.hex(), b64u(leaf.leaf_hash), leaf.leaf_hash.hex().upper()):
            assert found(query) == f"/console/audit/proof?index={index}", query
        for query in (consent.consent_id, chain.hex(), b64u(chain)):
            text = found(query)
            assert f"/console/audit/proof?index={index}" in text, query
            assert consent.terms["purpose"]["text"] not in text, "leaves only"
        for query in ("2099-01-01", "99999999", "no-such-consent", bytes(32).hex(), "2026-13-45"):
            answer = client.get("/console/audit/find", params={"q": query})
            assert answer.status_code == 404, query
            assert "No entry of this log has that number" in words_of(answer.text)


def test_the_first_entry_at_a_moment_is_found_as_by_reading_them_all(consoles: Consoles) -> None:
    overview = OverviewQueries(consoles.world.ledger.store)
    size = consoles.world.ledger.tree.size()
    times = [overview.leaf(index).time for index in range(size)]
    for moment in (0, times[0], times[0] + 1, times[size // 2], times[-1], times[-1] + 1, times[-1] + DAY * 1000):
        assert overview.first_at(moment) == next((n for n, at in enumerate(times) if at >= moment), size)


@pytest.mark.browser
def test_an_identifier_is_copied_with_one_press(consoles: Consoles, browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context(locale="en-GB", permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{consoles.url}/sign-in/start?next=/console/partner/consents")
    page.get_by_role("button", name="Pia").click()
    page.goto(f"{consoles.url}/console/partner/consents?status=REVOKED")
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copy").first).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == consoles.consents["revoked"].consent_id
    context.close()


def test_every_page_of_a_console_has_the_consoles_style() -> None:
    """A page that adds a script must not lose the sheet that its frame names."""
    folder = Path(__file__).resolve().parents[2] / "api" / "web" / "templates" / "console"
    own = [
        path
        for path in folder.glob("*.html")
        if "{% block scripts %}" in path.read_text() and path.name != "frame.html"
    ]
    assert own
    assert [path.name for path in own if "{% block scripts %}{{ super() }}" not in path.read_text()] == []
