"""A consent as a consent grant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from api.office.office import Change, Standing
from api.office.subject import rfc3339
from api.standards.fdx.requests import CLUSTERS, DAY_SECONDS, VERSION, read_request
from api.standards.words import words
from ledger.consent.state import BEFORE, LIVE

CUSTOMER_CLUSTERS: Final = frozenset({"CUSTOMER_CONTACT", "CUSTOMER_PERSONAL"})
_INITIATORS: Final = {"holder": "DATA_PROVIDER", "recipient": "DATA_RECIPIENT", "system": "DATA_PROVIDER"}


def grant_of(standing: Standing, name_of: Callable[[str], str]) -> dict[str, Any]:
    """One consent grant; `name_of` a participant its registered name."""
    terms, created = standing.terms, standing.created_at // 1000
    held = frozenset(terms.permissions)
    clusters = [name for name, codes in CLUSTERS.items() if held.issuperset(codes)]
    accounts = [name for name in clusters if name not in CUSTOMER_CLUSTERS]
    of_customer = [name for name in clusters if name in CUSTOMER_CLUSTERS]
    chosen = standing.consent.accounts or ("",)
    resources: list[dict[str, Any]] = [
        {"resourceType": "ACCOUNT", **({"resourceId": one} if one else {}), "dataClusters": accounts}
        for one in chosen
        if accounts
    ]
    if of_customer:
        resources.append({"resourceType": "CUSTOMER", "dataClusters": of_customer})
    told: dict[str, Any] = {
        "id": standing.consent_id,
        "status": words("fdx").states[standing.status.value][VERSION],
        "parties": _parties(standing, name_of),
        "createdTime": rfc3339(created),
        "updatedTime": rfc3339(standing.changed_at // 1000),
        "durationType": "ONE_TIME" if terms.once else "TIME_BOUND" if terms.expires_at else "PERSISTENT",
        "resources": resources,
    }
    if terms.expires_at:
        told["expirationTime"] = rfc3339(terms.expires_at)
        told["durationPeriod"] = max(1, (terms.expires_at - created) // DAY_SECONDS)
    if terms.history_from:
        told["lookbackPeriod"] = max(0, (created - terms.history_from) // DAY_SECONDS)
    asked = read_request(standing.facts)
    if asked is not None:
        disclosed = asked.authorization_disclosure
        told["authorizationDisclosure"] = {
            "productOrService": disclosed.product_or_service,
            "revocationMethod": disclosed.revocation_method,
        }
    return told


def revocation_of(change: Change) -> dict[str, Any]:
    """How a consent grant ended."""
    by_customer = change.by in ("customer", "guardian")
    return {
        "status": "REVOKED",
        "initiator": "INDIVIDUAL" if by_customer else _INITIATORS.get(change.by, "DATA_PROVIDER"),
        "reason": "USER_ACTION" if by_customer else "BUSINESS_RULE",
        "updatedTime": rfc3339(change.at // 1000),
    }


def is_asked_for(standing: Standing) -> bool:
    """Whether its customer has an answer to give: to all of it, or to a reauthorization."""
    return standing.status in BEFORE or (standing.status in LIVE and standing.consent.pending is not None)


def _parties(standing: Standing, name_of: Callable[[str], str]) -> list[dict[str, str]]:
    terms, asked = standing.terms, read_request(standing.facts)
    parties = [
        {"id": terms.holder, "name": name_of(terms.holder), "type": "DATA_PROVIDER"},
        {"id": terms.recipient, "name": name_of(terms.recipient), "type": "DATA_RECIPIENT"},
    ]
    if asked is not None and asked.authorization_disclosure.data_aggregator:
        parties.append({"name": asked.authorization_disclosure.data_aggregator, "type": "DATA_ACCESS_PLATFORM"})
    return parties
