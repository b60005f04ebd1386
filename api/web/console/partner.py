"""The console of holders and recipients: their own consents, calls, receipts and keys."""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.web.console.doors import Partner, PartnerDesk, PartnersForm, Place
from api.web.console.keeping import keys_page, suspend_own
from api.web.happened import Row, joined, read_event, reasons_of
from api.web.plain import plain
from ledger.consent.state import LIVE, Status
from ledger.entries.asserted import ASSERTED
from ledger.entries.leaf import consent_chain
from ledger.errors import NotFound
from ledger.planning.commands import Recorded
from ledger.policy.reasons import Reason
from ledger.queries.events import EventQueries
from ledger.queries.parties import Calls
from ledger.receipts import MEDIA_TYPE, receipt_bytes

router = APIRouter(include_in_schema=False, prefix="/console/partner")
SOON_MS: Final = 30 * 86_400_000
EVENTS: Final = 50
FINDINGS: Final = 50
UNACKNOWLEDGED: Final = 50
SENT: Final = 50
INDEX_DIGITS: Final = 16


def name_of(partner: PartnerDesk, participant: str | None) -> str:
    """The name of a participant, fit for a page; its id if it is not registered."""
    found = partner.desk.office.ledger.registry.participants.get(participant or "")
    return plain(found.name) if found else (participant or "")


def _by_reason(calls: Calls) -> list[tuple[str, int]]:
    """Refusals by reason, in the order of the checks."""
    counted = Counter(reason for call in calls.rows if call.refused for reason in reasons_of(call.outcome))
    names = (*(reason.value for reason in Reason), *ASSERTED)
    return [(name, counted[name]) for name in names if counted[name]]


@router.get("")
def overview(partner: Partner) -> Response:
    """Consents by state, what ends soon, what was refused lately."""
    own, now = partner.own, partner.desk.now
    return partner.desk.render(
        "console/partner.html",
        partner=partner,
        tally=own.tally(partner.id, partner.side, now),
        statuses=list(Status),
        live=LIVE,
        soon=own.expiring(partner.id, partner.side, now, now + SOON_MS),
        calls=(calls := own.calls(partner.id, partner.side)),
        reasons=_by_reason(calls),
        name_of=lambda participant: name_of(partner, participant),
    )


@router.get("/consents/{key}")
def consent(partner: Partner, key: Place, before: Place | None = None) -> Response:
    """One own consent with its newest events."""
    found = partner.own.consent(partner.id, partner.side, key, partner.desk.now)
    rows, older = _history(partner, found.consent.consent_id, before)
    return partner.desk.render(
        "console/consent.html",
        partner=partner,
        one=found,
        rows=rows,
        older=older,
        before=before,
        live=LIVE,
        name_of=lambda participant: name_of(partner, participant),
    )


def _history(partner: PartnerDesk, consent_id: str, before: int | None) -> tuple[list[Row], int | None]:
    """Up to EVENTS events that the partner may see, newest first, and where older ones are."""
    records = partner.desk.office.ledger.records
    length = records.chain_length(consent_chain(consent_id))
    top = length if before is None else max(0, min(before, length))
    low = max(0, top - EVENTS)
    found = records.history(partner.id, consent_id, after=low - 1, limit=top - low) if top > low else ()
    events = [event for event in map(read_event, found) if event.seq < top]
    return joined(events), low or None


@router.get("/calls")
def calls(partner: Partner, show: Literal["refused", "all"] = "refused", before: Place | None = None) -> Response:
    """Calls, newest first: those refused by reason, with what to do about it."""
    page = partner.own.calls(partner.id, partner.side, before=before)
    rows = [call for call in page.rows if call.act.startswith("access.") and (show == "all" or call.refused)]
    return partner.desk.render(
        "console/calls.html",
        partner=partner,
        page=page,
        rows=rows,
        show=show,
        before=before,
        reasons_of=reasons_of,
        reasons=_by_reason(page),
        name_of=lambda participant: name_of(partner, participant),
    )


@router.get("/receipts")
def receipts(partner: Partner, q: str = "", before: Place | None = None) -> Response:
    """Find receipts by entry number or consent id. Entries of others are not found."""
    wanted = q.strip()[:128]
    if not wanted:
        return _receipts(partner, [], "", None)
    if wanted.isascii() and wanted.isdigit() and len(wanted) <= INDEX_DIGITS:
        return partner.desk.redirect(f"/console/partner/receipts/{int(wanted)}")
    try:
        partner.desk.office.ledger.records.consent(partner.id, wanted)
        rows, older = _history(partner, wanted, before)
    except NotFound:
        return _receipts(partner, [], wanted, None, 404)
    return _receipts(partner, rows, wanted, older)


def _receipts(partner: PartnerDesk, rows: list[Row], wanted: str, older: int | None, status: int = 200) -> Response:
    return partner.desk.render(
        "console/receipts.html",
        status,
        partner=partner,
        rows=rows,
        q=wanted,
        missing=status == 404,
        older=older,
        name_of=lambda participant: name_of(partner, participant),
    )


@router.get("/receipts/{index}")
def receipt(partner: Partner, index: Place) -> Response:
    """One receipt in words."""
    recorded = _own_receipt(partner, index)
    return partner.desk.render(
        "console/receipt.html",
        partner=partner,
        event=read_event(recorded),
        rooms="/console/partner",
        vkey=partner.desk.office.ledger.vkey.format(),
        name_of=lambda participant: name_of(partner, participant),
    )


@router.get("/receipts/{index}/file")
def receipt_file(partner: Partner, index: Place) -> Response:
    """The receipt file."""
    name = f'attachment; filename="receipt-{index}.json"'
    body = receipt_bytes(_own_receipt(partner, index))
    return partner.desk.keep(Response(body, media_type=MEDIA_TYPE, headers={"content-disposition": name}))


def _own_receipt(partner: PartnerDesk, index: int) -> Recorded:
    """A receipt that the partner may see. Raises NotFound."""
    return partner.desk.office.ledger.records.receipt_for(partner.id, index)


@router.get("/deliveries")
def deliveries(partner: Partner, after: int = Query(-1, ge=-1, le=2**53)) -> Response:
    """Findings about both sides of an access, and the events that the partner has not acknowledged."""
    ledger = partner.desk.office.ledger
    events = EventQueries(ledger.store, ledger.keystore)
    found = ledger.reconciliation.findings(partner.id, open_only=True, after=after, limit=FINDINGS)
    return partner.desk.render(
        "console/deliveries.html",
        partner=partner,
        found=found,
        older=found[-1].key if len(found) == FINDINGS else None,
        waiting=events.open_for(partner.id, UNACKNOWLEDGED),
        sent=events.latest_of(partner.id, SENT),
        endpoint=events.endpoint(partner.id),
    )


@router.get("/keys")
def keys(partner: Partner) -> Response:
    """Own keys with the indexes between which each may sign."""
    return keys_page(partner.desk, partner.participant, "/console/partner/keys")


@router.post("/suspend")
def suspend(sent: PartnersForm) -> Response:
    """Suspend one's own participant at once, as after the loss of a key. Raises StepUpNeeded."""
    return suspend_own(sent.desk, "/console/partner/keys")
