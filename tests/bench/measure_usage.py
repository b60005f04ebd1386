"""How long a statement of usage takes: `python -m tests.bench.measure_usage RELEASES`.

The log is a real one, but for its releases: their rows are put into the tables that a count reads, and their lines into the
count book, since a million accesses would take longer to record than anybody waits. `READ` releases of the conditional tariff
are really there: they say what it costs to open them, and to read them into the book.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from sqlalchemy import update

from ledger.billing.months import Month
from ledger.canonical import encode
from ledger.entries.leaf import consent_chain
from ledger.queries.counting import Counting
from ledger.queries.usage import UsageCount
from ledger.storage.counted import BOOK_NAME, open_book
from ledger.storage.counted_facts import Given, ReleaseFact
from ledger.storage.tables import log_head
from tests.ledger.billed import Billed, billed
from tests.ledger.meddling import unguarded

T = TypeVar("T")
READ = 2_000
TIERS = [{"from": 0, "price": 1}, {"from": 100_000, "price": 2}]
BY_ROWS = [
    {"attended": True, "free": 0, "rows_to": 9, "tiers": TIERS},
    {"free": 0, "purpose": "budgeting", "resource": "balances", "rows_from": 10, "tiers": TIERS},
    {"free": 0, "tiers": TIERS},
]
"""A tariff that looks at everything that one can look at."""


def timed(what: str, do: Callable[[], T]) -> T:
    """Do it, and say what it took: seconds on the clock, and of this process."""
    begun, used = time.perf_counter(), time.process_time()
    done = do()
    print(
        f"{what}: {time.perf_counter() - begun:.2f} s, {time.process_time() - used:.2f} s of the processor", flush=True
    )
    return done


def rows(place: Billed, url: str, book_path: Path, many: int) -> None:
    """Put so many releases of this month into the tables and the book, after the entries that are there."""
    chain, first = consent_chain(place.consent), place.node.ledger.tree.size()
    leaf = encode({"time": place.node.clock.now()})
    with unguarded(url) as connection, closing(open_book(book_path)) as book, book.turn():
        given = [book.given(Given(attended, "budgeting", ("ReadBalances",))) for attended in (False, True)]
        for start in range(first, first + many, 10_000):
            some = range(start, min(start + 10_000, first + many))
            connection.exec_driver_sql(
                "INSERT INTO entries (idx, kind, chain, seq, leaf, leaf_hash) VALUES (?, 'consent', ?, ?, ?, ?)",
                [(idx, chain, idx, leaf, bytes(32)) for idx in some],
            )
            connection.exec_driver_sql(
                "INSERT INTO access_legs (basis, act, idx) VALUES (?, 'access.release', ?)",
                [(idx - 1, idx) for idx in some],
            )
            book.add_releases(ReleaseFact(idx, given[idx % 2], idx % 40) for idx in some)
        connection.execute(update(log_head).values(size=first + many))
        book.move(first + many, bytes(32))


def main(many: int) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        url, state = f"sqlite:///{folder}/log.sqlite", Path(folder)
        with billed(url, state) as place:
            offer = place.agreed(tariff="by-rows", lines=BY_ROWS)
            plain = place.agreed(tariff="plain")
            for _ in range(READ):
                place.release(customer_present=False)
            month = place.month
            place.after(month)
            usage, ledger = place.node.ledger.usage, place.node.ledger

            def counted(tariff: int, of: Month) -> UsageCount:
                return place.count(offer=tariff, month=of)

            opened = timed(f"{READ} releases that are opened", lambda: counted(offer, month))
            with closing(Counting.beside(ledger.store, ledger.keystore, state)) as counting:
                timed(f"{READ} accesses and releases, read into the book", counting.catch_up)
            usage.use_book_in(state)
            assert timed(f"{READ} releases from the book", lambda: counted(offer, month)).bill == opened.bill
            month = place.month
            rows(place, url, state / BOOK_NAME, many)
            place.after(month)
            for name, tariff in (("a line for all", plain), ("lines that look at each, from the book", offer)):
                found = timed(f"{many} releases under {name}", lambda tariff=tariff: counted(tariff, month))
                assert found.bill.count == many


if __name__ == "__main__":
    main(int(sys.argv[1]))
