"""How long a statement of usage takes: `python -m tests.bench.measure_usage RELEASES`.

The log is a real one, but for its releases: their rows are put into the tables that a count reads, since a million accesses
would take longer to record than anybody waits. A tariff whose first line matches all opens none of them; the second figure,
of a tariff that looks at the access, is of accesses that are really there (`READ` of them).
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import create_engine, insert, update

from ledger.canonical import encode
from ledger.entries.leaf import consent_chain
from ledger.storage.tables import access_legs, entries, log_head
from tests.ledger.billed import Billed, billed

READ = 2_000


def rows(place: Billed, url: str, many: int) -> None:
    """Put so many releases of this month into the tables, after the entries that are there."""
    chain, first = consent_chain(place.consent), place.node.ledger.registry.size
    engine, at = create_engine(url), place.node.clock.now()
    with engine.begin() as connection:
        for start in range(0, many, 10_000):
            some = range(first + start, first + min(start + 10_000, many))
            connection.execute(
                insert(entries),
                [
                    {
                        "idx": idx,
                        "kind": "consent",
                        "chain": chain,
                        "seq": idx,
                        "leaf": encode({"time": at}),
                        "leaf_hash": bytes(32),
                        "sealed": None,
                    }
                    for idx in some
                ],
            )
            legs = [{"basis": idx - 1, "act": "access.release", "idx": idx} for idx in some]
            connection.execute(insert(access_legs), legs)
        connection.execute(update(log_head).values(size=first + many))
    engine.dispose()


def main(many: int) -> None:
    """Print both figures."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/log.sqlite"
        with billed(Path(folder), url) as place:
            read = place.agreed(
                tariff="read", lines=[{"attended": False, "free": 0, "tiers": [{"from": 0, "price": 1}]}]
            )
            for _ in range(READ):
                place.release(customer_present=False)
            month = place.month
            place.after(month)
            begun = time.perf_counter()
            assert place.count(offer=read, month=month).bill.count == READ
            print(f"{READ} releases that are opened: {time.perf_counter() - begun:.2f} s")
            plain = place.agreed(tariff="plain")
            month = place.month
            rows(place, url, many)
            place.after(month)
            begun = time.perf_counter()
            counted = place.count(offer=plain, month=month)
            print(f"{counted.bill.count} releases under a line for all: {time.perf_counter() - begun:.2f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]))
