"""What goes wrong in a run: when, where and how is drawn from the seed."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable
from typing import Final

from tests.simulation.cluster import Cluster, Connection, Fate, failure, lost
from tests.simulation.hub import Died, Hub
from tests.simulation.node import Machine

FATES: Final[tuple[Fate, ...]] = ("lost", "torn", "kept", "received")
LOCAL: Final = ("cut before", "cut after", "cut after", "delay", "delay", "disk error")
"""What happens to one call."""
STANDBY: Final = ("standby away", "standby away", "cancel", "cancel", "server crash", "failover")
MACHINES: Final = ("kill", "kill", "power cut", "server crash", "server crash")
CLOCKS: Final = ("clock jump", "clock jump", "kill", "power cut")
SEASONS: Final = (
    (*STANDBY, *MACHINES, *CLOCKS, "degrade"),
    (*STANDBY, "kill"),
    MACHINES,
    (*CLOCKS, "server crash"),
    ("kill", "server crash"),
)
"""What happens to a process or a machine at the moment of a call; a run has one season, so that faults that need each other
meet. In the last, backups are restored."""


class Weather:
    """Faults at calls of the driver, at writes of files, and on the network."""

    def __init__(self, hub: Hub, *, every: float, limit: int) -> None:
        """A fault at each `every`th call on the average, `limit` at most."""
        self.hub = hub
        self.counts: Counter[str] = Counter()
        self.calls = 0
        self.rough = False
        self._every, self._limit = every, limit
        self._great: tuple[str, ...] = ()
        self.restores = False
        """Whether somebody brings an older database back in this run."""
        self.choose(hub.random.randrange(len(SEASONS)))
        self._left = self._gap()
        self.cluster: Cluster | None = None
        self.machines: list[Machine] = []

    def choose(self, season: int) -> None:
        """One of SEASONS."""
        self._great = SEASONS[season]
        self.restores = self.hub.random.random() < (0.9 if season == len(SEASONS) - 1 else 0.05)

    @property
    def spent(self) -> bool:
        """Whether all faults of this run have been."""
        return self.counts.total() >= self._limit

    def happened(self, what: str, where: str = "") -> None:
        """One more fault."""
        self.counts[what] += 1
        self.hub.say(f"! {what} {where}".rstrip())

    def _gap(self) -> int:
        return 1 + int(self.hub.random.expovariate(1 / self._every))

    # -- calls of the driver ------------------------------------------------------------------------------------------

    def before(self, connection: Connection, what: str) -> None:
        """One call: others may have their turn first, or something happens."""
        self.calls += 1
        if what != "execute" or self.hub.random.random() < 0.1:
            self.hub.pause(0.0002 + self.hub.random.random() * 0.003)
            if connection.lost:
                return
        if not self.rough:
            return
        self._left -= 3 if what == "commit" else 1
        if self._left <= 0 and not self.spent:
            self._left = self._gap()
            self._strike(connection, what)

    def _strike(self, connection: Connection, what: str) -> None:
        kind = self.hub.random.choice(LOCAL if self.hub.random.random() < 0.4 else self._great)
        where = f"at {what} of {connection.process.name}/{connection.name}"
        if kind in LOCAL:
            self._local(kind, connection, what, where)
        else:
            self.great(kind, where, connection)

    def _local(self, kind: str, connection: Connection, what: str, where: str) -> None:
        self.happened(kind, where)
        cluster = connection.cluster
        if kind == "delay":
            self.hub.pause(self.hub.random.choice((0.05, 0.3, 1.0, 7.0)))
        elif kind == "disk error":
            error = failure("disk I/O error")
            if what == "commit":
                connection.rollback()
            raise error
        elif kind == "cut after" and what == "commit":
            connection.answerless = True
        else:
            cluster.lose(connection)
            raise lost()

    def great(self, kind: str, where: str, connection: Connection | None = None) -> None:
        """Something happens to a machine. Raises Died when it is the one that this runs on."""
        cluster, hub = self.cluster, self.hub
        assert cluster is not None
        machine = self._machine_of(connection)
        match kind:
            case "kill" | "power cut":
                self.happened(kind, where)
                machine.power_cut() if kind == "power cut" else machine.kill()
                if hub.process.dead:
                    raise Died
            case "server crash" if cluster.up:
                fate = hub.random.choice(FATES)
                self.happened(f"server crash, last commit {fate}", where)
                cluster.crash(fate)
            case "standby away" if cluster.standby is not None and cluster.standby.streams:
                self.happened(kind, where)
                cluster.standby.streams = False
            case "cancel":
                if cluster.cancel() or cluster.cancel("keys"):
                    self.happened("cancelled wait", where)
            case "failover" if cluster.standby is not None and cluster.standby.whole:
                self.happened(kind, where)
                cluster.promote()
            case "degrade" if cluster.waits_for_standby and self.hub.random.random() < 0.3:
                self.happened("the server is told to wait for no standby", where)
                cluster.waits_for_standby = False
                cluster.settle()
            case "clock jump" if machine.anchored:
                self.happened(kind, where)
                machine.clock.offset = hub.random.choice((-7_200_000, -5_000, 5_000, 40_000, 7_200_000))
            case _:
                pass

    def _machine_of(self, connection: Connection | None) -> Machine:
        for machine in self.machines:
            if connection is not None and machine.process is connection.process:
                return machine
        return self.hub.random.choice(self.machines)

    # -- files and messages ---------------------------------------------------------------------------------------------

    def before_write(self, machine: Machine) -> Callable[[], None]:
        """Called before a high-water file is written. Raises OSError, Died."""

        def write() -> None:
            draw = self.hub.random.random()
            if not self.rough or self.spent or draw > 0.03:
                return
            if draw < 0.01:
                self.happened("high-water write fails", machine.name)
                raise OSError(errno.EIO, "Input/output error")
            self.happened("kill", f"before the high-water write of {machine.name}")
            machine.kill()
            raise Died

        return write

    def drops(self) -> bool:
        """Whether a message is lost."""
        if self.rough and not self.spent and self.hub.random.random() < 0.04:
            self.happened("lost message")
            return True
        return False
