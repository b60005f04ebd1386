"""A node's machine: its files, its clock, and the processes that run there one after the other."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, event
from typing_extensions import override

from ledger.app import Ledger
from ledger.custody.log_key import LogKeyring
from ledger.engines.engine import keystore_engine, reader_engine, writer_engine
from ledger.errors import LedgerError
from ledger.highwater import HighWater
from ledger.notes.keys import Ed25519NoteSigner
from ledger.sequencer.watch import ClockWatch
from ledger.storage.log import LogStore
from ledger.vault.keystore import KeyStore
from tests.scratch import MEMORY
from tests.simulation.cluster import Cluster
from tests.simulation.defects import Build
from tests.simulation.hub import Hub, Process

EPOCH: Final = 1_800_000_000_000
"""What a right clock shows at the beginning: milliseconds UTC."""


class MachineClock:
    """A clock that can be wrong."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.offset = 0

    def now(self) -> int:
        return EPOCH + int(self._hub.now * 1000) + self.offset


class RecordedHighWater(HighWater):
    """The real file, on a disk that can fail and forget."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine.highwater, machine.signer.vkey)
        self._machine = machine

    @override
    def record(self, note: str) -> None:
        self._machine.noted = int(note.split("\n")[1])
        if self._machine.build.records_highwater:
            self._machine.before_write()
            super().record(note)
            self._machine.unsynced.append(note.encode())

    @override
    def sync(self) -> None:
        super().sync()
        self._machine.unsynced = self._machine.unsynced[-1:]


class Bench:
    """Where runs take place one after the other, with what is slow to make and the same for each: engines, which keep the
    statements that they have compiled."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ledger-sim-", dir=MEMORY if MEMORY.is_dir() else None)
        self.folder = Path(self._folder.name)
        self.cluster: Cluster | None = None
        self._known: dict[str, tuple[Engine, Engine, Engine]] = {}

    def engines(self, machine: str) -> tuple[Engine, Engine, Engine]:
        """The engines of a machine's log (to write, to read) and key store: their sessions are the cluster's."""
        if machine not in self._known:
            log, keys = (f"sqlite:///{self.folder / 'server' / name}.sqlite" for name in ("log", "keys"))
            made = writer_engine(log), reader_engine(log), keystore_engine(keys)
            for engine, name in zip(made, ("log", "log", "keys"), strict=True):
                event.listen(engine, "do_connect", self._connector(name))
                with engine.connect():  # the first connection of an engine asks more than those after it
                    pass
                engine.dispose()
            self._known[machine] = made
        return self._known[machine]

    def _connector(self, name: str) -> Callable[..., Any]:
        def connect(*_: object) -> Any:
            assert self.cluster is not None
            return self.cluster.connect(name)

        return connect


@cache
def bench() -> Bench:
    """This process's."""
    return Bench()


class Machine:
    """One of the machines that nodes run on."""

    def __init__(
        self,
        name: str,
        hub: Hub,
        cluster: Cluster,
        folder: Path,
        secrets: tuple[Ed25519NoteSigner, bytes],
        build: Build,
    ) -> None:
        self.name, self.hub, self.cluster, self.build = name, hub, cluster, build
        self.signer, self.kek = secrets
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.highwater = folder / "highwater"
        self.unsynced: list[bytes] = []
        self.noted = 0
        """The last size that was to be recorded there."""
        self.boot = 0
        self.clock = MachineClock(hub)
        self.before_write: Callable[[], None] = lambda: None
        self.process: Process | None = None
        self.ledger: Ledger | None = None
        """The node that answers here; None while none does."""
        self.refused: list[str] = []
        """Why a node would not start, or stopped."""
        self._engines = bench().engines(name)

    # -- starting -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """A supervisor starts the node's process; it answers when it is ready."""
        self.process = process = Process(self.name)

        def begin() -> None:
            try:
                ledger = self._build()
                ledger.start()
            except LedgerError as error:
                self._over(process, error.detail)
            except Exception as error:  # noqa: BLE001  (it ends a process, and its supervisor starts another one)
                self._over(process, f"{type(error).__name__}: {error}"[:120])
            else:
                self.ledger = ledger
                self.hub.say(f"{self.name} answers")

        self.hub.spawn(begin, process)

    def _over(self, process: Process, why: str) -> None:
        why = why.replace(
            str(self.folder.parent), ""
        )  # it has another name in each process, and a trace has none of that
        self.hub.say(f"{self.name} does not start: {why[:100]}")
        self.refused.append(why)
        process.dead = True
        self._clear(process)

    def _build(self) -> Ledger:
        writer, reader, keys = self._engines
        keystore = KeyStore(keys, self.kek, clock=self.clock)
        store = LogStore(writer, reader, keystore)
        watch = ClockWatch(
            self.folder / "clock", counter=lambda: int(self.hub.now * 1000), boot=f"{self.name}-{self.boot}"
        )
        self.build.spoil(store, keystore)
        sequencer = self.build.sequencer(
            store,
            LogKeyring(self.signer),
            RecordedHighWater(self),
            self.clock,
            max_batch=8,
            watch=self.build.watch(watch),
        )
        return Ledger(store, keystore, sequencer, self.signer.vkey)

    # -- ending -------------------------------------------------------------------------------------------------------

    def kill(self) -> None:
        """The process ends as by SIGKILL."""
        if self.process is not None:
            process, self.process, self.ledger = self.process, None, None
            self.hub.kill(process)
            self._clear(process)

    def _clear(self, process: Process) -> None:
        self.cluster.drop(process)
        for engine in self._engines:
            engine.dispose()

    def power_cut(self) -> None:
        """The machine loses its power: also what its disk was not forced to keep."""
        self.kill()
        self.boot += 1
        self.clock.offset = 0  # set anew when it starts
        if not self.unsynced:
            return
        kept = self.hub.random.choice(self.unsynced[-4:])
        if self.hub.random.random() < 0.3:  # half of the last write
            last = self.unsynced[-1]
            at = self.hub.random.randrange(len(last))
            kept = last[:at] + kept[at:]
        self.highwater.write_bytes(kept)
        self.unsynced = [kept]

    @property
    def anchored(self) -> bool:
        """Whether a node has looked at the clock since the machine was switched on: what it shows then is believed."""
        if not self.build.judges_clock:
            return self.ledger is not None
        try:
            return (self.folder / "clock").read_text("ascii").startswith(f"{self.name}-{self.boot}\n")
        except FileNotFoundError:
            return False

    def repair(self) -> None:
        """What the operator does about a high-water file that does not read: it is compared, and removed."""
        self.highwater.unlink(missing_ok=True)
        self.unsynced.clear()

    @property
    def signed(self) -> int:
        """The size that the high-water file names, or should; 0 without one."""
        if not self.build.records_highwater:
            return self.noted
        try:
            return int(self.highwater.read_bytes().split(b"\n")[1])
        except (FileNotFoundError, ValueError, IndexError):
            return 0

    def end(self) -> None:
        """At the end of a run."""
        for engine in self._engines:
            engine.dispose()
