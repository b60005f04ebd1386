"""The tables (migrations/versions hold their history; a test compares the two).

Truth: `entries`, `checkpoints`. Rebuildable from them: `log_head`, `tiles`, `consents`, `map_state`, `map_pages`.
Short-lived: `seen_tokens`. Operational: `event_*`, `cosignatures`.
`entries`, `checkpoints` and `tiles` refuse UPDATE and DELETE by triggers.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata: Final = MetaData()
_Big = BigInteger().with_variant(Integer(), "sqlite")

log_head: Final = Table(
    "log_head",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    Column("size", _Big, nullable=False),
    Column("time", _Big, nullable=False),
    Column("last_hash", LargeBinary(32), nullable=False),
    Column("edge", LargeBinary, nullable=False),
    Column("checkpoint", String, nullable=False),
    Column("confirmed", _Big, nullable=False, server_default="0"),
    CheckConstraint("id = 1", name="log_head_one_row"),
)
"""One row: the state a sequencer continues from. Its lock is what orders all writers. `confirmed` is the size that the writer
of the row knew to be confirmed (docs/spec/log.md, «Confirmed horizon»)."""

named_key_store: Final = Table(
    "named_key_store",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    Column("store_id", LargeBinary(16), nullable=False),
    CheckConstraint("id = 1", name="named_key_store_one_row"),
)
"""One row: the key store that belongs to this log (ledger/vault/keystore.py); another one is refused."""

entries: Final = Table(
    "entries",
    metadata,
    Column("idx", _Big, primary_key=True, autoincrement=False),
    Column("kind", String(11).with_variant(String(10), "sqlite"), nullable=False),
    Column("chain", LargeBinary(32), nullable=True),
    Column("seq", _Big, nullable=True),
    Column("leaf", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary(32), nullable=False),
    Column("sealed", LargeBinary, nullable=True),
    Column("iss", String(63), nullable=True),
    Column("jti", LargeBinary(16), nullable=True),
    Column("position", Integer, nullable=True),
    Column("payload_hash", LargeBinary(32), nullable=True),
    UniqueConstraint("chain", "seq", name="entries_chain_seq"),
    UniqueConstraint("iss", "jti", "position", name="entries_statement"),
    Index(
        "entries_operator", "idx", sqlite_where=text("kind = 'operator'"), postgresql_where=text("kind = 'operator'")
    ),
    Index(
        "entries_participant",
        "idx",
        sqlite_where=text("kind = 'participant'"),
        postgresql_where=text("kind = 'participant'"),
    ),
)
"""One row per leaf; `sealed` is opening ‖ packed evidence under the chain's data key, NULL for leaves in clear; or the mark of
the volume that it was moved to."""

body_volumes: Final = Table(
    "body_volumes",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("first", _Big, nullable=False),
    Column("last", _Big, nullable=False),
    Column("bodies", Integer, nullable=False),
)
"""Volumes of old bodies outside the database (ledger/storage/volumes.py): the first and last entry, and how many it holds."""

tiles: Final = Table(
    "tiles",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", _Big, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)
"""Full hash tiles (8,192 bytes). The partial ones are in `log_head.edge`."""

checkpoints: Final = Table(
    "checkpoints",
    metadata,
    Column("size", _Big, primary_key=True, autoincrement=False),
    Column("note", String, nullable=False),
)
"""Every signed checkpoint, one per committed batch."""

map_state: Final = Table(
    "map_state",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    Column("size", _Big, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("head", _Big, nullable=False),
    Column("head_time", _Big, nullable=False),
    CheckConstraint("id = 1", name="map_state_one_row"),
)
"""One row: the completeness map covers the leaves below `size`; `head` is the last index-head among them (−1: none) and
`head_time` its time in milliseconds."""

map_pages: Final = Table(
    "map_pages",
    metadata,
    Column("prefix", String(64), primary_key=True),
    Column("page", LargeBinary, nullable=False),
)
"""The completeness map in pages (ledger/merkle/pages.py). Changed in place: what is signed is the root over them."""

consents: Final = Table(
    "consents",
    metadata,
    Column("chain", LargeBinary(32), primary_key=True),
    Column("recipient", String(63), nullable=False),
    Column("holder", String(63), nullable=False),
    Column("subject_chain", LargeBinary(32), nullable=True),
    Column("status", String(16), nullable=False),
    Column("expires_at", _Big, nullable=False),
    Column("opened_at", _Big, nullable=False),
    Column("basis", _Big, nullable=False),
    Column("used_day", Integer, nullable=False),
    Column("used_today", Integer, nullable=False),
    Column("once_until", _Big, nullable=False, server_default="0"),
    Column("sealed", LargeBinary, nullable=False),
    Index("consents_recipient", "recipient", "opened_at"),
    Index("consents_holder", "holder", "opened_at"),
    Index("consents_subject", "subject_chain", "opened_at"),
)
"""The present state of each consent; `opened_at` is the index of its `consent.request`, unique and a page key."""

credentials: Final = Table(
    "credentials",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("subject_chain", LargeBinary(32), nullable=False, index=True),
    Column("enrolled_at", _Big, nullable=False),
    Column("unenrolled_at", _Big, nullable=True),
    Column("sealed", LargeBinary, nullable=False),
)
"""Customers' passkeys by the SHA-256 of their credential id; the rest is encrypted under the subject's data key."""

used_challenges: Final = Table(
    "used_challenges",
    metadata,
    Column("challenge", LargeBinary(32), primary_key=True),
    Column("idx", _Big, nullable=False),
)
"""Challenges that passkeys have signed, each with the entry that used it."""

access_legs: Final = Table(
    "access_legs",
    metadata,
    Column("basis", _Big, primary_key=True, autoincrement=False),
    Column("act", String(16), primary_key=True),
    Column("idx", _Big, nullable=False),
)
"""The first release and the first receipt under each decision, with their entries: a second one is refused by these.
Rows with `basis` −1 say how far the legs of a log that is older than this table were to be found."""

seen_tokens: Final = Table(
    "seen_tokens",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("expires_at", _Big, nullable=False, index=True),
)
"""Digests of one-time tokens (client assertions, DPoP proofs) that must not be used twice before they expire."""

cosignatures: Final = Table(
    "cosignatures",
    metadata,
    Column("size", _Big, primary_key=True, autoincrement=False),
    Column("witness", String(255), primary_key=True),
    Column("line", String(1024), nullable=False),
    Column("time", _Big, nullable=False),
)
"""Witnesses' lines under checkpoints, verified before they came here; `time` in POSIX seconds is the witness's."""
reconciliation_findings: Final = Table(
    "reconciliation_findings",
    metadata,
    Column("key", _Big, primary_key=True, autoincrement=False),
    Column("report", _Big, nullable=False),
    Column("access", _Big, nullable=False),
    Column("closed_by", _Big, nullable=True),
    Index(
        "reconciliation_open", "key", sqlite_where=text("closed_by IS NULL"), postgresql_where=text("closed_by IS NULL")
    ),
)
"""What the reports at `report` found: `key` = 8 · access + the number of the code. `closed_by`: the leg that came after all."""

event_cursor: Final = Table(
    "event_cursor",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    Column("next_index", _Big, nullable=False),
    Column("leased_by", String(64), nullable=True),
    Column("leased_until", _Big, nullable=False),
    CheckConstraint("id = 1", name="event_cursor_one_row"),
)
"""One row: the first entry whose parties have not been looked up yet, and which process sends at present (docs/events.md)."""

event_endpoints: Final = Table(
    "event_endpoints",
    metadata,
    Column("participant", String(63), primary_key=True),
    Column("url", String(2048), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("changed_at", _Big, nullable=False),
)
"""Where participants want to be told. Operational data: it proves nothing, so it is not part of the log."""

event_deliveries: Final = Table(
    "event_deliveries",
    metadata,
    Column("event_id", String(22), primary_key=True),
    Column("idx", _Big, nullable=False),
    Column("participant", String(63), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("state", String(12), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", _Big, nullable=False),
    Column("first_at", _Big, nullable=False),
    Column("acknowledged_at", _Big, nullable=True),
    Column("last_error", String(64), nullable=True),
    UniqueConstraint("idx", "participant", name="event_deliveries_once"),
    Index("event_deliveries_due", "state", "next_at"),
    Index("event_deliveries_participant", "participant", "state", "idx"),
)
"""Who is to be told of which entry, and whether it has been. Holds no consent id: what is sent is read from the log again."""

event_attempts: Final = Table(
    "event_attempts",
    metadata,
    Column("participant", String(63), primary_key=True),
    Column("at", _Big, primary_key=True, autoincrement=False),
    Column("event_id", String(22), primary_key=True),
    Column("idx", _Big, nullable=True),
    Column("kind", String(32), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("status", SmallInteger, nullable=True),
    Column("error", String(64), nullable=True),
    Column("milliseconds", Integer, nullable=False),
    Index("event_attempts_at", "at"),
)
"""What was sent to a participant's endpoint, and what came back, for a week; `idx`: null for a trial. No bodies, no persons."""

standard_notes: Final = Table(
    "standard_notes",
    metadata,
    Column("chain", LargeBinary(32), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("made_at", _Big, nullable=False),
)
"""What outward standards say of a consent beyond its terms (docs/standards), under the consent's data key."""

client_registrations: Final = Table(
    "client_registrations",
    metadata,
    Column("client", String(63), primary_key=True),
    Column("signed", Text, nullable=False),
)
"""What clients of outward standards have registered of themselves (docs/standards/registration.md), signed by the token key."""
