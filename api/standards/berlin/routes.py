"""Berlin Group NextGenPSD2: account information consents and their authorisations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.http.describing import answer, body
from api.http.wire import read_body
from api.node.admission import serve
from api.office.begun import Begun
from api.office.configuration import HolderOptions
from api.office.json import NotJson, read_object
from api.office.office import Office, Standing
from api.office.wish import Wish
from api.standards.berlin.answers import may_be_authorised, sca_status, status_of, word_consent
from api.standards.berlin.dialect import TppMessage, consent_unknown, format_error
from api.standards.berlin.exchange import MAY_READ, MAY_WRITE, BerlinExchange
from api.standards.berlin.headers import ADDRESS, check_headers
from api.standards.berlin.requests import read_consent
from api.standards.incoming import (
    HOLDER_PATH,
    BodyHere,
    HolderHere,
    OfficeHere,
    RecipientHere,
    StatementHere,
)
from api.standards.words import words
from ledger.errors import IllegalTransition, NotFound

router: Final = APIRouter(dependencies=[Depends(check_headers)])
ConsentId = Annotated[str, Path(alias="consentId", description="The consent's id", min_length=1, max_length=128)]
AuthorisationId = Annotated[str, Path(alias="authorisationId", min_length=1, max_length=64)]
_TAG: Final = "berlin-group"
_CONSENTS: Final = f"{HOLDER_PATH}/v1/consents"
_ONE: Final = _CONSENTS + "/{consentId:path}"
_SCA_APPROACH: Final = {"aspsp-sca-approach": "REDIRECT"}
_EXAMPLE: Final[dict[str, Any]] = {
    "access": {"balances": [], "transactions": []},
    "recurringIndicator": True,
    "validUntil": "2027-06-30",
    "frequencyPerDay": 4,
    "combinedServiceIndicator": False,
}
_WRITE_PROBLEMS: Final = (
    "bad-request",
    "not-found",
    "not-permitted",
    "conflict",
    "too-large",
    "unsupported-media-type",
)


ExchangeHere = Annotated[BerlinExchange, Depends(BerlinExchange)]


def find(office: Office, recipient: str, holder: str, consent_id: str) -> Standing:
    """A consent of this recipient's. Raises Message for any other."""
    try:
        return office.standing(recipient, holder, consent_id)
    except NotFound:
        raise consent_unknown() from None


def _authorisations(office: Office, consent_id: str) -> list[str]:
    return Begun(office.notes).of(consent_id)


@serve(
    router,
    "POST",
    _CONSENTS,
    access=MAY_WRITE,
    tag=_TAG,
    operation_id="berlin_create_consent",
    summary="NextGenPSD2: ask for an account information consent",
    request_body=body("ForeignObject", _EXAMPLE),
    answers={201: answer("consentsResponse-201")},
    problems=(*_WRITE_PROBLEMS, "not-acceptable"),
)
def post_consent(
    exchange: ExchangeHere,
    office: OfficeHere,
    holder: HolderHere,
    recipient: RecipientHere,
    statement: StatementHere,
    asked: BodyHere,
) -> Response:
    """`scaRedirect` leads to the pages where the customer authorises, and from there back to `TPP-Redirect-URI`."""
    return asked_for(exchange, office, holder, recipient, statement, asked, read_consent)


def asked_for(
    exchange: BerlinExchange,
    office: Office,
    holder: str,
    recipient: str,
    statement: str | None,
    asked: bytes,
    read: Callable[[bytes, HolderOptions, int], Wish],
) -> Response:
    """A new consent, in the version that `read` reads."""
    request = exchange.request
    if ADDRESS not in request.headers:
        raise format_error("PSU-IP-Address is needed", "PSU-IP-Address")
    office.require_holder(holder)
    options = office.gateway.options(holder)
    way = exchange.way_back("")
    standing = office.request(recipient, holder, read(asked, options, office.now), asked, statement=statement)
    consent_id = standing.consent_id
    links = {"self": exchange.link(consent_id), "status": exchange.link(consent_id, "/status")}
    if request.headers.get(exchange.names.explicit, "").lower() == "true":
        links["startAuthorisation"] = exchange.link(consent_id, "/authorisations")
    else:
        started = Begun(office.notes).begin(msgspec.structs.replace(way, consent_id=consent_id))
        links |= exchange.sca_links(consent_id, started)
    status = status_of(standing, exchange.names.version)
    said = {"consentStatus": status, "consentId": consent_id, "_links": links}
    return exchange.answer(201, said, {"location": links["self"]["href"], **_SCA_APPROACH})


@serve(
    router,
    "GET",
    _ONE + "/status",
    access=MAY_READ,
    tag=_TAG,
    operation_id="berlin_get_consent_status",
    summary="NextGenPSD2: a consent's status",
    answers={200: answer("consentStatusResponse-200")},
    problems=("bad-request", "not-found", "not-acceptable"),
)
def get_consent_status(
    exchange: ExchangeHere, office: OfficeHere, holder: HolderHere, recipient: RecipientHere, consent_id: ConsentId
) -> Response:
    """The effective one."""
    standing = find(office, recipient, holder, consent_id)
    return exchange.answer(200, {"consentStatus": status_of(standing, exchange.names.version)})


@serve(
    router,
    "DELETE",
    _ONE,
    access=MAY_WRITE,
    tag=_TAG,
    operation_id="berlin_delete_consent",
    summary="NextGenPSD2: end a consent",
    answers={204: {"description": "It is ended: no access from here on"}},
    problems=("bad-request", "not-found", "not-permitted", "illegal-transition", "not-acceptable"),
)
def delete_consent(
    exchange: ExchangeHere,
    office: OfficeHere,
    holder: HolderHere,
    recipient: RecipientHere,
    statement: StatementHere,
    consent_id: ConsentId,
) -> Response:
    """It is shown as `terminatedByTpp` from then on."""
    standing = find(office, recipient, holder, consent_id)
    try:
        office.step(
            recipient,
            holder,
            consent_id,
            "consent.terminate",
            by="recipient",
            reason="recipient-delete",
            statement=statement,
        )
    except IllegalTransition:
        over = words("berlin").reasons[f"CONSENT_{standing.status.value}"]
        raise TppMessage(over.status, over.code, "the consent has ended already", "consentId") from None
    return exchange.answer(204)


@serve(
    router,
    "POST",
    _ONE + "/authorisations",
    access=MAY_WRITE,
    tag=_TAG,
    operation_id="berlin_start_authorisation",
    summary="NextGenPSD2: start an authorisation",
    request_body=body("ForeignObject", {}),
    answers={201: answer("startScaprocessResponse")},
    problems=(*_WRITE_PROBLEMS, "not-acceptable"),
)
async def post_authorisation(
    exchange: ExchangeHere, office: OfficeHere, holder: HolderHere, recipient: RecipientHere, consent_id: ConsentId
) -> Response:
    """For the explicit start, and for each further customer of a consent that needs several."""
    await _require_empty(exchange.request)
    return await run_in_threadpool(_post_authorisation, exchange, office, holder, recipient, consent_id)


def _post_authorisation(
    exchange: BerlinExchange, office: Office, holder: str, recipient: str, consent_id: str
) -> Response:
    standing = find(office, recipient, holder, consent_id)
    if not may_be_authorised(standing):
        raise TppMessage(409, "STATUS_INVALID", "nobody can authorise this consent now", "consentId")
    identifier = Begun(office.notes).begin(exchange.way_back(consent_id))
    place = _authorisations(office, consent_id).index(identifier)
    said = {
        "scaStatus": sca_status(standing, place),
        "authorisationId": identifier,
        "_links": exchange.sca_links(consent_id, identifier),
    }
    return exchange.answer(201, said, _SCA_APPROACH)


@serve(
    router,
    "GET",
    _ONE + "/authorisations",
    access=MAY_READ,
    tag=_TAG,
    operation_id="berlin_get_authorisations",
    summary="NextGenPSD2: a consent's authorisations",
    answers={200: answer("authorisations")},
    problems=("bad-request", "not-found", "not-acceptable"),
)
def get_authorisations(
    exchange: ExchangeHere, office: OfficeHere, holder: HolderHere, recipient: RecipientHere, consent_id: ConsentId
) -> Response:
    """Oldest first."""
    find(office, recipient, holder, consent_id)
    return exchange.answer(200, {"authorisationIds": _authorisations(office, consent_id)})


@serve(
    router,
    "GET",
    _ONE + "/authorisations/{authorisationId}",
    access=MAY_READ,
    tag=_TAG,
    operation_id="berlin_get_sca_status",
    summary="NextGenPSD2: how far an authorisation is",
    answers={200: answer("scaStatusResponse")},
    problems=("bad-request", "not-found", "not-acceptable"),
)
def get_authorisation(
    exchange: ExchangeHere,
    office: OfficeHere,
    holder: HolderHere,
    recipient: RecipientHere,
    consent_id: ConsentId,
    authorisation_id: AuthorisationId,
) -> Response:
    """`received`, `finalised` or `failed`: what happens in between stays between the customer and the pages."""
    standing = find(office, recipient, holder, consent_id)
    return exchange.answer(200, {"scaStatus": sca_status(standing, _place(office, consent_id, authorisation_id))})


@serve(
    router,
    "PUT",
    _ONE + "/authorisations/{authorisationId}",
    access=MAY_WRITE,
    tag=_TAG,
    operation_id="berlin_update_authorisation",
    summary="NextGenPSD2: name the customer of an authorisation",
    request_body=body("ForeignObject", {}),
    answers={200: answer("updatePsuIdenticationResponse")},
    problems=(*_WRITE_PROBLEMS, "not-acceptable"),
)
async def put_authorisation(
    exchange: ExchangeHere,
    office: OfficeHere,
    holder: HolderHere,
    recipient: RecipientHere,
    consent_id: ConsentId,
    authorisation_id: AuthorisationId,
) -> Response:
    """The customer signs in on the pages, whoever was named. Credentials are refused: they are not a recipient's business."""
    await _require_empty(exchange.request)
    return await run_in_threadpool(
        _put_authorisation, exchange, office, holder, recipient, consent_id, authorisation_id
    )


def _put_authorisation(
    exchange: BerlinExchange, office: Office, holder: str, recipient: str, consent_id: str, authorisation_id: str
) -> Response:
    standing = find(office, recipient, holder, consent_id)
    status = sca_status(standing, _place(office, consent_id, authorisation_id))
    if status != "received":
        raise TppMessage(409, "STATUS_INVALID", f"the authorisation is {status}", "authorisationId")
    said = {"scaStatus": status, "_links": exchange.sca_links(consent_id, authorisation_id)}
    return exchange.answer(200, said, _SCA_APPROACH)


# Last of all that are read: a consent id may hold slashes, and would take the names of what lies below it.
@serve(
    router,
    "GET",
    _ONE,
    access=MAY_READ,
    tag=_TAG,
    operation_id="berlin_get_consent",
    summary="NextGenPSD2: an account information consent",
    answers={200: answer("consentInformationResponse-200_json")},
    problems=("bad-request", "not-found", "not-acceptable"),
)
def get_consent(
    exchange: ExchangeHere, office: OfficeHere, holder: HolderHere, recipient: RecipientHere, consent_id: ConsentId
) -> Response:
    """One's own, whichever way it was made; what the framework has no word for is left out of `access`."""
    standing = find(office, recipient, holder, consent_id)
    return exchange.answer(200, word_consent(standing, office.gateway.options(holder)))


def _place(office: Office, consent_id: str, authorisation_id: str) -> int:
    known = _authorisations(office, consent_id)
    if authorisation_id not in known:
        raise TppMessage(403, "RESOURCE_UNKNOWN", "there is no such authorisation of this consent", "authorisationId")
    return known.index(authorisation_id)


async def _require_empty(request: Request) -> None:
    """Raises Message for credentials and methods: the redirect approach is the only one here."""
    if request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers:
        return
    said = await read_body(request.scope, request.receive, 4_096)
    try:
        asked = read_object(said)
    except NotJson as error:
        raise format_error(str(error)) from None
    if asked:
        raise TppMessage(400, "PARAMETER_NOT_SUPPORTED", "customers authenticate on the pages only (redirect)")
