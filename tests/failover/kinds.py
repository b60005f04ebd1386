"""The ways in which something of the set-up is lost, and how it comes back."""

from __future__ import annotations

import signal
from collections.abc import Callable

from tests.client.working import Load
from tests.failover.apart import cut, mend
from tests.failover.cluster import Cluster, until
from tests.failover.nodes import PORTS, Nodes

Fault = Callable[[Cluster, Nodes, Load, int], None]
"""Does it, and ends when the load works again and what was lost is being mended. `int`: which turn it is."""


def switchover(cluster: Cluster, nodes: Nodes, load: Load, turn: int) -> None:
    """`patronictl switchover`, as before maintenance."""
    cluster.switchover()
    load.works()


def kill_primary(cluster: Cluster, nodes: Nodes, load: Load, turn: int) -> None:
    """SIGKILL for each process of the primary's PostgreSQL; its Patroni lives."""
    primary = cluster.machines[cluster.primary()]
    primary.signal(signal.SIGKILL, patroni=False)
    _another_leads(cluster, primary.name)
    load.works()


def stop_primary(cluster: Cluster, nodes: Nodes, load: Load, turn: int) -> None:
    """SIGSTOP for all of the primary's machine; SIGCONT once another one leads, so it wakes up as an old leader."""
    primary = cluster.machines[cluster.primary()]
    primary.signal(signal.SIGSTOP, patroni=True)
    try:
        _another_leads(cluster, primary.name)
    finally:
        primary.signal(signal.SIGCONT, patroni=True)
    load.works()


def cut_primary(cluster: Cluster, nodes: Nodes, load: Load, turn: int) -> None:
    """The primary's wire is cut: nobody is told, nothing comes through; mended once another one leads and serves."""
    primary = cluster.machines[cluster.primary()]
    cut(primary.name)
    try:
        _another_leads(cluster, primary.name)
        load.works()
    finally:
        mend(primary.name)


def kill_node(cluster: Cluster, nodes: Nodes, load: Load, turn: int) -> None:
    """SIGKILL for one of the ledger's own nodes, in turn."""
    name = list(PORTS)[turn % len(PORTS)]
    nodes.kill(name)
    load.works()
    nodes.start(name)


def _another_leads(cluster: Cluster, former: str) -> None:
    """Wait until the others have a leader among them. Raises AssertionError."""

    def leads() -> bool:
        return any(one["role"] == "leader" and one["name"] != former for one in cluster.members())

    until(leads, f"another machine than {former} leads")


FAULTS: dict[str, Fault] = {
    "switchover": switchover,
    "kill of the primary": kill_primary,
    "stop of the primary": stop_primary,
    "cut of the primary": cut_primary,
    "kill of a node": kill_node,
}
