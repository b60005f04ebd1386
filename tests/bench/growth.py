"""What a log's size does to its cost: proofs, appends, memory, storage, the first receipt after a start."""

from __future__ import annotations

import random
import socket
import sqlite3
import statistics
import time
from collections.abc import Callable, Sequence

import psycopg
from sqlalchemy import make_url

from ledger.clock import SystemClock
from ledger.engines.engine import keystore_engine, reader_engine, writer_engine
from ledger.merkle.edge import Edge
from ledger.merkle.hashing import leaf_hash
from ledger.queries.tree import TreeQueries
from ledger.storage.log import LogStore
from ledger.vault.keystore import KeyStore
from tests.bench.audit import Unsound
from tests.bench.figures import Figure, latency_of
from tests.bench.in_process import flow, resident
from tests.bench.load import request
from tests.bench.places import Place, Site, new_log, serving
from tests.bench.synthetic import EvenTree, fill, plant
from verifier.bytes.merkle import verify_inclusion

Tell = Callable[[Figure], None]
BATCH = 128


def proofs(place: Site, sizes: Sequence[int], tell: Tell, *, times: int = 400) -> None:
    """Inclusion proofs of random entries, read from stored tiles, in trees of these sizes; interleaved, so that what else
    the machine does falls on all of them alike."""
    logs = []
    for size in sizes:
        log = new_log(place, "sqlite", consents=1)
        tree = EvenTree(size)
        plant(log, tree)
        url = log.settings.database_url
        keystore = KeyStore(keystore_engine(log.settings.keystore_url), bytes(32), kek_epoch=1, clock=SystemClock())
        store = LogStore(writer_engine(url), reader_engine(url), keystore)  # proofs open nothing
        logs.append((size, tree.edge().root(), store))
    chance = random.Random(1)
    taken: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(times):
        for size, root, store in logs:
            index = chance.randrange(size)
            tree_queries = TreeQueries(store)  # with nothing kept from before: every tile is read
            begun = time.perf_counter()
            path = tree_queries.inclusion(index, size)
            taken[size].append(time.perf_counter() - begun)
            verify_inclusion(index, size, leaf_hash(b"even"), path, root)
    base = statistics.median(taken[sizes[0]])
    for size, _, store in logs:
        median = statistics.median(taken[size])
        tell(
            Figure(
                section="size",
                engine="sqlite",
                name=f"inclusion proof at {size:,}",
                value=median * 1e6,
                unit="µs",
                latency=latency_of(taken[size]),
                note=f"{median / base:.2f} × that at {sizes[0]:,}",
            )
        )
        store.close()


def tree_appends(sizes: Sequence[int], tell: Tell, *, times: int = 200) -> None:
    """What the tree costs a batch: hashing, proofs of all its leaves, full tiles, the new edge; interleaved."""
    edges = {size: EvenTree(size).edge() for size in sizes}
    leaves = [leaf_hash(b"%d" % number) for number in range(BATCH)]
    taken: dict[int, list[float]] = {size: [] for size in sizes}

    def append(edge: Edge) -> Edge:
        growth = edge.grow(leaves)
        growth.proofs()
        growth.full_tiles()
        after = growth.edge()
        after.to_bytes()
        return after

    for _ in range(times):
        for size in sizes:
            begun = time.perf_counter()
            edges[size] = append(edges[size])
            taken[size].append(time.perf_counter() - begun)
    base = statistics.fmean(taken[sizes[0]])
    for size in sizes:
        mean = statistics.fmean(taken[size])
        tell(
            Figure(
                section="size",
                engine="memory",
                name=f"tree work per entry at {size:,}",
                value=mean / BATCH * 1e6,
                unit="µs",
                note=f"{mean / base:.2f} × that at {sizes[0]:,}, batches of {BATCH}",
            )
        )


def appends(place: Site, engine: str, sizes: Sequence[int], tell: Tell, *, rounds: int = 4, count: int = 1000) -> Place:
    """Accesses recorded in logs of these sizes, everything on; interleaved. The largest log is left for others."""
    logs = []
    for size in sizes:
        log = new_log(place, engine, consents=50)
        fill(log, size)
        logs.append((size, log))
    seconds: dict[int, list[float]] = {size: [] for size in sizes}
    cpu: dict[int, list[float]] = {size: [] for size in sizes}
    for turn in range(rounds + 1):
        for size, log in logs:
            with log.node() as ledger:
                done = flow(ledger, log.crowd.accesses(count), submitters=BATCH, prepared=True, keep=False)
            if turn:  # the first one warms caches
                seconds[size].append(done.seconds / count)
                cpu[size].append(done.cpu_seconds / count)
    base = statistics.median(seconds[sizes[0]])
    for size in sizes:
        median = statistics.median(seconds[size])
        last = size == sizes[-1]
        tell(
            Figure(
                section="size",
                engine=engine,
                name=f"append at {size:,}",
                value=median * 1e6,
                unit="µs",
                server_cpu_us=statistics.median(cpu[size]) * 1e6,
                goal=base * 1.2e6 if last else 0.0,
                at_most=True,
                note=f"{median / base:.2f} × that at {sizes[0]:,}; prepared statements, {BATCH} submitters",
            )
        )
    return logs[-1][1]


def memory(place: Site, engine: str, entries: int, tell: Tell, *, samples: int = 20) -> None:
    """Resident memory of a process while it records; a line through the second half tells whether it grows."""
    log = new_log(place, engine, consents=200)
    series: list[tuple[int, int]] = []
    per_sample = max(1, entries // samples // 100)
    with log.node() as ledger:
        for number in range(samples):
            posts = [log.crowd.batch(number * per_sample + at, 100) for at in range(per_sample)]
            flow(ledger, posts, submitters=8, prepared=False, keep=False)
            series.append(((number + 1) * per_sample * 100, resident()))
    later = series[len(series) // 2 :]
    slope = _slope(later)
    tell(
        Figure(
            section="memory",
            engine=engine,
            name=f"growth per 100,000 entries, after {later[0][0]:,}",
            value=slope * 1e5 / 2**20,
            unit="MiB",
            goal=16.0,
            at_most=True,
            note="RSS in MiB: " + " ".join(f"{size / 2**20:.0f}" for _, size in series),
        )
    )


def _slope(points: Sequence[tuple[int, int]]) -> float:
    if len(points) < 2:
        return 0.0
    return statistics.linear_regression([float(x) for x, _ in points], [float(y) for _, y in points]).slope


def storage(place: Site, engine: str, count: int, tell: Tell) -> None:
    """Bytes that single accesses add to the database, by table and index."""
    log = new_log(place, engine, consents=200)
    before = _bytes_by_object(log)
    with log.node() as ledger:
        flow(ledger, log.crowd.accesses(count), submitters=BATCH, prepared=False, keep=False)
    after = _bytes_by_object(log)
    added = {name: (after[name] - before.get(name, 0)) / count for name in after}
    tell(
        Figure(
            section="storage",
            engine=engine,
            name="all per access event",
            value=sum(added.values()),
            unit="bytes",
            goal=1638.0,
            at_most=True,
            note=f"over {count:,} accesses of one signature each",
        )
    )
    for name, size in sorted(added.items(), key=lambda item: -item[1]):
        if size >= 1:
            tell(Figure(section="storage", engine=engine, name=name, value=size, unit="bytes"))


def _bytes_by_object(log: Place) -> dict[str, int]:
    url = make_url(log.settings.database_url)
    if log.engine == "sqlite":
        with sqlite3.connect(str(url.database)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            try:
                return dict(database.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))
            except sqlite3.OperationalError:  # a library built without dbstat
                pages, size = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
                return {"the whole file": pages * size}
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        query = """
            SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relkind IN ('r', 'i', 't')
            AND relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'pg_toast'))
        """
        return {str(name): int(size) for name, size in connection.execute(query)}


def cold_start(log: Place, entries: int, tell: Tell, *, workers: int = 1) -> None:
    """From the command to the first receipt of `consent-ledger serve`, on a log of that many entries."""
    begun = time.perf_counter()
    with serving(log, workers=workers) as server:
        ready = time.perf_counter() - begun
        with socket.create_connection((server.host, server.port)) as connection:
            post = log.crowd.access(0)
            connection.sendall(request("POST", post.path, server.host, post.body))
            answer = connection.recv(65_536)
        taken = time.perf_counter() - begun
    if not answer.startswith(b"HTTP/1.1 201"):
        raise Unsound(f"the first answer after a start is {answer[:80]!r}")
    tell(
        Figure(
            section="start",
            engine=log.engine,
            name=f"first receipt with {entries:,} entries",
            value=taken,
            unit="s",
            goal=2.0,
            at_most=True,
            note=f"ready after {ready:.2f} s, imports included",
        )
    )
