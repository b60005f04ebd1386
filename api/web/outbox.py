"""What is to be sent, and what was: noted with the place in the log up to which it is noted, in one transaction.

A notice has an id that follows from the person, the channel and what it is about, so that reading the same entries twice notes
it once. Each attempt is claimed by one process only. A crash between sending and noting makes the
next process send again, under the same id (an e-mail: the same Message-ID); nothing else is ever sent twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Engine, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from api.web.keys import PersonKeys
from api.web.people import Person
from api.web.sealing import place
from api.web.subscriptions import Channel
from api.web.tables import meta, outbox, people

CURSOR: Final = "told-up-to"
DAY: Final = "told-on-day"
CLAIM_MS: Final = 120_000
FIRST_RETRY_MS: Final = 60_000
LAST_RETRY_MS: Final = 6 * 3_600_000
GIVE_UP_MS: Final = 3 * 86_400_000
KEPT_MS: Final = 400 * 86_400_000
"""How long it is remembered that a notice was sent; its words go when it is."""
WAITING: Final = "waiting"
SENT: Final = "sent"
FAILED: Final = "failed"


class PersonalMessage(Struct, frozen=True, kw_only=True):
    """One notice in words, for one person by one channel."""

    person: Person
    channel: Channel
    address: str
    language: str
    subject: str
    """Says nothing about the person or the matter."""
    text: str
    short: str
    """For a text message or a lock screen: names no app and no account."""


@dataclass(frozen=True, slots=True)
class DueNotice:
    """A notice whose next attempt is due."""

    id: bytes
    attempts: int
    made_at: int
    message: PersonalMessage


_codec: Final = msgspec.json.Decoder(PersonalMessage)
_encode: Final = msgspec.json.Encoder().encode


def notice_id(message: PersonalMessage, about: str) -> bytes:
    """32 bytes: the same for the same person, channel and matter."""
    return sha256(b"\n".join([message.person.key, message.channel.encode(), about.encode()])).digest()


class Outbox:
    """The notices, in the pages' own database; words are sealed under the key of the person they are for."""

    def __init__(self, engine: Engine, keys: PersonKeys) -> None:
        """The tables are there (store.py)."""
        self._engine = engine
        self._keys = keys

    def mark(self, name: str) -> int | None:
        """A number that is kept with the notices: CURSOR or DAY."""
        with self._engine.connect() as connection:
            return _read_mark(connection, name)

    def note(
        self, mark: str, old: int | None, new: int, notices: Sequence[tuple[bytes, PersonalMessage]], now: int
    ) -> bool:
        """Move a mark from `old` to `new` and note the notices, or neither; False when somebody else moved it."""
        with self._engine.begin() as connection:
            if not _move_mark(connection, mark, old, new):
                return False
            for name, message in notices:
                self._add(connection, name, message, now)
        return True

    def _add(self, connection: Connection, name: bytes, message: PersonalMessage, now: int) -> None:
        mine = self._keys.sealer.person(message.person.key)
        sealed = self._keys.made(connection, mine).seal(_encode(message), place("outbox", name))
        row = {"id": name, "person": mine, "state": WAITING, "attempts": 0, "next_at": now, "made_at": now}
        try:
            with connection.begin_nested():
                connection.execute(insert(outbox).values(sealed=sealed, **row))
        except IntegrityError:  # it was noted before
            return

    def due(self, now: int, limit: int = 100) -> list[DueNotice]:
        """Notices whose time has come, oldest first."""
        wanted = (outbox.c.state == WAITING, outbox.c.next_at <= now)
        query = _ROWS.where(*wanted).order_by(outbox.c.made_at, outbox.c.id).limit(limit)
        with self._engine.connect() as connection:
            return [self._read(row) for row in connection.execute(query).all()]

    def claim(self, one: DueNotice, now: int) -> bool:
        """Whether this process makes the next attempt."""
        same = (outbox.c.id == one.id, outbox.c.state == WAITING, outbox.c.attempts == one.attempts)
        values = {"attempts": one.attempts + 1, "next_at": now + CLAIM_MS}
        return self._changed(update(outbox).where(*same).values(**values))

    def sent(self, one: DueNotice) -> None:
        """It was taken; its words are forgotten."""
        self._changed(update(outbox).where(outbox.c.id == one.id).values(state=SENT, sealed=None))

    def failed(self, one: DueNotice, now: int, *, for_good: bool) -> bool:
        """It was not taken: tried again later, twice as late each time, for three days. Whether it was given up."""
        over = for_good or now - one.made_at >= GIVE_UP_MS
        later = now + min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** min(one.attempts, 20))
        values = {"state": FAILED, "sealed": None} if over else {"next_at": later}
        self._changed(update(outbox).where(outbox.c.id == one.id).values(**values))
        return over

    def purge(self, now: int) -> None:
        """Forget what was sent or given up long ago."""
        old = (outbox.c.state != WAITING, outbox.c.made_at < now - KEPT_MS)
        self._changed(delete(outbox).where(*old))

    def counts(self) -> dict[str, int]:
        """How many notices are in each state."""
        query = select(outbox.c.state, func.count()).group_by(outbox.c.state)
        with self._engine.connect() as connection:
            found = {str(row[0]): int(row[1]) for row in connection.execute(query)}
        return {state: found.get(state, 0) for state in (WAITING, SENT, FAILED)}

    def _changed(self, statement: Any) -> bool:
        with self._engine.begin() as connection:
            return bool(connection.execute(statement).rowcount)

    def _read(self, row: Any) -> DueNotice:
        cipher = self._keys.sealer.unwrap(row.wrapped, row.person)
        return DueNotice(
            bytes(row.id), row.attempts, row.made_at, _codec.decode(cipher.open(row.sealed, place("outbox", row.id)))
        )


_ROWS: Final = select(
    outbox.c.id, outbox.c.person, outbox.c.attempts, outbox.c.made_at, outbox.c.sealed, people.c.wrapped
).join(people, people.c.person == outbox.c.person)


def _read_mark(connection: Connection, name: str) -> int | None:
    value = connection.execute(select(meta.c.value).where(meta.c.name == name)).scalar_one_or_none()
    return None if value is None else int(bytes(value))


def _move_mark(connection: Connection, name: str, old: int | None, new: int) -> bool:
    if old is None:
        try:
            with connection.begin_nested():
                connection.execute(insert(meta).values(name=name, value=str(new).encode()))
        except IntegrityError:
            return False
        return True
    same = (meta.c.name == name, meta.c.value == str(old).encode())
    return bool(connection.execute(update(meta).where(*same).values(value=str(new).encode())).rowcount)
