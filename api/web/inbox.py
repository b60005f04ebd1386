"""Requests of customers to be erased, beside the log: for two people of the operator (docs/people.md).

Each is kept under a number that the customer can quote.
"""

from __future__ import annotations

import os
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, structs
from sqlalchemy import Engine, insert, select, update

from api.web.keys import PersonKeys
from api.web.people import Person
from api.web.sealing import place
from api.web.tables import erasures

LISTED: Final = 100

State = Literal["asked", "approved", "done", "declined", "withdrawn"]
OPEN: Final[tuple[State, ...]] = ("asked", "approved")
DECLINED: Final = ("legal-retention", "open-dispute", "bank-declined")
"""Why an erasure may be declined, in codes that the pages put into words."""


class ErasureWish(Struct, frozen=True, kw_only=True):
    """A customer's wish that what the log holds about her becomes unreadable for ever. Times are milliseconds."""

    id: str
    holder: str
    person: str
    """b64u of the key under which the pages file the customer's things."""
    chains: tuple[str, ...]
    """b64u of the subject chain and of the chains of all her consents: digests, which tell nobody anything."""
    made_at: int
    state: State = "asked"
    approved_by: tuple[str, ...] = ()
    answered_at: int = 0
    reason: str = ""
    version: int = 0
    """How often it was answered: an answer is given to the request that was read."""

    @property
    def is_open(self) -> bool:
        """Whether it still waits."""
        return self.state in OPEN


_erasure_codec: Final = msgspec.json.Decoder(ErasureWish)
_encode: Final = msgspec.json.Encoder().encode


def new_number() -> str:
    """A number that can be read out on the telephone."""
    return os.urandom(5).hex().upper()


class Inbox:
    """The requests, in the pages' own database.

    A request is sealed under the store's own key, no person's: it must tell her afterwards what became of it. It holds
    digests, no name and no reference.
    """

    def __init__(self, engine: Engine, keys: PersonKeys) -> None:
        """The tables are there (store.py)."""
        self._engine = engine
        self._keys = keys

    def ask_erasure(self, person: Person, wish: ErasureWish) -> None:
        """Keep a request for the operator."""
        self.keep_erasure(person.key, wish)

    def keep_erasure(self, key: bytes, wish: ErasureWish) -> None:
        """The same, for a person by her key."""
        row = {"id": wish.id, "person": self._keys.sealer.person(key), "made_at": wish.made_at}
        with self._engine.begin() as connection:
            connection.execute(insert(erasures).values(**row, **self._answer(wish)))

    def erasure_of(self, person: Person) -> ErasureWish | None:
        """A person's newest request."""
        mine = erasures.c.person == self._keys.sealer.person(person.key)
        found = self._erasures(_ERASURES.where(mine).order_by(erasures.c.made_at.desc()).limit(1))
        return found[0] if found else None

    def erasures(self) -> list[ErasureWish]:
        """The newest LISTED requests of everybody, those that wait first."""
        waiting_first = _ERASURES.order_by(erasures.c.state.not_in(OPEN), erasures.c.made_at.desc())
        return self._erasures(waiting_first.limit(LISTED))

    def erasure(self, number: str) -> ErasureWish | None:
        """The request of this number."""
        found = self._erasures(_ERASURES.where(erasures.c.id == number))
        return found[0] if found else None

    def answer_erasure(self, known: ErasureWish, **changes: object) -> bool:
        """Replace members of a request that is still as it is `known`; False when somebody was faster."""
        answered = structs.replace(known, version=known.version + 1, **changes)
        same = (erasures.c.id == known.id) & (erasures.c.version == known.version)
        with self._engine.begin() as connection:
            return bool(connection.execute(update(erasures).where(same).values(**self._answer(answered))).rowcount)

    def _answer(self, wish: ErasureWish) -> dict[str, object]:
        sealed = self._keys.sealer.common.seal(_encode(wish), _erasure_place(wish.id))
        return {"state": wish.state, "version": wish.version, "sealed": sealed}

    def _erasures(self, query: Any) -> list[ErasureWish]:
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        common = self._keys.sealer.common
        return [_erasure_codec.decode(common.open(row.sealed, _erasure_place(row.id))) for row in rows]


_ERASURES: Final = select(erasures.c.id, erasures.c.sealed)


def _erasure_place(number: str) -> bytes:
    return place("erasures", number.encode())
