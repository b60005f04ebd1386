"""What a month comes to: which releases count, in which line, at which price; on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis.strategies import booleans, integers, lists, tuples
from sqlalchemy import update

from ledger.billing.bill import cost
from ledger.billing.months import Month, month_named, month_with, name_of
from ledger.canonical import b64u
from ledger.entries.leaf import consent_chain
from ledger.entries.partner_acts import TariffLine, TariffTier
from ledger.errors import Corrupt, IllegalTransition, InvalidInput, NotFound
from ledger.queries.counting import Counting
from ledger.storage.tables import entries
from tests.ledger.billed import Billed, billed
from tests.ledger.meddling import unguarded
from tests.ledger.merkle.reference import ReferenceTree
from tests.world import FINTECH, OTHER_BANK, STRANGER, Document


@pytest.fixture
def place(engine_url: str, tmp_path: Path) -> Iterator[Billed]:
    with billed(engine_url, tmp_path) as made:
        yield made


@pytest.fixture
def quick(sqlite_url: str, tmp_path: Path) -> Iterator[Billed]:
    with billed(sqlite_url, tmp_path) as made:
        yield made


@pytest.fixture(params=["entries", "book"])
def either(request: pytest.FixtureRequest, place: Billed, tmp_path: Path) -> Billed:
    """Counted from the entries, or from a count book."""
    if request.param == "book":
        place.node.ledger.usage.use_book_in(tmp_path)
    return place


def line(*tiers: tuple[int, int], free: int = 0) -> TariffLine:
    return TariffLine(free=free, tiers=tuple(TariffTier(from_=at, price=price) for at, price in tiers))


def test_a_statement_commits_to_exactly_the_releases_of_the_month(place: Billed) -> None:
    place.agreed(lines=[{"free": 1, "tiers": [{"from": 0, "price": 1_500}]}])
    for _ in range(4):
        place.release()
    place.ask()  # decided, and never given out
    late = place.ask()
    in_month = list(place.releases)
    place.after(place.month)
    place.release(access=late)  # its leg comes in the next month
    counted = place.count()
    assert list(counted.indexes) == in_month
    assert (counted.bill.count, counted.bill.total) == (4, 5)  # 3 · 1.5 = 4.5, half up
    assert counted.to_index == in_month[-1] + 2
    tree = ReferenceTree([sha256(b"\0" + index.to_bytes(8, "big")).digest() for index in in_month])
    assert counted.root == b64u(tree.root(len(in_month)))
    place.after(place.month)
    assert list(place.count().indexes) == place.releases[-1:]


def test_consents_of_others_are_not_billed(quick: Billed) -> None:
    quick.agreed()
    quick.release()
    bank, quick.node.bank = quick.node.bank, quick.node.other_bank
    other = quick.node.grant(holder=OTHER_BANK)
    quick.node.bank = bank
    access = quick.node.access(other, interaction_id="interaction-other").index
    quick.node.other_bank.record(
        "access.release",
        consent_id=other,
        interaction_id="interaction-other",
        basis=access,
        rows=1,
        bytes=1,
        digest=b64u(bytes(32)),
    )
    quick.after(quick.month)
    assert list(quick.count().indexes) == quick.releases


def test_each_release_belongs_to_the_first_line_that_matches(either: Billed) -> None:
    tier = [{"from": 0, "price": 1_000}]
    either.agreed(
        lines=[
            {"free": 0, "attended": True, "tiers": [{"from": 0, "price": 0}]},
            {"free": 0, "rows_from": 100, "tiers": [{"from": 0, "price": 9_000}]},
            {"free": 0, "resource": "balances", "rows_to": 10, "tiers": tier},
            {
                "free": 0,
                "purpose": "budgeting",
                "resource": "transactions",
                "rows_from": 11,
                "rows_to": 99,
                "tiers": tier,
            },
        ]
    )
    either.release(customer_present=True, rows=500)
    either.release(customer_present=False, rows=500)
    either.release(customer_present=False, rows=100, permissions=["ReadBalances"])
    either.release(customer_present=False, rows=10, permissions=["ReadBalances"])
    either.release(customer_present=False, rows=11, permissions=["ReadTransactionsDetail"])
    either.release(customer_present=False, rows=10, permissions=["ReadTransactionsDetail"])  # no line has it
    either.after(either.month)
    bill = either.count().bill
    assert [(one.count, one.amount) for one in bill.amounts] == [(1, 0), (2, 18), (1, 1), (1, 1)]
    assert (bill.count, bill.total) == (6, 20)


def test_erased_entries_are_left_out_with_that_reason_where_they_would_have_to_be_read(either: Billed) -> None:
    either.agreed(lines=[{"free": 0, "rows_from": 0, "tiers": [{"from": 0, "price": 1_000}]}])
    gone = either.release()
    either.node.ledger.erase([consent_chain(either.consent)], "court-order", ("officer-1", "officer-2"))
    either.consent = ""
    kept = either.release()
    either.after(either.month)
    counted = either.count()
    assert list(counted.indexes) == [kept]
    assert [(one.index, one.reason) for one in counted.left_out] == [(gone, "erased")]


BY_ROWS: list[Document] = [
    {"free": 0, "attended": True, "tiers": [{"from": 0, "price": 1_000}]},
    {"free": 0, "rows_from": 2, "rows_to": 3, "tiers": [{"from": 0, "price": 2_000}]},
    {"free": 0, "resource": "balances", "tiers": [{"from": 0, "price": 3_000}]},
]


@given(told=lists(tuples(booleans(), integers(0, 4), booleans(), booleans()), min_size=1, max_size=12))
@settings(max_examples=6)
def test_the_book_tells_what_the_entries_tell_however_far_it_was_read(
    told: list[tuple[bool, int, bool, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """(attended, rows, of balances, read into the book right after) of each release; some are read in one page with their
    accesses, some in a later one, and the consent of the first ones is erased in the end."""
    folder = tmp_path_factory.mktemp("log")
    with billed(f"sqlite:///{folder / 'log.sqlite'}", folder) as place:
        place.agreed(lines=BY_ROWS)
        ledger = place.node.ledger
        erased = ""
        for attended, rows, balances, read in told:
            permissions = ["ReadBalances"] if balances else ["ReadTransactionsDetail"]
            access = place.ask(customer_present=attended, permissions=permissions)
            if read:
                with closing(Counting.beside(ledger.store, ledger.keystore, folder)) as counting:
                    counting.catch_up()
            place.release(access=access, rows=rows)
            if not erased:
                erased, place.consent = place.consent, ""
        place.after(place.month)
        for _ in range(2):
            from_entries = place.count()
            ledger.usage.use_book_in(folder)
            from_book = place.count()
            assert (from_book.bill, from_book.root, from_book.left_out) == (
                from_entries.bill,
                from_entries.root,
                from_entries.left_out,
            )
            ledger.usage.use_book_in(None)
            ledger.erase([consent_chain(erased)], "court-order", ("officer-1", "officer-2"))


def test_the_book_spares_the_opening_of_all_that_it_has_read(quick: Billed, tmp_path: Path) -> None:
    """A million releases are opened once, when they come in, and not whenever somebody counts."""
    quick.agreed(lines=BY_ROWS)
    for rows in range(4):
        quick.release(rows=rows)
    quick.after(quick.month)
    usage = quick.node.ledger.usage
    usage.use_book_in(tmp_path)
    told = quick.count().bill
    with unguarded(quick.url) as connection:  # whoever opens one of these from now on will say so
        connection.execute(update(entries).where(entries.c.idx.in_(quick.releases)).values(sealed=b"x" * 64))
    assert quick.count().bill == told
    usage.use_book_in(None)
    with pytest.raises(Corrupt):
        quick.count()


def test_entries_that_are_left_out_are_named(quick: Billed) -> None:
    quick.a_month_of(3)
    counted = quick.count(left_out={quick.releases[1]: "test-call"})
    assert list(counted.indexes) == [quick.releases[0], quick.releases[2]]
    with pytest.raises(IllegalTransition):
        quick.count(left_out=dict.fromkeys(range(101), "test-call"))


def test_a_month_that_is_not_over_or_not_agreed_is_not_counted(quick: Billed) -> None:
    quick.agreed()
    with pytest.raises(IllegalTransition):
        quick.count(month=quick.month)
    before = quick.month_before()
    with pytest.raises(NotFound):  # the log is younger
        quick.count(month=before)
    ledger = quick.node.ledger
    with pytest.raises(IllegalTransition):
        ledger.usage.count(ledger.registry, quick.offered, STRANGER, before, now=quick.node.clock.now())
    with pytest.raises(NotFound):
        ledger.usage.count(ledger.registry, 0, FINTECH, before, now=quick.node.clock.now())


def test_a_month_without_releases_comes_to_nothing(quick: Billed) -> None:
    quick.a_month_of(0)
    counted = quick.count()
    assert (counted.bill.count, counted.bill.total, counted.root) == (0, 0, b64u(sha256().digest()))
    quick.state()


@given(lists(integers(0, 4_000), max_size=4), integers(0, 50), integers(0, 120), lists(integers(1, 40), max_size=3))
def test_a_line_costs_what_its_releases_cost_one_by_one(
    prices: list[int], free: int, count: int, steps: list[int]
) -> None:
    starts = [0]
    for step in steps:
        starts.append(starts[-1] + step)
    tiers = list(zip(starts, [*prices, 7, 7, 7, 7], strict=False))
    one_by_one = 0
    for number in range(count - free):
        one_by_one += next(price for at, price in reversed(tiers) if number >= at)
    assert cost(line(*tiers, free=free), count) == (one_by_one + 500) // 1000


@pytest.mark.parametrize("offset", [-840, -60, 0, 480, 840])
def test_a_month_is_that_of_the_calendar_under_the_offset(offset: int) -> None:
    begin = datetime(2027, 12, 1, tzinfo=UTC) - timedelta(minutes=offset)
    end = datetime(2028, 1, 1, tzinfo=UTC) - timedelta(minutes=offset)
    month = Month(int(begin.timestamp()), int(end.timestamp()))
    assert month_named("2027-12", offset) == month
    assert [month_with(second, offset) for second in (month.first, month.end - 1)] == [month, month]
    assert month_with(month.first - 1, offset).end == month.first
    assert name_of(month.first, offset) == "2027-12"


@pytest.mark.parametrize("name", ["2027-13", "2027-1", "27-01", "2027-01-01", "1969-12", "\uff12027-01", ""])
def test_anything_but_a_month_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        month_named(name, 0)
