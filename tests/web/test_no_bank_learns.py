"""Two banks lay all their records beside the log: nothing says that a customer of one is a customer of the other.

The same day is lived twice: by a woman who linked her banks on one page, and by two strangers in browsers of their own. What
the banks' records have in common must be the same both times.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.web.sealing import place
from api.web.tables import people, ties
from ledger.canonical import b64u, unb64u
from ledger.errors import LedgerError
from ledger.queries.events import EventQueries
from tests.web.banks import ANNA, NAMES, NORTH, SOUTH, Banks, chosen, open_banks
from tests.web.site import csrf_of

STAFF = [
    {"sub": "nina", "participant": NORTH, "role": "holder", "name": "Nina"},
    {"sub": "sven", "participant": SOUTH, "role": "holder", "name": "Sven"},
]
CONSOLE = (
    "",
    "/partner",
    "/partner/consents",
    "/partner/calls",
    "/partner/receipts",
    "/partner/deliveries",
    "/partner/feedback",
    "/partner/feedback.csv",
    "/partner/keys",
)


@dataclass
class Day:
    """What one bank has at the end of the day, and which banks were asked together."""

    records: dict[str, str] = field(default_factory=dict)
    asked_at_once: list[tuple[str, set[str]]] = field(default_factory=list)
    log_lines: str = ""
    secrets: set[str] = field(default_factory=set)
    """What only her browser holds: the secret of the link, tokens of sessions."""


class Watched:
    """A browser; after each answer it is noted which banks were asked for it."""

    def __init__(self, banks: Banks, client: httpx2.Client, day: Day) -> None:
        self.banks, self.client, self.day = banks, client, day

    def seen(self, what: str, act: Callable[[], httpx2.Response]) -> httpx2.Response:
        before = {name: len(agent.asked) for name, agent in self.banks.agents.items()}
        answer = act()
        asked = {name for name, agent in self.banks.agents.items() if len(agent.asked) > before[name]}
        self.day.asked_at_once.append((what, asked))
        self.day.secrets |= {value for value in dict(self.client.cookies).values() if len(value) > 20}
        return answer


def live(banks: Banks, day: Day, *, linked: bool) -> None:
    """Sign in at both, look, stop at one, look, report nothing, sign out."""
    north, south = banks.shared(ANNA[NORTH], "plum"), banks.shared(ANNA[SOUTH], "plum")
    kept = banks.shared(ANNA[SOUTH], "plum", suppress_notify=True)
    for consent in (north, south, kept):
        banks.world.record(banks.apps["plum"].access(consent))
    with ExitStack() as stack:
        first = stack.enter_context(banks.browser())
        second = first if linked else stack.enter_context(banks.browser())
        one, two = Watched(banks, first, day), Watched(banks, second, day)
        one.seen("sign in", lambda: banks.sign_in(first, ANNA[NORTH]))
        if linked:
            page = one.seen("add", lambda: banks.post(first, "/my/together/add"))
            page = one.seen("sign in there", lambda: chosen(first, page, ANNA[SOUTH]))
            one.seen("join", lambda: first.post("/my/together/join", data={"csrf": csrf_of(page)}))
            for _ in range(3):
                one.seen("GET", lambda: first.get("/my/together"))
        else:
            two.seen("sign in", lambda: banks.sign_in(second, ANNA[SOUTH]))
        stop(banks, two, south, ANNA[SOUTH], linked=linked)
        stop(banks, one, north, ANNA[NORTH], linked=linked)
        if linked:
            one.seen("GET", lambda: first.get("/my/together"))
    for name, clerk in ((NORTH, "nina"), (SOUTH, "sven")):
        day.records[name] = "\n".join(_records(banks, name, clerk))


def stop(banks: Banks, browser: Watched, consent: Any, who: str, *, linked: bool) -> None:
    client, path = browser.client, f"/my/connections/{banks.key(consent, who)}/stop"
    if linked:
        number = banks.number(client, banks.people[who].holder)
        page = browser.seen("open", lambda: banks.post(client, "/my/together/open", bank=number, then=path))
    else:
        page = browser.seen("open", lambda: client.get(path))
    browser.seen("stop", lambda: client.post(path, data={"csrf": csrf_of(page)}))
    assert banks.status(consent) == "REVOKED"


def _records(banks: Banks, name: str, clerk: str) -> Iterator[str]:
    """All that a bank has: what it was sent, its entries opened, what it is told of, its staff's pages with their headers."""
    ledger = banks.world.ledger
    yield from (json.dumps(one) for one in banks.agents[name].asked)
    for index in range(ledger.tree.size()):
        try:
            found = ledger.records.receipt_for(name, index)
        except LedgerError:
            continue
        if found.consent_id is not None:  # (what concerns no consent, registrations, is everybody's)
            leaf = json.loads(found.leaf)
            leaf.pop("prev")  # the log's own order: every entry names the one before it, whoever's that is
            yield json.dumps(leaf)
            yield (found.evidence or b"").decode(errors="replace")
            yield from opened((found.evidence or b"").decode(errors="replace"))
    notices = EventQueries(ledger.store, ledger.keystore).notices(0, ledger.tree.size())
    yield from (repr(one) for one in notices if name in one.audience)
    with banks.browser() as staff:
        banks.sign_in(staff, clerk)
        for path in CONSOLE:
            page = staff.get(f"/console{path}")
            yield f"{page.status_code} {sorted(page.headers.items())} {re.sub(r'value=.[^ ]*', '', page.text)}"


def opened(text: str) -> Iterator[str]:
    """What stands in base64url inside: statements are signed JSON."""
    for part in re.findall(r"[A-Za-z0-9_-]{24,}", text):
        try:
            yield unb64u(part).decode()
        except (LedgerError, ValueError):
            continue


def common(day: Day) -> set[str]:
    """What both banks have: words of six characters and more, without numbers and times."""
    words = [set(re.findall(r"[A-Za-z0-9_+/=-]{6,}", day.records[name])) for name in (NORTH, SOUTH)]
    return {word for word in words[0] & words[1] if not re.fullmatch(r"[\dTZ:.+-]+", word)}


@contextmanager
def a_day(folder: Path, caplog: pytest.LogCaptureFixture, *, linked: bool) -> Iterator[tuple[Banks, Day]]:
    day = Day()
    caplog.clear()
    folder.mkdir()
    (folder / "staff.json").write_text(json.dumps({"staff": STAFF}))
    with caplog.at_level(logging.DEBUG), open_banks(folder, staff_file=folder / "staff.json") as banks:
        live(banks, day, linked=linked)
        # (the test's browser logs into the same process; a node silences these loggers: api/node/logs.py)
        own = [one for one in caplog.records if not one.name.startswith(("httpx2", "httpcore2", "uvicorn.access"))]
        day.log_lines = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in own)
        yield banks, day


def test_all_records_of_two_banks_together_do_not_say_who_is_a_customer_of_both(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with a_day(tmp_path / "strangers", caplog, linked=False) as (_, strangers):
        pass
    with a_day(tmp_path / "linked", caplog, linked=True) as (banks, linked):
        assert len(linked.records[NORTH]) > 10_000 < len(linked.records[SOUTH])
        addresses = {str(banks.url).rpartition(":")[2]}
        told = common(linked) - common(strangers) - addresses
        assert told == set(), "the two banks have this in common, and two strangers' banks would not"
        for name, other in ((NORTH, SOUTH), (SOUTH, NORTH)):
            for word in (ANNA[other], banks.people[ANNA[other]].subject, NAMES[other], *linked.secrets):
                assert word not in linked.records[name]
        assert linked.secrets
        assert not any(secret in linked.log_lines for secret in linked.secrets)
        for who in ANNA.values():
            assert banks.people[who].subject not in linked.log_lines
        together = [what for what, asked in linked.asked_at_once if len(asked) > 1]
        assert together == [], "two banks that compare the times of what they were asked would learn it"
        assert [asked for what, asked in linked.asked_at_once if what == "GET"] == [set()] * 4
        the_store_does_not_tell(banks)


def test_a_secret_in_both_banks_records_is_found(tmp_path: Path) -> None:
    """The test's own test: one secret in both banks' records is seen."""
    day = Day({NORTH: "a holder of 1764511200 trace-4bf92f3577b34da6", SOUTH: "trace-4bf92f3577b34da6 at 1764511200"})
    assert common(day) == {"trace-4bf92f3577b34da6"}


def the_store_does_not_tell(banks: Banks) -> None:
    """A copy of the pages' store, with its key: the rows of a link have nothing in common, and do not open."""
    store = banks.office.store
    with store.engine.connect() as connection:
        rows = connection.execute(ties.select()).all()
        wrapped = {bytes(row.person): row.wrapped for row in connection.execute(people.select())}
    assert len(rows) == 2
    assert rows[0].slot != rows[1].slot
    assert rows[0].person != rows[1].person
    assert rows[0].until == rows[1].until, "the same for everybody of these thirty days"
    for row in rows:
        inner = store.feedback._keys.sealer.unwrap(wrapped[bytes(row.person)], row.person).open(
            row.sealed, place("ties", bytes(row.slot))
        )
        for who in ANNA.values():
            assert who.encode() not in inner
            assert b64u(banks.people[who].key).encode() not in inner
        assert b"holder" not in inner
    with store.engine.connect() as connection:
        made = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 'web_ties'").scalar_one()
    assert "WITHOUT ROWID" in made
