"""The auditor's search: what somebody holds in his hand (a number, a day, a hash, an id) leads to its entries."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.web.console.doors import WatchDesk, Watcher
from ledger.entries.leaf import consent_chain
from ledger.queries.overview import LOOKED_THROUGH, PublicLeaf

router = APIRouter(include_in_schema=False, prefix="/console/audit")
SHOWN: Final = 50
INDEX_DIGITS: Final = 16
_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@router.get("/find")
def find(
    watcher: Watcher, q: Annotated[str, Query(max_length=128)] = "", after: Annotated[int, Query(ge=-1)] = -1
) -> Response:
    """An entry's number or a day leads to the entry; a leaf's hash too; a chain's hash or a consent's id to all entries of the
    chain. Neither customer nor content is shown: an auditor reads leaves."""
    desk, wanted = watcher.desk, q.strip()
    index = _index_of(watcher, wanted)
    if index is not None:
        return desk.redirect(f"/console/audit/proof?index={index}")
    hashed = hash_of(wanted)
    leaf = watcher.overview.with_leaf_hash(hashed) if hashed is not None else None
    if leaf is not None:
        return desk.redirect(f"/console/audit/proof?index={leaf.index}")
    rows: list[PublicLeaf] = []
    if wanted:
        rows = watcher.overview.chain(hashed or consent_chain(wanted), after=after, limit=SHOWN)
        rows = rows or (watcher.overview.chain(consent_chain(wanted), after=after, limit=SHOWN) if hashed else [])
    missing = bool(wanted) and not rows
    return desk.render(
        "console/find.html",
        404 if missing else 200,
        watcher=watcher,
        q=wanted,
        rows=rows,
        missing=missing,
        more=after + SHOWN if len(rows) == SHOWN else None,
        looked_through=LOOKED_THROUGH,
    )


def _index_of(watcher: WatchDesk, wanted: str) -> int | None:
    """The entry that a number or a day names; None for anything else, and for what lies beyond the log."""
    size = watcher.desk.office.ledger.tree.size()
    if wanted.isascii() and wanted.isdigit() and len(wanted) <= INDEX_DIGITS:
        return int(wanted) if int(wanted) < size else None
    if not _DAY.fullmatch(wanted):
        return None
    try:
        start = dt.datetime.combine(dt.date.fromisoformat(wanted), dt.time(), ZoneInfo(watcher.desk.words.zone))
        index = watcher.overview.first_at(int(start.timestamp() * 1000))
    except (OverflowError, ValueError):
        return None
    return index if index < size else None


def hash_of(text: str) -> bytes | None:
    """32 bytes in hexadecimal or in either Base64; copied out of one of our files, where one that begins with a hyphen stands
    behind an apostrophe, too."""
    text = text.removeprefix("'")
    if _HEX.fullmatch(text):
        return bytes.fromhex(text)
    try:
        found = base64.b64decode(text.replace("-", "+").replace("_", "/").rstrip("=") + "=", validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if len(found) == 32 else None
