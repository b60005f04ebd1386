"""Building a node from settings: the ledger, its slot, its token keys. The only place where parts are put together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import migrations
from api.settings import Settings
from api.slots import Slot, claim_slot, highwater_files
from ledger.app import Ledger
from ledger.assembly import create_log, make_keys, open_ledger
from ledger.errors import Corrupt, NotFound
from ledger.highwater import HighWater
from ledger.queries.tree import first_checkpoint_with


@dataclass(eq=False)
class Node:
    """A ledger with the settings it was built from. `start` and `stop` may be called more than once."""

    settings: Settings
    ledger: Ledger
    slot: Slot | None = None
    _running: bool = field(default=False, init=False)

    def start(self) -> None:
        """Begin to write. Raises Rollback, Corrupt, Unavailable."""
        if not self._running:
            self.ledger.start()
            self._running = True

    def stop(self) -> None:
        """Finish what was submitted, close the databases, give the slot back."""
        if self._running:
            self._running = False
            self.ledger.stop()
        if self.slot is not None:
            self.slot.release()
            self.slot = None


def build_node(settings: Settings) -> Node:
    """A node that is ready to start. Raises NotFound or InvalidInput for missing or unfit files, Rollback, Corrupt."""
    slot = claim_slot(settings.highwater_dir)
    try:
        ledger = open_ledger(settings.node_config(slot.highwater_file))
        _check_all_highwater_files(settings, ledger)
    except BaseException:
        slot.release()
        raise
    return Node(settings, ledger, slot)


def _check_all_highwater_files(settings: Settings, ledger: Ledger) -> None:
    """What any process of this machine has signed binds every other one, also when fewer run today than yesterday."""
    for path in highwater_files(settings.highwater_dir):
        highwater = HighWater(path, ledger.vkey)
        recorded = highwater.read()  # before the database is asked: a file never runs ahead of it
        if recorded is not None:
            highwater.check(ledger.tree.size(), _note_at(ledger, recorded[0].size))


def _note_at(ledger: Ledger, size: int) -> str | None:
    with ledger.store.read() as connection:
        try:
            found, note = first_checkpoint_with(connection, size - 1)
        except NotFound:
            return None
    return note if found == size else None


@contextmanager
def short_lived(settings: Settings) -> Iterator[Node]:
    """A running node for one command; safe beside running servers."""
    node = build_node(settings)
    try:
        node.start()
        yield node
    finally:
        node.stop()


def initialise(settings: Settings, origin: str) -> None:
    """Make keys, tables and the first entry of a new log named `origin`.

    Raises Conflict when a key file or a log exists already, InvalidInput for an unfit origin.
    """
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    slot = claim_slot(settings.highwater_dir)
    try:
        signed = highwater_files(settings.highwater_dir)
        if signed:
            raise Corrupt(
                f"{signed[0]} says that this machine has signed for a log before: a new database would be a second history. "
                "Bring the old database back, or choose another state folder"
            )
        config = settings.node_config(slot.highwater_file)
        make_keys(config, origin)
        migrations.upgrade(settings.database_url)
        create_log(config)
    finally:
        slot.release()
