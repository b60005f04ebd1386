"""The partner's consents as a table: filtered, sorted, searched, and as a file."""

from __future__ import annotations

import csv
import io
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from api.web.console.days import Day, days_as_indexes
from api.web.console.doors import Partner, PartnerDesk, Place
from api.web.console.partner import name_of
from api.web.plain import cell
from ledger.consent.state import Status
from ledger.entries.leaf import subject_chain
from ledger.errors import NotFound
from ledger.queries.overview import OverviewQueries
from ledger.queries.parties import CONSENTS_A_PAGE, Order, OwnConsent, OwnConsents, Sought

router = APIRouter(include_in_schema=False, prefix="/console/partner")
COLUMNS: Final = ("status", "participant", "purpose_code", "purpose", "asked_utc", "ends_utc", "permissions", "consent")
ROWS: Final = 25


class ConsentsForm(BaseModel):
    """The table's form, as it stands in the address."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    status: Status | Literal[""] = ""
    other: Annotated[str, Query(max_length=63)] = ""
    since: Day = ""
    until: Day = ""
    order: Order = "newest"
    q: Annotated[str, Query(max_length=128)] = ""

    @property
    def kept(self) -> dict[str, str]:
        """What was chosen, for the links of the page."""
        return {name: str(value) for name, value in self.model_dump(mode="json").items() if value}


FormHere = Annotated[ConsentsForm, Query()]


@router.get("/consents")
def consents(partner: Partner, asked: FormHere, before: Place | None = None) -> Response:
    """Own consents; a consent's id leads to it, a customer's reference to all of hers."""
    found, missing = _found(partner, asked, before=before, limit=ROWS)
    if len(found.rows) == 1 and found.rows[0].consent.consent_id == asked.q.strip():
        return partner.desk.redirect(f"/console/partner/consents/{found.rows[0].key}")
    return partner.desk.render(
        "console/consents.html",
        404 if missing else 200,
        partner=partner,
        listed=found,
        asked=asked,
        missing=missing,
        statuses=list(Status),
        others=_others(partner),
        before=before,
        asked_at=_times(partner, found.rows),
        name_of=lambda participant: name_of(partner, participant),
    )


@router.get("/consents.csv")
def consents_file(partner: Partner, asked: FormHere) -> Response:
    """The same as a file: CONSENTS_A_PAGE rows at the most, times in UTC."""
    found, _ = _found(partner, asked, before=None, limit=CONSENTS_A_PAGE)
    times = _times(partner, found.rows)
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in found.rows:
        terms = one.consent.terms
        said = (
            one.status.value,
            terms.holder if partner.side == "recipient" else terms.recipient,
            terms.purpose.code,
            terms.purpose.text,
            partner.desk.words.utc(times[one.key]),
            partner.desk.words.utc(terms.expires_at * 1000) if terms.expires_at else "",
            " ".join(terms.permissions),
            one.consent.consent_id,
        )
        writer.writerow([cell(value) for value in said])
    headers = {"content-disposition": 'attachment; filename="consents.csv"'}
    return partner.desk.keep(Response("\ufeff" + out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers))


def _found(partner: PartnerDesk, asked: ConsentsForm, *, before: int | None, limit: int) -> tuple[OwnConsents, bool]:
    """The page, and whether a search found nothing of one's own."""
    own, now, wanted = partner.own, partner.desk.now, asked.q.strip()
    sought = _sought(partner, asked, None)
    if not wanted:
        return own.consents(partner.id, partner.side, now, sought, before=before, limit=limit), False
    try:
        return OwnConsents([own.named(partner.id, partner.side, wanted, now)], None), False
    except NotFound:
        pass
    if partner.side == "recipient":
        return OwnConsents([], None), True
    sought = _sought(partner, asked, subject_chain(partner.id, wanted))
    page = own.consents(partner.id, partner.side, now, sought, before=before, limit=limit)
    return page, not page.rows and before is None


def _sought(partner: PartnerDesk, asked: ConsentsForm, subject: bytes | None) -> Sought:
    since, until = days_as_indexes(partner.desk, asked.since, asked.until)
    return Sought(
        status=asked.status or None,
        other=asked.other.strip() or None,
        since=since,
        until=until,
        subject_chain=subject,
        order=asked.order,
    )


def _times(partner: PartnerDesk, rows: list[OwnConsent]) -> dict[int, int]:
    """When each consent was asked for, in ms, by its key."""
    overview, keys = OverviewQueries(partner.desk.office.ledger.store), [one.key for one in rows]
    found: dict[int, int] = {}
    for begin in range(0, len(keys), 500):
        found |= overview.times(keys[begin : begin + 500])
    return found


def _others(partner: PartnerDesk) -> list[tuple[str, str]]:
    """Who may stand on the other side: id and name, by name."""
    role = "holder" if partner.side == "recipient" else "recipient"
    participants = partner.desk.office.ledger.registry.participants.values()
    return sorted(((one.id, one.name) for one in participants if role in one.roles), key=lambda pair: pair[1])
