"""The kinds of receipt there are, and making one from the ledger's own records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.office.history import history_of
from api.office.subject import Contact, ReceiptSubject
from api.standards.receipts.dpv import dpv_receipt
from api.standards.receipts.iso27560 import iso_receipt
from api.standards.receipts.kantara import kantara
from ledger.app import Ledger
from ledger.consent.state import Consent


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of receipt."""

    suffix: str
    media_type: str
    title: str
    make: Callable[[ReceiptSubject], dict[str, Any]]


FORMS: Final = (
    Form("iso27560.json", "application/vnd.consent-ledger.iso-27560+json", "ISO/IEC TS 27560 receipt", iso_receipt),
    Form("kantara.json", "application/vnd.consent-ledger.kantara-1.1+json", "Kantara consent receipt 1.1", kantara),
    Form("jsonld", "application/ld+json", "W3C Data Privacy Vocabulary 2.2", dpv_receipt),
)
DEFAULT: Final = FORMS[0]
"""The form for `application/json`."""


def receipt_for_people(
    ledger: Ledger, consent: Consent, form: Form, *, contacts: Mapping[str, Contact], base_url: str, now: int
) -> dict[str, Any]:
    """A receipt of a consent, for one of its parties or for its customer: the caller has made sure. Blocking.

    `now` in milliseconds. The consent's pages for people use this too.
    """
    recorded, complete = history_of(ledger, consent)
    subject = ReceiptSubject.of(
        consent,
        recorded,
        registry=ledger.registry,
        contacts=contacts,
        base_url=base_url,
        origin=ledger.origin,
        now=now,
        complete=complete,
    )
    return form.make(subject)
