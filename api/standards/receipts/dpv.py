"""The same record in the W3C's Data Privacy Vocabulary 2.2 (JSON-LD), by its guide for ISO/IEC TS 27560."""

from __future__ import annotations

from typing import Any, Final

from api.office.subject import ConsentEvent, ConsentParty, ReceiptSubject
from api.standards.receipts.categories import dpv_of

_NAMED: Final[dict[str, str]] = {"@type": "@id"}
_TIME: Final[dict[str, str]] = {"@type": "xsd:dateTime"}
CONTEXT: Final[dict[str, str | dict[str, str]]] = {
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "ledger": "urn:consent-ledger:terms:",
    "pd": "https://w3id.org/dpv/pd#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "schema": "https://schema.org/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "dct:conformsTo": _NAMED,
    "dct:created": _TIME,
    "dpv:hasLegalBasis": _NAMED,
    "dpv:hasPersonalData": _NAMED,
    "dpv:hasProcessing": _NAMED,
    "dpv:hasPurpose": _NAMED,
    "dpv:hasRecipient": _NAMED,
    "dpv:isExercisedAt": _NAMED,
    "dpv:isIndicatedAtTime": _TIME,
    "dpv:isIndicatedBy": _NAMED,
    "schema:recipient": _NAMED,
}
"""Prefixes, and which members name a thing or a time where JSON has a text; inside the document: no reader has to fetch
anything."""
_PROFILE: Final = "https://w3id.org/dpv/schema/dpv-27560"
CONSENT_STATUS: Final = {
    "ACTIVE": "ConsentGiven",
    "AWAITING": "ConsentRequested",
    "CONSUMED": "ConsentExpired",
    "EXPIRED": "ConsentExpired",
    "PARTIAL": "ConsentRequested",
    "PAUSED": "ConsentStatusInvalidForProcessing",
    "REJECTED": "ConsentRefused",
    "REVOKED": "ConsentRevoked",
    "SUPERSEDED": "ConsentInvalidated",
    "SUSPENDED": "ConsentStatusInvalidForProcessing",
    "TERMINATED": "ConsentRevoked",
}
"""The vocabulary's word for each state."""
_PURPOSE: Final = {
    "account-information": "ServiceProvision",
    "affordability": "CustomerSolvencyMonitoring",
    "budgeting": "ServiceProvision",
    "identity": "IdentityVerification",
    "lending": "CustomerSolvencyMonitoring",
    "marketing": "Marketing",
    "payment-initiation": "PaymentManagement",
}
"""Purposes whose meaning the vocabulary has. Any other is a service that the customer asked for."""
_INDICATED_BY: Final = {"customer": "dpv:DataSubject", "guardian": "dpv:ParentOfDataSubject"}


def dpv_receipt(subject: ReceiptSubject) -> dict[str, Any]:
    """The receipt with its record inside."""
    last = subject.events[-1]
    address = f"{subject.base_url}/consents/{subject.consent_id}"
    return {
        "@context": CONTEXT,
        "@id": f"{address}/receipt#{last.index}",
        "@type": "dpv:ConsentReceipt",
        "dct:identifier": f"{subject.consent_id}#{last.index}",
        "dct:conformsTo": f"{_PROFILE}#receipt",
        "dct:created": last.at,
        "dct:publisher": subject.origin,
        "schema:recipient": "dpv:DataSubject",
        "dpv:hasRecordOfActivity": _record(subject, address),
    }


def _record(subject: ReceiptSubject, address: str) -> dict[str, Any]:
    terms = subject.terms
    return {
        "@id": address,
        "@type": "dpv:ConsentRecord",
        "dct:identifier": subject.consent_id,
        "dct:conformsTo": f"{_PROFILE}#record",
        "dpv:hasDataSubject": {"@id": f"urn:consent-ledger:subject:{subject.principal}", "@type": "dpv:DataSubject"},
        "dpv:hasDataController": [_entity(subject.holder), _entity(subject.recipient)],
        "dpv:hasJurisdiction": subject.jurisdiction,
        "dpv:hasProcess": {
            "@type": "dpv:Process",
            "dct:title": terms.purpose.text,
            "dpv:hasPurpose": f"dpv:{_PURPOSE.get(terms.purpose.code, 'RequestedServiceProvision')}",
            "dpv:hasPersonalData": [f"pd:{term}" for term in dpv_of(terms.permissions)],
            "dpv:hasProcessing": ["dpv:Collect", "dpv:Store", "dpv:Use"],
            "dpv:hasLegalBasis": "dpv:ExplicitlyExpressedConsent",
            "dpv:hasRecipient": _reference(subject.recipient),
            "dpv:hasStorageCondition": {
                "@type": "dpv:StorageDuration",
                "dpv:hasDuration": {"@type": "dpv:TemporalDuration", "rdf:value": subject.retention},
            },
        },
        "dpv:hasConsentControl": {
            "@type": ["dpv:ProvideConsent", "dpv:WithdrawConsent"],
            "dpv:isExercisedAt": subject.home,
        },
        "dpv:hasRight": {
            "@type": "dpv:DataSubjectRight",
            "dct:title": "Withdraw consent",
            "dpv:isExercisedAt": subject.home,
        },
        "dpv:hasNotice": {
            "@id": subject.policy,
            "@type": "dpv:ConsentNotice",
            "dct:language": terms.language,
            "dct:coverage": subject.ends,
        },
        "dpv:hasConsentStatus": [_status(event, subject) for event in subject.events],
    }


def _status(event: ConsentEvent, subject: ReceiptSubject) -> dict[str, Any]:
    term = CONSENT_STATUS[event.status]
    if event.status == "REVOKED" and event.by == "customer":
        term = "ConsentWithdrawn"
    elif event.act == "consent.authorise" and event.version > 1 and event.status == "ACTIVE":
        term = "RenewedConsentGiven"
    parties = {"holder": _reference(subject.holder), "recipient": _reference(subject.recipient)}
    return {
        "@id": f"{subject.base_url}/receipts/{event.index}",
        "@type": [f"dpv:{term}", *(("dpv:ExplicitlyExpressedConsent",) if term.endswith("ConsentGiven") else ())],
        "dpv:isIndicatedBy": _INDICATED_BY.get(event.by) or parties.get(event.by, subject.origin),
        "dpv:hasIndicationMethod": event.act,
        "dpv:isIndicatedAtTime": event.at,
        "ledger:index": event.index,
    }


def _reference(person: ConsentParty) -> dict[str, str]:
    return {"@id": f"urn:consent-ledger:participant:{person.id}"}


def _entity(person: ConsentParty) -> dict[str, Any]:
    said = {**_reference(person), "@type": "dpv:DataController", "schema:name": person.name}
    more = {"schema:email": person.contact.email, "schema:url": person.contact.url}
    return said | {name: value for name, value in more.items() if value}
