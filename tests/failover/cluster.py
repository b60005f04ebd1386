"""Three machines with PostgreSQL under Patroni, as deploy/patroni says, and etcd beside them."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from tests.engines import postgres_programs
from tests.failover.apart import NETWORK, add_machine

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "deploy" / "patroni"
T = TypeVar("T")
MACHINES = ("db-1", "db-2", "db-3")
PATIENCE = 300.0
"""Seconds for anything to come about, on a machine that does other things."""
PASSWORDS = {
    "PATRONI_SUPERUSER_USERNAME": "postgres",
    "PATRONI_SUPERUSER_PASSWORD": "superuser-for-a-trial",
    "PATRONI_REPLICATION_USERNAME": "replication",
    "PATRONI_REPLICATION_PASSWORD": "replication-for-a-trial",
    "PATRONI_REWIND_USERNAME": "rewind",
    "PATRONI_REWIND_PASSWORD": "rewind-for-a-trial",
    "LEDGER_OWNER_PASSWORD": "owner-for-a-trial",
    "LEDGER_SERVICE_PASSWORD": "service-for-a-trial",
}
"""Of a network that leads nowhere, for as long as the run lasts."""


def until(holds: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
    """Wait for it; what it was. Raises AssertionError."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"it did not come to this within {seconds:g} s: {what}"
        time.sleep(0.1)
    return found


@dataclass
class Machine:
    """One machine of the database: Patroni, and the PostgreSQL that it keeps."""

    name: str
    address: str
    folder: Path
    patroni: subprocess.Popen[bytes] | None = None

    def processes(self, *, patroni: bool) -> list[psutil.Process]:
        """PostgreSQL's, with or without Patroni."""
        if self.patroni is None or self.patroni.poll() is not None:
            return []
        keeper = psutil.Process(self.patroni.pid)
        mine = [keeper, *keeper.children(recursive=True)]
        mine += [one for one in psutil.process_iter() if one not in mine and self._serves(one)]
        for one in list(mine):
            mine += [child for child in one.children(recursive=True) if child not in mine]
        return [one for one in mine if patroni or "patroni" not in _line(one)]

    def _serves(self, process: psutil.Process) -> bool:
        """Whether it is this machine's PostgreSQL: it outlives the Patroni that started it."""
        return f"{self.folder}/data" in _line(process)

    def signal(self, number: signal.Signals, *, patroni: bool) -> None:
        """To all of them."""
        for process in self.processes(patroni=patroni):
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue


def _line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@dataclass
class Cluster:
    """All of it. `programs`: the folder of an environment with Patroni; `etcd`: its program."""

    folder: Path
    programs: Path
    etcd: Path
    machines: dict[str, Machine] = field(default_factory=dict)
    _etcd: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """From nothing to a leader with a synchronous standby. Raises AssertionError."""
        self.folder.chmod(0o755)
        self._start_etcd()
        for number, name in enumerate(MACHINES):
            folder = self.folder / name
            folder.mkdir()
            machine = Machine(name, add_machine(name, 11 + number), folder)
            self.machines[name] = machine
            self.start_machine(name)
        self.whole()

    def _start_etcd(self) -> None:
        """One: what is tried here is the database's failover. Three belong into a set-up that is to last."""
        here, peers = f"http://{NETWORK}.1:2379", f"http://{NETWORK}.1:2380"
        with (self.folder / "etcd.log").open("wb") as log:
            self._etcd = subprocess.Popen(
                [
                    *(str(self.etcd), "--name", "etcd-1", "--data-dir", str(self.folder / "etcd"), "--enable-v2=false"),
                    *("--listen-client-urls", here, "--advertise-client-urls", here),
                    *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers),
                    *("--initial-cluster", f"etcd-1={peers}", "--logger", "zap", "--log-level", "warn"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def start_machine(self, name: str) -> None:
        """Start its Patroni, with the file of deploy/patroni as it is."""
        machine = self.machines[name]
        owner = pwd.getpwnam("postgres")
        os.chown(machine.folder, owner.pw_uid, owner.pw_gid)
        settings = machine.folder / "patroni"
        if not settings.exists():
            shutil.copytree(SAMPLE, settings)
            shutil.chown(settings, owner.pw_uid)
        programs = postgres_programs()
        assert programs is not None, "no PostgreSQL: install Debian's postgresql, or set LEDGER_PG_BIN"
        own = {
            "PATRONI_NAME": name,
            "PATRONI_RESTAPI_CONNECT_ADDRESS": f"{machine.address}:8008",
            "PATRONI_POSTGRESQL_CONNECT_ADDRESS": f"{machine.address}:5432",
            "PATRONI_POSTGRESQL_DATA_DIR": str(machine.folder / "data"),
            "PATRONI_POSTGRESQL_BIN_DIR": str(programs),
            "PATRONI_POSTGRESQL_PGPASS": str(machine.folder / "pgpass"),
            "PATRONI_ETCD3_HOSTS": f"{NETWORK}.1:2379",
            "HOME": str(machine.folder),
            "PATH": f"{programs}:{os.defpath}",
            "LC_ALL": "C.UTF-8",
        }
        drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        # A machine has folders for settings and sockets of its own; here they are put in their places for it alone.
        sockets = machine.folder / "sockets"
        sockets.mkdir(exist_ok=True)
        os.chown(sockets, owner.pw_uid, owner.pw_gid)
        put = 'mkdir -p /etc/patroni /run/postgresql; mount --bind "$0" /etc/patroni; mount --bind "$1" /run/postgresql'
        placed = ["unshare", "--mount", "sh", "-ec", f'{put}; shift; exec "$@"', str(settings), str(sockets)]
        command = [str(self.programs / "patroni"), "/etc/patroni/patroni.yml"]
        with (machine.folder / "patroni.log").open("ab") as log:
            machine.patroni = subprocess.Popen(
                ["ip", "netns", "exec", name, *placed, *drop, *command],
                cwd=machine.folder,
                env=PASSWORDS | own,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def members(self) -> list[Mapping[str, Any]]:
        """What Patroni says of its machines; empty when nobody answers."""
        for machine in self.machines.values():
            try:
                with urllib.request.urlopen(f"http://{machine.address}:8008/cluster", timeout=2) as answer:
                    found: list[Mapping[str, Any]] = json.load(answer)["members"]
                    return found
            except (OSError, ValueError, KeyError):
                continue
        return []

    def primary(self) -> str:
        """The leader. Raises AssertionError."""

        def leads() -> str:
            return next((str(one["name"]) for one in self.members() if one["role"] == "leader"), "")

        return until(leads, "a machine leads")

    def whole(self) -> None:
        """Wait until one leads, one is its synchronous standby, and the third follows. Raises AssertionError."""

        def is_whole() -> bool:
            # «running» is also what a former leader says of itself before it finds that it must take something back
            seen = sorted((str(one["role"]), str(one["state"])) for one in self.members())
            return seen == [("leader", "running"), ("replica", "streaming"), ("sync_standby", "streaming")]

        until(is_whole, "one leads, two follow, one of them synchronously")

    def switchover(self) -> None:
        """As an operator does it. Raises CalledProcessError."""
        command = [str(self.programs / "patronictl"), "-c", str(SAMPLE / "patroni.yml"), "switchover", "--force"]
        environment = PASSWORDS | {"PATRONI_ETCD3_HOSTS": f"{NETWORK}.1:2379", "PATH": os.defpath, "LC_ALL": "C.UTF-8"}
        subprocess.run(command, check=True, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def url(self, role: str, database: str) -> str:
        """SQLAlchemy URL with all machines in it: whichever takes writes."""
        hosts = ",".join(machine.address for machine in self.machines.values())
        password = PASSWORDS[f"LEDGER_{role.upper()}_PASSWORD"]
        name = "ledger" if role == "owner" else "ledger_service"
        options = "target_session_attrs=read-write&connect_timeout=2&tcp_user_timeout=10000"
        return f"postgresql+psycopg://{name}:{password}@/{database}?host={hosts}&port=5432,5432,5432&{options}"

    def stop(self) -> None:
        """End everything at once: nothing of it is needed any more."""
        for machine in self.machines.values():
            machine.signal(signal.SIGKILL, patroni=True)
        if self._etcd is not None:
            self._etcd.kill()


def said(machines: Sequence[Machine]) -> str:
    """The end of what each Patroni wrote, for whoever looks for a cause."""
    tails = (f"{one.name}:\n{(one.folder / 'patroni.log').read_text(errors='replace')[-2000:]}" for one in machines)
    return "\n".join(tails)
