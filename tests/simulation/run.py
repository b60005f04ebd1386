"""One run: a seed makes two nodes, a server with or without a standby, clients, faults, and in the end a verdict."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final

from tests.simulation.clients import Network, Parties
from tests.simulation.cluster import Cluster
from tests.simulation.defects import RIGHT, Build
from tests.simulation.hub import Hub, simulated
from tests.simulation.judge import Oracle, survived
from tests.simulation.node import Machine, bench
from tests.simulation.operators import Operators
from tests.simulation.template import template
from tests.simulation.weather import Weather

PATIENCE: Final = 240.0
"""Simulated seconds after the last fault in which all must be well again."""


@dataclass
class Outcome:
    """What came of a run."""

    seed: int
    digest: str = ""
    """The hash of the trace: what happened when, what was acknowledged and shown, and the export's bytes."""
    complaints: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    entries: int = 0
    acknowledged: int = 0
    seconds: float = 0.0
    """Simulated."""
    trace: list[str] = field(default_factory=list)


class Scene:
    """Everything that takes part in a run."""

    def __init__(self, hub: Hub, stack: ExitStack, weather: Weather, build: Build, *, paired: bool) -> None:
        base, place = template(), bench()
        folder = place.folder
        (folder / "server").mkdir(exist_ok=True)
        self.hub, self.weather = hub, weather
        self.cluster = place.cluster = Cluster(hub, folder / "server", weather.before, build.heeds_warnings)
        self.cluster.replace(base.image)
        if paired:
            self.cluster.rebuild()
        stack.enter_context(simulated(hub))
        secrets = (base.signer, base.kek)
        self.machines = [Machine(name, hub, self.cluster, folder / name, secrets, build) for name in ("a", "b")]
        for machine in self.machines:
            machine.before_write = weather.before_write(machine)
        weather.cluster, weather.machines = self.cluster, self.machines
        self.oracle = Oracle(hub)
        self.network = Network(hub, self.machines, self.oracle, weather.drops)
        self.parties = Parties(self.network)
        self.operators = Operators(hub, self.cluster, self.machines, weather)

    def end(self) -> None:
        """Let go of everything."""
        self.hub.end()
        self.cluster.stop()
        for machine in self.machines:
            machine.end()


@contextmanager
def silence() -> Iterator[None]:
    """Nobody reads what thousands of dying nodes log."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def simulate(seed: int, build: str = RIGHT, *, season: int | None = None, keep: bool = False) -> Outcome:
    """Play the run of a seed. Nothing in it depends on anything else. `season`: one of the weather's; None: the seed's own."""
    base = template()
    hub = Hub(seed, keep=keep)
    outcome = Outcome(seed)
    weather = Weather(hub, every=hub.random.choice((8, 15, 30, 60)), limit=hub.random.choice((8, 12, 16, 24)))
    if season is not None:
        weather.choose(season)
    with ExitStack() as stack, silence():
        scene = Scene(hub, stack, weather, Build(build), paired=hub.random.random() < 0.7)
        done: list[bool] = []
        try:
            hub.spawn(lambda: _play(scene, outcome, done))
            hub.run(lambda: done)
        except Exception as error:  # noqa: BLE001  (a defect of ours is a complaint like any other)
            outcome.complaints.append(f"BROKEN: {type(error).__name__}: {error}")
        finally:
            scene.end()
    outcome.digest, outcome.faults, outcome.calls = hub.digest, weather.counts, weather.calls
    outcome.acknowledged = len(scene.oracle.receipts)
    outcome.entries = max((one.recorded[-1].index + 1 for one in scene.oracle.receipts), default=base.size)
    outcome.seconds = hub.now
    outcome.trace = hub.lines or []
    return outcome


def _play(scene: Scene, outcome: Outcome, done: list[bool]) -> None:
    hub, weather, network = scene.hub, scene.weather, scene.network
    scene.operators.begin()
    hub.wait(lambda: all(machine.ledger for machine in scene.machines), 60)
    weather.rough = True
    lives = [hub.spawn(scene.parties.live) for _ in range(hub.random.randrange(2, 4))]

    def reads() -> None:
        while not scene.operators.calm:
            hub.pause(0.1 + hub.random.random() * 0.4)
            network.look(hub.random.choice(scene.machines))

    hub.spawn(reads)
    restores = None
    if weather.restores:
        what = hub.random.choice(("log", "keys", "both"))
        restores = hub.spawn(lambda: scene.operators.restore(what), after=1 + hub.random.random() * 4)
    hub.wait(lambda: all(life.finished for life in lives), 150, step=0.25)
    if restores is not None:
        hub.wait(lambda: restores.finished, 150, step=0.25)
    _calm(scene, outcome)
    done.append(True)


def _calm(scene: Scene, outcome: Outcome) -> None:
    """The faults are over: everything must come back, go on, and be in order."""
    hub = scene.hub
    scene.weather.rough = False
    scene.operators.calm = True
    hub.say("calm")
    for machine in scene.machines:
        if not _well(scene, machine):
            reasons = machine.refused[-1:] or ["no answer"]
            outcome.complaints.append(f"STOPPED: {machine.name} does not come back: {reasons[0][:160]}")
    if scene.oracle.erasures:
        hub.pause(20)  # each node keeps house once more: a turn may be 7 s late, and the next begins up to 9 s after it
    judged: list[tuple[str, list[str]]] = []
    machine = next((each for each in scene.machines if each.ledger is not None), scene.machines[0])
    if machine.ledger is None or machine.process is None:
        outcome.complaints.append("STOPPED: no node is left to export the log")
        return
    hub.spawn(lambda: judged.append(survived(machine, scene.oracle)), machine.process)
    hub.wait(lambda: judged, PATIENCE)
    for digest, complaints in judged:
        hub.say(f"export {digest}")
        outcome.complaints += complaints
    if not judged:
        outcome.complaints.append("STOPPED: the export does not come to its end")


def _well(scene: Scene, machine: Machine) -> bool:
    """Whether a node answers, records, and shows what it has recorded."""
    hub, parties = scene.hub, scene.parties
    if not hub.wait(lambda: machine.ledger and machine.ledger.stopped_because is None, PATIENCE, step=0.5):
        return False
    only = Network(hub, [machine], scene.oracle)
    if only.submit(parties.request(parties.open())) != "recorded":
        return False
    only.look(machine)
    return True
