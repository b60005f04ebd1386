"""What the operator has put on record, as a table: by kind, days, participant, by a hash or a name in it; and as a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from api.web.console.days import Day, days_as_indexes
from api.web.console.doors import Place, WatchDesk, Watcher
from api.web.console.finding import hash_of
from api.web.plain import cell
from ledger.canonical import b64u
from ledger.errors import NotFound
from ledger.queries.overview import PAGE_LIMIT, PublicDocument

router = APIRouter(include_in_schema=False, prefix="/console/audit")
ABOUT: Final[dict[str, tuple[str, ...]]] = {
    "disclosure": ("disclosure", "evidence.opened", "pack.issued"),
    "erasure": ("erasure",),
    "suspension": (
        "participant.registered",
        "participant.suspended",
        "participant.reinstated",
        "participant.removed",
    ),
    "key": (
        "key.added",
        "key.revoked",
        "delegation.granted",
        "delegation.ended",
        "log.key_added",
        "log.key_retired",
        "log.key_compromised",
    ),
    "rules": ("ledger.opened", "ruleset.activated", "purpose.defined"),
    "reconciliation": ("reconciliation.reported",),
    "set": ("shard.added", "holder.placed", "heads.committed"),
    "partners": ("attestation.approved", "conformance.certified"),
    "supervision": (
        "freeze.ordered",
        "freeze.lifted",
        "hold.placed",
        "hold.lifted",
        "remit.granted",
        "remit.ended",
        "scoring.activated",
        "model.activated",
        "alert.raised",
        "report.defined",
        "report.issued",
    ),
}
"""The kinds of the form, each with its documents: every document has one."""
COLUMNS: Final = ("entry", "recorded_utc", "type", "participant", "leaf_hash", "document")
SHOWN: Final = 50
LOOKED_AT: Final = 2_000
"""Documents that a page looks at to find those that are wanted."""
FILE_ROWS: Final = 5_000
FILE_LOOKED_AT: Final = 50_000


class RecordsForm(BaseModel):
    """The table's form, as it stands in the address."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    about: Annotated[str, Query(max_length=32)] = "all"
    participant: Annotated[str, Query(max_length=63)] = ""
    q: Annotated[str, Query(max_length=128)] = ""
    since: Day = ""
    until: Day = ""

    @property
    def kept(self) -> dict[str, str]:
        """What was chosen, for the links of the page."""
        return {name: str(value) for name, value in self.model_dump(mode="json").items() if value}

    def holds(self, one: PublicDocument) -> bool:
        """Whether a document of the chosen days is wanted."""
        if self.about != "all" and one.document["type"] not in ABOUT.get(self.about, ()):
            return False
        said = {*_texts(one.document)}
        participant, wanted = self.participant.strip(), self.q.strip()
        if participant and participant not in said:
            return False
        if not wanted:
            return True
        hashed = hash_of(wanted)
        return wanted in said or (hashed is not None and (hashed == one.leaf_hash or b64u(hashed) in said))


RecordsHere = Annotated[RecordsForm, Query()]


@dataclass(frozen=True, slots=True)
class FoundRecords:
    """Documents that are wanted, newest first; `older` begins the next page (None: none was left)."""

    rows: list[PublicDocument]
    older: int | None


@router.get("/records")
def records(watcher: Watcher, asked: RecordsHere, before: Place | None = None) -> Response:
    """Disclosures, erasures, participants, keys, rules: what the operator has put on record, newest first."""
    desk = watcher.desk
    participants = desk.office.ledger.registry.participants
    return desk.render(
        "console/records.html",
        watcher=watcher,
        found=_found(watcher, asked, before=before, rows=SHOWN, looked_at=LOOKED_AT),
        asked=asked,
        kinds=["all", *ABOUT],
        participants=sorted(((one.id, desk.name_of(one.id)) for one in participants.values()), key=lambda one: one[1]),
        before=before,
        name_of=desk.name_of,
    )


@router.get("/records.csv")
def records_file(watcher: Watcher, asked: RecordsHere) -> Response:
    """The same as a file, times in UTC: FILE_ROWS rows at the most, from the newest FILE_LOOKED_AT documents."""
    found = _found(watcher, asked, before=None, rows=FILE_ROWS, looked_at=FILE_LOOKED_AT)
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in found.rows:
        document = dict(one.document)
        said = one.index, watcher.desk.words.utc(one.time), document["type"], document.get("participant", "")
        text = json.dumps(document, ensure_ascii=False, sort_keys=True)
        writer.writerow([cell(value) for value in (*said, b64u(one.leaf_hash), text)])
    headers = {"content-disposition": 'attachment; filename="records.csv"'}
    return watcher.desk.keep(Response("\ufeff" + out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers))


def _found(watcher: WatchDesk, asked: RecordsForm, *, before: int | None, rows: int, looked_at: int) -> FoundRecords:
    if asked.about != "all" and asked.about not in ABOUT:
        raise NotFound("there is no such kind of record")
    office = watcher.desk.office
    limited = watcher.staff.role == "regulator" and office.remit_of(watcher.staff.participant).is_limited
    since, until = days_as_indexes(watcher.desk, asked.since, asked.until)
    place = min((end for end in (before, until) if end is not None), default=None)
    found: list[PublicDocument] = []
    for looked in range(0, looked_at, PAGE_LIMIT):
        limit = min(PAGE_LIMIT, looked_at - looked)
        page = watcher.overview.documents(before=place, since=since, limit=limit)
        for one in page:
            # A regulator with a remit has the alerts that are its own in its queue.
            if asked.holds(one) and not (limited and one.document["type"] == "alert.raised"):
                found.append(one)
            place = one.index
            if len(found) == rows:
                return FoundRecords(found, place)
        if len(page) < limit:
            return FoundRecords(found, None)
    return FoundRecords(found, place)


def _texts(value: Any) -> Iterator[str]:
    """Every text in a document, but the names of its members."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
