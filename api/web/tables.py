"""The tables of the pages' own database. Data of a person are sealed (api/web/sealing.py); `person` is a keyed
digest."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, String, Table

metadata: Final = MetaData()

meta: Final = Table(
    "web_meta", metadata, Column("name", String(32), primary_key=True), Column("value", LargeBinary, nullable=False)
)
people: Final = Table(
    "web_people",
    metadata,
    Column("person", LargeBinary(32), primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)
sessions: Final = Table(
    "web_open_sessions",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("person", LargeBinary(32), nullable=True, index=True),
    Column("ends_at", BigInteger, nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
)
passkeys: Final = Table(
    "web_known_passkeys",
    metadata,
    Column("credential", LargeBinary(32), primary_key=True),
    Column("person", LargeBinary(32), nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
)
requests: Final = Table(
    "web_open_requests",
    metadata,
    Column("person", LargeBinary(32), primary_key=True),
    Column("consent", LargeBinary(32), primary_key=True),
    Column("opened_at", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
preferences: Final = Table(
    "web_choices",
    metadata,
    Column("person", LargeBinary(32), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)
deeds: Final = Table(
    "web_deeds",
    metadata,
    Column("entry", BigInteger, primary_key=True, autoincrement=False),
    Column("person", LargeBinary(32), nullable=False, index=True),
)
"""Which person asked for an entry of the log: the log itself does not say it of every act (api/web/actors.py)."""
notes: Final = Table(
    "web_notes",
    metadata,
    Column("person", LargeBinary(32), primary_key=True),
    Column("name", LargeBinary(32), primary_key=True),
    Column("put_at", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
feedback: Final = Table(
    "web_feedback",
    metadata,
    Column("number", String(32), primary_key=True),
    Column("person", LargeBinary(32), nullable=False),
    Column("holder", String(63), nullable=False),
    Column("recipient", LargeBinary(32), nullable=True),
    Column("about", BigInteger, nullable=False),
    Column("made_at", BigInteger, nullable=False, index=True),
    Column("due", BigInteger, nullable=False),
    Column("state", String(10), nullable=False),
    Column("answered_at", BigInteger, nullable=True),
    Column("version", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("web_feedback_person", "person", "about"),
    Index("web_feedback_holder", "holder", "made_at"),
    Index("web_feedback_recipient", "recipient", "made_at"),
)
"""What customers object to or ask (api/web/feedback.py). `recipient`: a keyed digest of the app it was passed on to. Times are
milliseconds, `due` too."""
subscriptions: Final = Table(
    "web_subscriptions",
    metadata,
    Column("person", LargeBinary(32), primary_key=True),
    Column("chain", LargeBinary(32), nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
)
outbox: Final = Table(
    "web_outbox",
    metadata,
    Column("id", LargeBinary(32), primary_key=True),
    Column("person", LargeBinary(32), nullable=False, index=True),
    Column("state", String(10), nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=True),
    Index("web_outbox_due", "state", "next_at"),
)
"""Notices to customers (api/web/outbox.py); `sealed` goes when one was sent."""
ties: Final = Table(
    "web_ties",
    metadata,
    Column("slot", LargeBinary(32), primary_key=True),
    Column("person", LargeBinary(32), nullable=False, index=True),
    Column("until", BigInteger, nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
    sqlite_with_rowid=False,  # row numbers would say which rows were made one after the other
)
"""The banks that one person linked on one page (api/web/ties.py); nothing says which rows belong together."""
erasures: Final = Table(
    "web_erasure_requests",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("person", LargeBinary(32), nullable=False, index=True),
    Column("made_at", BigInteger, nullable=False, index=True),
    Column("state", String(10), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

OF_PEOPLE: Final = (
    sessions,
    passkeys,
    requests,
    preferences,
    notes,
    deeds,
    feedback,
    subscriptions,
    outbox,
    ties,
    people,
)
"""Tables whose rows go when a person is erased; her key last, for without it the rest is noise already."""
alert_work: Final = Table(
    "web_alert_work",
    metadata,
    Column("participant", String(63), primary_key=True),
    Column("alert", BigInteger, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
)
papers: Final = Table(
    "web_papers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False, index=True),
    Column("made_at", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
"""What people at work have written: orders that wait for a second officer, the words behind hashes (api/web/papers.py)."""
