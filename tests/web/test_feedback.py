"""Feedback of customers: recorded with a hash, answered by their bank or the app, late by the log's time, erased with them."""

from __future__ import annotations

import csv
import hmac
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec import structs

from api.web import heeding
from api.web.feedback import UNRECORDED, Feedback
from api.web.happened import read_event
from api.web.heeding import settled
from ledger.canonical import b64u, unb64u
from ledger.entries.acts import SubjectAnswer, SubjectFeedback
from tests.clocks import HandClock
from tests.web.consoles import Consoles, as_site, open_consoles
from tests.web.reporting import WORDS, report
from tests.web.site import MEI, WEI, Site, csrf_of, open_site

DAY = 86_400


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[tuple[Site, Consoles, HandClock]]:
    """A bank with customers, apps and staff, and a clock that the test moves."""
    clock = HandClock()
    with open_consoles(tmp_path / "site", clock=clock) as consoles:
        yield as_site(consoles), consoles, clock


def shared_access(site: Site, **terms: Any) -> int:
    """A consent of Mei's with one access; its index."""
    return site.read(site.shared(**terms)).index


def said_in_log(site: Site, who: str = MEI) -> list[SubjectFeedback | SubjectAnswer]:
    """What the customer's own chain says of feedback."""
    records, chain = site.world.ledger.records, site.people[who].chain
    events = [read_event(one).says for one in records.history_of_chain(chain, limit=500)]
    return [says for says in events if isinstance(says, SubjectFeedback | SubjectAnswer)]


@contextmanager
def staff(consoles: Consoles, who: str) -> Iterator[httpx2.Client]:
    with consoles.client(who) as client:
        yield client


def act(client: httpx2.Client, number: str, what: str = "answer", **form: str) -> httpx2.Response:
    """Fill in the form on a feedback's page at work."""
    page = client.get(f"/console/partner/feedback/{number}")
    [version, *_] = re.findall(r'name="version"\s+value="(\d+)"', page.text)
    data = {"csrf": csrf_of(page), "version": version} | form
    return client.post(f"/console/partner/feedback/{number}/{what}", data=data)


def test_unexpected_reads_become_statements_whose_words_only_the_saved_file_shows(site: Site) -> None:
    index = shared_access(site)
    number = report(site, index)
    [said] = said_in_log(site)
    assert isinstance(said, SubjectFeedback)
    assert (said.number, said.about, said.kind, said.iss) == (number, index, "unexpected", "bank-a")
    assert said.due > said.iat + 14 * DAY
    with site.client() as client:
        page = client.get(f"/my/feedback/{number}").text
        assert "&lt;b&gt;nobody&lt;/b&gt;" in page
        assert "Recorded in the log as entry" in page
        [proof] = client.get(f"/my/feedback/{number}/file").json()["said"]
    made = hmac.digest(unb64u(proof["key"]), WORDS.encode(), "sha256")
    assert (proof["words"], b64u(made)) == (WORDS, said.text_hash)
    assert b"asleep" not in json.dumps(said_text(site, index)).encode()


def said_text(site: Site, above: int) -> list[str]:
    """All evidence of the entries from `above` on, as text."""
    ledger = site.world.ledger
    recorded = ledger.records.recorded(range(above, ledger.tree.size()))
    return [(one.evidence or b"").decode() for one in recorded]


def test_an_answer_reaches_her_with_state_words_and_entry(at_work: tuple[Site, Consoles, HandClock]) -> None:
    site, consoles, _ = at_work
    number = report(site, shared_access(site))
    with staff(consoles, "bea") as bea:
        assert number in bea.get("/console/partner/feedback").text
        act(bea, number, "assign", to="me")
        act(bea, number, state="received")
        assert "write what" in act(bea, number, state="answered").text, "an answer has words"
        act(bea, number, state="answered", words="It was the nightly update.")
        assert number not in bea.get("/console/partner/feedback").text, "it waits no more"
        found = bea.get("/console/partner/feedback", params={"state": "open", "q": number}).text
        assert f"/console/partner/feedback/{number}" in found, "who looks for a number finds it, whatever its state"
        assert number in bea.get("/console/partner/feedback?state=answered&who=mine").text
    with site.client() as client:
        assert "Answered" in client.get("/my/feedback").text
        page = client.get(f"/my/feedback/{number}").text
        assert "It was the nightly update." in page
        assert len(client.get(f"/my/feedback/{number}/file").json()["said"]) == 2
        history = client.get("/my/receipts").text
        assert "You sent the bank feedback" in history
        assert "Your bank dealt with feedback" in history
    states = [(one.by, one.state) for one in said_in_log(site) if isinstance(one, SubjectAnswer)]
    assert states == [("holder", "received"), ("holder", "answered")]
    with site.client(WEI) as other:
        assert other.get(f"/my/feedback/{number}").status_code == 404, "her words are hers, though the chain is shared"
        assert number not in other.get("/my/feedback").text
        assert "The other holder sent the bank feedback" in other.get("/my/receipts").text


def test_the_app_sees_what_the_bank_passed_on_and_answers_through_it(
    at_work: tuple[Site, Consoles, HandClock],
) -> None:
    site, consoles, _ = at_work
    number = report(site, shared_access(site))
    with staff(consoles, "pia") as pia, staff(consoles, "bea") as bea, staff(consoles, "rex") as rex:
        address = f"/console/partner/feedback/{number}"
        assert pia.get(address).status_code == 404, "nothing was passed on"
        act(bea, number, state="forwarded", words="A customer asks why you read at 3 o'clock.")
        page = pia.get(address).text
        assert "why you read at 3" in page
        assert "asleep" not in page, "the customer's own words stay with her bank"
        assert "asleep" not in pia.get("/console/partner/feedback.csv").text
        assert rex.get(address).status_code == 404
        assert act(pia, number, state="closed").status_code == 403
        assert act(pia, number, "assign", to="me").status_code == 403
        act(pia, number, state="answered", words="A planned update.")
        act(bea, number, state="closed")
        assert "is closed" in bea.get(address).text
        answer = bea.post(f"{address}/answer", data={"csrf": csrf_of(bea.get(address)), "state": "answered"})
        assert answer.status_code in {403, 409}
    assert [(one.by, one.state) for one in said_in_log(site) if isinstance(one, SubjectAnswer)] == [
        ("holder", "forwarded"),
        ("recipient", "answered"),
        ("holder", "closed"),
    ]
    with site.client() as client:
        assert "The app, through your bank" in client.get(f"/my/feedback/{number}").text
        assert "The app</bdi> dealt with feedback" in client.get("/my/receipts").text


def test_two_of_the_bank_do_not_answer_over_each_other(at_work: tuple[Site, Consoles, HandClock]) -> None:
    site, consoles, _ = at_work
    number = report(site, shared_access(site))
    with staff(consoles, "bea") as bea:
        page = bea.get(f"/console/partner/feedback/{number}")
        act(bea, number, state="received")
        stale = {"csrf": csrf_of(page), "version": "1", "state": "closed"}
        assert bea.post(f"/console/partner/feedback/{number}/answer", data=stale).status_code == 409
    assert len(said_in_log(site)) == 2


def test_lateness_follows_from_the_logs_time(at_work: tuple[Site, Consoles, HandClock]) -> None:
    site, consoles, clock = at_work
    in_time, late = report(site, shared_access(site)), report(site, shared_access(site))
    with staff(consoles, "bea") as bea:
        act(bea, in_time, state="answered", words="yes")
    clock.advance(seconds=15 * DAY + 5)
    for one, said in ((in_time, False), (late, True)):
        with site.client() as client:
            assert ("No answer was recorded by then" in client.get(f"/my/feedback/{one}").text) is said
    with staff(consoles, "bea") as bea:
        queue = bea.get("/console/partner/feedback?late=true&state=").text
        assert (late in queue, in_time in queue) == (True, False)
        assert "1 answer is overdue" in queue
        act(bea, late, state="answered", words="sorry")
    with site.client() as client:
        assert "Overdue" in client.get(f"/my/feedback/{late}").text, "it stays late"
    with staff(consoles, "rita") as rita:
        row = re.search(r"<code>bank-a</code></th>(.*?)</tr>", rita.get("/console/audit/feedback").text, re.DOTALL)
        assert row
        assert re.findall(r"<td>(\d+)</td>", row[1]) == ["2", "2", "0", "1"]
        assert "asleep" not in rita.get("/console/audit/feedback").text


def test_the_file_of_a_queue_holds_what_was_asked_for_and_no_formula(
    at_work: tuple[Site, Consoles, HandClock],
) -> None:
    site, consoles, clock = at_work
    first = report(site, shared_access(site), "=1+1")
    clock.advance(seconds=60)
    second = report(site, shared_access(site), "another")
    with staff(consoles, "bea") as bea:
        rows = list(csv.DictReader(io.StringIO(bea.get("/console/partner/feedback.csv").text.lstrip("\ufeff"))))
        assert [row["number"] for row in rows] == [second, first]
        assert not rows[1]["words"].startswith("=")
        found = bea.get("/console/partner/feedback.csv", params={"q": "another"}).text
        assert (second in found, first in found) == (True, False)


def test_one_question_after_a_stop_is_about_the_stop_and_need_not_be_answered(site: Site) -> None:
    key = site.key(site.shared())
    with site.client() as client:
        page = client.get(f"/my/connections/{key}/stop")
        stopped = client.post(f"/my/connections/{key}/stop", data={"csrf": csrf_of(page)})
        assert "May we ask why you stopped?" in stopped.text
        client.post(f"/my/connections/{key}/stopped", data={"csrf": csrf_of(stopped)})
        assert said_in_log(site) == [], "no answer, nothing sent"
        form = {"csrf": csrf_of(stopped), "why": "too-much", "words": "every night"}
        client.post(f"/my/connections/{key}/stopped", data=form)
        assert "Thank you" in client.get(f"/my/connections/{key}/stopped").text
    [said] = said_in_log(site)
    assert isinstance(said, SubjectFeedback)
    assert said.kind == "after-stop"
    assert read_event(site.world.ledger.records.recorded([said.about])[0]).act == "consent.revoke"
    [kept] = site.office.store.feedback.of(site.people[MEI])
    assert kept.words == "It read too much, or too often\nevery night"
    with site.client(WEI) as other:
        assert "May we ask why" not in other.get(f"/my/connections/{key}/stopped").text, "it was not Wei who stopped"


def test_a_crash_between_log_and_note_is_repaired_and_no_answer_is_lost(site: Site) -> None:
    number = report(site, shared_access(site))
    book, office = site.office.store.feedback, site.office
    known = book.one(number)
    heeding.answer(office, known, "holder", "answered", "it was us")
    whole = book.one(number)

    def forget(one: Feedback) -> Feedback:
        replies = tuple(structs.replace(reply, entry=UNRECORDED, at=7) for reply in one.replies)
        return structs.replace(one, entry=UNRECORDED, made_at=7, replies=replies)

    book.amend(number, forget)
    repaired = settled(office, book.one(number))
    assert (repaired.entry, repaired.made_at, repaired.replies) == (whole.entry, whole.made_at, whole.replies)


def test_when_the_bank_cannot_be_asked_nothing_is_kept_and_her_words_wait_for_her(tmp_path: Path) -> None:
    with open_site(tmp_path / "site") as site, site.client() as client:
        index = shared_access(site)
        path = f"/my/receipts/{index}/report"
        token = csrf_of(client.get(path))
        agent = site.office.agents.pop("bank-a")  # type: ignore[attr-defined]
        assert client.post(path, data={"csrf": token, "words": "still mine"}).status_code == 404
        assert site.office.store.feedback.of(site.people[MEI]) == []
        site.office.agents["bank-a"] = agent  # type: ignore[index]
        assert "still mine</textarea>" in client.get(path).text


def test_feedback_does_not_give_away_a_connection_kept_from_the_other_holder(tmp_path: Path) -> None:
    with open_site(tmp_path / "site") as site:
        asked = site.ask()
        kept = site.agree(asked, MEI, accounts=4, suppress_notify=True)
        number = report(site, site.read(kept).index)
        heeding.answer(site.office, site.office.store.feedback.one(number), "holder", "answered", "we look into it")
        size = site.world.ledger.tree.size()
        entries = [size - 2, size - 1]
        with site.client(WEI) as other:
            assert "feedback" not in re.sub(r'href="/my/feedback"|Your feedback', "", other.get("/my/receipts").text)
            assert [other.get(f"/my/receipts/{one}").status_code for one in entries] == [404, 404]
        with site.client(MEI) as client:
            assert [client.get(f"/my/receipts/{one}").status_code for one in entries] == [200, 200]


def test_a_flood_is_bounded_and_says_what_to_do(site: Site) -> None:
    index = shared_access(site)
    for _ in range(20):
        report(site, index, "")
    with site.client() as client:
        page = client.get(f"/my/receipts/{index}/report")
        answer = client.post(f"/my/receipts/{index}/report", data={"csrf": csrf_of(page), "words": "more"})
    assert answer.status_code == 403
    assert "call it if it is urgent" in answer.text
    assert len(said_in_log(site)) == 20


def test_nobody_answers_for_another_bank(at_work: tuple[Site, Consoles, HandClock]) -> None:
    site, consoles, _ = at_work
    number = report(site, shared_access(site))
    size = site.world.ledger.tree.size()
    with staff(consoles, "ben") as ben:
        token = csrf_of(ben.get("/console/partner/feedback"))
        for what in ("answer", "assign"):
            form = {"csrf": token, "version": "1", "state": "closed", "to": "me"}
            assert ben.post(f"/console/partner/feedback/{number}/{what}", data=form).status_code == 404
        assert ben.get(f"/console/partner/feedback/{number}").status_code == 404
        assert number not in ben.get("/console/partner/feedback.csv").text
    assert site.world.ledger.tree.size() == size
