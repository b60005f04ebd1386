"""The console of holders and recipients: tariffs that concern them, and what each month came to (docs/partners.md)."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response

from api.partners.invoices import CSV_TYPE, UBL_TYPE, Invoice, described, invoice_csv, invoice_ubl
from api.partners.money import written
from api.web.console.doors import Partner, PartnerDesk, Place
from api.web.plain import plain
from ledger.billing.months import name_of
from ledger.errors import NotFound
from ledger.partners import Tariff, UsageStatement

router = APIRouter(include_in_schema=False, prefix="/console/partner/billing")
TONE: Final = {"stated": "wait", "agreed": "good", "disputed": "bad", "replaced": "still"}


@router.get("")
def billing(partner: Partner) -> Response:
    """Both sides read the same page: what was offered, accepted, stated, agreed."""
    known, own = partner.desk.office.ledger.registry.partners, partner.id
    statements = [each for each in known.statements.values() if own in (each.author, each.says.recipient)]
    tariffs = [
        each
        for each in known.tariffs.values()
        if own == each.author or (partner.side == "recipient" and each.says.recipient in ("", own))
    ]
    return partner.desk.render(
        "console/billing.html",
        partner=partner,
        tariffs=tariffs[::-1],
        statements=statements[::-1],
        tone=TONE,
        month_of=lambda one: name_of(one.says.from_, _tariff(partner, one).says.utc_offset),
        money=lambda one: f"{written(one.says.total, currency := _tariff(partner, one).says.currency)} {currency}",
        lines_of=_lines,
        state_of=lambda one: _state(one, own),
        name_of=lambda participant: _name_of(partner, participant),
    )


@router.get("/{index}/invoice.{form}")
def invoice(partner: Partner, index: Place, form: Literal["csv", "xml"]) -> Response:
    """The invoice of a statement, for its two sides. Raises NotFound for anybody else."""
    registry = partner.desk.office.ledger.registry
    stated = registry.partners.statements.get(index)
    if stated is None or partner.id not in (stated.author, stated.says.recipient):
        raise NotFound("there is no such statement")
    made = Invoice.of(stated, _tariff(partner, stated), registry)
    content, media = (invoice_csv(made), CSV_TYPE) if form == "csv" else (invoice_ubl(made), UBL_TYPE)
    name = f'attachment; filename="{made.number}.{form}"'
    return partner.desk.keep(Response(content, media_type=media, headers={"content-disposition": name}))


def _tariff(partner: PartnerDesk, stated: UsageStatement) -> Tariff:
    return partner.desk.office.ledger.registry.partners.tariff(stated.says.offer)


def _state(tariff: Tariff, own: str) -> str:
    """`offered`, `accepted` or `ended`, from this participant's side."""
    if own == tariff.author:
        return "ended" if tariff.ended_by(own) else "accepted" if tariff.accepted else "offered"
    if tariff.ended_by(own) or tariff.ended_by(tariff.author):
        return "ended"
    return "accepted" if own in tariff.accepted else "offered"


def _lines(tariff: Tariff) -> list[str]:
    return [described(line) for line in msgspec.to_builtins(tariff.says.lines)]


def _name_of(partner: PartnerDesk, participant: str) -> str:
    found = partner.desk.office.ledger.registry.participants.get(participant)
    return plain(found.name) if found else participant
