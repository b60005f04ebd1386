"""China's addresses: every operation is a POST of a JSON body that the app has signed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from api.http.wire import visit_of
from api.node.admission import SIGNED, NodeHere, serve
from api.standards.china.codes import china_refusal
from api.standards.china.dialect import BASE, NUMBER, SEALED, answer
from api.standards.china.envelope import APP, KEY, MOMENT, NONCE, SignedRequest, authenticated, opened_body
from api.standards.china.operations import China
from api.standards.incoming import HOLDER_PATH, BodyHere, HolderHere, OfficeHere, StatementHere

router = APIRouter()
TAG: Final = "china"
PLACE: Final = HOLDER_PATH + BASE
ENCRYPTION: Final = "china_encryption"
"""A holder's option: `required` refuses bodies that are not encrypted."""
_SAID: Final[dict[str, Any]] = {
    "description": "Code, message, request number, time, data",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ForeignObject"}}},
}
_BODY: Final = {
    "required": True,
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ForeignObject"}}},
}
_HEADERS: Final[list[dict[str, Any]]] = [
    {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": what}
    for name, what in (
        (APP, "Participant id of the app"),
        (KEY, "Key id of its SM2 key in the log"),
        (MOMENT, "Beijing time, yyyyMMddHHmmss, within 300 seconds of the node's"),
        (NONCE, "16 to 64 characters, another one for each request"),
    )
]


class _Numbered(msgspec.Struct, frozen=True):
    request_no: str = ""


async def _asked(
    request: Request, node: NodeHere, office: OfficeHere, holder: HolderHere, body: BodyHere
) -> tuple[China, bytes]:
    """The operations for whoever signed this, and the body as it reads."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}
    sent = SignedRequest(request.method, request.url.path, request.url.query, headers, body)
    app = await asyncio.to_thread(authenticated, sent, node.ledger.registry, node.once, office.now / 1000)
    visit_of(request.scope).client = app
    key = office.gateway.sm4_key(app)
    text, sealed = opened_body(body, key, f"{request.method} {request.url.path}")
    if sealed:
        request.scope[SEALED] = key
    with suppress(msgspec.DecodeError, RecursionError, UnicodeError):  # reported by the code that reads the body
        request.scope[NUMBER] = msgspec.json.decode(text, type=_Numbered).request_no[:64]
    office.require_holder(holder)
    if not sealed and office.gateway.options(holder).options.get(ENCRYPTION) == "required":
        raise china_refusal(400, "200006", "该银行要求报文以 SM4 加密")
    if not node.ledger.registry.has_role(app, "recipient"):
        raise china_refusal(403, "200007", "仅数据接收方使用本接口", member=APP)
    return China(office, app, holder, node.settings.base_url), text


AskedHere = Annotated[tuple[China, bytes], Depends(_asked)]
Does = Callable[[China, bytes, str | None], dict[str, Any]]


def _register(path: str, operation: str, summary: str, description: str, does: Does) -> None:
    async def post(request: Request, asked: AskedHere, statement: StatementHere) -> Response:
        china, body = asked
        return answer(request, 200, await asyncio.to_thread(does, china, body, statement))

    serve(
        router,
        "POST",
        PLACE + path,
        access=SIGNED,
        tag=TAG,
        summary=summary,
        description=description,
        operation_id=operation,
        answers={200: _SAID},
        request_body=_BODY,
        parameters=_HEADERS,
    )(post)


_register(
    "/consents/apply",
    "china_apply",
    "申请授权",
    "Level A2. Asks for a consent; the customer agrees at the bank, at `approve_at`.",
    lambda china, body, statement: china.apply(body, statement),
)
_register(
    "/consents/query",
    "china_query",
    "查询授权",
    "Level A2. One consent of the app as it stands.",
    lambda china, body, statement: china.query(body, statement),
)
_register(
    "/consents/list",
    "china_list",
    "查询授权列表",
    "Level A2. The app's consents at this bank, page by page.",
    lambda china, body, statement: china.listed(body, statement),
)
_register(
    "/consents/withdraw",
    "china_withdraw",
    "撤回授权",
    "Level A2. The customer's wish to end a consent, told to the app; or the app's own.",
    lambda china, body, statement: china.withdraw(body, statement),
)
_register(
    "/catalogue/query",
    "china_catalogue",
    "查询数据项目录",
    "Level A1. What can be asked for, with the grades of JR/T 0197 and the categories of JR/T 0171.",
    lambda china, body, statement: china.catalogued(body, statement),
)
