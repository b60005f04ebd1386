"""Brazil's addresses (consents 3.3.1)."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from api.node.admission import NodeHere, serve
from api.standards.brazil.answers import answer_of, brazil_time
from api.standards.brazil.dialect import BASE, answer, interaction_id
from api.standards.brazil.operations import Brazil
from api.standards.brazil.requests import malformed
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
CONSENTS: Final = HOLDER_PATH + BASE + "/consents"
ONE: Final = CONSENTS + "/{consent_id:path}"
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
    if interaction_id(request) is None:
        raise malformed("o cabeçalho x-fapi-interaction-id deve ser um UUID")
    office.require_holder(holder)
    return Brazil(node.ledger, office, recipient, holder)


BrazilHere = Annotated[Brazil, Depends(_brazil)]


def _link(request: Request, node: NodeHere) -> str:
    return node.settings.base_url + request.url.path


@serve(
    router,
    "POST",
    CONSENTS,
    access=CONSENTS_WRITE,
    tag=TAG,
    summary="Criar novo pedido de consentimento",
    request_body=_BODY,
    answers={201: _SAID},
    operation_id="brazil_create_consent",
)
def post_consent(
    request: Request, node: NodeHere, brazil: BrazilHere, body: BodyHere, statement: StatementHere
) -> Response:
    """Asks for a consent, signed by the gateway for the recipient."""
    standing = brazil.create(body, statement)
    link = f"{_link(request, node)}/{answer_of(standing, '', 0, reading=False)['data']['consentId']}"
    return answer(request, 201, answer_of(standing, link, brazil.office.now // 1000, reading=False))


@serve(
    router,
    "POST",
    ONE + "/extends",
    access=CONSENTS_WRITE,
    tag=TAG,
    summary="Renovar consentimento",
    request_body=_BODY,
    answers={201: _SAID},
    operation_id="brazil_extend_consent",
)
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
    return answer(request, 201, answer_of(standing, link, brazil.office.now // 1000, reading=False))


@serve(
    router,
    "GET",
    ONE + "/extensions",
    access=CONSENTS_READ,
    tag=TAG,
    summary="Listar renovações",
    answers={200: _SAID},
    operation_id="brazil_list_extensions",
)
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
    return answer(request, 200, {"data": found[(page - 1) * size : page * size], "links": links, "meta": meta})


@serve(
    router,
    "GET",
    ONE,
    access=CONSENTS_READ,
    tag=TAG,
    summary="Obter consentimento",
    answers={200: _SAID},
    operation_id="brazil_get_consent",
)
def get_consent(consent_id: str, request: Request, node: NodeHere, brazil: BrazilHere) -> Response:
    """As it stands now, with the rejection when it has ended."""
    standing = brazil.read(consent_id)
    return answer(request, 200, answer_of(standing, _link(request, node), brazil.office.now // 1000, reading=True))


@serve(
    router,
    "DELETE",
    ONE,
    access=CONSENTS_WRITE,
    tag=TAG,
    summary="Revogar consentimento",
    answers={204: {"description": "Rejected for ever"}},
    operation_id="brazil_delete_consent",
)
def delete_consent(consent_id: str, request: Request, brazil: BrazilHere, statement: StatementHere) -> Response:
    """The customer's wish, told to the recipient: no access above its entry is allowed."""
    brazil.delete(consent_id, statement)
    return answer(request, 204, None)
