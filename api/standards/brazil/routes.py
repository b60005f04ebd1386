"""Brazil's addresses: one set for each major version."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from api.node.admission import NodeHere, serve
from api.office.office import Standing
from api.standards.brazil.answers import answer_of, brazil_time, meta_of, outward_id, renewal_of
from api.standards.brazil.dialect import INTERACTION, answer, interaction_id, version_of
from api.standards.brazil.operations import Brazil
from api.standards.brazil.requests import malformed
from api.standards.brazil.versions import BASES, NEWEST
from api.standards.incoming import (
    CONSENTS_READ,
    CONSENTS_WRITE,
    HOLDER_PATH,
    BodyHere,
    HolderHere,
    OfficeHere,
    RecipientHere,
    StatementHere,
)

router = APIRouter()
TAG: Final = "open-finance-brasil"
PAGE_SIZE: Final = 25
_SAID: Final[dict[str, Any]] = {
    "description": "As the standard's own schema",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ForeignObject"}}},
}
_BODY: Final = {
    "required": True,
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ForeignObject"}}},
}


def _brazil(
    request: Request, node: NodeHere, office: OfficeHere, recipient: RecipientHere, holder: HolderHere
) -> Brazil:
    version = version_of(request)
    demanded = version.interaction_demanded or request.url.path.endswith("/extends")
    if interaction_id(request) is None and (demanded or INTERACTION in request.headers):
        raise malformed("o cabeçalho x-fapi-interaction-id deve ser um UUID")
    office.require_holder(holder)
    return Brazil(node.ledger, office, recipient, holder, version)


BrazilHere = Annotated[Brazil, Depends(_brazil)]


def _link(request: Request, node: NodeHere) -> str:
    return node.settings.base_url + request.url.path


def _said(brazil: Brazil, standing: Standing, link: str, *, reading: bool) -> dict[str, Any]:
    return answer_of(standing, link, brazil.office.now // 1000, reading=reading, version=brazil.version)


def post_consent(
    request: Request, node: NodeHere, brazil: BrazilHere, body: BodyHere, statement: StatementHere
) -> Response:
    """Asks for a consent, signed by the gateway for the recipient."""
    standing = brazil.create(body, statement)
    link = f"{_link(request, node)}/{outward_id(standing.consent_id)}"
    return answer(request, 201, _said(brazil, standing, link, reading=False))


def post_extends(
    consent_id: str, request: Request, node: NodeHere, brazil: BrazilHere, body: BodyHere, statement: StatementHere
) -> Response:
    """Another end, which the customer has confirmed at the recipient: a new version of the same consent, in force at once."""
    headers = tuple(request.headers.get(name, "") for name in ("x-fapi-customer-ip-address", "x-customer-user-agent"))
    for name, value, longest in zip(("ip-address", "user-agent"), headers, (100, 255), strict=True):
        if not 1 <= len(value.strip()) == len(value) <= longest:
            raise malformed(f"o cabeçalho do cliente {name} falta, ou não tem a forma documentada")
    standing = brazil.extend(consent_id, body, (headers[0], headers[1]), statement)
    link = _link(request, node).removesuffix("/extends")
    return answer(request, 201, _said(brazil, standing, link, reading=False))


def get_extensions(
    consent_id: str,
    request: Request,
    node: NodeHere,
    brazil: BrazilHere,
    page: Annotated[int, Query(ge=1, le=2**31 - 1)] = 1,
    size: Annotated[int, Query(alias="page-size", ge=1, le=1000)] = PAGE_SIZE,
) -> Response:
    """Every renewal, newest first."""
    found = brazil.extensions(consent_id)
    size = max(size, PAGE_SIZE)
    pages = max(1, -(-len(found) // size))
    link = _link(request, node)

    def at(number: int) -> str:
        return f"{link}?page={number}&page-size={size}"

    links = {"self": at(page), "first": at(1), "last": at(pages)}
    if page > 1:
        links["prev"] = at(min(page - 1, pages))
    if page < pages:
        links["next"] = at(page + 1)
    meta = {"totalRecords": len(found), "totalPages": pages, "requestDateTime": brazil_time(brazil.office.now // 1000)}
    shown = [renewal_of(one, brazil.version) for one in found[(page - 1) * size : page * size]]
    return answer(request, 200, {"data": shown, "links": links, "meta": meta})


def get_consent(consent_id: str, request: Request, node: NodeHere, brazil: BrazilHere) -> Response:
    """As it stands now, with the rejection when it has ended."""
    standing = brazil.read(consent_id)
    return answer(request, 200, _said(brazil, standing, _link(request, node), reading=True))


def delete_consent(consent_id: str, request: Request, brazil: BrazilHere, statement: StatementHere) -> Response:
    """The customer's wish, told to the recipient: no access above its entry is allowed."""
    brazil.delete(consent_id, statement)
    return answer(request, 204, None)


def get_all_renewals(consent_id: str, request: Request, node: NodeHere, brazil: BrazilHere) -> Response:
    """Every renewal, newest first, on one page."""
    found = [renewal_of(one, brazil.version) for one in brazil.extensions(consent_id)]
    meta = meta_of(brazil.office.now // 1000, brazil.version, len(found))
    return answer(request, 200, {"data": found, "links": {"self": _link(request, node)}, "meta": meta})


def _register(base: str) -> None:
    """Serve one major version. Routes below a consent come first: its id may hold slashes."""
    newest = base == NEWEST.base
    consents = HOLDER_PATH + base + "/consents"
    one = consents + "/{consent_id:path}"
    mark = "brazil_" if newest else f"brazil_{base.rpartition('/')[2]}_"
    writing: dict[str, Any] = {"access": CONSENTS_WRITE, "tag": TAG}
    reading: dict[str, Any] = {"access": CONSENTS_READ, "tag": TAG, "answers": {200: _SAID}}
    made: dict[str, Any] = {"request_body": _BODY, "answers": {201: _SAID}}
    serve(
        router,
        "POST",
        consents,
        summary="Criar novo pedido de consentimento",
        operation_id=f"{mark}create_consent",
        **writing,
        **made,
    )(post_consent)
    serve(
        router,
        "POST",
        one + "/extends",
        summary="Renovar consentimento",
        operation_id=f"{mark}extend_consent",
        **writing,
        **made,
    )(post_extends)
    serve(
        router,
        "GET",
        one + ("/extensions" if newest else "/extends"),
        summary="Listar renovações",
        operation_id=f"{mark}list_extensions",
        **reading,
    )(get_extensions if newest else get_all_renewals)
    serve(router, "GET", one, summary="Obter consentimento", operation_id=f"{mark}get_consent", **reading)(get_consent)
    serve(
        router,
        "DELETE",
        one,
        summary="Revogar consentimento",
        answers={204: {"description": "Rejected for ever"}},
        operation_id=f"{mark}delete_consent",
        **writing,
    )(delete_consent)


for _base in BASES:
    _register(_base)
