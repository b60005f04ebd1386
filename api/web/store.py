"""What the pages remember outside the log: sessions, passkeys for sign-in, opened requests, preferences (letters: inbox.py).

All of it may be lost without harm to anybody's rights: people sign in again, enrol again. Session ids are kept as digests, so
a copy of this database opens no session.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from api.web.inbox import Inbox
from api.web.people import Person, Session
from api.web.staff import Staff

metadata: Final = MetaData()

_sessions: Final = Table(
    "web_sessions",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("person", LargeBinary(32), nullable=True, index=True),
    Column("ends_at", BigInteger, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
)
_passkeys: Final = Table(
    "web_passkeys",
    metadata,
    Column("credential_id", String(1364), primary_key=True),
    Column("person", LargeBinary(32), nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
)
_requests: Final = Table(
    "web_requests",
    metadata,
    Column("person", LargeBinary(32), primary_key=True),
    Column("consent_id", String(128), primary_key=True),
    Column("opened_at", BigInteger, nullable=False),
)
_preferences: Final = Table(
    "web_preferences",
    metadata,
    Column("person", LargeBinary(32), primary_key=True),
    Column("zone", String(64), nullable=False),
    Column("version", Integer, nullable=False, default=1),
)

MAX_OPEN_REQUESTS: Final = 20
MAX_PASSKEYS: Final = 10


class Passkey(Struct, frozen=True):
    """A passkey that its holder has enrolled: what sign-in needs. Times are milliseconds."""

    credential_id: str
    person: Person
    public_key: str
    """The COSE key, b64u."""
    sign_count: int
    label: str
    enrolled_at: int
    entry: int
    """Index of the `subject.enrol` in the log."""


_session_codec: Final = msgspec.json.Decoder(Session)
_passkey_codec: Final = msgspec.json.Decoder(Passkey)
_encode: Final = msgspec.json.Encoder().encode


def _configure_sqlite(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")  # a lost session is a new sign-in


class Store:
    """The pages' own small database."""

    def __init__(self, url: str) -> None:
        """Open it, and make its tables if they are missing."""
        self._engine: Engine = create_engine(url, pool_pre_ping=True)
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _configure_sqlite)
        metadata.create_all(self._engine)
        self.inbox = Inbox(self._engine)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    # -- sessions ---------------------------------------------------------------------------------------------------

    def put_session(self, token: str, session: Session, ends_at: int) -> None:
        """Write a session under its token; it is purged after `ends_at` (ms)."""
        person = session.someone.key if session.someone else None
        row = {"person": person, "ends_at": ends_at, "body": _encode(session)}
        with self._engine.begin() as connection:
            done = connection.execute(update(_sessions).where(_sessions.c.digest == _digest(token)).values(**row))
            if done.rowcount == 0:
                connection.execute(insert(_sessions).values(digest=_digest(token), **row))

    def session(self, token: str) -> Session | None:
        """The session of a token, if there is one."""
        with self._engine.connect() as connection:
            query = select(_sessions.c.body).where(_sessions.c.digest == _digest(token))
            body = connection.execute(query).scalar_one_or_none()
        return None if body is None else _session_codec.decode(body)

    def drop_session(self, token: str) -> None:
        """End one session."""
        with self._engine.begin() as connection:
            connection.execute(delete(_sessions).where(_sessions.c.digest == _digest(token)))

    def drop_sessions_of(self, person: Person | Staff) -> None:
        """End all sessions of a person, on every device."""
        with self._engine.begin() as connection:
            connection.execute(delete(_sessions).where(_sessions.c.person == person.key))

    def purge_sessions(self, now: int) -> None:
        """Forget sessions that have ended."""
        with self._engine.begin() as connection:
            connection.execute(delete(_sessions).where(_sessions.c.ends_at < now))

    # -- passkeys ---------------------------------------------------------------------------------------------------

    def add_passkey(self, passkey: Passkey) -> None:
        """Remember an enrolled passkey."""
        row = {"credential_id": passkey.credential_id, "person": passkey.person.key, "body": _encode(passkey)}
        with self._engine.begin() as connection:
            connection.execute(insert(_passkeys).values(**row))

    def passkey(self, credential_id: str) -> Passkey | None:
        """The passkey of this credential id."""
        with self._engine.connect() as connection:
            query = select(_passkeys.c.body).where(_passkeys.c.credential_id == credential_id)
            body = connection.execute(query).scalar_one_or_none()
        return None if body is None else _passkey_codec.decode(body)

    def passkeys_of(self, person: Person) -> list[Passkey]:
        """A person's passkeys, oldest first."""
        with self._engine.connect() as connection:
            query = select(_passkeys.c.body).where(_passkeys.c.person == person.key)
            found = [_passkey_codec.decode(body) for body in connection.execute(query).scalars()]
        return sorted(found, key=lambda passkey: passkey.enrolled_at)

    def update_passkey(self, passkey: Passkey) -> None:
        """Write a passkey's new counter."""
        with self._engine.begin() as connection:
            where = _passkeys.c.credential_id == passkey.credential_id
            connection.execute(update(_passkeys).where(where).values(body=_encode(passkey)))

    def drop_passkey(self, person: Person, credential_id: str) -> None:
        """Forget a passkey of this person."""
        with self._engine.begin() as connection:
            mine = (_passkeys.c.credential_id == credential_id) & (_passkeys.c.person == person.key)
            connection.execute(delete(_passkeys).where(mine))

    def drop_person(self, key: bytes) -> None:
        """Forget all but the letters of a person whose records were erased."""
        with self._engine.begin() as connection:
            for table in (_sessions, _passkeys, _requests, _preferences):
                connection.execute(delete(table).where(table.c.person == key))

    # -- opened requests --------------------------------------------------------------------------------------------

    def remember_request(self, person: Person, consent_id: str, at: int) -> None:
        """A customer has opened a request that waits; the oldest are forgotten beyond a bound."""
        with self._engine.begin() as connection:
            mine = _requests.c.person == person.key
            connection.execute(delete(_requests).where(mine, _requests.c.consent_id == consent_id))
            connection.execute(insert(_requests).values(person=person.key, consent_id=consent_id, opened_at=at))
            keep = select(_requests.c.opened_at).where(mine).order_by(_requests.c.opened_at.desc())
            oldest = connection.execute(keep.offset(MAX_OPEN_REQUESTS).limit(1)).scalar_one_or_none()
            if oldest is not None:
                connection.execute(delete(_requests).where(mine, _requests.c.opened_at <= oldest))

    def forget_request(self, person: Person, consent_id: str) -> None:
        """The request was answered."""
        with self._engine.begin() as connection:
            where = (_requests.c.person == person.key) & (_requests.c.consent_id == consent_id)
            connection.execute(delete(_requests).where(where))

    def requests_of(self, person: Person) -> list[str]:
        """Consent ids of the requests that a person opened and has not answered here, newest first."""
        with self._engine.connect() as connection:
            query = select(_requests.c.consent_id).where(_requests.c.person == person.key)
            return list(connection.execute(query.order_by(_requests.c.opened_at.desc())).scalars())

    # -- preferences ------------------------------------------------------------------------------------------------

    def zone(self, person: Person) -> str | None:
        """The time zone that a person chose."""
        with self._engine.connect() as connection:
            query = select(_preferences.c.zone).where(_preferences.c.person == person.key)
            return connection.execute(query).scalar_one_or_none()

    def set_zone(self, person: Person, zone: str) -> None:
        """Remember a person's time zone."""
        with self._engine.begin() as connection:
            where = _preferences.c.person == person.key
            if connection.execute(update(_preferences).where(where).values(zone=zone)).rowcount == 0:
                try:
                    with connection.begin_nested():
                        connection.execute(insert(_preferences).values(person=person.key, zone=zone))
                except IntegrityError:  # two windows at once: the other one's insert counts as well as ours
                    connection.execute(update(_preferences).where(where).values(zone=zone))


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
