"""Bodies that were moved out of the database, and the table that says to where (docs/operating.md, «Evidence tiers»)."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from api.checking.findings import Findings
from ledger.errors import BodiesAway
from ledger.storage.tables import body_volumes
from ledger.storage.volumes import path_of, volume_of


class _Pointing(NamedTuple):
    """The rows that point to a volume."""

    first: int
    last: int
    bodies: int


class VolumeCheck:
    """Takes all rows in their order. Remembers a line for each volume, which is one for thousands of entries."""

    def __init__(self, found: Findings) -> None:
        self._found = found
        self._pointing: dict[bytes, _Pointing] = {}
        self._unanswered = 0

    def take(self, row: Any) -> bool:
        """Whether the row's body may be asked for: a place that gave no answer is not asked for each of its bodies."""
        digest = volume_of(row.sealed) if isinstance(row.sealed, bytes) else None
        if digest is None:
            return True
        known = self._pointing.get(digest, _Pointing(row.idx, row.idx, 0))
        self._pointing[digest] = _Pointing(known.first, row.idx, known.bodies + 1)
        if self._unanswered:
            self._unanswered += 1
        return not self._unanswered

    def away(self, place: str, error: BodiesAway) -> None:
        """A body could not be had: a defect where the place says so, and a check that was not made where it says nothing."""
        if error.lost:
            self._found.note(place, error.detail)
        else:
            self._unanswered = 1
            self._found.could_not(place, error.detail)

    def compare_stored(self, connection: Connection) -> None:
        """What is on record of volumes is what rows point to; a volume whose bodies all came back is pointed to by none."""
        if self._unanswered > 1:
            self._found.could_not("volumes", f"{self._unanswered - 1} bodies more were not asked for at the same place")
        for row in connection.execute(select(body_volumes).order_by(body_volumes.c.first)):
            pointing = self._pointing.pop(bytes(row.digest), None)
            if pointing is not None and pointing != (row.first, row.last, row.bodies):
                self._found.note(
                    f"volume {path_of(row.digest)}",
                    f"its row says {row.bodies} bodies of the entries {row.first} to {row.last}, and {pointing.bodies} of "
                    f"{pointing.first} to {pointing.last} point to it",
                )
        for digest, pointing in self._pointing.items():
            self._found.note(f"volume {path_of(digest)}", f"entry {pointing.first} points to it, and no row names it")
