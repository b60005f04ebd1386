"""A trace of the model, played step by step by the simulated nodes: what can be observed must be the same."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from ledger.app import Ledger
from ledger.errors import LedgerError, Unavailable
from ledger.planning.commands import Recorded
from tests.simulation.clients import Statement
from tests.simulation.cluster import Script
from tests.simulation.defects import RIGHT, Build
from tests.simulation.hub import Hub, SimulatedQueue
from tests.simulation.judge import rows_of
from tests.simulation.model import Rules, State, steps
from tests.simulation.run import Scene, silence
from tests.simulation.template import template
from tests.simulation.weather import Weather

PATIENCE = 60.0


@dataclass(frozen=True)
class Seen:
    """What can be observed of a trace: (request, index) of what was acknowledged, the sizes of the checkpoints that were shown,
    those of them with more than one root, and the requests in the log in order."""

    acknowledged: frozenset[tuple[int, int]]
    shown: frozenset[int]
    forked: frozenset[int]
    log: tuple[int, ...]


def in_model(state: State) -> Seen:
    """What the model shows."""
    sizes = [len(log) for log in state.shown]
    return Seen(
        state.acknowledged,
        frozenset(sizes),
        frozenset(size for size in sizes if sizes.count(size) > 1),
        tuple(request for request, _ in state.primary),
    )


def follow(rules: Rules, trace: Sequence[str], first: State | None = None) -> State:
    """The state of the model after a trace."""
    state = rules.first() if first is None else first
    for name in trace:
        state = dict(steps(rules, state))[name]
    return state


def walk(rules: Rules, seed: int, length: int, without: Sequence[str] = ()) -> tuple[list[str], State]:
    """A random trace of the model that takes no step whose name begins with one of `without`; and its end."""
    chance, state, trace = random.Random(seed), rules.first(), []
    while len(trace) < length or not state.up:
        possible = [step for step in steps(rules, state) if not step[0].startswith(tuple(without))]
        if not possible:
            break
        name, state = chance.choice(possible)
        trace.append(name)
    return trace, state


@dataclass
class Player:
    """Plays steps by their names."""

    scene: Scene
    script: Script = field(default_factory=Script)
    statements: dict[int, Statement] = field(default_factory=dict)
    under_way: dict[int, int] = field(default_factory=dict)
    """By machine: the request that it was given and has not answered."""

    def play(self, name: str) -> None:  # noqa: C901, PLR0912  (a table of steps)
        """One step."""
        scene, cluster = self.scene, self.scene.cluster
        scene.hub.say(name)
        match name.split():
            case ["submit", _, _]:
                pass  # the model's node takes it now; it is sent when the node is to work on it
            case ["write", at, request]:
                self._give(int(at), int(request))
                self._until(lambda: cluster.waits("log"), name)
            case ["confirm", at]:
                self._give(int(at), None)
                self._until(lambda: cluster.waits("log"), name)
            case ["find", at, request]:
                self._give(int(at), int(request))
                self._until(lambda: int(at) not in self.under_way, name)
            case ["commit", "unheard"]:
                if (waiting := cluster.waits("log")) is not None:
                    waiting.answerless = True
                self._release(name)
            case ["commit", at]:
                self._release(name)
                self._until(lambda: int(at) not in self.under_way, name)
            case ["cancel", _]:
                cluster.cancel()
            case ["crash", fate]:
                cluster.crash("kept" if fate == "kept" else "lost")
            case ["restart"]:
                cluster.start()
            case ["promote"]:
                assert cluster.promote()
            case ["ship"]:
                cluster.ship()
            case ["standby", "away"]:
                assert cluster.standby is not None
                cluster.standby.streams = False
            case ["standby", "back"]:
                assert cluster.standby is not None
                cluster.standby.streams = True
            case ["read", at]:
                for _ in range(2):  # the first session of a pool may be one from before a crash
                    scene.network.look(scene.machines[int(at)])
            case _:
                raise AssertionError(f"the simulator does not know the step {name!r}")
        scene.hub.pause(0.2)

    def _release(self, name: str) -> None:
        self.script.holds = False
        self._until(lambda: self.scene.cluster.waits("log") is None, name)
        self.script.holds = True

    def _until(self, holds: object, name: str) -> None:
        assert callable(holds)
        assert self.scene.hub.wait(holds, PATIENCE, step=0.01), f"the simulator does not come to the end of {name!r}"
        self.script.admits = ""

    def _give(self, at: int, request: int | None) -> None:
        """Let a node work on a request: on what it is trying already, or on the request sent to it (again)."""
        machine, hub = self.scene.machines[at], self.scene.hub
        self.script.admits = machine.name
        if request is None:
            return
        if request not in self.statements:
            parties = self.scene.parties
            self.statements[request] = parties.request(parties.open())
        hub.spawn(lambda: self._send(at, request))

    def _send(self, at: int, request: int) -> None:
        """Send it until there is an answer."""
        if self.under_way.get(at) == request:
            return
        scene, statement = self.scene, self.statements[request]
        machine = scene.machines[at]
        self.under_way[at] = request
        while True:
            answer = scene.network.ask(machine, lambda ledger: patiently(scene.hub, ledger, statement), 100)
            if isinstance(answer, tuple):
                scene.oracle.acknowledged(statement, answer)
                break
            assert answer is None or isinstance(answer, LedgerError)
            scene.hub.pause(0.1)
        del self.under_way[at]


def patiently(hub: Hub, ledger: Ledger, statement: Statement) -> tuple[Recorded, ...]:
    """As a front, but that an answer from the log is read again when the reader's session was lost."""
    box = SimulatedQueue(hub)
    ledger.submit(ledger.prepare(statement.text), box.put)
    answer = box.get()
    if isinstance(answer, LedgerError):
        raise answer
    while True:
        try:
            return ledger.settle(answer)
        except Unavailable:
            hub.pause(0.01)


def replay(trace: Sequence[str], build: str = RIGHT) -> Seen:
    """What the simulated ledger shows of a trace of the model."""
    hub = Hub("replay")
    weather = Weather(hub, every=1, limit=0)
    done: list[Seen] = []
    with ExitStack() as stack, silence():
        scene = Scene(hub, stack, weather, Build(build), paired=True)
        try:
            hub.spawn(lambda: done.append(_played(scene, trace)))
            hub.run(lambda: done)
        finally:
            scene.end()
    return done[0]


def _played(scene: Scene, trace: Sequence[str]) -> Seen:
    base, hub, cluster = template().size, scene.hub, scene.cluster
    for machine in scene.machines:
        machine.start()
    hub.wait(lambda: all(machine.ledger for machine in scene.machines), PATIENCE)
    hub.keeps_house = False
    hub.pause(20)
    player = Player(scene)
    cluster.script = player.script
    for name in trace:
        player.play(name)
    numbers = {_jti(statement): request for request, statement in player.statements.items()}
    oracle = scene.oracle
    requests = {statement: request for request, statement in player.statements.items()}
    acknowledged = frozenset((requests[one.statement], one.recorded[0].index - base) for one in oracle.receipts)
    roots = {size - base: roots for size, roots in oracle.roots.items() if size > base}
    rows = rows_of(cluster.path("log"))[base:]
    cluster.moved("log")
    return Seen(
        acknowledged,
        frozenset(roots),
        frozenset(size for size, known in roots.items() if len(known) > 1),
        tuple(numbers[row[3] or b""] for row in rows),
    )


def _jti(statement: Statement) -> bytes:
    body = statement.text.split(".")[1]
    says = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return base64.urlsafe_b64decode(says["jti"] + "==")
