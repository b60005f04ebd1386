"""Those who keep the machines running: supervisors, a cluster manager, and somebody who restores backups."""

from __future__ import annotations

import contextlib
import sqlite3

from tests.simulation.cluster import Cluster, Image
from tests.simulation.hub import Hub
from tests.simulation.node import Machine
from tests.simulation.weather import Weather


class Operators:
    """Acts on what it sees, after a while."""

    def __init__(self, hub: Hub, cluster: Cluster, machines: list[Machine], weather: Weather) -> None:
        self.hub, self.cluster, self.machines, self.weather = hub, cluster, machines, weather
        self.closed = False
        """While everything is switched off on purpose, nobody starts anything."""
        self.calm = False

    def begin(self) -> None:
        for machine in self.machines:
            self.hub.spawn(lambda machine=machine: self._supervise(machine))  # type: ignore[misc]
        self.hub.spawn(self._manage)

    def _soon(self, longest: float) -> float:
        return 0.1 + self.hub.random.random() * (1.0 if self.calm else longest)

    def _supervise(self, machine: Machine) -> None:
        """Start what is not running; end and start anew what has stopped writing."""
        while True:
            self.hub.pause(self._soon(2.0))
            if self.closed:
                continue
            if machine.ledger is not None and (why := machine.ledger.stopped_because) is not None:
                self.hub.say(f"{machine.name} stopped: {why[:100]}")
                machine.refused.append(why)
                machine.kill()
            if machine.refused and "high-water file" in machine.refused[-1] and "damaged" in machine.refused[-1]:
                machine.repair()
                machine.refused.clear()
            if machine.process is None or (machine.process.dead and machine.ledger is None):
                machine.start()
            if machine.clock.offset and self.hub.random.random() < (1.0 if self.calm else 0.15):
                machine.clock.offset = 0

    def _manage(self) -> None:
        """Bring the server back, or the standby in its place; and a standby where there is none."""
        cluster, chance = self.cluster, self.hub.random.random
        paired, returns = cluster.standby is not None, self.hub.random.choice((0.3, 0.3, 0.05))
        while True:
            self.hub.pause(self._soon(4.0))
            if self.closed:
                continue
            if not cluster.up:
                if chance() < 0.4 and cluster.standby is not None and cluster.standby.whole:
                    self.weather.happened("failover", "after a crash")
                    cluster.promote()
                else:
                    self.hub.say("the server starts again")
                    cluster.start()
            elif not cluster.streaming and chance() < 0.2 and cluster.cancel():
                self.weather.happened("cancelled wait", "by an operator without patience")
            elif paired and cluster.standby is None:
                self.hub.say("a new standby")
                cluster.rebuild()
            elif (
                cluster.standby is not None
                and not cluster.standby.streams
                and chance() < (1.0 if self.calm else returns)
            ):
                self.hub.say("the standby is back")
                cluster.returns()
                cluster.waits_for_standby = True

    # -- backups --------------------------------------------------------------------------------------------------------

    def restore(self, what: str) -> None:
        """Some day, somebody brings an older database back: of the log, of the key store, or of both."""
        hub, cluster = self.hub, self.cluster
        hub.wait(lambda: cluster.up, 30)
        if not cluster.up:
            return
        backup = cluster.image()
        size = self._size()
        names = {"log": ("log",), "keys": ("keys",), "both": ("log", "keys")}[what]
        if not hub.wait(lambda: "log" not in names or all(each.signed > size for each in self.machines), 20, step=0.5):
            return
        hub.wait(lambda: cluster.up, 30)
        rough, self.weather.rough = self.weather.rough, False  # else they would misjudge what they see
        newest = self._switch_off()
        if "log" in names and any(each.signed <= size for each in self.machines):  # a power cut took it back meanwhile
            cluster.start()
            self.closed, self.weather.rough = False, rough and not self.calm
            return
        self.weather.happened(f"restore of an older backup ({what})")
        cluster.replace(newest | {name: backup[name] for name in names})
        refused = self._tried()
        hub.say(f"after the restore {refused} of {len(self.machines)} nodes refuse")
        if refused:
            self._switch_off()
            cluster.replace(newest)
            for machine in self.machines:
                machine.refused.clear()
            cluster.start()
        self.closed, self.weather.rough = False, rough and not self.calm

    def _switch_off(self) -> Image:
        self.closed = True
        for machine in self.machines:
            machine.kill()
        cluster = self.cluster
        if cluster.up:
            cluster.crash("lost")
        cluster.standby, cluster.waits_for_standby = None, False
        return cluster.image()

    def _tried(self) -> int:
        """Start the server and the nodes; how many refuse."""
        self.cluster.start()
        for machine in self.machines:
            machine.refused.clear()
            machine.start()
        self.hub.wait(lambda: all(machine.ledger or machine.refused for machine in self.machines), 60)
        return sum(bool(machine.refused) for machine in self.machines)

    def _size(self) -> int:
        with contextlib.closing(sqlite3.connect(f"file:{self.cluster.path('log')}?mode=ro", uri=True)) as database:
            size: int = database.execute("SELECT size FROM log_head").fetchone()[0]
        self.cluster.moved("log")
        return size
