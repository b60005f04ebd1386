"""What partitions of `entries` by ranges of `idx` would do to the statements of a commit: `python -m tests.bench.partitions`.

The same rows in one table and in 8 and 32 partitions, on a PostgreSQL server of its own. A statement's time is the median over
all its runs, the tables asked in random order, each once before it is timed. The table of docs/adr/0036 is this output. No log
is made: rows have the columns and indexes that these statements use.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from tests.engines import postgres_programs, start

TABLES: Final = {"one": 1, "parts_8": 8, "parts_32": 32}
CHAINS: Final = 20
"""Entries of a chain."""
ASKED: Final = 16
"""Statements in a batch."""
STATEMENTS: Final = {
    "find repeats": (
        "SELECT e.iss, e.jti, e.position, e.idx FROM unnest(%s::varchar[], %s::bytea[]) AS asked(iss, jti) "
        "JOIN {} e ON e.iss = asked.iss AND e.jti = asked.jti"
    ),
    "ends of chains": (
        "SELECT asked.chain, e.seq, e.leaf_hash FROM unnest(%s::bytea[]) AS asked(chain) CROSS JOIN LATERAL "
        "(SELECT seq, leaf_hash FROM {} t WHERE t.chain = asked.chain ORDER BY seq DESC LIMIT 1) AS e"
    ),
    "one entry by its index": "SELECT leaf FROM {} WHERE idx = %s",
}


def fill(connection: Any, name: str, parts: int, rows: int) -> None:
    """A table of so many rows, as PostgreSQL makes them itself: the same in each table."""
    columns = (
        "idx int8 NOT NULL, chain bytea, seq int8, leaf bytea, leaf_hash bytea, sealed bytea, iss varchar(63), jti bytea, "
        "position int4"
    )
    connection.execute(f"CREATE TABLE {name} ({columns}){' PARTITION BY RANGE (idx)' if parts > 1 else ''}")
    for part in range(parts) if parts > 1 else ():
        first, below = rows * part // parts, rows * (part + 1) // parts
        connection.execute(f"CREATE TABLE {name}_{part} PARTITION OF {name} FOR VALUES FROM ({first}) TO ({below})")
    chains = rows // CHAINS
    connection.execute(
        f"INSERT INTO {name} SELECT i, sha256(int8send(i % {chains})), i / {chains}, decode(repeat('61', 300), 'hex'), "
        f"sha256(int8send(i)), decode(repeat('62', 370), 'hex'), 'app', substr(sha256(int8send(-i)), 1, 16), 0 "
        f"FROM generate_series(0, {rows - 1}) AS i"
    )
    # a unique index of a partitioned table must hold its key, the index of the entry: it keeps nothing unique by itself
    key = ", idx" if parts > 1 else ""
    connection.execute(f"CREATE UNIQUE INDEX ON {name} (idx)")
    connection.execute(f"CREATE UNIQUE INDEX ON {name} (chain, seq{key})")
    connection.execute(f"CREATE UNIQUE INDEX ON {name} (iss, jti, position{key})")
    connection.execute(f"VACUUM ANALYZE {name}")


def asked(connection: Any, rows: int) -> dict[str, tuple[Any, ...]]:
    """Parameters of one batch: statements that are new, chains that exist."""
    at = [random.randrange(rows) for _ in range(ASKED)]
    chains = [one[0] for one in connection.execute("SELECT chain FROM one WHERE idx = ANY(%s)", (at,)).fetchall()]
    return {
        "find repeats": (["app"] * ASKED, [os.urandom(16) for _ in at]),
        "ends of chains": (chains,),
        "one entry by its index": (at[0],),
    }


def main() -> None:
    """Print a table of medians in microseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=100)
    arguments = parser.parse_args()
    programs = postgres_programs()
    if programs is None:
        raise SystemExit("no PostgreSQL programs on this machine")
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="ledger-pg-", ignore_cleanup_errors=True) as folder:
        server = start(programs, Path(folder))
        try:
            with server.connect() as connection:
                for name, parts in TABLES.items():
                    fill(connection, name, parts, arguments.rows)
                for _ in range(arguments.rounds):
                    parameters = asked(connection, arguments.rows)
                    for sentence, sql in STATEMENTS.items():
                        for name in random.sample([*TABLES], len(TABLES)):
                            connection.execute(sql.format(name), parameters[sentence], prepare=True).fetchall()  # warm
                            began = time.perf_counter()
                            connection.execute(sql.format(name), parameters[sentence], prepare=True).fetchall()
                            taken[sentence, name].append(time.perf_counter() - began)
        finally:
            server.run("pg_ctl", "stop", "-m", "fast", "-w", "-D", str(Path(folder) / "cluster"))
    print(f"| {arguments.rows} rows, {ASKED} statements a batch | " + " | ".join(map(str, TABLES.values())) + " |")
    for sentence in STATEMENTS:
        medians = (statistics.median(taken[sentence, name]) * 1e6 for name in TABLES)
        print(f"| {sentence} | " + " | ".join(f"{median:.0f} µs" for median in medians) + " |")


if __name__ == "__main__":
    main()
