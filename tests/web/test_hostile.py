"""Names, purposes and labels are written by strangers: they are inert on every page and in every export."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Page

from api.web.locale import CATALOGUES
from api.web.plain import REPLACEMENT, cell, plain
from tests.web.site import Site, open_site

EVIL = '=cmd|"/C calc"!A1<script>alert(1)</script>\u202egnp.exe\u2066"\'><img src=x onerror=alert(1)>{{7*7}}'
DANGEROUS = tuple("=+-@\t\r\n|%\uff1d\uff0b\uff0d\uff20")


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("evil") / "site", recipient=EVIL) as opened:
        consent = opened.shared(purpose={"code": "strange", "text": EVIL})
        opened.read(consent, purpose="strange")
        opened.read(consent, purpose="x:y" + "z" * 50)
        opened.world.record(opened.bank.step("suspend", consent, by="holder", reason="A" * 64))
        yield opened


def pages(site: Site) -> list[str]:
    [key] = [site.key(one) for one in _consents(site)]
    return [
        "/my/connections",
        "/my/connections?tab=action",
        f"/my/connections/{key}",
        f"/my/connections/{key}/history",
        f"/my/connections/{key}/stop",
        f"/my/connections/{key}/separate?kind=provision",
        "/my/stop-all",
        "/my/receipts",
        "/my/erase",
        f"/my/receipts/{key}",
        f"/my/receipts/{key}/report",
    ]


def _consents(site: Site) -> list[object]:
    from tests.world import ConsentInWorld

    found = site.world.ledger.records.consents_of_subject(site.people["mei"].chain)
    return [ConsentInWorld(consent.consent_id, {}) for _, consent in found]


@pytest.mark.parametrize("language", sorted(CATALOGUES))
def test_a_hostile_name_is_text_on_every_page(evil: Site, language: str) -> None:
    with evil.client(language=language) as client:
        seen = 0
        for path in pages(evil):
            page = client.get(path)
            assert page.status_code == 200, path
            assert "<script>alert" not in page.text
            assert "<img" not in page.text
            assert not re.search("[\u202a-\u202e\u2066-\u2069]", page.text)
            assert "49" not in re.sub(r"\d{3,}", "", html.unescape(page.text)).split("{{7*7}}")[0][-1:]
            seen += "&lt;script&gt;alert(1)" in page.text
        assert seen >= 6, "the name was not even shown"


@pytest.mark.browser
def test_a_hostile_name_runs_nothing_in_a_browser(evil: Site, page: Page) -> None:
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text) if "Content Security" in message.text else None)
    page.goto(f"{evil.url}/sign-in/start")
    page.get_by_role("button", name="Mei Lin").click()
    for path in pages(evil):
        page.goto(evil.url + path)
    assert asked == []
    assert refused == [], "our own pages keep their own policy"


def test_no_cell_of_the_table_is_a_formula(evil: Site) -> None:
    with evil.client() as client:
        table = client.get("/my/export/csv").text
        content = client.get("/my/export/json").json()
    rows = list(csv.reader(io.StringIO(table.removeprefix("\ufeff"))))
    assert len(rows) > 3
    assert any("cmd" in value for row in rows for value in row)
    assert [value for row in rows for value in row if value.startswith(DANGEROUS)] == []
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", table)
    assert len(content["events"]) == len(rows) - 1
    assert all("proof" in event["receipt"] for event in content["events"])


def test_a_customers_own_words_are_shown_as_text(evil: Site) -> None:
    from tests.web.site import csrf_of

    with evil.client() as client:
        index = evil.key(_consents(evil)[0])  # type: ignore[arg-type]
        form = client.get(f"/my/receipts/{index}/report")
        answer = client.post(f"/my/receipts/{index}/report", data={"csrf": csrf_of(form), "words": EVIL})
        assert answer.status_code == 200
        assert "/C calc" in answer.text, "her own words are there"
        assert "<script>" not in answer.text
        assert "/my/feedback/" in client.get(f"/my/receipts/{index}").text


@given(st.text())
def test_cells_never_begin_like_a_formula_and_hide_nothing(text: str) -> None:
    made = cell(text)
    assert not made.lstrip().startswith(DANGEROUS)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", made)


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs", "M"])))
def test_ordinary_text_in_any_script_is_left_alone(text: str) -> None:
    assert plain(text) == text


def test_joiners_stay_and_overrides_show() -> None:
    assert plain("\u0645\u06cc\u200c\u062e") == "\u0645\u06cc\u200c\u062e"
    assert plain("a\u202eb") == f"a{REPLACEMENT}b"


def test_no_style_or_script_stands_inside_a_template() -> None:
    folder = Path(__file__).resolve().parents[2] / "api" / "web" / "templates"
    inline = re.compile(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)|\|\s*safe\b|https?://", re.IGNORECASE)
    assert [
        f"{path.name}: {found[0]}" for path in folder.glob("*.html") if (found := inline.search(path.read_text()))
    ] == []


def test_a_hostile_name_drives_no_terminal(tmp_path: Path) -> None:
    """`consent-ledger participant list`; the verifier's own output has a test in tests/verifier/test_encoding.py."""
    from typer.testing import CliRunner

    from api.cli.main import app

    state = ["--state", str(tmp_path)]
    runner = CliRunner()
    for command in (
        ["init", "--origin", "ledger.example/1"],
        ["participant", "add", "plum", "--role", "recipient", "--name", EVIL],
    ):
        done = runner.invoke(app, [*command, *state])
        assert done.exit_code == 0, done.output
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", done.output)
    listed = runner.invoke(app, ["participant", "list", *state]).output
    assert "cmd" in listed
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", listed)
