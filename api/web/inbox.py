"""What customers hand in beside the log: reports of what they did not expect, and requests to be erased.

Reports go to their bank's staff, requests to two people of the operator (docs/people.md). Both are kept under a number that the
customer can quote.
"""

from __future__ import annotations

import os
from typing import Final, Literal

import msgspec
from msgspec import Struct, structs
from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    func,
    insert,
    select,
    update,
)

from api.web.people import Person

metadata: Final = MetaData()
_reports: Final = Table(
    "web_unexpected",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("person", LargeBinary(32), nullable=False),
    Column("holder", String(63), nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("entry", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("web_unexpected_person", "person", "entry"),
    Index("web_unexpected_holder", "holder", "made_at"),
)
_erasures: Final = Table(
    "web_erasures",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("person", LargeBinary(32), nullable=False, index=True),
    Column("made_at", BigInteger, nullable=False, index=True),
    Column("state", String(10), nullable=False),
    Column("body", LargeBinary, nullable=False),
)
LISTED: Final = 100

State = Literal["asked", "approved", "done", "declined", "withdrawn"]
OPEN: Final[tuple[State, ...]] = ("asked", "approved")
DECLINED: Final = ("legal-retention", "open-dispute", "bank-declined")
"""Why an erasure may be declined, in codes that the pages put into words."""


class Report(Struct, frozen=True):
    """«I did not expect this»: about one entry, in the customer's words. `made_at` is in milliseconds."""

    id: str
    entry: int
    words: str
    made_at: int


class Erasure(Struct, frozen=True, kw_only=True):
    """A customer's wish that what the log holds about her becomes unreadable for ever. Times are milliseconds."""

    id: str
    holder: str
    person: str
    """b64u of what the pages file the customer's things under."""
    chains: tuple[str, ...]
    """b64u of the subject chain and of the chains of all her consents: digests, which tell nobody anything."""
    made_at: int
    state: State = "asked"
    approved_by: tuple[str, ...] = ()
    answered_at: int = 0
    reason: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it still waits."""
        return self.state in OPEN


_report_codec: Final = msgspec.json.Decoder(Report)
_erasure_codec: Final = msgspec.json.Decoder(Erasure)
_encode: Final = msgspec.json.Encoder().encode


def new_number() -> str:
    """A number that can be read out on the telephone."""
    return os.urandom(5).hex().upper()


class Inbox:
    """The two kinds of letters, in the pages' own database."""

    def __init__(self, engine: Engine) -> None:
        """Makes its tables if they are missing."""
        self._engine = engine
        metadata.create_all(engine)

    # -- reports ----------------------------------------------------------------------------------------------------

    def add_report(self, person: Person, report: Report) -> None:
        """Keep a report for the staff of the person's bank."""
        row = {"id": report.id, "person": person.key, "holder": person.holder, "made_at": report.made_at}
        with self._engine.begin() as connection:
            connection.execute(insert(_reports).values(entry=report.entry, body=_encode(report), **row))

    def reports_about(self, person: Person, entry: int) -> list[Report]:
        """A person's reports about one entry, oldest first."""
        query = select(_reports.c.body).where(_reports.c.person == person.key, _reports.c.entry == entry)
        with self._engine.connect() as connection:
            bodies = connection.execute(query.order_by(_reports.c.made_at)).scalars()
            return [_report_codec.decode(body) for body in bodies]

    def reports_to(self, holder: str, *, before: int | None = None, limit: int = 50) -> list[Report]:
        """What customers of a bank reported before `before` (ms), newest first."""
        query = select(_reports.c.body).where(_reports.c.holder == holder)
        if before is not None:
            query = query.where(_reports.c.made_at < before)
        with self._engine.connect() as connection:
            bodies = connection.execute(query.order_by(_reports.c.made_at.desc()).limit(limit)).scalars()
            return [_report_codec.decode(body) for body in bodies]

    def count_reports(self, person: Person, since: int) -> int:
        """How many reports a person made since `since` (ms): the bound against floods."""
        query = select(func.count()).select_from(_reports)
        with self._engine.connect() as connection:
            mine = (_reports.c.person == person.key) & (_reports.c.made_at >= since)
            return int(connection.execute(query.where(mine)).scalar_one())

    # -- erasures ---------------------------------------------------------------------------------------------------

    def ask_erasure(self, person: Person, wish: Erasure) -> None:
        """Keep a request for the operator."""
        row = {"id": wish.id, "person": person.key, "made_at": wish.made_at, "state": wish.state}
        with self._engine.begin() as connection:
            connection.execute(insert(_erasures).values(body=_encode(wish), **row))

    def erasure_of(self, person: Person) -> Erasure | None:
        """A person's newest request."""
        query = select(_erasures.c.body).where(_erasures.c.person == person.key)
        with self._engine.connect() as connection:
            body = connection.execute(query.order_by(_erasures.c.made_at.desc()).limit(1)).scalar_one_or_none()
        return None if body is None else _erasure_codec.decode(body)

    def erasures(self) -> list[Erasure]:
        """The newest LISTED requests of everybody, those that wait first."""
        query = select(_erasures.c.body).order_by(_erasures.c.state.not_in(OPEN), _erasures.c.made_at.desc())
        with self._engine.connect() as connection:
            return [_erasure_codec.decode(body) for body in connection.execute(query.limit(LISTED)).scalars()]

    def erasure(self, number: str) -> Erasure | None:
        """The request of this number."""
        with self._engine.connect() as connection:
            query = select(_erasures.c.body).where(_erasures.c.id == number)
            body = connection.execute(query).scalar_one_or_none()
        return None if body is None else _erasure_codec.decode(body)

    def answer_erasure(self, known: Erasure, **changes: object) -> bool:
        """Replace members of a request that is still as it is `known`; False when somebody was faster."""
        answered = structs.replace(known, **changes)
        with self._engine.begin() as connection:
            same = (_erasures.c.id == known.id) & (_erasures.c.body == _encode(known))
            done = connection.execute(
                update(_erasures).where(same).values(state=answered.state, body=_encode(answered))
            )
            return bool(done.rowcount)
