"""Checkpoints that witnesses have cosigned, and receipts proved in them (docs/witnesses.md)."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Final

import msgspec
from sqlalchemy import Connection, func, select

from ledger.errors import NotFound
from ledger.kept import Kept
from ledger.notes.policy import NONE, Policy
from ledger.planning.commands import Recorded
from ledger.queries.tree import Prover, head_of
from ledger.storage.log import LogStore
from ledger.storage.tables import checkpoints, cosignatures
from ledger.witnessing import with_cosignatures

LOOKED_AT: Final = 100
"""Sizes with any cosignature, the newest first: old ones do not become witnessed later."""


@dataclass(frozen=True, slots=True)
class WitnessStanding:
    """How far one witness has come."""

    witness: str
    size: int
    time: int
    """POSIX seconds, the witness's own clock."""


FEW_TILES = 8
"""One proof reads no more."""


class WitnessedQueries:
    """Questions about witnessed checkpoints: those whose kept cosignatures meet the policy's quorum."""

    def __init__(self, store: LogStore, policy: Policy) -> None:
        self._store = store
        self._policy = policy

    def checkpoint(self, above: int = 0) -> tuple[int, str]:
        """(size, note with the log's and the witnesses' lines) of the newest witnessed checkpoint of more than `above` entries.

        Raises NotFound when there is none (yet).
        """
        with self._store.read() as connection:
            return self._checkpoint(connection, above)

    def shown(self) -> str:
        """The checkpoint that strangers are shown first: where the log's policy asks for witnesses, the newest that they
        cosigned; the newest of all while there is none, or where nobody is asked. Raises NotFound, Unavailable."""
        with self._store.read() as connection:
            if self._policy.quorum != NONE:
                with contextlib.suppress(NotFound):
                    return self._checkpoint(connection, 0)[1]
            return head_of(connection)[1]

    def proved(self, recorded: Recorded) -> Recorded:
        """The same entry, proved in the newest witnessed checkpoint. Raises NotFound while none covers it."""
        with self._store.read() as connection:
            size, note = self._checkpoint(connection, recorded.index)
            proof = tuple(Prover(connection, Kept(FEW_TILES)).inclusion(recorded.index, size))
        return msgspec.structs.replace(recorded, proof=proof, checkpoint=note)

    def standings(self) -> list[WitnessStanding]:
        """Every witness that has cosigned, with its latest cosignature; by name."""
        latest = select(cosignatures.c.witness, func.max(cosignatures.c.size).label("size"))
        newest = latest.group_by(cosignatures.c.witness).subquery()
        joined = (cosignatures.c.witness == newest.c.witness) & (cosignatures.c.size == newest.c.size)
        query = select(cosignatures.c.witness, cosignatures.c.size, cosignatures.c.time).join(newest, joined)
        with self._store.read() as connection:
            return [WitnessStanding(*row) for row in connection.execute(query.order_by(cosignatures.c.witness))]

    def _checkpoint(self, connection: Connection, above: int) -> tuple[int, str]:
        newest, _ = head_of(connection)
        keys = {witness.vkey.name: witness.vkey for witness in self._policy.witnesses}
        sizes = select(cosignatures.c.size).where(cosignatures.c.size > above, cosignatures.c.size <= newest).distinct()
        looked_at = sizes.order_by(cosignatures.c.size.desc()).limit(LOOKED_AT).subquery()
        query = select(cosignatures.c.size, cosignatures.c.witness, cosignatures.c.line).where(
            cosignatures.c.size.in_(select(looked_at.c.size))
        )
        rows = connection.execute(query.order_by(cosignatures.c.size.desc(), cosignatures.c.witness))
        for size, group in groupby(rows, key=attrgetter("size")):
            lines = [row for row in group if row.witness in keys]
            if self._policy.is_witnessed([keys[row.witness] for row in lines]):
                note = connection.execute(select(checkpoints.c.note).where(checkpoints.c.size == size)).scalar_one()
                return size, with_cosignatures(note, [row.line for row in lines])
        raise NotFound("no witnessed checkpoint covers this yet; witnesses are asked about once a second")
