"""Kantara Consent Receipt 1.1: one JSON object, for the consent as the customer gave it."""

from __future__ import annotations

import uuid
from typing import Any, Final

from api.office.subject import ConsentParty, ReceiptSubject
from api.standards.receipts.categories import kantara_of

VERSION: Final = "KI-CR-v1.1.0"
_NAMESPACE: Final = uuid.UUID("7d7f4c2e-5d0b-5d0d-9a51-0f8f2c1f3f11")


def kantara(subject: ReceiptSubject) -> dict[str, Any]:
    """The receipt. A consent that nobody has given yet is dated by its request, and says `consentType` «NONE»."""
    terms = subject.terms
    given = subject.given
    event = given or subject.events[0]
    categories = kantara_of(terms.permissions)
    return {
        "version": VERSION,
        "jurisdiction": subject.jurisdiction,
        "consentTimestamp": event.time // 1000,
        "collectionMethod": "authenticated session at the account holder's institution",
        "consentReceiptID": _receipt_id(subject),
        "language": terms.language,
        "piiPrincipalId": subject.principal,
        "piiControllers": [_controller(subject.recipient), _controller(subject.holder)],
        "policyUrl": subject.policy,
        "services": [
            {
                "service": f"Sharing of account data with {subject.recipient.name}",
                "purposes": [
                    {
                        "purpose": terms.purpose.text,
                        "purposeCategory": [terms.purpose.code],
                        "consentType": "EXPLICIT" if given else "NONE",
                        "piiCategory": categories,
                        "primaryPurpose": True,
                        "termination": subject.ends,
                        "thirdPartyDisclosure": True,
                        "thirdPartyName": subject.recipient.name,
                    }
                ],
            }
        ],
        "sensitive": subject.sensitive,
        "spiCat": categories if subject.sensitive else [],
        "consentId": subject.consent_id,
        "consentStatus": subject.status,
        "proof": subject.proof_of(event),
    }


def _receipt_id(subject: ReceiptSubject) -> str:
    """The consent's id where it is a UUID; else one that is always the same for this version of this consent."""
    try:
        return str(uuid.UUID(subject.consent_id))
    except ValueError:
        return str(uuid.uuid5(_NAMESPACE, f"{subject.origin}\0{subject.consent_id}\0{subject.version}"))


def _controller(person: ConsentParty) -> dict[str, Any]:
    contact = person.contact
    said = {
        "piiController": person.name,
        "onBehalf": False,
        "contact": contact.contact or person.name,
        "address": {
            name: value
            for name, value in (
                ("addressCountry", contact.address.address_country),
                ("addressLocality", contact.address.address_locality),
                ("postalCode", contact.address.postal_code),
                ("streetAddress", contact.address.street_address),
            )
            if value
        },
        "email": contact.email,
        "phone": contact.phone,
    }
    return said | ({"piiControllerUrl": contact.url} if contact.url else {})
