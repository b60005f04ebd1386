"""What a monthly report costs (docs/benchmarks.md, «Reports»): from the entries, and from the count book.

    python -m tests.bench.reporting 5000               a real log of so many consents: reading it into the book, both ways
    python -m tests.bench.reporting --facts 1000000    a book of so many accesses: a report from it

Seconds are of the processor, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from api.node.building import opened
from api.node.settings import Settings
from ledger.documents import document_of
from ledger.orders import DIMENSIONS, ReportDefined
from ledger.queries.booked import count_from_book
from ledger.queries.counting import Counting
from ledger.queries.reports import prepare_report, report_from_book
from ledger.reporting.periods import ReportPeriod
from ledger.storage.counted import BOOK_NAME, open_book
from ledger.storage.counted_facts import ChainState, CountedVersion, Details, Fact, What
from tests.bench.checking import make

T = TypeVar("T")
MEASURES = (
    "consents_requested",
    "consents_ended",
    "consents_active",
    "accesses_allowed",
    "accesses_refused",
    "acknowledged",
)
MONTH_MS = 30 * 86_400_000
MONTH = ReportPeriod(0, MONTH_MS // 1000)
ACCESSES_A_CONSENT = 10


def timed(what: str, of: int, do: Callable[[], T]) -> T:
    """Do it, and say what it cost."""
    begun = time.process_time()
    done = do()
    took = time.process_time() - begun
    print(f"{what}: {took:.2f} s for {of} entries, {took / max(of, 1) * 1e6:.1f} µs each", flush=True)
    return done


def real(consents: int, folder: Path) -> None:
    """A log whose entries are all real, and a report of the month in which it was made."""
    make(folder, consents)
    state = folder / "state"
    settings = Settings(state_dir=state, database_url=f"sqlite:///{folder / 'ledger.sqlite'}")
    with opened(settings) as node:
        node.ledger.start()
        node.ledger.record_documents(
            document_of(
                ReportDefined,
                report="monthly",
                period="month",
                utc_offset=0,
                by=("recipient",),
                measures=MEASURES,
                suppress=0,
            )
        )
        ledger, size = node.ledger, node.ledger.tree.size()
        day = datetime.now(UTC).date().replace(day=1)
        entries = timed("from the entries", size, lambda: prepare_report(ledger.store, ledger.keystore, "monthly", day))
        with closing(Counting.beside(ledger.store, ledger.keystore, state)) as counting:
            timed("into the book", size, counting.catch_up)
            book = timed("from the book", size, lambda: report_from_book(counting, "monthly", day))
        print(f"the book has {(state / BOOK_NAME).stat().st_size / size:.0f} bytes an entry")
        ledger.stop()
    assert book.csv == entries.csv


def filled(facts: int, folder: Path) -> None:
    """A book of a month with so many accesses of 20 recipients at 5 banks, and a tenth as many consents."""
    draw = random.Random(7)
    with closing(open_book(folder / BOOK_NAME)) as book:
        with book.turn():
            dims = [
                book.dims(
                    {
                        "grade": ("3",),
                        "holder": (f"bank-{bank}",),
                        "permission": ("ReadBalances", "ReadAccountsBasic"),
                        "purpose": ("budgeting",),
                        "recipient": (f"app-{app}",),
                        "standard": ("own",),
                    }
                )
                for app in range(20)
                for bank in range(5)
            ]
            details = [book.details(Details(("ReadBalances",), reasons)) for reasons in ((), ("CONSENT_REVOKED",))]
            for number in range(0, facts, ACCESSES_A_CONSENT):
                of = draw.choice(dims)
                state = ChainState(1, "ACTIVE", CountedVersion(of, 0, False, 3_600))
                book.stands(number, number, number * MONTH_MS // facts, state)
                book.add(
                    Fact(
                        at,
                        at * MONTH_MS // facts,
                        *(
                            (What.REFUSED, number, 0, of, details[1])
                            if draw.random() < 0.05
                            else (What.ALLOWED, number, 0, of, details[0])
                        ),
                        0,
                    )
                    for at in range(number, number + ACCESSES_A_CONSENT)
                )
        for by in ((), ("recipient",), ("reason", "recipient"), DIMENSIONS[:3]):
            measures = ("accesses_refused",) if "reason" in by else MEASURES
            says = ReportDefined(report="r", period="month", utc_offset=0, by=by, measures=measures, suppress=0)
            with book.view():
                tally, _ = timed(f"by {', '.join(by) or 'nothing'}", facts, partial(count_from_book, book, says, MONTH))
            assert tally.csv().rows > 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("consents", nargs="?", type=int)
    parser.add_argument("--facts", type=int)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if asked.consents:
            real(asked.consents, Path(folder) / "log")
        if asked.facts:
            filled(asked.facts, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
