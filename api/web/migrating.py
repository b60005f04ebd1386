"""A store of an earlier version kept names, references and reports in the open: sealed here, and the old tables dropped.

Reports of a version that sealed them already become feedback, without a time by which it is to be answered. Sessions are not
taken over: people sign in again. After an interruption it starts again; rows that exist already are left.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError

from api.web.feedback import Feedback
from api.web.inbox import ErasureWish
from api.web.sealing import place
from api.web.store import Passkey, Store
from ledger.engines.engine import backend_of
from ledger.errors import NotFound

OLD: Final = (
    "web_sessions",
    "web_passkeys",
    "web_requests",
    "web_preferences",
    "web_unexpected",
    "web_erasures",
    "web_reports",
)


class OldReport(Struct, frozen=True):
    """«I did not expect this», as versions before the feedback kept it. `made_at` is in milliseconds."""

    id: str
    entry: int
    words: str
    made_at: int

    def as_feedback(self, holder: str) -> Feedback:
        """What it is now: of no known consent, so that it cannot be recorded; it can still be answered."""
        return Feedback(
            number=self.id,
            kind="unexpected",
            about=self.entry,
            consent_id="",
            holder=holder,
            recipient="",
            sub="",
            subject="",
            words=self.words,
            key="",
            made_at=self.made_at,
            due=0,
        )


def open_store(url: str, key_file: Path) -> Store:
    """The pages' store, with whatever an earlier version left in it sealed. Raises as `Store` does."""
    store = Store(url, key_file)
    _migrate(store)
    return store


def _migrate(store: Store) -> None:
    engine = store.engine
    there = [name for name in OLD if inspect(engine).has_table(name)]
    if not there:
        return
    for name in there:
        with engine.connect() as connection:
            rows = connection.exec_driver_sql(f"SELECT * FROM {name}").mappings().all()  # noqa: S608 (a name of OLD)
        for row in rows:
            with suppress(IntegrityError, NotFound):  # it was taken over before, or its person was erased
                _take_over(store, name, row)
    for name in there:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
    if backend_of(engine).in_file:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM")  # pages that were freed before secure_delete was set
    store.leave_no_trace()


def _take_over(store: Store, name: str, row: Any) -> None:
    match name:
        case "web_passkeys":
            store.add_passkey(msgspec.json.decode(row["body"], type=Passkey))
        case "web_requests":
            store.keep_request(row["person"], row["consent_id"], row["opened_at"])
        case "web_preferences":
            store.keep_zone(row["person"], row["zone"])
        case "web_unexpected":
            store.feedback.keep(row["person"], _report(row["body"]).as_feedback(row["holder"]))
        case "web_reports":
            opened = store.feedback.unsealed(row["person"], row["sealed"], place("reports", row["id"].encode()))
            store.feedback.file(row["person"], _report(opened).as_feedback(row["holder"]))
        case "web_erasures":
            store.inbox.keep_erasure(row["person"], msgspec.json.decode(row["body"], type=ErasureWish))
        case _:  # sessions
            pass


def _report(body: bytes) -> OldReport:
    return msgspec.json.decode(body, type=OldReport)
