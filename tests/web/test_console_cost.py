"""Consoles cost the same on a long log as on a short one: bounded questions, each through an index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from ledger.queries import parties
from ledger.queries.overview import OverviewQueries
from ledger.queries.parties import PartyQueries, Sought
from tests.web.consoles import Consoles
from tests.web.costs import counted
from tests.world import World, running_world

PAGES = {
    "pia": ["/console/partner", "/console/partner/consents", "/console/partner/calls", "/console/partner/keys"],
    "rita": ["/console/audit", "/console/audit/proof?index=1", "/console/audit/records", "/console/audit/bundles"],
    "olaf": ["/console/operator", "/console/operator/participants"],
}


def test_a_longer_history_takes_no_more_questions(consoles: Consoles) -> None:
    world = consoles.world
    plum, bank = world.parties["plum"], world.parties["bank-a"]

    def asked() -> dict[str, int]:
        counts = {}
        for who, paths in PAGES.items():
            with consoles.client(who) as client:
                for path in paths:
                    with counted() as statements:
                        assert client.get(path).status_code == 200
                    counts[path] = sum("FROM" in one and "web_" not in one for one in statements)
        return counts

    before = asked()
    consent = world.active_consent(plum, bank)
    for _ in range(4):
        world.record(plum.batch([plum.item(consent, purpose="other") for _ in range(250)]))
    after = asked()
    # Opening 200 calls instead of ten may read more data keys, a few hundred at once; nothing else grows.
    assert {path: (before[path], after[path]) for path in before if after[path] > before[path] + 2} == {}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A log in which one recipient's few calls lie far below another's many."""
    folder: Path = tmp_path_factory.mktemp("far")
    with running_world(f"sqlite:///{folder / 'ledger.sqlite'}", folder) as made:
        bank, quiet, busy = made.holder(), made.recipient("quiet"), made.recipient("busy")
        rare, common = made.active_consent(quiet, bank), made.active_consent(busy, bank)
        made.record(quiet.access(rare))
        for _ in range(3):
            made.record(busy.batch([busy.item(common) for _ in range(1_000)]))
        yield made


def test_a_page_of_calls_looks_at_a_bounded_part_of_the_log(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parties, "SPAN", 256)
    queries = PartyQueries(world.ledger.store, world.ledger.keystore)
    size = world.ledger.tree.size()
    with counted() as statements:
        page = queries.calls("quiet", "recipient")
    assert page.rows == []
    assert page.low == size - parties.SPANS * 256
    assert sum("FROM entries" in one for one in statements) == parties.SPANS
    found, before = [], page.older
    while before is not None:
        page = queries.calls("quiet", "recipient", before=before)
        found += page.rows
        before = page.older
    assert [call.act for call in found] == ["access.request", "consent.authorise", "consent.request"]


def test_pages_of_calls_join_without_gap_or_repetition(world: World) -> None:
    queries = PartyQueries(world.ledger.store, world.ledger.keystore)
    indexes: list[int] = []
    before = None
    while True:
        page = queries.calls("busy", "recipient", before=before, limit=170)
        assert len(page.rows) <= 170
        indexes += [call.index for call in page.rows]
        before = page.older
        if before is None:
            break
    assert indexes == sorted(set(indexes), reverse=True)
    assert len(indexes) == 3_002


def test_pages_of_consents_join_and_stay_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parties, "CONSENTS_A_PAGE", 4)
    quiet, bank = world.parties["quiet"], world.parties["bank-a"]
    for _ in range(10):
        world.requested_consent(quiet, bank)
    queries, now = PartyQueries(world.ledger.store, world.ledger.keystore), world.clock.now()
    tally = queries.tally("quiet", "recipient", now)
    assert (tally.looked_at, tally.complete) == (4, False)
    for status, expected in ((None, 11), (parties.Status.ACTIVE, 1), (parties.Status.AWAITING, 10)):
        keys: list[int] = []
        before = None
        while True:
            page = queries.consents("quiet", "recipient", now, Sought(status=status), before=before, limit=3)
            keys += [one.key for one in page.rows]
            before = page.older
            if before is None:
                break
        assert keys == sorted(set(keys), reverse=True)
        assert len(keys) == expected


def test_growth_reads_as_many_leaves_as_points(world: World) -> None:
    with counted() as statements:
        points = OverviewQueries(world.ledger.store).growth(48)
    assert len(points) == 48
    assert points[-1][1] == world.ledger.tree.size()
    assert sum("FROM entries" in one for one in statements) == 1


def test_every_question_about_parties_is_answered_through_an_index(world: World) -> None:
    """No question scans a whole table: SQLite's own plan says so."""
    queries, overview = PartyQueries(world.ledger.store, world.ledger.keystore), OverviewQueries(world.ledger.store)
    now = world.clock.now()
    heard: list[tuple[str, object]] = []

    def hear(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        heard.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        queries.tally("busy", "holder", now)
        queries.consents("busy", "recipient", now, Sought(status=parties.Status.ACTIVE))
        queries.consents("busy", "recipient", now, Sought(other="bank-a", since=1, until=9, order="ending"))
        queries.consents("bank-a", "holder", now, Sought(subject_chain=bytes(32), order="oldest"))
        queries.expiring("busy", "recipient", now, now + 1)
        queries.calls("busy", "recipient")
        queries.calls("bank-a", "holder")
        overview.documents(before=10)
        overview.checkpoints(before=10)
        overview.growth()
        overview.first_at(now)
        overview.chain(bytes(32))
        overview.with_leaf_hash(bytes(32))
    finally:
        event.remove(Engine, "before_cursor_execute", hear)
    with world.ledger.store.read() as connection:
        plans = [
            (statement, str(step[3]))
            for statement, parameters in heard
            if "FROM entries" in statement or "FROM consents" in statement or "FROM checkpoints" in statement
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[arg-type]
        ]
    assert len(plans) >= 8
    # Rows that a question makes up itself, and what is left of a range, are not tables.
    made_up = ("SCAN anon_", "SCAN CONSTANT ROW", "SCAN (subquery", "SCAN asked")
    scans = [
        (plan, statement)
        for statement, plan in plans
        if plan.startswith("SCAN") and not plan.startswith(made_up) and "USING INDEX entries_operator" not in plan
    ]
    assert scans == []
