"""Which banks one person has linked on one page (docs/one-stop.md): a row for each bank, under a secret of her browser.

Rows of one link have nothing in common for whoever does not hold that secret, and each goes with its person's key.
"""

from __future__ import annotations

import hmac
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from api.web.keys import PersonKeys
from api.web.sealing import place
from api.web.tables import people, ties
from ledger.canonical import unb64u
from ledger.errors import Corrupt
from ledger.vault.cipher import Cipher

MOST: Final = 8
"""How many banks stand on one page."""
SPAN_MS: Final = 30 * 86_400_000
SPANS: Final = 13
"""For how many spans, from the end of the running one on, a row is kept when it is not used."""


class Tie(Struct, frozen=True):
    """One bank in somebody's link."""

    holder: str
    key: str
    """`Person.key` there, b64u."""
    token: str
    """Of her session there in this browser; it may have ended."""


_codec: Final = msgspec.json.Decoder(Tie)
_encode: Final = msgspec.json.Encoder().encode


class Ties:
    """All links, in the pages' own database. `secret` is what her browser keeps."""

    def __init__(self, engine: Engine, keys: PersonKeys) -> None:
        """The tables are there (store.py)."""
        self._engine = engine
        self._keys = keys

    def of(self, secret: str) -> dict[int, Tie]:
        """The banks of a link, by number from 0 to MOST - 1. A row that was changed in the database does not count."""
        numbers = {_slot(secret, number): number for number in range(MOST)}
        query = select(ties.c.slot, ties.c.person, ties.c.sealed, people.c.wrapped).join(
            people, people.c.person == ties.c.person
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query.where(ties.c.slot.in_(list(numbers)))).all()
        found = {numbers[bytes(row.slot)]: self._read(secret, row) for row in rows}
        return {number: tie for number, tie in sorted(found.items()) if tie is not None}

    def put(self, secret: str, tie: Tie, now: int) -> bool:
        """Write a bank of a link over what was known of it, `now` in ms; False where the link is full."""
        known = self.of(secret)
        mine = [number for number, one in known.items() if one.key == tie.key]
        free = [number for number in range(MOST) if number not in known]
        person = self._keys.sealer.person(unb64u(tie.key))
        for number in (mine or free)[:1]:
            slot = _slot(secret, number)
            with self._engine.begin() as connection:
                inner = _cipher(secret).seal(_encode(tie), place("tie", slot))
                sealed = self._keys.made(connection, person).seal(inner, place("ties", slot))
                row = {"person": person, "until": (now // SPAN_MS + SPANS) * SPAN_MS, "sealed": sealed}
                if connection.execute(update(ties).where(ties.c.slot == slot).values(**row)).rowcount == 0:
                    try:
                        with connection.begin_nested():
                            connection.execute(insert(ties).values(slot=slot, **row))
                    except IntegrityError:  # two windows at once: ours is written over the other one's
                        connection.execute(update(ties).where(ties.c.slot == slot).values(**row))
            return True
        return False

    def drop(self, secret: str, number: int) -> None:
        """Take a bank out of a link."""
        with self._engine.begin() as connection:
            connection.execute(delete(ties).where(ties.c.slot == _slot(secret, number)))

    def purge(self, now: int) -> None:
        """Forget what has not been used for about a year; `now` in ms."""
        with self._engine.begin() as connection:
            connection.execute(delete(ties).where(ties.c.until < now))

    def _read(self, secret: str, row: Any) -> Tie | None:
        slot = bytes(row.slot)
        try:
            inner = self._keys.sealer.unwrap(row.wrapped, row.person).open(row.sealed, place("ties", slot))
            return _codec.decode(_cipher(secret).open(inner, place("tie", slot)))
        except Corrupt:
            return None


def _slot(secret: str, number: int) -> bytes:
    return hmac.digest(secret.encode(), f"consent-ledger/web/tie/{number}".encode(), "sha256")


def _cipher(secret: str) -> Cipher:
    return Cipher(hmac.digest(secret.encode(), b"consent-ledger/web/tie/key", "sha256"))
