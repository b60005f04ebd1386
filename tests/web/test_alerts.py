"""The queue of alerts in a browser: each sees its own, somebody takes one, a bank decides, words are erased, new ones come."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.web.alert_work import AlertNote
from ledger.canonical import b64u, unb64u
from ledger.documents import document_of
from ledger.entries.leaf import consent_chain
from ledger.orders import About, AlertRaised, ScoringActivated
from tests.web.consoles import Consoles, open_consoles
from tests.web.site import MEI, Site, csrf_of

WORDS = "End of the month, <b>as every month</b>"


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[Consoles]:
    with open_consoles(tmp_path / "site") as consoles:
        consoles.world.ledger.record_documents(document_of(ScoringActivated, scoring=1, approved_by=("a", "b")))
        yield consoles


def raised(consoles: Consoles, kind: Any, name: str, rule: Any = "rate", score: int = 700) -> int:
    document = document_of(
        AlertRaised, about=About(id=name, kind=kind), at_index=1, features=(111, 2145), rule=rule, score=score
    )
    return consoles.world.ledger.record_documents(document)[0].index


@contextmanager
def posted(consoles: Consoles, who: str, index: int) -> Iterator[Any]:
    """A form on an alert's page, by somebody at work."""
    with consoles.client(who) as client:

        def post(what: str, **form: str) -> httpx2.Response:
            page = client.get(f"/console/alerts/{index}")
            return client.post(f"/console/alerts/{index}/{what}", data={"csrf": csrf_of(page), **form})

        yield post


def test_bank_app_and_regulator_find_an_alert_in_their_words(at_work: Consoles) -> None:
    consoles = at_work
    chain = b64u(consent_chain(consoles.consents["active"].consent_id))
    index = raised(consoles, "consent", chain, "woken", 710)
    for who in ("bea", "pia", "rita", "ada"):
        with consoles.client(who) as client:
            listed = client.get("/console/alerts").text
            assert "A consent that was long unused is read again" in listed, who
            page = client.get(f"/console/alerts/{index}").text
            assert "middling score" in page
            if who in ("rita", "ada"):
                assert client.get("/console/audit/records?about=supervision").status_code == 200
            assert "A person decides; whoever is concerned can ask for the reasons and object." in page
        with consoles.client(who, language="zh-CN") as client:
            page = client.get(f"/console/alerts/{index}").text
            assert "长期未使用的授权再次被读取" in page
            assert "当事人有权要求说明理由并提出异议" in page
    for who in ("ben", "rex"):
        with consoles.client(who) as client:
            assert "No such alerts." in client.get("/console/alerts").text
            assert client.get(f"/console/alerts/{index}").status_code == 404


def test_somebody_takes_an_alert_and_lets_go_of_it(at_work: Consoles) -> None:
    consoles = at_work
    index = raised(consoles, "holder", "bank-a", "legs-differ", 800)
    with posted(consoles, "bea", index) as post:
        assert "Bea &lt;i&gt;at work&lt;/i&gt;" in post("take", to="me").text
    with consoles.client("rita") as rita:
        assert "Bea" not in rita.get(f"/console/alerts/{index}").text, "who works at the bank is the bank's"
    with posted(consoles, "bea", index) as post:
        post("take")
    assert _pages(consoles).store.alert_work.of("bank-a", [index]) == {}


def test_a_bank_decides_beside_the_proposal_and_its_words_can_be_erased(at_work: Consoles) -> None:
    consoles = at_work
    index = raised(consoles, "holder", "bank-a", "legs-differ", 800)
    with posted(consoles, "bea", index) as post:
        page = post("decide", decision="cleared", words=WORDS).text
        assert "&lt;b&gt;as every month&lt;/b&gt;" in page
        assert "Proposed had been: Confirmed" in page
    said = consoles.world.ledger.registry.supervision.decided[index]["bank-a"].says
    assert (said.decision, said.proposal, said.proposal_reasons) == ("cleared", "confirmed", ("fact", "score-high"))
    note = _pages(consoles).store.alert_work.of("bank-a", [index])[index]
    assert b64u(hmac.digest(unb64u(note.key), WORDS.encode(), "sha256")) == said.comment_hash
    for file in sorted(Path(str(_pages(consoles).store.engine.url.database)).parent.iterdir()):
        assert not file.is_file() or WORDS.encode() not in file.read_bytes(), f"{file.name}: sealed"
    with consoles.client("rita") as rita:
        regulators = rita.get(f"/console/alerts/{index}").text
        assert "Cleared" in regulators
        assert "as every month" not in regulators
    with posted(consoles, "bea", index) as post:
        assert "as every month" not in post("forget").text
    assert _pages(consoles).store.alert_work.of("bank-a", [index]) == {}


def test_an_officer_who_signs_elsewhere_is_told_what_to_sign_and_cannot_decide_here(at_work: Consoles) -> None:
    consoles = at_work
    index = raised(consoles, "recipient", "plum")
    before = consoles.world.ledger.tree.size()
    for who in ("pia", "rita"):
        with posted(consoles, who, index) as post:
            assert post("decide", decision="cleared").status_code == 403
    with posted(consoles, "bea", index) as post:
        assert post("decide", decision="perhaps").status_code == 403
    with consoles.client("pia") as client:
        assert "POST /supervision/alerts/decide" in client.get(f"/console/alerts/{index}").text
    assert consoles.world.ledger.tree.size() == before


def test_a_new_alert_comes_by_itself_to_whom_it_concerns(at_work: Consoles) -> None:
    consoles = at_work
    with consoles.client("bea") as bea, consoles.client("ben") as ben:
        with bea.stream("GET", "/console/alerts/live?after=0") as stream:
            raised(consoles, "holder", "bank-d", "legs-differ", 800)
            index = raised(consoles, "holder", "bank-a", "legs-differ", 900)
            told = next(line for line in stream.iter_lines() if line.startswith("data:"))
        assert f"/console/alerts/{index}" in told, "the other bank's came first, and is not hers"
        assert "Bank and app tell different figures" in told
        assert ben.get("/console/alerts/live", params={"after": "x"}).status_code == 404
    with consoles.client(None) as nobody:
        answer = nobody.get("/console/alerts/live", follow_redirects=False)
        assert answer.status_code == 303


def test_an_empty_note_is_no_row(at_work: Consoles) -> None:
    consoles = at_work
    work = _pages(consoles).store.alert_work
    work.keep("bank-a", 7, AlertNote(owner="Bea"))
    assert work.of("bank-b", [7]) == {}
    assert work.of("bank-a", [7]) == {7: AlertNote(owner="Bea")}
    work.keep("bank-a", 7, AlertNote())
    assert work.of("bank-a", [7]) == {}


def _pages(consoles: Consoles) -> Any:
    return consoles.pages.state.office


def test_a_customer_reads_what_was_noticed_about_her_connection_and_what_her_bank_decided(site: Site) -> None:
    ledger = site.world.ledger
    ledger.record_documents(document_of(ScoringActivated, scoring=1, approved_by=("a", "b")))
    consent, other = site.shared(), site.shared()
    about = About(id=b64u(consent_chain(consent.consent_id)), kind="consent")
    document = document_of(AlertRaised, about=about, at_index=1, features=(71,), rule="woken", score=710)
    [alert] = ledger.record_documents(document)
    with site.client() as client:
        pages = {one.consent_id: f"/my/connections/{key_of(site, one.consent_id)}" for one in (consent, other)}
        shown = client.get(pages[consent.consent_id]).text
        assert "A consent that was long unused is read again" in shown
        assert "Your bank has not answered yet" in shown
        assert "What was noticed" not in client.get(pages[other.consent_id]).text
        said = {
            "alert": alert.index,
            "decision": "cleared",
            "officer": "o" * 22,
            "proposal": "confirmed",
            "proposal_reasons": ["score-middle"],
        }
        ledger.submit_and_wait(ledger.prepare(site.bank.sign("alert.decide", **said)))
        assert "Your bank looked at it: nothing is wrong" in client.get(pages[consent.consent_id]).text


def key_of(site: Site, consent_id: str) -> int:
    """By which the pages know a connection."""
    found = site.world.ledger.records.consents_of_subject(site.people[MEI].chain)
    return next(key for key, known in found if known.consent_id == consent_id)
