"""Who wants to be told what, how, in which language; sealed under her own key, erased with her."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from api.web.keys import PersonKeys
from api.web.people import Person
from api.web.sealing import place
from api.web.tables import people, subscriptions

Channel = Literal["mail", "sms", "push"]
CHANNELS: Final[tuple[Channel, ...]] = ("mail", "sms", "push")
Kind = Literal[
    "new", "change", "stopped", "first-read", "refusals", "expiring", "authority", "incident", "answer", "digest"
]
KINDS: Final[tuple[Kind, ...]] = (
    "new",
    "change",
    "stopped",
    "first-read",
    "refusals",
    "expiring",
    "authority",
    "incident",
    "answer",
    "digest",
)
PAGE: Final = 500


class Subscription(Struct, frozen=True, kw_only=True):
    """What one person wants."""

    person: Person
    address: str
    """Her e-mail address, as her bank gave it; empty for none."""
    channels: tuple[Channel, ...]
    kinds: tuple[Kind, ...]
    language: str
    zone: str
    since: int
    """From when on (ms)."""


_codec: Final = msgspec.json.Decoder(Subscription)
_encode: Final = msgspec.json.Encoder().encode


class Subscriptions:
    """All of them, in the pages' own database; filed under keyed digests of the person and of her subject chain."""

    def __init__(self, engine: Engine, keys: PersonKeys) -> None:
        """The tables are there (store.py)."""
        self._engine = engine
        self._keys = keys

    def of(self, person: Person) -> Subscription | None:
        """What a person wants; None when she never said."""
        found = list(self._found(subscriptions.c.person == self._keys.sealer.person(person.key)))
        return found[0] if found else None

    def put(self, one: Subscription) -> None:
        """Write what a person wants over what she wanted."""
        mine = self._keys.sealer.person(one.person.key)
        with self._engine.begin() as connection:
            sealed = self._keys.made(connection, mine).seal(_encode(one), place("subscriptions", mine))
            row = {"chain": self._chain(one.person.chain), "sealed": sealed}
            where = subscriptions.c.person == mine
            if connection.execute(update(subscriptions).where(where).values(**row)).rowcount == 0:
                try:
                    with connection.begin_nested():
                        connection.execute(insert(subscriptions).values(person=mine, **row))
                except IntegrityError:  # two windows at once: ours is written over the other one's
                    connection.execute(update(subscriptions).where(where).values(**row))

    def drop(self, person: Person) -> None:
        """She wants nothing any more."""
        mine = self._keys.sealer.person(person.key)
        with self._engine.begin() as connection:
            connection.execute(delete(subscriptions).where(subscriptions.c.person == mine))

    def by_chain(self, chains: Iterable[bytes]) -> dict[bytes, list[Subscription]]:
        """Who wants to be told of these subject chains; several people of one relationship each say so themselves."""
        filed = {self._chain(chain): chain for chain in chains}
        found: dict[bytes, list[Subscription]] = {}
        wanted = list(filed)
        for low in range(0, len(wanted), PAGE):
            for one in self._found(subscriptions.c.chain.in_(wanted[low : low + PAGE])):
                found.setdefault(one.person.chain, []).append(one)
        return found

    def all(self) -> Iterator[Subscription]:
        """Everybody, in pages."""
        after = b""
        while True:
            query = _ROWS.where(subscriptions.c.person > after).order_by(subscriptions.c.person).limit(PAGE)
            with self._engine.connect() as connection:
                rows = connection.execute(query).all()
            for row in rows:
                yield self._read(row)
            if len(rows) < PAGE:
                return
            after = bytes(rows[-1].person)

    def _chain(self, chain: bytes) -> bytes:
        return self._keys.sealer.note(f"subject chain {chain.hex()}")

    def _found(self, wanted: Any) -> Iterator[Subscription]:
        with self._engine.connect() as connection:
            rows = connection.execute(_ROWS.where(wanted)).all()
        return map(self._read, rows)

    def _read(self, row: Any) -> Subscription:
        cipher = self._keys.sealer.unwrap(row.wrapped, row.person)
        return _codec.decode(cipher.open(row.sealed, place("subscriptions", row.person)))


_ROWS: Final = select(subscriptions.c.person, subscriptions.c.sealed, people.c.wrapped).join(
    people, people.c.person == subscriptions.c.person
)
