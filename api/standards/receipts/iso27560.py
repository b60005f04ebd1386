"""ISO/IEC TS 27560:2023: the record of a consent with all its events, and the receipt that hands it out."""

from __future__ import annotations

from typing import Any, Final

from api.office.subject import ConsentEvent, ConsentParty, ReceiptSubject
from api.standards.receipts.categories import dpv_of

SCHEMA_VERSION: Final = "27560:2023"
_STATES: Final = {
    "ACTIVE": "given",
    "AWAITING": "requested",
    "CONSUMED": "expired",
    "EXPIRED": "expired",
    "PARTIAL": "requested",
    "PAUSED": "paused",
    "REJECTED": "refused",
    "REVOKED": "withdrawn",
    "SUPERSEDED": "superseded",
    "SUSPENDED": "suspended",
    "TERMINATED": "terminated",
}


def iso_record(subject: ReceiptSubject) -> dict[str, Any]:
    """The record: what may be done with which data, by whom, and everything that happened to the permission."""
    terms = subject.terms
    return {
        "schema_version": SCHEMA_VERSION,
        "record_id": subject.consent_id,
        "pii_principal_id": subject.principal,
        "pii_processing": {
            "privacy_notice": subject.policy,
            "language": terms.language,
            "purposes": [
                {
                    "purpose": terms.purpose.text,
                    "purpose_type": terms.purpose.code,
                    "lawful_basis": "consent",
                    "pii_information": [
                        {
                            "pii_type": term,
                            "pii_optional": False,
                            "sensitive_pii_category": subject.sensitive,
                            "special_pii_category": False,
                        }
                        for term in dpv_of(terms.permissions)
                    ],
                    "pii_controllers": [subject.recipient.id],
                    "collection_method": [f"electronic, from {subject.holder.name}"],
                    "processing_method": ["collect", "store", "use"],
                    "storage_locations": _locations(subject.recipient),
                    "retention_period": subject.retention,
                    "services": [f"Sharing of account data with {subject.recipient.name}"],
                    "jurisdiction": subject.jurisdiction,
                    "recipient_third_parties": [subject.recipient.id],
                    "withdrawal_method": subject.home,
                    "privacy_rights": subject.home,
                }
            ],
        },
        "party_identification": [
            _party(subject.holder, "PII controller", "data holder"),
            _party(subject.recipient, "PII controller", "data recipient"),
        ],
        "events": [_event(event, subject) for event in subject.events],
    }


def iso_receipt(subject: ReceiptSubject) -> dict[str, Any]:
    """The receipt: the record, under an id of its own for each event that was told."""
    last = subject.events[-1]
    return {
        "schema_version": SCHEMA_VERSION,
        "receipt_id": f"{subject.consent_id}#{last.index}",
        "created": last.at,
        "records": [iso_record(subject)],
    }


def _event(event: ConsentEvent, subject: ReceiptSubject) -> dict[str, Any]:
    entity = {"customer": subject.principal, "holder": subject.holder.id, "recipient": subject.recipient.id}
    return {
        "event_time": event.at,
        "validity_duration": subject.ends,
        "entity_id": entity.get(event.by, event.by),
        "event_type": "explicit" if event.act == "consent.authorise" else event.act,
        "event_state": _STATES.get(event.status, event.status.lower()),
        "proof": subject.proof_of(event),
    }


def _party(person: ConsentParty, role: str, kind: str) -> dict[str, Any]:
    contact = person.contact
    address = contact.address
    lines = (address.street_address, address.postal_code, address.address_locality, address.address_country)
    said = {
        "party_id": person.id,
        "party_address": ", ".join(line for line in lines if line) or "not stated",
        "party_name": person.name,
        "party_role": role,
        "party_contact": contact.contact or contact.email or "not stated",
        "party_type": kind,
    }
    more = {"party_email": contact.email, "party_url": contact.url, "party_phone": contact.phone}
    return said | {name: value for name, value in more.items() if value}


def _locations(person: ConsentParty) -> list[str]:
    country = person.contact.address.address_country or person.contact.jurisdiction
    return [country] if country else ["not stated"]
