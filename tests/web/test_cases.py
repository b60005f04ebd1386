"""Evidence is opened by two people: what they see before, what each of them can do alone, and what is on record after."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.clocks import HandClock
from tests.web.consoles import CASES, Consoles, open_consoles, shown_count
from tests.web.reading import words_of
from tests.web.site import csrf_of

CASE = {"case": "case-7", "from_index": "0", "to_index": "40"}


def asked(site: Consoles, client: httpx2.Client) -> tuple[str, str]:
    """A case that one person has asked for: its number, and what is typed to confirm it."""
    token = csrf_of(client.get(CASES))
    typed = shown_count(client.post("/console/audit/cases/preview", data={**CASE, "csrf": token}).text)
    size = site.world.ledger.tree.size()
    page = client.post("/console/audit/cases", data={**CASE, "csrf": token, "typed": typed})
    assert page.url.path == CASES
    assert site.world.ledger.tree.size() == size, "asking puts nothing on record"
    [number] = re.findall(r"/console/audit/cases/asked/(\w+)/withdraw", page.text)
    return number, typed


def confirmed(client: httpx2.Client, number: str, typed: str) -> httpx2.Response:
    form = {"csrf": csrf_of(client.get(CASES)), "typed": typed}
    return client.post(f"/console/audit/cases/asked/{number}/confirm", data=form, follow_redirects=False)


@contextmanager
def asking(tmp_path: Path) -> Iterator[tuple[Consoles, HandClock, httpx2.Client, str, str]]:
    clock = HandClock()
    with open_consoles(tmp_path / "site", clock=clock) as site, site.client("rita") as rita:
        yield site, clock, rita, *asked(site, rita)


def test_the_preview_tells_entries_customers_and_banks_of_the_remit(consoles: Consoles) -> None:
    told = {}
    last = str(consoles.world.ledger.tree.size() - 1)
    for who in ("rita", "otto"):
        with consoles.client(who) as client:
            form = {**CASE, "to_index": last, "csrf": csrf_of(client.get(CASES))}
            text = words_of(client.post("/console/audit/cases/preview", data=form).text)
        told[who] = [int(re.findall(rf"(\d+) ?{what}", text)[0]) for what in ("consents", "customers", "banks")]
        assert ("Bank-A" in text) == (who == "rita")
    assert told["rita"][0] > told["otto"][0]
    assert told["rita"][2] == 2
    assert told["otto"][1:] == [2, 1], "a customer of the consent in force, and one of the erased one"


def test_nobody_opens_evidence_alone(tmp_path: Path) -> None:
    with asking(tmp_path) as (site, _, rita, number, typed):
        size = site.world.ledger.tree.size()
        assert "A second person of your institution opens it" in words_of(rita.get(CASES).text)
        assert confirmed(rita, number, typed).status_code == 403
        for stranger in ("otto", "ada", "bea"):
            with site.client(stranger) as client:
                assert number not in client.get(CASES).text
                form = {"csrf": csrf_of(client.get("/console")), "typed": typed}
                answer = client.post(f"/console/audit/cases/asked/{number}/confirm", data=form)
                assert answer.status_code == 404, stranger
        with site.client("rose") as rose:
            wrong = confirmed(rose, number, str(int(typed) + 1))
            assert wrong.status_code == 409
            assert "is not the number of entries" in words_of(wrong.text)
            assert site.world.ledger.tree.size() == size
            done = confirmed(rose, number, typed)
            assert done.status_code == 303
            assert site.world.ledger.tree.size() == size + 1
            assert "Opened by" in words_of(rose.get(done.headers["location"]).text)
            assert confirmed(rose, number, typed).status_code == 409, "it was answered"


def test_a_case_that_nobody_confirms_within_a_day_is_asked_for_again(tmp_path: Path) -> None:
    with asking(tmp_path) as (site, clock, _, number, typed):
        clock.advance(seconds=24 * 3_600)
        size = site.world.ledger.tree.size()
        with site.client("rose") as rose:
            assert number not in rose.get(CASES).text
            assert confirmed(rose, number, typed).status_code == 409
        assert site.world.ledger.tree.size() == size


def test_a_case_that_was_withdrawn_is_opened_by_nobody(tmp_path: Path) -> None:
    with asking(tmp_path) as (site, _, rita, number, typed):
        rita.post(f"/console/audit/cases/asked/{number}/withdraw", data={"csrf": csrf_of(rita.get(CASES))})
        size = site.world.ledger.tree.size()
        with site.client("rose") as rose:
            assert confirmed(rose, number, typed).status_code == 409
        assert site.world.ledger.tree.size() == size
