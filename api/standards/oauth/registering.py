"""Where clients register themselves (RFC 7591) and look after their registration (RFC 7592): docs/standards/registration.md."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from api.http.refusals import InsufficientScope, Unauthenticated, UnsupportedMedia
from api.http.wire import JSON, Reply, header, read_all, visit_of
from api.node.admission import CLIENT, NodeHere, serve
from api.node.node import Node
from api.registers.registration import Registering
from api.standards.oauth.dialect import BASE
from api.tokens.jwt import BadToken
from api.tokens.registrations import ClientRegistration
from ledger.errors import NotFound

router = APIRouter()
TAG: Final = "oauth"
PLACE: Final = BASE + "/register"
_REFUSED: Final = ("bad-request", "invalid-client", "rate-limited", "too-large", "unsupported-media-type")
SIGNED: Final = ("application/jwt", "application/jose")
LIMIT: Final = 64 * 1024
SCOPE: Final = "cdr:registration"
_BODY: Final = {
    "required": True,
    "content": {JSON: {"schema": {"type": "object"}}, **{kind: {"schema": {"type": "string"}} for kind in SIGNED}},
}
_SAID: Final[dict[str, Any]] = {"description": "As RFC 7591 §3.2.1 has it", "content": {JSON: {}}}
ClientIdHere = Annotated[str, Path(description="The client's id", min_length=2, max_length=63)]


@serve(
    router,
    "POST",
    PLACE,
    access=CLIENT,
    tag=TAG,
    summary="Register a client, upon a register's software statement",
    request_body=_BODY,
    answers={201: _SAID},
    problems=_REFUSED,
    operation_id="oauth_register",
)
async def post_registration(request: Request, node: NodeHere) -> Response:
    """The client comes to be under the id of the recipient that its register's software is here; its keys come into the log.
    The request is signed by one of them (`application/jwt`), or comes with a client certificate under one of them."""
    registering = _offered(node)
    body, signed = await _body(request)
    certificate = node.certificate_of(request.scope)
    said = await asyncio.to_thread(registering.register, body, signed, certificate, time.time())
    visit_of(request.scope).client = said["client_id"]
    return _reply(201, said)


@serve(
    router,
    "GET",
    PLACE + "/{client_id}",
    access=CLIENT,
    tag=TAG,
    summary="Read a registration",
    answers={200: _SAID},
    problems=_REFUSED,
    operation_id="oauth_registration",
)
async def get_registration(client_id: ClientIdHere, request: Request, node: NodeHere) -> Response:
    """With the registration access token (RFC 7592), or a token of the client's own with the scope `cdr:registration`."""
    registration = await _own(request, node, client_id)
    return _reply(200, _offered(node).read(registration))


@serve(
    router,
    "PUT",
    PLACE + "/{client_id}",
    access=CLIENT,
    tag=TAG,
    summary="Change a registration",
    request_body=_BODY,
    answers={200: _SAID},
    problems=_REFUSED,
    operation_id="oauth_change_registration",
)
async def put_registration(client_id: ClientIdHere, request: Request, node: NodeHere) -> Response:
    """As registering; keys that are in the software's key set no more are revoked, and with them the tokens got with them."""
    registering = _offered(node)
    registration = await _own(request, node, client_id)
    body, signed = await _body(request)
    certificate = node.certificate_of(request.scope)
    said = await asyncio.to_thread(registering.update, registration, body, signed, certificate, time.time())
    return _reply(200, said)


@serve(
    router,
    "DELETE",
    PLACE + "/{client_id}",
    access=CLIENT,
    tag=TAG,
    summary="End a registration",
    answers={204: {"description": "Its keys are revoked, and with them all tokens that were got with them"}},
    problems=_REFUSED,
    operation_id="oauth_end_registration",
)
async def delete_registration(client_id: ClientIdHere, request: Request, node: NodeHere) -> Response:
    """RFC 7592 §2.3. Consents stay as they are: they are the customers'."""
    registration = await _own(request, node, client_id)
    await asyncio.to_thread(_offered(node).end, registration)
    return Response(status_code=204, headers={"cache-control": "no-store"})


def _offered(node: Node) -> Registering:
    if not node.registering.offered:
        raise NotFound("nobody registers itself here: gateway.json names no register")
    return node.registering


async def _body(request: Request) -> tuple[bytes, bool]:
    """The body, and whether it is a signed request."""
    declared = (header(request.scope, b"content-type") or "").split(";")[0].strip().lower()
    if declared not in (JSON, *SIGNED):
        raise UnsupportedMedia(f"a registration is declared as {JSON}, or signed, as {SIGNED[0]} or {SIGNED[1]}")
    return await read_all(request.receive, LIMIT), declared in SIGNED


async def _own(request: Request, node: Node, client_id: str) -> ClientRegistration:
    """The registration at this address, for its own client. Raises Unauthenticated, InsufficientScope."""
    kind, _, token = (header(request.scope, b"authorization") or "").partition(" ")
    found: ClientRegistration | None
    try:
        if kind.lower() != "bearer":
            raise BadToken("it is not a bearer token")  # noqa: TRY301
        found = await asyncio.to_thread(node.registrations.opened, token)
    except BadToken:
        caller = await node.guard.caller(request.scope, SCOPE)
        found = await asyncio.to_thread(node.registrations.of, caller.id)
    if found is None:
        raise Unauthenticated(
            "this client has no registration", headers={"www-authenticate": 'Bearer error="invalid_token"'}
        )
    visit_of(request.scope).client = found.client
    if found.client != client_id:
        raise InsufficientScope("a client sees and changes its own registration only")
    return found


def _reply(status: int, said: dict[str, Any]) -> Response:
    return Reply(status, msgspec.json.encode(said), headers=(("cache-control", "no-store"),)).response()
