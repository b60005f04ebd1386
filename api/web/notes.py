"""Small things that a person set on these pages: advice waved away, how she likes to read. Sealed under her own key.

They are no part of the log, and go with her when her data is erased.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError

from api.web.keys import PersonKeys
from api.web.people import Person
from api.web.sealing import place
from api.web.tables import notes

MOST: Final = 200
"""How many notes one person has; the oldest are forgotten beyond."""


class PersonalNote(Struct, frozen=True):
    """A name of ours and a number."""

    name: str
    value: int


_codec: Final = msgspec.json.Decoder(PersonalNote)
_encode: Final = msgspec.json.Encoder().encode


class PersonalNotes:
    """The notes of all people, in the pages' own database. A row is filed under keyed digests of the person and the name."""

    def __init__(self, engine: Engine, keys: PersonKeys) -> None:
        """The tables are there (store.py)."""
        self._engine = engine
        self._keys = keys

    def of(self, person: Person) -> dict[str, int]:
        """All notes of a person."""
        mine = self._keys.sealer.person(person.key)
        with self._engine.connect() as connection:
            cipher = self._keys.known(connection, mine)
            query = select(notes.c.name, notes.c.sealed).where(notes.c.person == mine)
            rows = connection.execute(query).all() if cipher else []
        found = [_codec.decode(cipher.open(row.sealed, place("notes", row.name))) for row in rows if cipher]
        return {one.name: one.value for one in found}

    def put(self, person: Person, name: str, value: int, at: int) -> None:
        """Write a note over the one of this name; `at` is now (ms)."""
        mine, filed = self._keys.sealer.person(person.key), self._keys.sealer.note(name)
        with self._engine.begin() as connection:
            sealed = self._keys.made(connection, mine).seal(_encode(PersonalNote(name, value)), place("notes", filed))
            connection.execute(delete(notes).where(self._this(mine, filed)))
            try:
                with connection.begin_nested():
                    connection.execute(insert(notes).values(person=mine, name=filed, put_at=at, sealed=sealed))
            except IntegrityError:  # two windows at once: the other one's note counts
                return
            newest = select(notes.c.put_at).where(notes.c.person == mine).order_by(notes.c.put_at.desc())
            oldest = connection.execute(newest.offset(MOST).limit(1)).scalar_one_or_none()
            if oldest is not None:
                connection.execute(delete(notes).where(notes.c.person == mine, notes.c.put_at <= oldest))

    def drop(self, person: Person, name: str) -> None:
        """Take a note away, if there is one."""
        mine, filed = self._keys.sealer.person(person.key), self._keys.sealer.note(name)
        with self._engine.begin() as connection:
            connection.execute(delete(notes).where(self._this(mine, filed)))

    @staticmethod
    def _this(person: bytes, filed: bytes) -> Any:
        return (notes.c.person == person) & (notes.c.name == filed)
