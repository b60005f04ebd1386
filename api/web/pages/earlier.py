"""«Earlier records»: what her bank attests of the time before this ledger, apart from everything that the ledger recorded.

None of it is a consent, a read or an event of these pages: the ledger decided none of it (docs/spec/history.md, 5).
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Query
from fastapi.responses import Response
from msgspec import UNSET
from starlette.responses import StreamingResponse

from api.web.desk import Customer, Desk
from api.web.plain import cell
from ledger.canonical import b64u
from ledger.entries.history_acts import HistoryRow
from ledger.entries.leaf import CommitmentLeaf, parse_leaf
from ledger.errors import NotFound
from ledger.histories import AttestedHistory
from ledger.queries.attested import sheet_of
from ledger.queries.completeness import MEDIA_TYPE as COMPLETENESS
from ledger.queries.completeness import completeness_bytes
from ledger.receipts import MEDIA_TYPE, receipt_bytes

router = APIRouter(include_in_schema=False, prefix="/my/earlier")
SHEETS: Final = 2
"""Of a page: 128 rows at most."""
PIECE: Final = 100
COLUMNS: Final = (
    "attested_by",
    "history",
    "withdrawn",
    "entry",
    "time_utc",
    "kind",
    "recipient",
    "consent",
    "data",
    "purpose",
    "result",
    "reason",
    "until_utc",
    "note",
)


@dataclass(frozen=True, slots=True)
class EarlierSheet:
    """A sheet of hers, its rows newest first, and the history that it belongs to."""

    index: int
    rows: tuple[HistoryRow, ...]
    history: AttestedHistory
    withdrawn: int | None
    """When (ms) the bank took the history back."""


@router.get("")
def earlier(desk: Customer, before: Annotated[int | None, Query(ge=1, le=2**53 - 1)] = None) -> Response:
    """Her bank's earlier records of her, newest first."""
    length = desk.office.ledger.records.chain_length(desk.person.history_chain)
    top = length if before is None else min(before, length)
    low = max(0, top - SHEETS)
    found = list(_sheets(desk, low, top))[::-1]
    return desk.render(
        "earlier.html",
        sheets=found,
        older=low or None,
        holder=desk.dealings.name_of(desk.person.holder),
        opened={one.index: desk.office.disclosures.of_entry(one.index) for one in found},
        name_of=desk.dealings.name_of,
    )


@router.get("/table")
def table(desk: Customer) -> Response:
    """All of them as a table for spreadsheets; no cell is a formula."""
    headers = {"content-disposition": 'attachment; filename="earlier-records.csv"'}
    return desk.keep(StreamingResponse(_lines(desk), media_type="text/csv; charset=utf-8", headers=headers))


@router.get("/complete")
def complete(desk: Customer) -> Response:
    """The proof that these are all."""
    proof = desk.office.ledger.completeness.of_chain(desk.person.history_chain)
    headers = {"content-disposition": 'attachment; filename="earlier-records.completeness.json"'}
    return desk.keep(Response(completeness_bytes(proof), media_type=COMPLETENESS, headers=headers))


@router.get("/{index}")
def sheet_file(desk: Customer, index: int) -> Response:
    """The receipt of one sheet. Raises NotFound for another's."""
    [found] = desk.office.ledger.records.recorded([index])
    leaf = parse_leaf(found.leaf)
    if not isinstance(leaf, CommitmentLeaf) or leaf.chain != b64u(desk.person.history_chain):
        raise NotFound(f"there is no entry {index}", member="index")
    name = f'attachment; filename="receipt-{index}.json"'
    return desk.keep(Response(receipt_bytes(found), media_type=MEDIA_TYPE, headers={"content-disposition": name}))


def _sheets(desk: Desk, low: int, top: int) -> Iterator[EarlierSheet]:
    """Those of her history chain with `seq` from `low` to below `top`."""
    records, chain = desk.office.ledger.records, desk.person.history_chain
    attested = desk.office.ledger.registry.histories.attested
    for at in range(low, top, PIECE):
        for recorded in records.history_of_chain(chain, after=at - 1, limit=min(PIECE, top - at)):
            says = sheet_of(recorded)
            history = None if says is None else attested.get(says.history)
            if says is not None and history is not None:
                withdrawn = None if history.withdrawn_at is None else records.recorded([history.withdrawn_at])[0].time
                yield EarlierSheet(recorded.index, says.sheet.rows[::-1], history, withdrawn)


def _lines(desk: Desk) -> Iterator[str]:
    bank = desk.dealings.name_of(desk.person.holder)
    yield "\ufeff" + _line(COLUMNS)
    for sheet in _sheets(desk, 0, desk.office.ledger.records.chain_length(desk.person.history_chain)):
        for row in sheet.rows[::-1]:
            yield _line(_cells(desk, bank, sheet, row))


def _cells(desk: Desk, bank: str, sheet: EarlierSheet, row: HistoryRow) -> tuple[str | int, ...]:
    return (
        bank,
        sheet.history.says.title,
        desk.words.t("no" if sheet.withdrawn is None else "yes"),
        sheet.index,
        _utc(row.time),
        desk.words.t(f"earlier.kind.{row.kind}"),
        row.recipient or "",
        row.consent or "",
        "; ".join(row.permissions or ()),
        row.purpose or "",
        "" if row.result is UNSET else desk.words.t(f"earlier.result.{row.result}"),
        row.reason or "",
        "" if row.until is UNSET else _utc(row.until),
        row.note or "",
    )


def _utc(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()


def _line(values: tuple[str | int, ...]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([cell(value) for value in values])
    return out.getvalue()
