"""openFinance 2: consents on account access. What lies below a consent is that of NextGenPSD2, at other addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from api.http.describing import answer, body
from api.node.admission import Access, serve
from api.office.json import read_object
from api.standards.berlin import routes
from api.standards.berlin.answers import common_of, last_day_of, status_of
from api.standards.berlin.exchange import MAY_READ, MAY_WRITE
from api.standards.berlin.headers import TWO, check_headers
from api.standards.berlin.requests import STANDARD
from api.standards.berlin.rights import read_consent_2, rights_from
from api.standards.berlin.routes import ConsentId, ExchangeHere, find
from api.standards.incoming import (
    HOLDER_PATH,
    BodyHere,
    HolderHere,
    OfficeHere,
    RecipientHere,
    StatementHere,
)

router: Final = APIRouter(dependencies=[Depends(check_headers)])
_CONSENTS: Final = HOLDER_PATH + TWO.consents
_ONE: Final = _CONSENTS + "/{consentId:path}"
_SAID: Final[dict[str, Any]] = answer("As the page has it", schema="ForeignObject")
_EXAMPLE: Final[dict[str, Any]] = {
    "access": {"payments": [{"rights": ["accountDetails", "balances"]}]},
    "consentType": "aspspManaged",
    "recurringIndicator": True,
    "validTo": "2027-06-30",
    "frequencyPerDay": 4,
}


def _serve(
    method: str, path: str, access: Access, operation: str, summary: str, status: int, *, takes: Any = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    said = {"description": "It is ended: no access from here on"} if status == 204 else _SAID
    return serve(
        router,
        method,
        path,
        access=access,
        tag="berlin-group",
        operation_id=operation,
        summary=f"openFinance 2: {summary}",
        request_body=None if takes is None else body("ForeignObject", takes),
        answers={status: said},
    )


@_serve("POST", _CONSENTS, MAY_WRITE, "openfinance_create_consent", "ask for a consent", 201, takes=_EXAMPLE)
def post_consent(
    exchange: ExchangeHere,
    office: OfficeHere,
    holder: HolderHere,
    recipient: RecipientHere,
    statement: StatementHere,
    asked: BodyHere,
) -> Response:
    """`scaRedirect` leads to the pages where the customer authorises, and from there back to `Client-Redirect-URI`."""
    return routes.asked_for(exchange, office, holder, recipient, statement, asked, read_consent_2)


_serve("GET", _ONE + "/status", MAY_READ, "openfinance_get_consent_status", "a consent's status", 200)(
    routes.get_consent_status
)
_serve("DELETE", _ONE, MAY_WRITE, "openfinance_delete_consent", "end a consent", 204)(routes.delete_consent)
_serve(
    "POST",
    _ONE + "/authorisations",
    MAY_WRITE,
    "openfinance_start_authorisation",
    "start an authorisation",
    201,
    takes={},
)(routes.post_authorisation)
_serve("GET", _ONE + "/authorisations", MAY_READ, "openfinance_get_authorisations", "the authorisations", 200)(
    routes.get_authorisations
)
_serve(
    "GET",
    _ONE + "/authorisations/{authorisationId}",
    MAY_READ,
    "openfinance_get_sca_status",
    "how far an authorisation is",
    200,
)(routes.get_authorisation)
_serve(
    "PUT",
    _ONE + "/authorisations/{authorisationId}",
    MAY_WRITE,
    "openfinance_update_authorisation",
    "name the customer of an authorisation",
    200,
    takes={},
)(routes.put_authorisation)


# Last of all that are read: a consent id may hold slashes, and would take the names of what lies below it.
@_serve("GET", _ONE, MAY_READ, "openfinance_get_consent", "a consent", 200)
def get_consent(
    exchange: ExchangeHere, office: OfficeHere, holder: HolderHere, recipient: RecipientHere, consent_id: ConsentId
) -> Response:
    """One's own, whichever way it was made; rights that its permissions do not cover whole are left out of `access`."""
    standing, options = find(office, recipient, holder, consent_id), office.gateway.options(holder)
    terms, asked = standing.terms, None
    if standing.facts is not None and (terms.standard, terms.standard_version) == (STANDARD, TWO.version):
        asked = read_object(standing.facts)
    said = {
        "access": rights_from(terms.permissions) if asked is None else asked["access"],
        "consentType": "aspspManaged" if asked is None else asked["consentType"],
        "validTo": last_day_of(terms, options),
        **common_of(standing, options),
        "consentStatus": status_of(standing, TWO.version),
    }
    return exchange.answer(200, said)
