"""She objects to all sharing on the pages; and shares again, from her bank, what she stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from ledger.entries.evidence import decode_evidence
from ledger.entries.statement import payload_of
from tests.web.accessibility import judged
from tests.web.browsing import sign_in
from tests.web.site import MEI, OLGA, Site, csrf_of, open_site
from tests.world import ConsentInWorld


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An app that lets its customers share again from their bank."""
    with open_site(tmp_path_factory.mktemp("objecting") / "site", asks_again=True) as running:
        yield running


def status(site: Site, consent: ConsentInWorld) -> str:
    return site.world.ledger.records.consent(site.bank.id, consent.consent_id).status.value


def reason(site: Site, consent: ConsentInWorld) -> str:
    known = site.world.ledger.records.consent(site.bank.id, consent.consent_id)
    [entry] = site.world.ledger.records.recorded([known.basis])
    assert entry.evidence is not None
    return str(payload_of(decode_evidence(entry.evidence).statements[0]).reason)  # type: ignore[union-attr]


def test_an_objection_stops_everything_and_lets_her_refuse_only_until_she_lifts_it(site: Site) -> None:
    shared, others, asked = site.shared(), site.shared(OLGA), site.ask()
    with site.client() as mei:
        page = mei.get("/my/stop-all")
        assert "Object to all sharing" in page.text
        done = mei.post("/my/stop-all", data={"csrf": csrf_of(page), "object": "1"})
        assert "You object to all sharing" in done.text
        assert (status(site, shared), reason(site, shared)) == ("REVOKED", "objects-to-sharing")
        assert "You object to all sharing" in mei.get("/my/connections").text
        refusal = mei.get(f"/my/approve?consent={asked.consent_id}")
        assert "You cannot agree while you object to all sharing" in refusal.text
        assert 'name="account"' not in refusal.text
        form = {"csrf": csrf_of(refusal), "consent": asked.consent_id}
        for path in ("/my/approve/review", "/my/approve/agree"):
            assert mei.post(path, data=form).status_code == 409
        assert mei.get("/my/approve/review").status_code == 409
        assert status(site, asked) == "AWAITING"
        mei.post("/my/approve/decline", data=form)
        assert status(site, asked) == "REJECTED"
        mei.post("/my/allow-requests", data={"csrf": csrf_of(mei.get("/my/stop-all"))})
        assert "You object to all sharing" not in mei.get("/my/stop-all").text
        assert 'name="account"' in mei.get(f"/my/approve?consent={site.ask().consent_id}").text
    assert status(site, others) == "ACTIVE", "nobody else's"


def test_she_shares_a_stopped_connection_again_after_reading_and_agreeing_anew(site: Site) -> None:
    consent = site.shared()
    key = site.key(consent)
    with site.client() as mei:
        mei.post(f"/my/connections/{key}/stop", data={"csrf": csrf_of(mei.get(f"/my/connections/{key}/stop"))})
        stopped = mei.get(f"/my/connections/{key}/stopped")
        assert "Share again with" in stopped.text
        asked = mei.post(f"/my/connections/{key}/share-again", data={"csrf": csrf_of(stopped)})
        again = str(asked.url.params["consent"])
        assert again != consent.consent_id
        assert 'name="account"' in asked.text, "she reads it, and chooses her accounts anew"
    known = site.world.ledger.records.consent(site.bank.id, again)
    before = site.world.ledger.records.consent(site.bank.id, consent.consent_id)
    assert (known.terms, known.status.value) == (before.terms, "AWAITING")
    assert before.status.value == "REVOKED"


def test_somebody_who_shares_nothing_finds_how_to_object(tmp_path: Path) -> None:
    with open_site(tmp_path / "site") as site, site.client() as mei:
        home = mei.get("/my/connections").text
        assert "Object to all sharing" in home
        page = mei.get("/my/stop-all")
        done = mei.post("/my/stop-all", data={"csrf": csrf_of(page), "object": "1"})
        assert "You object to all sharing" in done.text
        assert site.office.objects_since(site.people[MEI]) > 0
        assert site.office.objects_since(site.people[OLGA]) == 0


@pytest.mark.browser
def test_the_pages_of_an_objection_have_no_violation(site: Site, page: Page) -> None:
    asked = site.ask()
    site.shared()
    sign_in(page, site, path="/my/stop-all")
    wrong = judged(page, "stop all")
    page.locator("input[name=object]").check()
    page.locator("form[action='/my/stop-all'] button").click()
    page.wait_for_url("**/my/stop-all?done=1")
    wrong += judged(page, "objecting")
    page.goto(f"{site.url}/my/connections")
    wrong += judged(page, "connections")
    page.goto(f"{site.url}/my/approve?consent={asked.consent_id}")
    wrong += judged(page, "a request meanwhile")
    page.get_by_role("link", name="Look at my objection").click()
    page.locator("form[action='/my/allow-requests'] button").click()
    page.wait_for_url("**/my/stop-all")
    assert page.locator("#objection").count() == 0
    assert wrong == []


def test_nothing_is_shared_again_that_still_is(site: Site) -> None:
    consent = site.shared(MEI)
    key, size = site.key(consent), site.world.ledger.tree.size()
    with site.client() as mei:
        page = mei.get(f"/my/connections/{key}/stop")
        answer = mei.post(f"/my/connections/{key}/share-again", data={"csrf": csrf_of(page)})
        assert answer.url.path == f"/my/connections/{key}"
    assert site.world.ledger.tree.size() == size


@pytest.mark.parametrize(
    ("language", "says"), [("zh-CN", "拒绝一切共享"), ("pt-BR", "Opor-me a todo compartilhamento")]
)
def test_it_reads_in_her_language(site: Site, language: str, says: str) -> None:
    site.shared()
    with site.client(language=language) as mei:
        assert says in mei.get("/my/stop-all").text
