"""All benchmarks: `python -m tests.bench` (see scripts/bench)."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
from msgspec import structs

from tests.bench import growth, peers
from tests.bench.audit import Unsound, audit
from tests.bench.figures import Figure, Ratio, latency_of
from tests.bench.in_process import Flow, flow
from tests.bench.over_http import QUICK, HttpBench, Scale
from tests.bench.picture import picture
from tests.bench.places import ENGINES, ROOT, Site, fsync_micros, machine, new_log, site
from tests.bench.references import References
from tests.bench.report import markdown

PARTS = ("library", "http", "peers", "size", "memory", "storage", "start")


@dataclass
class Bench:
    """One run of everything."""

    place: Site
    engines: tuple[str, ...]
    scale: Scale
    quick: bool
    foreign: tuple[peers.Foreign, ...] = ()
    figures: list[Figure] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    references: References = field(init=False)
    _begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.references = References(self.place)

    def tell(self, figure: Figure) -> None:
        """Keep a figure with the references of its minute, and show it."""
        if figure.reference is None:
            figure = structs.replace(figure, reference=self.references.now())
        self.figures.append(figure)
        latency = f"  p50 {figure.latency.p50:8.2f}  p99 {figure.latency.p99:8.2f} ms" if figure.latency else ""
        clients = f"{figure.clients:4} clients" if figure.clients else " " * 12
        print(
            f"{time.monotonic() - self._begun:5.0f} s  {figure.engine:10}  {figure.name:44} {clients} {figure.value:12,.2f} "
            f"{figure.unit:9}{latency}  {figure.note[:60]}",
            flush=True,
        )

    def library(self) -> None:
        """Without HTTP, and the ceilings with the rows that this left."""
        count, batches = (600, 5) if self.quick else (24_000, 300)
        for engine in self.engines:
            log = new_log(self.place, engine, consents=50 if self.quick else 200)
            acknowledged = []
            with log.node() as ledger:
                for name, prepared in (("128 submitters, prepared", True), ("128 submitters", False)):
                    posts = log.crowd.accesses(count)
                    done = flow(ledger, posts, submitters=128, prepared=prepared)
                    acknowledged += done.acknowledged
                    self._flow(engine, name, done, 128)
                posts = [log.crowd.batch(number, 100) for number in range(batches)]
                done = flow(ledger, posts, submitters=8, prepared=False)
                acknowledged += done.acknowledged
                self._flow(engine, "batches of 100", done, 8)
            audit(log, acknowledged, self.place.new_folder("audit"))
            peers.ceilings(self.place, engine, peers.rows_of(log, 500 if self.quick else 10_000), self.tell)

    def _flow(self, engine: str, name: str, done: Flow, clients: int) -> None:
        spent, now = done.cpu_seconds / done.entries * 1e6, self.references.now()
        self.tell(
            Figure(
                section="library",
                engine=engine,
                name=name,
                value=done.entries / done.seconds,
                unit="events/s",
                clients=clients,
                latency=latency_of(done.latencies),
                server_cpu_us=spent,
                reference=now,
                ratios=(Ratio(what="server CPU ÷ Ed25519 check", value=spent / now.check),),
            )
        )

    def http(self) -> None:
        """Over HTTP."""
        for engine in self.engines:
            HttpBench(self.place, engine, self.scale, self.references, self.tell).run()

    def peers(self) -> None:
        """Others, and our own log without rules."""
        clients, seconds = (8, 0.5) if self.quick else (64, 3.0)
        peers.own_personality(self.place, self.tell, clients=clients, seconds=seconds)
        for server in self.foreign:
            peers.add_entries(server, self.place.new_folder("foreign"), self.tell, clients=clients, seconds=seconds)
        if self.quick:
            return
        log = new_log(self.place, "sqlite", consents=50)
        why_not = peers.strangers(self.place, self.engines, log.crowd.accesses(2000), self.tell, clients=(1, 32))
        if why_not:
            self.remarks.append(f"Peers from the package index could not be installed: {why_not}")

    def size(self) -> None:
        """Cost against size."""
        sizes = [1_000, 10_000] if self.quick else [10_000, 1_000_000, 10_000_000]
        growth.tree_appends(sizes, self.tell)
        growth.proofs(self.place, sizes, self.tell, times=20 if self.quick else 400)
        for engine in self.engines[:1] if self.quick else self.engines:
            growth.appends(
                self.place,
                engine,
                sizes[:2],
                self.tell,
                rounds=1 if self.quick else 4,
                count=200 if self.quick else 2000,
            )

    def memory(self) -> None:
        """Memory."""
        growth.memory(self.place, "sqlite", 2_000 if self.quick else 200_000, self.tell)

    def storage(self) -> None:
        """Storage."""
        for engine in self.engines:
            growth.storage(self.place, engine, 500 if self.quick else 10_000, self.tell)

    def start(self) -> None:
        """Cold start."""
        size = 10_000 if self.quick else 1_000_000
        log = new_log(self.place, "sqlite", consents=10)
        growth.fill(log, size)
        growth.cold_start(log, size, self.tell)

    def write(self, folder: Path) -> None:
        """The document, the picture and the raw figures."""
        about = machine() | {
            "engines": ", ".join(self.place.engine_version(engine) for engine in self.engines),
            "4 KiB made durable in": f"{fsync_micros(self.place.folder):.0f} µs (median)",
            "server processes": str(self.scale.workers),
        }
        drawn = picture(self.figures)
        document = markdown(self.figures, about, remarks=self.remarks, picture=bool(drawn))
        (folder / "benchmarks.md").write_text(document)
        (folder / "benchmarks.json").write_bytes(
            msgspec.json.format(msgspec.json.encode({"machine": about, "figures": self.figures}))
        )
        if drawn:
            (folder / "benchmarks.svg").write_text(drawn)


def main(arguments: list[str] | None = None) -> int:
    """Run; 0 unless something was not correct. Speed never fails a run."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute, for correctness; writes nothing")
    parser.add_argument("--engines", default=",".join(ENGINES), help="default: %(default)s")
    parser.add_argument("--only", default=",".join(PARTS), help="default: %(default)s")
    parser.add_argument(
        "--seconds", type=float, default=4.0, help="measured window of one HTTP run (default: %(default)s)"
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="server processes (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, help="folder for benchmarks.md, .json, .svg (default: docs; none with --quick)"
    )
    parser.add_argument(
        "--foreign",
        action="append",
        default=[],
        metavar="NAME=HOST:PORT",
        help="a running server that takes POST /add; repeatable",
    )
    given = parser.parse_args(arguments)
    scale = QUICK if given.quick else replace(Scale(), seconds=given.seconds, workers=given.workers)
    with site() as place:
        bench = Bench(place, tuple(given.engines.split(",")), scale, given.quick, tuple(map(_foreign, given.foreign)))
        parts: dict[str, Callable[[], None]] = {name: getattr(bench, name) for name in PARTS}
        try:
            for name in given.only.split(","):
                parts[name]()
        except Unsound as error:
            print(f"scripts/bench: NOT SOUND: {error}", file=sys.stderr)
            return 1
        out = given.out or (None if given.quick else ROOT / "docs")
        if out is not None:
            bench.write(out)
            print(f"scripts/bench: wrote {out / 'benchmarks.md'}")
    return 0


def _foreign(text: str) -> peers.Foreign:
    name, _, address = text.partition("=")
    host, _, port = address.rpartition(":")
    return peers.Foreign(name, host, int(port))


if __name__ == "__main__":
    sys.exit(main())
