"""The pages' memory outside the log: sessions, passkeys for sign-in, opened requests, preferences (letters: inbox.py).

All of it may be lost without harm to anybody's rights: people sign in again, enrol again. It is private all the same:
the file is its owner's alone, a person's data are sealed under a key of hers (sealing.py), and erasure destroys that
key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from api.web.alert_work import AlertWork
from api.web.feedback import FeedbackBook
from api.web.inbox import Inbox
from api.web.keys import PersonKeys
from api.web.notes import PersonalNotes
from api.web.outbox import Outbox
from api.web.papers import Papers
from api.web.people import Person, Session
from api.web.sealing import Sealer, digest, load_or_make, place
from api.web.staff import Staff
from api.web.subscriptions import Subscriptions
from api.web.tables import OF_PEOPLE, deeds, meta, metadata, passkeys, people, preferences, requests, sessions
from api.web.ties import Ties
from ledger.engines.engine import make_tables, pages_engine, sweep
from ledger.errors import Corrupt, InvalidInput, NotFound, Unavailable

MAX_OPEN_REQUESTS: Final = 20
MAX_PASSKEYS: Final = 10
CHECK: Final = "key-check"


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


class Store:
    """The pages' own small database."""

    def __init__(self, url: str, key_file: Path) -> None:
        """Open it; make its key and its tables if there are none. For one of an older version use `open_store`.

        Raises NotFound when the database has a key and `key_file` does not exist, InvalidInput when it holds another one.
        """
        self.engine: Engine = pages_engine(url)
        make_tables(self.engine, metadata.sorted_tables)
        self._sealer = Sealer(self._key(key_file))
        self._keys = PersonKeys(self._sealer)
        self.inbox = Inbox(self.engine, self._keys)
        self.feedback = FeedbackBook(self.engine, self._keys)
        self.subscriptions = Subscriptions(self.engine, self._keys)
        self.outbox = Outbox(self.engine, self._keys)
        self.notes = PersonalNotes(self.engine, self._keys)
        self.ties = Ties(self.engine, self._keys)
        self.alert_work = AlertWork(self.engine, self._keys)
        self.papers = Papers(self.engine, self._sealer.common)

    def _key(self, key_file: Path) -> bytes:
        """The key of this store, made with it. Raises NotFound, InvalidInput."""
        query = select(meta.c.value).where(meta.c.name == CHECK)
        with self.engine.connect() as connection:
            known = connection.execute(query).scalar_one_or_none()
        try:
            key = load_or_make(key_file, may_make=known is None)
        except NotFound:
            raise NotFound(
                f"the pages' store was sealed with a key that is not at {key_file}: put it there (it lies beside the"
                " store of the node that made it), or remove the store: people then sign in again"
            ) from None
        check = Sealer(key).check
        if known is None:
            with self.engine.begin() as connection:
                try:
                    with connection.begin_nested():
                        connection.execute(insert(meta).values(name=CHECK, value=check))
                except IntegrityError:  # another process opened the same new store
                    pass
                known = connection.execute(query).scalar_one()
        if known != check:
            raise InvalidInput(
                f"the key at {key_file} is not the one that the pages' store was sealed with: put that key there, or"
                " remove the store: people then sign in again"
            )
        return key

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    # -- sessions ---------------------------------------------------------------------------------------------------

    def put_session(self, token: str, session: Session, ends_at: int) -> None:
        """Write a session under its token; it is purged after `ends_at` (ms)."""
        name = digest(token)
        with self.engine.begin() as connection:
            person, cipher = None, self._sealer.common
            if session.owner is not None:
                person = self._sealer.person(session.owner)
                cipher = self._keys.made(connection, person)
            row = {
                "person": person,
                "ends_at": ends_at,
                "sealed": cipher.seal(_encode(session), place("sessions", name)),
            }
            if connection.execute(update(sessions).where(sessions.c.digest == name).values(**row)).rowcount == 0:
                connection.execute(insert(sessions).values(digest=name, **row))

    def session(self, token: str) -> Session | None:
        """The session of a token, if there is one. A session that was changed in the database does not count."""
        name = digest(token)
        query = select(sessions.c.sealed, sessions.c.person, people.c.wrapped).select_from(
            sessions.outerjoin(people, people.c.person == sessions.c.person)
        )
        with self.engine.connect() as connection:
            row = connection.execute(query.where(sessions.c.digest == name)).one_or_none()
        if row is None or (row.person is not None and row.wrapped is None):
            return None
        try:
            cipher = self._sealer.common if row.person is None else self._sealer.unwrap(row.wrapped, row.person)
            return _session_codec.decode(cipher.open(row.sealed, place("sessions", name)))
        except Corrupt:
            return None

    def drop_session(self, token: str) -> None:
        """End one session."""
        with self.engine.begin() as connection:
            connection.execute(delete(sessions).where(sessions.c.digest == digest(token)))

    def drop_sessions_of(self, person: Person | Staff) -> None:
        """End all sessions of a person, on every device."""
        with self.engine.begin() as connection:
            connection.execute(delete(sessions).where(sessions.c.person == self._sealer.person(person.key)))

    def purge_sessions(self, now: int) -> None:
        """Forget sessions that have ended."""
        with self.engine.begin() as connection:
            connection.execute(delete(sessions).where(sessions.c.ends_at < now))

    # -- passkeys ---------------------------------------------------------------------------------------------------

    def add_passkey(self, passkey: Passkey) -> None:
        """Remember an enrolled passkey."""
        with self.engine.begin() as connection:
            row = self._passkey_row(connection, passkey)
            connection.execute(insert(passkeys).values(**row))

    def passkey(self, credential_id: str) -> Passkey | None:
        """The passkey of this credential id."""
        found = self._passkeys(passkeys.c.credential == self._sealer.credential(credential_id))
        return found[0] if found else None

    def passkeys_of(self, person: Person) -> list[Passkey]:
        """A person's passkeys, oldest first."""
        found = self._passkeys(passkeys.c.person == self._sealer.person(person.key))
        return sorted(found, key=lambda passkey: passkey.enrolled_at)

    def update_passkey(self, passkey: Passkey) -> None:
        """Write a passkey's new counter."""
        with self.engine.begin() as connection:
            row = self._passkey_row(connection, passkey)
            where = passkeys.c.credential == row["credential"]
            connection.execute(update(passkeys).where(where).values(sealed=row["sealed"]))

    def drop_passkey(self, person: Person, credential_id: str) -> None:
        """Forget a passkey of this person."""
        mine = passkeys.c.person == self._sealer.person(person.key)
        with self.engine.begin() as connection:
            this = passkeys.c.credential == self._sealer.credential(credential_id)
            connection.execute(delete(passkeys).where(this & mine))

    def _passkey_row(self, connection: Connection, passkey: Passkey) -> dict[str, bytes]:
        person, name = self._sealer.person(passkey.person.key), self._sealer.credential(passkey.credential_id)
        sealed = self._keys.made(connection, person).seal(_encode(passkey), place("passkeys", name))
        return {"credential": name, "person": person, "sealed": sealed}

    def _passkeys(self, which: Any) -> list[Passkey]:
        query = select(passkeys.c.credential, passkeys.c.person, passkeys.c.sealed, people.c.wrapped).join(
            people, people.c.person == passkeys.c.person
        )
        with self.engine.connect() as connection:
            rows = connection.execute(query.where(which)).all()
        return [
            _passkey_codec.decode(
                self._sealer.unwrap(row.wrapped, row.person).open(row.sealed, place("passkeys", row.credential))
            )
            for row in rows
        ]

    # -- erasure ----------------------------------------------------------------------------------------------------

    def drop_person(self, key: bytes) -> None:
        """Forget all of a person whose records were erased, her key first of all; her requests to be erased stay.

        Raises Unavailable while somebody reads the database so that its write-ahead log cannot be emptied: do it again.
        """
        person = self._sealer.person(key)
        with self.engine.begin() as connection:
            for table in OF_PEOPLE:
                connection.execute(delete(table).where(table.c.person == person))
        self.leave_no_trace()

    def leave_no_trace(self) -> None:
        """Remove deleted rows from every file: from the write-ahead log (SQLite), and as dead rows (PostgreSQL)."""
        if not sweep(self.engine, [table.name for table in OF_PEOPLE]):
            raise Unavailable("the pages' store is being read: what was erased is still in its log; repeat")

    # -- who asked for what -----------------------------------------------------------------------------------------

    def remember_deed(self, person: Person, entry: int) -> None:
        """Note that this person asked for that entry of the log; the first one stays (a statement can be repeated)."""
        with self.engine.begin() as connection:
            try:
                with connection.begin_nested():
                    connection.execute(insert(deeds).values(entry=entry, person=self._sealer.person(person.key)))
            except IntegrityError:
                return

    def deed(self, entry: int, person: Person) -> bool | None:
        """Whether this person asked for an entry; None when nobody did here, or that person was erased."""
        with self.engine.connect() as connection:
            query = select(deeds.c.person).where(deeds.c.entry == entry)
            known = connection.execute(query).scalar_one_or_none()
        return None if known is None else bytes(known) == self._sealer.person(person.key)

    # -- opened requests --------------------------------------------------------------------------------------------

    def remember_request(self, person: Person, consent_id: str, at: int) -> None:
        """A customer has opened a request that waits; the oldest are forgotten beyond a bound."""
        self.keep_request(person.key, consent_id, at)

    def keep_request(self, key: bytes, consent_id: str, at: int) -> None:
        """The same, for a person by her key."""
        person, name = self._sealer.person(key), self._sealer.consent(consent_id)
        with self.engine.begin() as connection:
            mine = requests.c.person == person
            connection.execute(delete(requests).where(mine, requests.c.consent == name))
            sealed = self._keys.made(connection, person).seal(consent_id.encode(), place("requests", name))
            connection.execute(insert(requests).values(person=person, consent=name, opened_at=at, sealed=sealed))
            keep = select(requests.c.opened_at).where(mine).order_by(requests.c.opened_at.desc())
            oldest = connection.execute(keep.offset(MAX_OPEN_REQUESTS).limit(1)).scalar_one_or_none()
            if oldest is not None:
                connection.execute(delete(requests).where(mine, requests.c.opened_at <= oldest))

    def forget_request(self, person: Person, consent_id: str) -> None:
        """The request was answered."""
        mine = requests.c.person == self._sealer.person(person.key)
        with self.engine.begin() as connection:
            connection.execute(delete(requests).where(mine, requests.c.consent == self._sealer.consent(consent_id)))

    def requests_of(self, person: Person) -> list[str]:
        """Consent ids of the requests that a person opened and has not answered here, newest first."""
        mine = self._sealer.person(person.key)
        with self.engine.connect() as connection:
            cipher = self._keys.known(connection, mine)
            query = select(requests.c.consent, requests.c.sealed).where(requests.c.person == mine)
            rows = connection.execute(query.order_by(requests.c.opened_at.desc())).all() if cipher else []
        return [cipher.open(row.sealed, place("requests", row.consent)).decode() for row in rows if cipher]

    # -- preferences ------------------------------------------------------------------------------------------------

    def zone(self, person: Person) -> str | None:
        """The time zone that a person chose."""
        mine = self._sealer.person(person.key)
        with self.engine.connect() as connection:
            query = select(preferences.c.sealed, people.c.wrapped).join(people, people.c.person == preferences.c.person)
            row = connection.execute(query.where(preferences.c.person == mine)).one_or_none()
        if row is None:
            return None
        return self._sealer.unwrap(row.wrapped, mine).open(row.sealed, place("choices", mine)).decode()

    def set_zone(self, person: Person, zone: str) -> None:
        """Remember a person's time zone."""
        self.keep_zone(person.key, zone)

    def keep_zone(self, key: bytes, zone: str) -> None:
        """The same, for a person by her key."""
        mine = self._sealer.person(key)
        with self.engine.begin() as connection:
            sealed = self._keys.made(connection, mine).seal(zone.encode(), place("choices", mine))
            where = preferences.c.person == mine
            if connection.execute(update(preferences).where(where).values(sealed=sealed)).rowcount == 0:
                try:
                    with connection.begin_nested():
                        connection.execute(insert(preferences).values(person=mine, sealed=sealed))
                except IntegrityError:  # two windows at once: the other one's insert counts as well as ours
                    connection.execute(update(preferences).where(where).values(sealed=sealed))
