"""Moves old bodies out of the database into volumes, and brings them back (docs/adr/0036).

Only bodies of accesses move, and only those that no decision will read again: below the entry that their consent's state rests
on. Nothing is taken from the database before its volume was written, made durable, read back and found the same. A command
that dies leaves at most a volume that nothing points to; run again, it writes the same one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import Connection, bindparam, func, insert, select, update

from ledger.entries.leaf import Kind
from ledger.errors import BodiesAway, Conflict, Corrupt
from ledger.storage.asking import CONSENTS, select_in
from ledger.storage.horizon import confirmed_size
from ledger.storage.log import LogStore
from ledger.storage.rows import open_consent
from ledger.storage.standing import open_at
from ledger.storage.tables import body_volumes, entries
from ledger.storage.volumes import SPAN, Fetch, SealedBody, Volumes, mark_of, path_of, volume_of, write_volume
from ledger.vault.keystore import KeyStore

_PORTION: Final = 500
_SWAP: Final = (
    update(entries)
    .where(entries.c.idx == bindparam("at"), entries.c.sealed == bindparam("old"))
    .values(sealed=bindparam("new"))
)

Progress = Callable[[int, int], None]
"""Takes entries done and entries in all."""


class VolumePlace(Protocol):
    """Where volumes are written (ledger/publish/place.py)."""

    def create(self, path: str, content: bytes) -> bool:
        """Write a file that never changes; false when it is there already. Raises Corrupt when it has other bytes."""

    def settle(self) -> None:
        """Make everything written before durable."""


class MovedBodies(NamedTuple):
    """What a command did, or what there is: volumes, and bodies in them."""

    volumes: int
    bodies: int


def move_bodies(
    store: LogStore,
    keystore: KeyStore,
    place: VolumePlace,
    fetch: Fetch,
    below: int,
    *,
    afresh: bool = False,
    progress: Progress = lambda *_: None,
) -> MovedBodies:
    """Move the bodies of accesses among the entries below `below` that no decision will read again; safe beside servers.

    It begins above the newest volume; `afresh`: from entry 0, for bodies that could not move before. Raises Corrupt for a body
    that is not what its leaf commits to, BodiesAway, Unavailable, Conflict; each is safe to repeat.
    """
    with store.read() as connection:
        end = min(below, confirmed_size(connection, below))
        newest = connection.execute(select(func.max(body_volumes.c.last))).scalar_one_or_none()
    moved = MovedBodies(0, 0)
    at = 0 if afresh or newest is None else newest + 1
    while at < end:
        after = min(end, at - at % SPAN + SPAN)
        with store.read() as connection:
            bodies = _movable(connection, keystore, at, after)
        if bodies:
            _move(store, place, fetch, bodies)
            moved = MovedBodies(moved.volumes + 1, moved.bodies + len(bodies))
        at = after
        progress(at, end)
    return moved


def _movable(connection: Connection, keystore: KeyStore, first: int, below: int) -> list[SealedBody]:
    """Bodies that are in the database, and that nobody will ask for to decide. Each is opened first: what is not what its leaf
    commits to stays where it is, for `check` to find. Bodies of erased chains open to nobody, and move as they are. A decision
    reads its consent's chain from the entry that the stored state rests on, and nothing below it."""
    query = select(entries).where(entries.c.idx >= first, entries.c.idx < below, entries.c.kind == Kind.CONSENT.value)
    rows = connection.execute(query.where(entries.c.sealed.is_not(None)).order_by(entries.c.idx)).all()
    rows = [row for row in rows if volume_of(row.sealed) is None]
    chains = {row.chain for row in rows}
    ciphers = keystore.existing(chains, remember=False)
    destroyed = keystore.destroyed(chains - ciphers.keys())
    states = {row.chain: row for row in select_in(connection, CONSENTS, list(ciphers))}
    rest_on = {chain: open_consent(row, ciphers[chain]).seq for chain, row in states.items()}
    return [
        SealedBody(row.idx, bytes(row.sealed))
        for row in rows
        if row.chain in destroyed
        or (row.seq <= rest_on.get(row.chain, -1) and open_at(row, ciphers[row.chain])[0].act.startswith("access."))
    ]


def _move(store: LogStore, place: VolumePlace, fetch: Fetch, bodies: list[SealedBody]) -> None:
    content = write_volume(bodies)
    digest = hashlib.sha256(content).digest()
    place.create(path_of(digest), content)
    place.settle()
    if fetch(path_of(digest)) != content:
        raise BodiesAway(f"{path_of(digest)} does not read as it was written: nothing was moved", lost=True)
    swaps = [{"at": one.at, "old": one.sealed, "new": mark_of(digest)} for one in bodies]
    with store.batch() as transaction:
        transaction.head()  # one command at a time; writers wait meanwhile
        known = body_volumes.c.digest == digest
        if not transaction.connection.execute(select(body_volumes).where(known)).all():
            row = {"digest": digest, "first": bodies[0].at, "last": bodies[-1].at, "bodies": len(bodies)}
            transaction.connection.execute(insert(body_volumes), row)
        _swap(transaction.connection, swaps)


def return_bodies(store: LogStore, volumes: Volumes, *, progress: Progress = lambda *_: None) -> MovedBodies:
    """Bring all bodies back into the database; the volumes stay. Raises BodiesAway before a volume that cannot be had, Corrupt,
    Unavailable; each is safe to repeat."""
    with store.read() as connection:
        known = connection.execute(select(body_volumes).order_by(body_volumes.c.first)).all()
    returned = MovedBodies(0, 0)
    for done, volume in enumerate(known, 1):
        mark = mark_of(volume.digest)
        with store.read() as connection:
            inside = entries.c.idx >= volume.first, entries.c.idx <= volume.last, entries.c.sealed == mark
            indexes = connection.execute(select(entries.c.idx).where(*inside).order_by(entries.c.idx)).scalars().all()
        swaps = [{"at": index, "old": mark, "new": volumes.body(index, mark)} for index in indexes]
        if swaps:
            with store.batch() as transaction:
                transaction.head()
                _swap(transaction.connection, swaps)
            returned = MovedBodies(returned.volumes + 1, returned.bodies + len(swaps))
        progress(done, len(known))
    return returned


def moved_bodies(connection: Connection) -> MovedBodies:
    """What is on record."""
    query = select(func.count(), func.coalesce(func.sum(body_volumes.c.bodies), 0)).select_from(body_volumes)
    return MovedBodies(*map(int, connection.execute(query).one()))


def _swap(connection: Connection, swaps: list[dict[str, Any]]) -> None:
    """Each row from what was read to what takes its place, all or none. Raises Conflict, Corrupt."""
    for at in range(0, len(swaps), _PORTION):
        part = swaps[at : at + _PORTION]
        stored = entries.c.idx.in_([swap["at"] for swap in part])
        rows = connection.execute(select(entries.c.idx, entries.c.sealed).where(stored)).all()
        if {row.idx: bytes(row.sealed or b"") for row in rows} != {swap["at"]: swap["old"] for swap in part}:
            raise Conflict(
                "another command moves bodies of this log, or a row was changed meanwhile: run this one again"
            )
        connection.execute(_SWAP, part)
        after = connection.execute(select(entries.c.idx, entries.c.sealed).where(stored)).all()
        if {row.idx: bytes(row.sealed or b"") for row in after} != {swap["at"]: swap["new"] for swap in part}:
            raise Corrupt(
                "the database did not take what was to stand in the place of bodies; nothing of it was committed"
            )
