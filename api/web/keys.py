"""The keys of people in the pages' store: made when the first thing of a person is kept, destroyed by erasure."""

from __future__ import annotations

import os

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from api.web.sealing import Sealer
from api.web.tables import people
from ledger.vault.cipher import KEY_SIZE, Cipher


class PersonKeys:
    """Opens and makes the keys of people; every call is part of the caller's transaction."""

    def __init__(self, sealer: Sealer) -> None:
        self.sealer = sealer

    def known(self, connection: Connection, person: bytes) -> Cipher | None:
        """The sealer of a person's things, filed under `person`; None when nothing is kept of her."""
        wrapped = connection.execute(select(people.c.wrapped).where(people.c.person == person)).scalar_one_or_none()
        return None if wrapped is None else self.sealer.unwrap(wrapped, person)

    def made(self, connection: Connection, person: bytes) -> Cipher:
        """The same; a key is made for somebody who has none."""
        found = self.known(connection, person)
        if found is None:
            wrapped = self.sealer.wrap(os.urandom(KEY_SIZE), person)
            try:
                with connection.begin_nested():
                    connection.execute(insert(people).values(person=person, wrapped=wrapped))
            except IntegrityError:  # two windows at once: the other one's key counts
                found = self.known(connection, person)
                if found is None:
                    raise
                return found
            found = self.sealer.unwrap(wrapped, person)
        return found
