"""«These are all events about me»: checked in the browser and by the verifier; no number tells of what is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from ledger.entries.leaf import consent_chain, subject_chain
from ledger.queries.completeness import completeness_bytes
from tests.web.site import OLGA, Site
from tests.world import ConsentInWorld, record_index_head
from verifier.cli import main as verifier

CHECK = """async ([file, vkey, name]) => (await import('/static/complete.js')).checkComplete(file, vkey, name)"""


@pytest.fixture(scope="module")
def told(shared_site: Site) -> tuple[Site, ConsentInWorld, ConsentInWorld]:
    """Mei's connection with some reads, and Olga's; the index-head covers both."""
    mine, hers = shared_site.shared(), shared_site.shared(OLGA, accounts=1)
    for _ in range(5):
        shared_site.read(mine)
    shared_site.read(hers)
    record_index_head(shared_site.world.ledger)
    return shared_site, mine, hers


@pytest.fixture(scope="module")
def checking(browser: Browser, shared_site: Site) -> Iterator[Page]:
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(f"{shared_site.url}/verify")
    yield page
    context.close()


def proof(site: Site, chain: bytes) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(completeness_bytes(site.world.ledger.completeness.of_chain(chain)))
    return made


def run(page: Page, site: Site, file: object, name: str, vkey: str = "") -> dict[str, Any]:
    text = file if isinstance(file, str) else json.dumps(file)
    found: dict[str, Any] = page.evaluate(CHECK, [text, vkey or site.world.ledger.vkey.format(), name])
    return found


@pytest.mark.browser
def test_the_browser_and_the_verifier_agree_that_it_is_everything(
    told: tuple[Site, ConsentInWorld, ConsentInWorld], checking: Page, tmp_path: Path
) -> None:
    site, mine, _ = told
    person = site.people["mei"]
    named = {
        mine.consent_id: consent_chain(mine.consent_id),
        f"subject:{person.holder}:{person.subject}": subject_chain(person.holder, person.subject),
        "a consent that nobody asked for": consent_chain("a consent that nobody asked for"),
    }
    (tmp_path / "policy").write_text(f"log {site.world.ledger.vkey.format()}\nquorum none\n")
    for name, chain in named.items():
        file = proof(site, chain)
        found = run(checking, site, file, name)
        assert (found["outcome"], found["count"]) == ("complete", site.world.ledger.records.chain_length(chain)), name
        assert found["shown"] == found["count"]
        (tmp_path / "file.json").write_text(json.dumps(file))
        assert verifier(["completeness", str(tmp_path / "file.json"), "--policy", str(tmp_path / "policy")]) == 0, name


def falsified(file: dict[str, Any], other: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What a ledger that hides an entry, or anybody who sends another file, could try."""
    raw = bytearray(json.dumps(file["map_proof"]).encode())
    return {
        "one entry fewer": {**file, "count": file["count"] - 1},
        "one entry more": {**file, "count": file["count"] + 1},
        "the last leaf left out": {**file, "leaves": file["leaves"][:-1]},
        "a leaf in the middle left out": {**file, "leaves": file["leaves"][:2] + file["leaves"][3:]},
        "the last but one as the last": {**file, "count": file["count"] - 1, "leaves": file["leaves"][:-1]},
        "the map proof of another chain": {**file, "map_proof": other["map_proof"]},
        "an empty map proof": {**file, "map_proof": ""},
        "a map proof cut short": {**file, "map_proof": raw.decode().strip('"')[:-4]},
        "nothing under the chain": {name: file[name] for name in file if name != "last"} | {"count": 0, "leaves": []},
        "a receipt that is of no index-head": {**file, "index_head": other["receipt"]},
    }


@pytest.mark.browser
def test_the_browser_refutes_what_leaves_something_out(
    told: tuple[Site, ConsentInWorld, ConsentInWorld], checking: Page
) -> None:
    site, mine, hers = told
    file, other = (proof(site, consent_chain(one.consent_id)) for one in (mine, hers))
    from ledger.receipts import receipt_bytes

    entry = site.world.ledger.records.recorded(
        [site.world.ledger.records.consent(site.bank.id, mine.consent_id).basis]
    )[0]
    other["receipt"] = receipt_bytes(entry).decode()
    outcomes = {
        what: run(checking, site, one, mine.consent_id)["outcome"] for what, one in falsified(file, other).items()
    }
    assert set(outcomes.values()) == {"refuted"}, outcomes
    assert run(checking, site, other | {}, mine.consent_id)["outcome"] == "nothing", "a member too many"
    assert run(checking, site, file, hers.consent_id)["outcome"] == "refuted", "a proof of another chain"
    assert run(checking, site, "{}", mine.consent_id)["outcome"] == "nothing"


@pytest.mark.browser
def test_she_checks_it_on_the_page_with_one_button(
    told: tuple[Site, ConsentInWorld, ConsentInWorld], browser: Browser
) -> None:
    site, mine, _ = told
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    page.goto(f"{site.url}/sign-in/start?next=/my/connections/{site.key(mine)}/complete")
    page.get_by_role("button", name="Mei Lin").click()
    page.get_by_role("button", name="在本设备核验").click()
    verdict = page.locator("[data-verdict=complete]")
    verdict.wait_for()
    assert (
        f"共有 {site.world.ledger.records.chain_length(consent_chain(mine.consent_id))} 条记录" in verdict.inner_text()
    )
    context.close()


def test_only_who_is_alone_in_her_list_is_shown_the_proof_of_it(
    told: tuple[Site, ConsentInWorld, ConsentInWorld],
) -> None:
    site, mine, _ = told
    with site.client(OLGA) as olga:
        page = olga.get("/my/complete").text
        assert '"/my/complete/file"' in page
        assert olga.get("/my/complete/file").json()["count"] == 1
        assert olga.get(f"/my/connections/{site.key(mine)}/complete").status_code == 404
        assert olga.get(f"/my/connections/{site.key(mine)}/complete/file").status_code == 404
    with site.client() as mei:  # she has an account with Wei: a number could tell what he keeps to himself
        page = mei.get("/my/complete").text
        assert '"/my/complete/file"' not in page
        assert f"/my/connections/{site.key(mine)}/complete/file" in page
        assert mei.get("/my/complete/file").status_code == 404
        exported = json.loads(mei.get("/my/export/json").text)
        assert [one["consent"] for one in exported["completeness"]] == [mine.consent_id]
        assert exported["completeness"][0]["file"]["count"] == len(exported["events"])
