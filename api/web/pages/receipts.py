"""Receipts: proof of each event, to read, print, keep and check; and the report of one that was not expected."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from api.web.desk import Customer, in_order
from api.web.forms import MOST_WORDS, WORDS, CustomersForm
from api.web.heeding import give
from api.web.people import KeptWords
from api.web.qr import MOST, qr_path
from api.web.terms import lines_of
from ledger.canonical import b64u
from ledger.receipts import MEDIA_TYPE, receipt_bytes

router = APIRouter(include_in_schema=False, prefix="/my/receipts")


@router.get("")
def receipts(desk: Customer) -> Response:
    """The newest receipt of each connection, and those about herself."""
    dealings = desk.dealings
    listed, _ = dealings.connections()
    newest = [(one, dealings.receipt(one.consent.basis)) for one in listed[:20]]
    own = [event for event in dealings.own_events(50) if event.act != "subject.consent"]
    has_earlier = desk.office.ledger.records.chain_length(desk.person.history_chain) > 0
    return desk.render("receipts.html", newest=newest, own=own, has_earlier=has_earlier)


@router.get("/{index}")
def receipt(desk: Customer, index: int) -> Response:
    """One receipt in words, for reading and printing."""
    event = desk.dealings.receipt(index)
    consent_id, terms = event.recorded.consent_id, getattr(event.says, "terms", None)
    consent = desk.dealings.consent_of(event)
    labels = desk.labels(consent) if consent else {}
    return desk.render(
        "receipt.html",
        event=event,
        labels=labels,
        accounts=in_order(event.item.accounts if event.item else (), labels),
        key=desk.dealings.key_of(consent_id) if consent_id else None,
        vkey=" ".join(vkey.format() for vkey in desk.office.ledger.vkeys),
        reports=desk.office.store.feedback.about(desk.person, index),
        name_of=desk.dealings.name_of,
        opened=desk.office.disclosures.of_entry(index),
        terms=terms,
        lines=lines_of(desk.words, terms) if terms is not None else [],
        code=_code(f"{desk.office.base_url}/verify?entry={index}"),
    )


def _code(address: str) -> tuple[str, str, int] | None:
    """The address for paper: itself, the path of its code, its width in modules. None where it is too long for one."""
    return (address, *qr_path(address)) if len(address.encode()) <= MOST else None


@router.get("/{index}/file")
def receipt_file(desk: Customer, index: int) -> Response:
    """The receipt file, which anybody can check without us."""
    event = desk.dealings.receipt(index)
    name = f'attachment; filename="receipt-{index}.json"'
    return desk.keep(
        Response(receipt_bytes(event.recorded), media_type=MEDIA_TYPE, headers={"content-disposition": name})
    )


@router.get("/{index}/report")
def ask_report(desk: Customer, index: int) -> Response:
    """«I did not expect this»."""
    event = desk.dealings.receipt(index)
    kept = desk.session.kept if desk.session else None
    written = kept.words if kept is not None and kept.path == desk.request.url.path else ""
    return desk.render(
        "report.html",
        event=event,
        name_of=desk.dealings.name_of,
        written=written,
        days=desk.office.settings.answer_days,
    )


@router.post("/{index}/report")
def report(sent: CustomersForm, index: int) -> Response:
    """Keep it for the bank's staff and record it, under a number she can quote. Her words are not lost on the way."""
    desk = sent.desk
    event, words = desk.dealings.receipt(index), sent.text(WORDS, MOST_WORDS).strip()
    if words:
        desk.change(kept=KeptWords(b64u(desk.person.key), desk.request.url.path, words))
    given = give(desk, event, "unexpected" if event.is_access else "other", words)
    if desk.session is not None and desk.session.kept is not None:
        desk.change(kept=None)
    return desk.redirect(f"/my/feedback/{given.number}?new=1")
