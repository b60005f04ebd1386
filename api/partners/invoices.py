"""Invoices of usage statements: CSV, and XML in the manner of UBL 2.1. All they say is in the log."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from xml.sax.saxutils import escape

import msgspec

from api.partners.money import written
from ledger.billing.months import name_of
from ledger.participants import Registry
from ledger.partners import Tariff, UsageStatement

CSV_TYPE: Final = "text/csv; charset=utf-8"
UBL_TYPE: Final = "application/xml"
_UBL: Final = "urn:oasis:names:specification:ubl:schema:xsd"


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """A line of the tariff in words, with what it came to: `amount` in minor units."""

    number: int
    text: str
    count: int
    amount: int


@dataclass(frozen=True, slots=True)
class Party:
    """A side of the invoice."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Invoice:
    """A statement as an invoice. `total` in minor units; `state`: what both have signed of it so far."""

    origin: str
    entry: int
    number: str
    issued: str
    first: str
    last: str
    currency: str
    seller: Party
    buyer: Party
    tariff: str
    state: str
    lines: tuple[InvoiceLine, ...]
    count: int
    total: int

    @classmethod
    def of(cls, stated: UsageStatement, tariff: Tariff, registry: Registry) -> Invoice:
        """The invoice of a statement."""
        says, offset = stated.says, tariff.says.utc_offset
        return cls(
            registry.origin,
            stated.index,
            f"{stated.author}-{name_of(says.from_, offset)}-{stated.index}",
            _day(stated.time // 1000, offset),
            _day(says.from_, offset),
            _day(says.to - 1, offset),
            tariff.says.currency,
            Party(stated.author, registry.participant(stated.author).name),
            Party(says.recipient, registry.participant(says.recipient).name),
            tariff.says.tariff,
            stated.state,
            tuple(
                InvoiceLine(number, described(line), amount.count, amount.amount)
                for number, (line, amount) in enumerate(
                    zip(msgspec.to_builtins(tariff.says.lines), says.amounts, strict=True), 1
                )
            ),
            says.count,
            says.total,
        )


def described(line: Mapping[str, Any]) -> str:
    """A line of a tariff in a few words, the same for every reader."""
    parts = [f"{name} {line[name]}" for name in ("purpose", "resource") if name in line]
    if "attended" in line:
        parts.append("customer present" if line["attended"] else "customer not present")
    if "rows_from" in line or "rows_to" in line:
        parts.append(f"rows {line.get('rows_from', 0)}-{line.get('rows_to', '')}")
    return "Releases: " + (", ".join(parts) or "all")


COLUMNS: Final = (
    "invoice",
    "issued",
    "from",
    "to",
    "seller",
    "buyer",
    "tariff",
    "entry",
    "state",
    "line",
    "text",
    "count",
    "amount",
    "currency",
)


def invoice_csv(invoice: Invoice) -> bytes:
    """One line for each line of the tariff, and one for the total. Amounts as people write them, with a point."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(COLUMNS)
    head = (
        invoice.number,
        invoice.issued,
        invoice.first,
        invoice.last,
        invoice.seller.id,
        invoice.buyer.id,
        invoice.tariff,
        invoice.entry,
        invoice.state,
    )
    for line in invoice.lines:
        amount = written(line.amount, invoice.currency)
        rows.writerow((*head, line.number, line.text, line.count, amount, invoice.currency))
    total = written(invoice.total, invoice.currency)
    rows.writerow((*head, "total", "", invoice.count, total, invoice.currency))
    return text.getvalue().encode()


def invoice_ubl(invoice: Invoice) -> bytes:
    """The members of a UBL 2.1 invoice that the log knows; taxes, addresses and terms of payment are the parties' own."""
    lines = "".join(_line(line, invoice.currency) for line in invoice.lines)
    total = _amount("PayableAmount", invoice.total, invoice.currency)
    note = f"Usage statement at entry {invoice.entry} of {invoice.origin}, {invoice.state}"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Invoice xmlns="{_UBL}:Invoice-2" xmlns:cac="{_UBL}:CommonAggregateComponents-2" '
        f'xmlns:cbc="{_UBL}:CommonBasicComponents-2">\n'
        f"<cbc:UBLVersionID>2.1</cbc:UBLVersionID>\n"
        f"<cbc:ID>{escape(invoice.number)}</cbc:ID>\n"
        f"<cbc:IssueDate>{invoice.issued}</cbc:IssueDate>\n"
        f"<cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode>\n"
        f"<cbc:Note>{escape(note)}</cbc:Note>\n"
        f"<cbc:DocumentCurrencyCode>{invoice.currency}</cbc:DocumentCurrencyCode>\n"
        f"<cac:InvoicePeriod><cbc:StartDate>{invoice.first}</cbc:StartDate>"
        f"<cbc:EndDate>{invoice.last}</cbc:EndDate></cac:InvoicePeriod>\n"
        f"{_party('AccountingSupplierParty', invoice.seller)}{_party('AccountingCustomerParty', invoice.buyer)}"
        f"<cac:LegalMonetaryTotal>{_amount('LineExtensionAmount', invoice.total, invoice.currency)}{total}"
        f"</cac:LegalMonetaryTotal>\n"
        f"{lines}</Invoice>\n"
    ).encode()


def _line(line: InvoiceLine, currency: str) -> str:
    return (
        f"<cac:InvoiceLine><cbc:ID>{line.number}</cbc:ID>"
        f'<cbc:InvoicedQuantity unitCode="C62">{line.count}</cbc:InvoicedQuantity>'
        f"{_amount('LineExtensionAmount', line.amount, currency)}"
        f"<cac:Item><cbc:Name>{escape(line.text)}</cbc:Name></cac:Item></cac:InvoiceLine>\n"
    )


def _party(role: str, party: Party) -> str:
    return (
        f"<cac:{role}><cac:Party><cac:PartyIdentification><cbc:ID>{escape(party.id)}</cbc:ID></cac:PartyIdentification>"
        f"<cac:PartyName><cbc:Name>{escape(party.name)}</cbc:Name></cac:PartyName></cac:Party></cac:{role}>\n"
    )


def _amount(name: str, minor: int, currency: str) -> str:
    return f'<cbc:{name} currencyID="{currency}">{written(minor, currency)}</cbc:{name}>'


def _day(second: int, utc_offset: int) -> str:
    return datetime.fromtimestamp(second + utc_offset * 60, UTC).date().isoformat()
