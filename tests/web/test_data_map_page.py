"""The page of data maps: what is published, and the fields of a file that the browser reads (docs/partners.md); below them,
what a holder attests of the time before (docs/history.md)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs
from playwright.sync_api import Browser, Page, expect

from ledger.canonical import b64u
from ledger.datamaps import dated
from tests.datamaps import bank_map
from tests.histories import Told, bring, row, sheet
from tests.web.consoles import Consoles

FIRST = bank_map(kyc="ReadParty")
SECOND = structs.replace(
    FIRST,
    map_version=2,
    fields=dated(
        [structs.replace(each, grade=1) if each.field.endswith("/amount") else each for each in FIRST.fields], FIRST, 2
    ),
)


@pytest.fixture(scope="module")
def published(consoles: Consoles) -> Consoles:
    """Two versions of bank-a's map."""
    for each in (FIRST, SECOND):
        members = {
            "fields": len(each.fields),
            "map": each.map,
            "map_hash": each.hash(),
            "map_version": each.map_version,
        }
        statement = consoles.world.parties["bank-a"].sign("map.publish", **members)
        consoles.world.ledger.submit_and_wait(consoles.world.ledger.prepare(statement))
    return consoles


@pytest.fixture
def page(browser: Browser, published: Consoles) -> Iterator[Page]:
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(f"{published.url}/sign-in/start?next=/console")
    page.get_by_role("button", name="Bea").click()
    page.wait_for_url("**/console/**")
    page.goto(f"{published.url}/console/partner/map")
    yield page
    context.close()


def choose(page: Page, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / f"map-{len(list(tmp_path.iterdir()))}.json"
    file.write_bytes(content)
    page.get_by_label("The map's file").set_input_files(file)


@pytest.mark.browser
def test_a_holder_sees_its_fields_by_grade_with_mask_and_since_when(page: Page, tmp_path: Path) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    choose(page, SECOND.encoded(), tmp_path)
    expect(page.get_by_text("This is api, version 2, as it stands in the log.")).to_be_visible(timeout=60_000)
    assert [each.text_content() for each in page.locator("[data-fields] h3").all()] == ["Grade 3", "Grade 1"]
    card = page.locator("[data-fields] li", has_text="/*/card")
    expect(card).to_contain_text("masked: pan")
    expect(card).to_contain_text("since version 1, ")
    expect(page.locator("[data-fields] li", has_text="/*/amount")).to_contain_text("since version 2, ")
    expect(page.locator("[data-fields] li", has_text="/links/*")).to_contain_text("leaves with every answer")
    assert {*sent} <= {"GET"}, "the file stays in the browser"


@pytest.mark.browser
def test_a_file_that_was_changed_is_not_shown_as_a_map(page: Page, tmp_path: Path) -> None:
    choose(page, FIRST.encoded(), tmp_path)
    expect(page.get_by_text("This is api, version 1, as it stands in the log.")).to_be_visible(timeout=60_000)
    choose(page, FIRST.encoded().replace(b'"mask":"pan",', b""), tmp_path)
    expect(page.get_by_text("The log has no hash of this file")).to_be_visible(timeout=60_000)
    expect(page.locator("[data-fields] li")).to_have_count(0)


def test_another_bank_sees_none_of_it_and_a_recipient_does(published: Consoles) -> None:
    with published.client("ben") as client:
        assert FIRST.hash() not in client.get("/console/partner/map").text
    with published.client("pia") as client:
        text = client.get("/console/partner/map").text
        assert FIRST.hash() in text
        assert SECOND.hash() in text


def test_an_attested_history_is_told_to_its_holder_and_to_auditors_as_its_word(published: Consoles) -> None:
    bank, ledger = published.world.parties["bank-a"], published.world.ledger
    past = Told(sheet(b64u(bytes(18)), [row()]), title="Register <1>")
    bring(lambda act, **members: ledger.record(bank.sign(act, **members))[0].index, past)
    seen = {}
    for who, path in (("bea", "partner/map"), ("ben", "partner/map"), ("pia", "partner/map"), ("ada", "audit")):
        with published.client(who) as client:
            answer = client.get(f"/console/{path}")
            assert answer.status_code == 200
            seen[who] = "Register &lt;1&gt;" in answer.text
            assert ("did not decide" in answer.text) == seen[who]
    assert seen == {"bea": True, "ben": False, "pia": False, "ada": True}
