"""The ledger over HTTP: every scenario, closed and open loop, on one engine; afterwards the whole log is audited."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.bench.audit import Answer, Audited, Unsound, answers, audit
from tests.bench.figures import Figure, Ratio, latency_of
from tests.bench.load import Plan, Run, drive, request
from tests.bench.places import Place, Serving, Site, new_log, serving
from tests.bench.reading import Reader
from tests.bench.references import References
from tests.bench.statements import Post

Tell = Callable[[Figure], None]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    clients: Sequence[int] = (1, 8, 32, 64, 128, 256)
    warm_up: float = 1.0
    seconds: float = 4.0
    rate_guess: float = 3000.0
    """Statements signed for the first run are this many a second; later runs go by what was seen."""
    crowd: int = 64
    """Clients of the scenarios that are measured at one number of clients only."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)


QUICK = Scale(clients=(8,), warm_up=0.2, seconds=0.8, rate_guess=1500.0, crowd=8, workers=1)

CHECKS: Final = {("single access", "sqlite", 64): 4.5, ("single access", "postgresql", 64): 5.5}
"""Server CPU of one request, at most, in bare Ed25519 checks; by name, engine and clients."""
COMMITS: Final = {("single access", "sqlite", 1): 6.0}
"""Its median time, at most, in bare durable commits."""


@dataclass
class HttpBench:
    """One engine's run."""

    place: Site
    engine: str
    scale: Scale
    references: References
    tell: Tell
    log: Place = field(init=False)
    server: Serving = field(init=False)
    reader: Reader = field(default_factory=Reader)
    acknowledged: list[tuple[Post, Answer]] = field(default_factory=list)
    folder: Path = field(init=False)
    _rate: dict[str, float] = field(default_factory=dict)

    def run(self) -> Audited:
        """Everything. Raises Unsound when the log or a receipt is not what it must be."""
        self.folder = self.place.new_folder("load")
        self.log = new_log(self.place, self.engine, consents=200 if self.scale.crowd > 8 else 50, doomed=self._doomed())
        with self.log.node() as ledger:
            self.reader.register(ledger)
        with serving(self.log, workers=self.scale.workers) as self.server:
            self._writes()
            self._open_loop()
            self._reads()
        done = audit(self.log, self.acknowledged, self.folder)
        per_second = [("bundle export", done.export_seconds), ("consent-verify bundle", done.verify_seconds)]
        for name, seconds in per_second:
            self.tell(
                Figure(
                    section="audit",
                    engine=self.engine,
                    name=name,
                    value=done.entries / seconds,
                    unit="entries/s",
                    note=f"{done.entries:,} entries in {seconds:.1f} s",
                )
            )
        return done

    def _doomed(self) -> int:
        return int(self.scale.rate_guess * (self.scale.warm_up + self.scale.seconds) * 0.03)

    # -- scenarios --------------------------------------------------------------------------------------------------

    def _writes(self) -> None:
        crowd = self.log.crowd
        for clients in self.scale.clients:
            guess = min(self.scale.rate_guess, 700.0 * clients)
            self._post("single access", crowd.accesses, clients, guess)
        self._post("mix 90/5/5", crowd.mix, self.scale.crowd, self.scale.rate_guess)
        self._post(
            "consent request", lambda n: [crowd.request()[1] for _ in range(n)], self.scale.crowd, self.scale.rate_guess
        )
        self._post("batch of 100", lambda n: [crowd.batch(number, 100) for number in range(n)], 8, 150.0)

    def _open_loop(self) -> None:
        capacity = self._rate.get("single access", 1000.0)
        for rate in (1000.0, 0.7 * capacity) if self.scale.crowd > 8 else (200.0,):
            posts = self.log.crowd.accesses(int(rate * (self.scale.warm_up + self.scale.seconds)) + 1)
            run, cpu = self._drive(self._requests(posts), clients=128, rate=rate)
            self.acknowledged += self._accepted(posts, run)
            self._figure("single access, open loop", run, 128, cpu, note=f"{rate:,.0f}/s offered")

    def _reads(self) -> None:
        size, scale = self._size(), self.scale
        chance = random.Random(1)
        count = int(scale.rate_guess * 3 * (scale.warm_up + scale.seconds))
        mine = [
            entry.index for post, answer in self.acknowledged for entry in answer.entries if post.path == "/accesses"
        ]
        receipts = [f"/receipts/{chance.choice(mine)}" for _ in range(count // 4)]
        self._get("receipt fetch", self.reader.requests(self.server, receipts))
        tiles = [f"/tile/0/{number:03d}" for number in range(size // 256)]
        self._get("tile fetch", self._gets(tiles))
        pairs = [(chance.randrange(size), size) for _ in range(1000)]
        self._get("inclusion proof", self._gets([f"/proofs/inclusion?index={i}&size={n}" for i, n in pairs]))
        self._get("consistency proof", self._gets([f"/proofs/consistency?old={i + 1}&new={n}" for i, n in pairs]))
        self._get("checkpoint", self._gets(["/checkpoint"]))

    # -- how --------------------------------------------------------------------------------------------------------

    def _post(self, name: str, make: Callable[[int], list[Post]], clients: int, guess: float) -> None:
        rate = self._rate.get(name, 0.0) * 1.6 or guess
        posts = make(int(max(rate, guess) * (self.scale.warm_up + self.scale.seconds)) + clients)
        run, cpu = self._drive(self._requests(posts), clients=clients)
        self.acknowledged += self._accepted(posts, run)
        self._rate[name] = max(self._rate.get(name, 0.0), run.answered / run.seconds)
        self._figure(name, run, clients, cpu, entries=posts[0].entries)

    def _get(self, name: str, requests: list[bytes]) -> None:
        run, cpu = self._drive(requests, clients=self.scale.crowd, repeat=name != "receipt fetch", keep_every=0)
        refused = {status: count for status, count in run.statuses.items() if status != 200}
        if refused:
            raise Unsound(f"{name}: answers with {refused}")
        self._figure(name, run, self.scale.crowd, cpu)

    def _drive(
        self, requests: list[bytes], *, clients: int, rate: float = 0.0, repeat: bool = False, keep_every: int = 1
    ) -> tuple[Run, float]:
        plan = Plan(
            self.server.host,
            self.server.port,
            requests,
            clients,
            rate,
            self.scale.warm_up,
            self.scale.seconds,
            repeat,
            keep_every,
        )
        before = self.server.cpu_seconds()
        run = drive(plan, self.folder)
        return run, (self.server.cpu_seconds() - before) / max(1, run.sent)

    def _accepted(self, posts: list[Post], run: Run) -> list[tuple[Post, Answer]]:
        refused = {status: count for status, count in run.statuses.items() if status not in {200, 201}}
        if refused or run.broken:
            raise Unsound(f"answers with {refused}, {run.broken} connections broken")
        return list(answers(posts, run.bodies))

    def _figure(self, name: str, run: Run, clients: int, cpu: float, *, entries: int = 1, note: str = "") -> None:
        key, now, latency = (name, self.engine, clients), self.references.now(), latency_of(run.latencies)
        spent = cpu * 1e6 / entries
        ratios = [
            Ratio(what="server CPU ÷ Ed25519 check", value=spent / now.check, goal=CHECKS.get(key, 0.0)),
            Ratio(what="server CPU ÷ empty answer", value=cpu * 1e6 / now.answer),
        ]
        if clients == 1:
            slow = latency.p50 * 1000 / now.commit
            ratios.append(Ratio(what="p50 ÷ durable commit", value=slow, goal=COMMITS.get(key, 0.0)))
        self.tell(
            Figure(
                section="http",
                engine=self.engine,
                name=name,
                clients=clients,
                value=run.answered * entries / run.seconds,
                unit="events/s" if entries > 1 else "/s",
                latency=latency,
                server_cpu_us=cpu * 1e6,
                generator_cpu_us=run.cpu_seconds / max(1, run.answered) * 1e6,
                note=note,
                reference=now,
                ratios=tuple(ratios),
            )
        )

    def _requests(self, posts: Sequence[Post]) -> list[bytes]:
        return [request("POST", post.path, self.server.host, post.body) for post in posts]

    def _gets(self, paths: Sequence[str]) -> list[bytes]:
        return [request("GET", path, self.server.host) for path in paths]

    def _size(self) -> int:
        return 1 + max(entry.index for _, answer in self.acknowledged for entry in answer.entries)
