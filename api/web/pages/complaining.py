"""A file for a complaint: one connection's history in words, its receipts, the proof that it is everything, how to check."""

from __future__ import annotations

import io
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response

from api.web.customer import Connection
from api.web.desk import Customer, Desk
from api.web.exports import lines_of_connection
from api.web.feedback import MOST, Feedback
from ledger.errors import NotFound, Unavailable
from ledger.queries.completeness import completeness_bytes
from ledger.receipts import receipt_bytes

router = APIRouter(include_in_schema=False, prefix="/my/connections/{key}")
MOST_RECEIPTS: Final = 500
"""The newest so many entries have their receipts in the file."""
PIECE: Final = 200
MEDIA_TYPE: Final = "application/zip"
LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)
"""The time of the files in the archive: the same content is the same bytes."""


@router.get("/complaint.zip")
def complaint(desk: Customer, key: int) -> Response:
    """Everything that a bank, a supervisor or a court needs to check it without us."""
    found = desk.dealings.connection(key)
    desk.require_fresh(f"/my/connections/{key}/complaint.zip")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _files(desk, found):
            archive.writestr(zipfile.ZipInfo(name, LONG_AGO), content, zipfile.ZIP_DEFLATED)
    headers = {"content-disposition": f'attachment; filename="complaint-{key}.zip"'}
    return desk.keep(Response(out.getvalue(), media_type=MEDIA_TYPE, headers=headers))


def _files(desk: Desk, one: Connection) -> Iterator[tuple[str, bytes]]:
    ledger, words = desk.office.ledger, desk.words
    length = desk.dealings.length(one)
    first = max(0, length - MOST_RECEIPTS)
    about = {
        "recipient": one.recipient,
        "id": one.consent.terms.recipient,
        "bank": desk.dealings.name_of(one.consent.terms.holder),
        "purpose": words.purpose(one.consent.terms),
        "status": words.t(f"status.{one.status}"),
        "consent": one.consent.consent_id,
        "time": words.time(desk.now),
        "count": words.number(length),
        "shown": words.number(length - first),
    }
    yield "README.txt", words.t("pack.readme", **about).encode()
    yield "history.csv", "".join(lines_of_connection(desk, one)).encode()
    yield "policy", f"log {ledger.vkey.format()}\nquorum none\n".encode()
    try:
        yield "completeness.json", completeness_bytes(ledger.completeness.of_chain(one.chain))
    except (NotFound, Unavailable):
        yield "completeness-missing.txt", words.t("complete.unable.text").encode()
    said: defaultdict[int, list[Feedback]] = defaultdict(list)
    for report in desk.office.store.feedback.of(desk.person, MOST):
        said[report.about].append(report)
    for seq in range(first, length, PIECE):
        for event in desk.dealings.events_from(one, seq, min(PIECE, length - seq)):
            yield f"receipts/{event.index}.json", receipt_bytes(event.recorded)
            for report in said.get(event.index, ()):
                yield f"reports/{report.number}.txt", _told(desk, report).encode()


def _told(desk: Desk, report: Feedback) -> str:
    """A report and every answer to it, in words."""
    words = desk.words
    said = words.t("pack.report", number=report.number, time=words.time(report.made_at), words=report.words)
    for one in report.replies:
        said += words.t(
            "pack.reply",
            state=words.t(f"feedback.state.{one.state}"),
            by=words.t(f"feedback.by.{one.by}"),
            time=words.time(one.at),
            words=one.words,
        )
    return said
