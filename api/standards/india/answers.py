"""A consent in the Account Aggregator's words: handle, artefact, use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET

from api.office.office import Standing
from api.standards.india.requests import ConsentDetail, ConsentMessage, aa_time
from ledger.consent.state import Consent, Status
from ledger.entries.evidence import AccessOutcome, decode_evidence
from ledger.entries.terms import Terms
from ledger.planning.commands import Recorded

NOT_STATED = "NOT_STATED"
"""For what the specification demands of an account and this ledger never learns: its type."""
MASK = "XXXXXXXXXXXX"
"""For an account's number, of which this ledger never learns a digit."""


def handle_status(consent: Consent, status: Status) -> str:
    """The state of the request: READY as soon as there is an artefact, whatever its state since."""
    if consent.approvals:
        return "READY"
    match status:
        case Status.AWAITING | Status.PARTIAL:
            return "PENDING"
        case Status.REJECTED | Status.REVOKED:
            return "REJECTED"
        case Status.EXPIRED:
            return "EXPIRED"
        case _:
            return "FAILED"


def artefact_status(status: Status) -> str:
    """The four states of an artefact."""
    match status:
        case Status.ACTIVE:
            return "ACTIVE"
        case Status.PAUSED | Status.SUSPENDED:
            return "PAUSED"
        case Status.EXPIRED | Status.CONSUMED:
            return "EXPIRED"
        case _:
            return "REVOKED"


def detail_of(standing: Standing) -> ConsentDetail | None:
    """The request as it was worded; None for a consent made natively."""
    if standing.facts is None:
        return None
    try:
        return msgspec.json.decode(standing.facts, type=ConsentMessage).ConsentDetail
    except msgspec.DecodeError:
        return None


def signed_detail(standing: Standing) -> dict[str, Any]:
    """SignedConsentDetail: what the customer agreed to, with the accounts that are shared now.

    The consumer is the recipient that the log knows, whatever the request called itself.
    """
    terms, detail = standing.consent.terms, detail_of(standing)
    said = msgspec.to_builtins(detail) if detail is not None else _detail_of_terms(terms, standing.created_at)
    said.pop("DataFilter", None)
    kinds = said["fiTypes"]
    said |= {
        "DataConsumer": {"id": terms.recipient, "type": "FIU"},
        "DataProvider": {"id": terms.holder, "type": "FIP"},
        "Customer": {"id": said["Customer"].get("id") or standing.consent.subject},
        "Accounts": [
            {
                "fiType": kinds[0],
                "fipId": terms.holder,
                "accType": NOT_STATED,
                "linkRefNumber": account,
                "maskedAccNumber": MASK,
            }
            for account in standing.consent.accounts
        ],
    }
    if said["Frequency"]["unit"] == "INF":  # the signed form has no INF: the most that it can say
        said["Frequency"] = {"unit": "HOUR", "value": 10_000}
    if detail is not None and detail.DataFilter:
        said["DataFilter"] = msgspec.to_builtins(detail.DataFilter)
    return dict(said)


def artefact_of(
    standing: Standing, signed: str, *, ver: str, txnid: str, log_uri: str, use: tuple[int, int]
) -> dict[str, Any]:
    """ConsentArtefact, as it was `signed`. `use`: how many accesses were allowed, and when the last was (ms; 0 = none yet)."""
    made_at = standing.consent.authenticated_at * 1000 or standing.change.at
    count, last = use
    return {
        "ver": ver,
        "txnid": txnid,
        "consentId": standing.consent_id,
        "status": artefact_status(standing.status),
        "createTimestamp": aa_time(made_at),
        "signedConsent": signed,
        "ConsentUse": {"logUri": log_uri, "count": count, "lastUseDateTime": aa_time(last or made_at)},
    }


def use_of(entries: Iterable[Recorded]) -> tuple[int, int]:
    """How many accesses were allowed, and when the last was (ms; 0 = none)."""
    count = last = 0
    for entry in entries:
        if entry.evidence is not None and entry.act.startswith("access."):
            outcome = decode_evidence(entry.evidence).outcome
            if isinstance(outcome, AccessOutcome) and outcome.decision == "allow":
                count, last = count + 1, entry.time
    return count, last


def _detail_of_terms(terms: Terms, created_at: int) -> dict[str, Any]:
    """A consent made natively, in the nearest words that this standard has."""
    held = set(terms.permissions)
    kinds = {
        "PROFILE": "ReadParty" in held,
        "SUMMARY": "ReadBalances" in held,
        "TRANSACTIONS": any(one.startswith("ReadTransactions") for one in held),
    }
    far = 253_402_300_799_000
    return {
        "consentStart": aa_time(terms.starts_at * 1000 or created_at),
        "consentExpiry": aa_time(terms.expires_at * 1000 or far),
        "consentMode": "STORE",
        "fetchType": "ONETIME" if terms.once else "PERIODIC",
        "consentTypes": [kind for kind, there in kinds.items() if there] or ["SUMMARY"],
        "fiTypes": ["DEPOSIT"],
        "Customer": {},
        "Purpose": {"code": terms.purpose.code, "text": terms.purpose.text},
        "FIDataRange": {"from": aa_time(terms.history_from * 1000), "to": aa_time(terms.history_to * 1000 or far)},
        "DataLife": {"unit": "DAY", "value": terms.retention_days}
        if terms.retention_days
        else {"unit": "INF", "value": 0},
        "Frequency": {
            "unit": "DAY" if terms.frequency_period is UNSET else terms.frequency_period.upper(),
            "value": terms.frequency_per_day,
        }
        if terms.frequency_per_day
        else {"unit": "INF", "value": 0},
    }
