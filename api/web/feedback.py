"""Feedback of customers: «I did not expect this», a word after a stop; kept with its answers for them and for their bank.

The log holds that it was said, under which number and by when it is to be answered, and an HMAC of the words (docs/spec/
ruleset-3.md, section 11). The words and the key of the HMAC are here, sealed under the person's own key: erased with her.
"""

from __future__ import annotations

import hmac
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, structs
from sqlalchemy import Engine, delete, func, insert, select, update

from api.web.keys import PersonKeys
from api.web.people import Person
from api.web.sealing import place
from api.web.tables import feedback, people
from ledger.canonical import b64u, unb64u
from ledger.errors import NotFound, Unavailable

MOST: Final = 500
"""The newest so many are looked at for a queue or a search."""
TRIES: Final = 20
KEY_SIZE: Final = 32
UNRECORDED: Final = -1

Kind = Literal["unexpected", "after-stop", "other"]
State = Literal["sent", "received", "forwarded", "answered", "closed"]
By = Literal["holder", "recipient"]
STATES: Final[tuple[State, ...]] = ("sent", "received", "forwarded", "answered", "closed")
KINDS: Final[tuple[Kind, ...]] = ("unexpected", "after-stop", "other")
SETTLED: Final = frozenset({"answered", "closed"})
"""States that keep the time by which an answer was due."""


class FeedbackReply(Struct, frozen=True, kw_only=True):
    """How an answer went on."""

    state: State
    by: By
    at: int
    """In ms: the log's time once it is recorded."""
    entry: int = UNRECORDED
    """The index in the log."""
    words: str = ""
    key: str = ""
    """b64u of the key of the HMAC of the words."""


class Feedback(Struct, frozen=True, kw_only=True):
    """One customer's feedback about an entry of hers. Times are milliseconds."""

    number: str
    kind: Kind
    about: int
    consent_id: str
    holder: str
    recipient: str
    sub: str
    subject: str
    words: str
    key: str
    made_at: int
    due: int
    """Until when it is to be answered; 0 for what an earlier version kept."""
    entry: int = UNRECORDED
    replies: tuple[FeedbackReply, ...] = ()
    assigned: str = ""
    """Who of the bank's staff looks after it, by the name in their own account."""
    version: int = 0

    @property
    def state(self) -> State:
        """How far it is."""
        return self.replies[-1].state if self.replies else "sent"

    @property
    def is_open(self) -> bool:
        """Whether an answer may still be given."""
        return self.state != "closed"

    @property
    def answered_at(self) -> int | None:
        """When (ms) it was first answered or closed."""
        return next((one.at for one in self.replies if one.state in SETTLED), None)

    @property
    def is_forwarded(self) -> bool:
        """Whether the bank passed it on to the app."""
        return any(one.state == "forwarded" for one in self.replies)

    def is_late(self, now: int) -> bool:
        """Whether the answer came after it was due, or has not come by then. What has no due time (0) is never late."""
        if not self.due:
            return False
        at = self.answered_at
        return (now if at is None else at) // 1000 > self.due // 1000

    @property
    def person(self) -> Person:
        """The customer, as her bank signs about her; her name is not kept."""
        return Person(self.sub, self.holder, self.subject, "")


@dataclass(frozen=True, slots=True)
class FeedbackCount:
    """Counts of one bank's feedback."""

    holder: str
    made: int
    open: int
    late: int
    answered: int


_codec: Final = msgspec.json.Decoder(Feedback)
_encode: Final = msgspec.json.Encoder().encode


def new_number() -> str:
    """A number that can be read out on the telephone."""
    return os.urandom(5).hex().upper()


def new_key() -> str:
    """A key for the HMAC of some words, b64u."""
    return b64u(os.urandom(KEY_SIZE))


def text_hash(key: str, words: str) -> str:
    """What the log holds of some words: b64u(HMAC-SHA256). Without the key nothing can be guessed from it."""
    return b64u(hmac.digest(unb64u(key), words.encode(), "sha256"))


class FeedbackBook:
    """All feedback, in the pages' own database: a row is sealed under the key of the person who gave it."""

    def __init__(self, engine: Engine, keys: PersonKeys) -> None:
        """The tables are there (store.py)."""
        self._engine = engine
        self._keys = keys

    def keep(self, key: bytes, one: Feedback) -> None:
        """Keep new feedback of the person with this key (`Person.key`)."""
        self.file(self._keys.sealer.person(key), one)

    def file(self, mine: bytes, one: Feedback) -> None:
        """The same, for a person by the digest that she is filed under."""
        with self._engine.begin() as connection:
            cipher = self._keys.made(connection, mine)
            sealed = cipher.seal(_encode(one), _place(one.number))
            connection.execute(insert(feedback).values(person=mine, sealed=sealed, **self._open(one)))

    def unsealed(self, mine: bytes, sealed: bytes, at: bytes) -> bytes:
        """What an earlier version sealed of a person at another place. Raises NotFound when her key is gone, Corrupt."""
        with self._engine.connect() as connection:
            cipher = self._keys.known(connection, mine)
        if cipher is None:
            raise NotFound("the key of this person is gone")
        return cipher.open(sealed, at)

    def amend(self, number: str, change: Callable[[Feedback], Feedback]) -> Feedback:
        """Change what is kept under a number, whoever else does so at the same time; the new state.

        `change` raises what forbids it. Raises NotFound, Unavailable after many tries.
        """
        for _ in range(TRIES):
            row = self._row(number)
            known = self._read(row)
            new = structs.replace(change(known), version=known.version + 1)
            cipher = self._keys.sealer.unwrap(row.wrapped, row.person)
            same = (feedback.c.number == number) & (feedback.c.version == known.version)
            values = {"sealed": cipher.seal(_encode(new), _place(number)), **self._open(new)}
            with self._engine.begin() as connection:
                if connection.execute(update(feedback).where(same).values(**values)).rowcount:
                    return new
        raise Unavailable("this feedback is being changed by others all the time: try again")

    def drop(self, number: str) -> None:
        """Forget feedback that was refused."""
        with self._engine.begin() as connection:
            connection.execute(delete(feedback).where(feedback.c.number == number))

    def one(self, number: str) -> Feedback:
        """The feedback of this number. Raises NotFound."""
        return self._read(self._row(number))

    def of(self, person: Person, limit: int = 100) -> list[Feedback]:
        """A person's feedback, newest first."""
        return self._found(self._mine(person), limit)

    def about(self, person: Person, entry: int) -> list[Feedback]:
        """A person's feedback about one entry, oldest first."""
        return self._found(self._mine(person) & (feedback.c.about == entry), MOST)[::-1]

    def to_holder(self, holder: str, limit: int = MOST) -> list[Feedback]:
        """What customers of a bank said, newest first."""
        return self._found(feedback.c.holder == holder, limit)

    def to_recipient(self, recipient: str, limit: int = MOST) -> list[Feedback]:
        """What banks passed on to an app, newest first."""
        return self._found(feedback.c.recipient == self._recipient(recipient), limit)

    def count_since(self, person: Person, since: int) -> int:
        """How much a person said since `since` (ms): the bound against floods."""
        wanted = self._mine(person) & (feedback.c.made_at >= since)
        with self._engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(feedback).where(wanted)).scalar_one())

    def purge(self, before: int) -> None:
        """Delete what was said before `before` (ms): it is kept as long as the operator has set, no longer."""
        with self._engine.begin() as connection:
            connection.execute(delete(feedback).where(feedback.c.made_at < before))

    def counts(self, since: int, now: int) -> list[FeedbackCount]:
        """What was said since `since` (ms), bank by bank."""
        columns = (feedback.c.holder, feedback.c.state, feedback.c.due, feedback.c.answered_at)
        with self._engine.connect() as connection:
            rows = connection.execute(select(*columns).where(feedback.c.made_at >= since)).all()
        made = Counter(row.holder for row in rows)
        answered = Counter(row.holder for row in rows if row.answered_at is not None)
        late = Counter(
            row.holder
            for row in rows
            if row.due and (now if row.answered_at is None else row.answered_at) // 1000 > row.due // 1000
        )
        return [
            FeedbackCount(one, count, count - answered[one], late[one], answered[one])
            for one, count in sorted(made.items())
        ]

    # -- rows -------------------------------------------------------------------------------------------------------

    def _mine(self, person: Person) -> Any:
        return feedback.c.person == self._keys.sealer.person(person.key)

    def _recipient(self, recipient: str) -> bytes:
        return self._keys.sealer.note(f"recipient {recipient}")

    def _open(self, one: Feedback) -> dict[str, object]:
        """The columns that are not sealed: what a queue is sorted and counted by."""
        return {
            "number": one.number,
            "holder": one.holder,
            "recipient": self._recipient(one.recipient) if one.is_forwarded else None,
            "about": one.about,
            "made_at": one.made_at,
            "due": one.due,
            "state": one.state,
            "answered_at": one.answered_at,
            "version": one.version,
        }

    def _row(self, number: str) -> Any:
        with self._engine.connect() as connection:
            row = connection.execute(_ROWS.where(feedback.c.number == number)).one_or_none()
        if row is None:
            raise NotFound("there is no such feedback")
        return row

    def _found(self, wanted: Any, limit: int) -> list[Feedback]:
        query = _ROWS.where(wanted).order_by(feedback.c.made_at.desc(), feedback.c.number).limit(limit)
        with self._engine.connect() as connection:
            return [self._read(row) for row in connection.execute(query).all()]

    def _read(self, row: Any) -> Feedback:
        cipher = self._keys.sealer.unwrap(row.wrapped, row.person)
        return _codec.decode(cipher.open(row.sealed, _place(row.number)))


_ROWS: Final = select(feedback.c.number, feedback.c.person, feedback.c.sealed, people.c.wrapped).join(
    people, people.c.person == feedback.c.person
)


def _place(number: str) -> bytes:
    return place("feedback", number.encode())


def found_among(
    listed: Iterable[Feedback],
    now: int,
    *,
    state: str = "",
    kind: str = "",
    assigned: str | None = None,
    late: bool = False,
    wanted: str = "",
) -> list[Feedback]:
    """Those of a queue that somebody asks for. `wanted`: part of a number, a consent, an app or the words; or an entry."""
    text = wanted.strip().casefold()
    return [
        one
        for one in listed
        if (not state or one.state == state or (state == "open" and one.state not in SETTLED))
        and (not kind or one.kind == kind)
        and (assigned is None or one.assigned == assigned)
        and (not late or one.is_late(now))
        and (
            not text
            or text == str(one.about)
            or any(text in part.casefold() for part in (one.number, one.consent_id, one.recipient, one.words))
        )
    ]
