"""Exports of one's own history: CSV for spreadsheets (no cell is a formula), JSON with every receipt."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator
from typing import Final

import msgspec

from api.web.customer import Connection
from api.web.desk import Desk
from api.web.happened import Event
from api.web.plain import cell
from ledger.errors import NotFound, Unavailable
from ledger.queries.completeness import completeness_bytes
from ledger.receipts import receipt

COLUMNS: Final = (
    "partner",
    "purpose",
    "consent",
    "entry",
    "time_utc",
    "event",
    "who",
    "stated_by",
    "customer_signature",
    "decision",
    "reasons",
    "data",
    "customer_present",
)
PIECE: Final = 200


def as_csv(desk: Desk) -> Iterator[str]:
    """One line for each event, in UTF-8 with the mark by which spreadsheets know it."""
    yield "\ufeff" + _line(COLUMNS)
    for connection, event in _events(desk):
        yield _line(_row(desk, connection, event))


def lines_of_connection(desk: Desk, connection: Connection) -> Iterator[str]:
    """The same for one connection."""
    yield "\ufeff" + _line(COLUMNS)
    for event in _events_of(desk, connection):
        yield _line(_row(desk, connection, event))


def as_json(desk: Desk) -> Iterator[str]:
    """`{"events": [...], "completeness": [...]}`, each event with its receipt.

    `actor` and `signature` are the codes of `who` (api/web/actors.py).
    """
    yield '{"events":['
    comma = ""
    for connection, event in _events(desk):
        row = dict(zip(COLUMNS, _row(desk, connection, event), strict=True))
        codes = {"actor": str(desk.acts.actor(event)), "signature": str(desk.acts.signature(event))}
        yield comma + msgspec.json.encode({**row, **codes, "receipt": receipt(event.recorded)}).decode()
        comma = ","
    yield '],"completeness":['
    yield ",".join(_proofs(desk))
    yield "]}\n"


def _proofs(desk: Desk) -> Iterator[str]:
    """`{"consent": id, "file": {...}}` of each connection: that its events are all there are (docs/spec/receipts.md, Complete).

    Before the first index-head there are none: then nothing is claimed.
    """
    for connection in desk.dealings.all_connections():
        try:
            proof = desk.office.ledger.completeness.of_chain(connection.chain)
        except (NotFound, Unavailable):
            continue
        file = completeness_bytes(proof).decode()
        yield f'{{"consent":{msgspec.json.encode(connection.consent.consent_id).decode()},"file":{file}}}'


def _events(desk: Desk) -> Iterator[tuple[Connection, Event]]:
    for connection in desk.dealings.all_connections():
        for event in _events_of(desk, connection):
            yield connection, event


def _events_of(desk: Desk, connection: Connection) -> Iterator[Event]:
    seq = 0
    while piece := desk.dealings.events_from(connection, seq, PIECE):
        yield from piece
        seq = piece[-1].seq + 1


def _row(desk: Desk, connection: Connection, event: Event) -> tuple[str | int, ...]:
    words, item = desk.words, event.item
    at = dt.datetime.fromtimestamp(event.time / 1000, dt.UTC).isoformat(timespec="milliseconds")
    decision = "" if not event.is_access else words.t("access.allowed" if event.allowed else "access.refused")
    present = "" if item is None else words.t("yes" if item.customer_present else "no")
    return (
        connection.recipient,
        words.purpose(connection.consent.terms),
        connection.consent.consent_id,
        event.index,
        at,
        _event(desk, event),
        desk.acts.who(event),
        event.iss,
        desk.acts.signed(event),
        decision,
        "; ".join(words.code("reason", reason) for reason in event.reasons),
        "; ".join(words.code("permission", code) for code in (item.permissions if item else ())),
        present,
    )


def _event(desk: Desk, event: Event) -> str:
    if event.is_access:
        return desk.words.t("access.title", who=desk.acts.participant(event))
    return desk.acts.title(event)


def _line(values: tuple[str | int, ...]) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow([cell(value) for value in values])
    return out.getvalue()
