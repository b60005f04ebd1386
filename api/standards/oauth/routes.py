"""OAuth's addresses that write: pushed authorization requests, and the end of a grant."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.http.wire import Reply, header, read_body, visit_of
from api.node.admission import CLIENT, PUBLIC, CallerHere, NodeHere, serve, token
from api.node.node import Node
from api.office.backchannels import Backchannels
from api.office.office import Office
from api.standards.incoming import (
    CONSENTS_READ,
    CONSENTS_WRITE,
    HOLDER_PATH,
    BodyHere,
    HolderHere,
    OfficeHere,
    RecipientHere,
)
from api.standards.oauth.backchannel import DecoupledRequests
from api.standards.oauth.dialect import BASE
from api.standards.oauth.requests import Requests
from api.tokens.clients import FORM, FORM_LIMIT
from ledger.consent.state import IN_FORCE
from ledger.errors import NotFound, NotPermitted

router = APIRouter()
TAG: Final = "oauth"
_FORM: Final = {"required": True, "content": {FORM: {"schema": {"type": "object"}}}}
_BEGUN: Final[dict[str, Any]] = {"description": "As the page has it", "content": {"application/json": {}}}
_SAID: Final[dict[str, Any]] = {"description": "As RFC 9126 has it", "content": {"application/json": {}}}


@serve(
    router,
    "POST",
    HOLDER_PATH + BASE + "/par",
    access=CLIENT,
    tag=TAG,
    summary="Push an authorization request",
    request_body=_FORM,
    answers={201: _SAID},
    operation_id="oauth_par",
)
async def post_par(request: Request, node: NodeHere, office: OfficeHere, holder: HolderHere) -> Response:
    """RFC 9126 with RFC 9396: `authorization_details` of type `account_information` become a consent that awaits its customer
    at the holder. `grant_management_action` merge or replace, with a `grant_id`, asks for another version of a consent."""
    return await _push(request, node, office, holder)


async def _push(request: Request, node: Node, office: Office, holder: str | None) -> Response:
    form = await read_body(request.scope, request.receive, FORM_LIMIT, FORM)
    certificate, proof = node.certificate_of(request.scope), header(request.scope, b"dpop")
    await asyncio.to_thread(node.tell_nonce, request.scope)
    client, said = await asyncio.to_thread(_requests(node, office).push, form, holder, certificate, proof)
    visit_of(request.scope).client = client
    return Reply(201, msgspec.json.encode(said), headers=(("cache-control", "no-cache, no-store"),)).response()


@serve(
    router,
    "GET",
    HOLDER_PATH + BASE + "/.well-known/oauth-authorization-server",
    access=PUBLIC,
    tag=TAG,
    summary="Metadata for one holder's clients",
    answers={200: {"description": "RFC 8414 metadata", "content": {"application/json": {}}}},
    operation_id="oauth_metadata_of_holder",
)
async def get_metadata(node: NodeHere, office: OfficeHere, holder: HolderHere) -> Response:
    """RFC 8414: as the issuer's own, with this holder's `pushed_authorization_request_endpoint`."""
    del office
    node.ledger.registry.participant(holder)
    return Reply(200, msgspec.json.encode(node.tokens.metadata_of(holder))).response()


@serve(
    router,
    "POST",
    HOLDER_PATH + BASE + "/answers",
    access=CONSENTS_WRITE,
    tag=TAG,
    summary="Send a customer back to the client",
    request_body={"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
    answers={200: {"description": "Where the browser goes: `redirect_to`", "content": {"application/json": {}}}},
    operation_id="oauth_answer",
)
def post_answer(node: NodeHere, office: OfficeHere, holder: HolderHere, caller: CallerHere, body: BodyHere) -> Response:
    """For a holder whose customers agree on pages of its own (`approve_at` in gateway.json): `request` is what came with the
    browser, `agreed` the customer's word. With an active consent in the log the address carries a code, else an error."""
    if caller.id != holder:
        raise NotPermitted("only the holder itself answers for its customers")
    said = _requests(node, office).answer(holder, body)
    return Reply(200, msgspec.json.encode(said), headers=(("cache-control", "no-store"),)).response()


@serve(
    router,
    "POST",
    HOLDER_PATH + BASE + "/bc-authorize",
    access=CLIENT,
    tag=TAG,
    summary="Ask a customer without a browser",
    request_body=_FORM,
    answers={200: _BEGUN},
    operation_id="oauth_backchannel",
)
async def post_backchannel(request: Request, node: NodeHere, office: OfficeHere, holder: HolderHere) -> Response:
    """CIBA Core 1.0, poll mode, with a signed `request` (FAPI-CIBA). The answer's `auth_req_id` is polled with at the token
    endpoint. The bank reaches its customer by the `login_hint`, or she opens `approve_at` on a device of her own."""
    return await _begin(request, node, office, holder)


@serve(
    router,
    "POST",
    BASE + "/bc-authorize",
    access=CLIENT,
    tag=TAG,
    summary="Ask a customer without a browser, the holder named in the request",
    request_body=_FORM,
    answers={200: _BEGUN},
    operation_id="oauth_backchannel_of_any_holder",
)
async def post_backchannel_of_any(request: Request, node: NodeHere, office: OfficeHere) -> Response:
    """As `POST /holders/{holder}/oauth/bc-authorize`, with the holder in `resource`."""
    return await _begin(request, node, office, None)


async def _begin(request: Request, node: Node, office: Office, holder: str | None) -> Response:
    form = await read_body(request.scope, request.receive, FORM_LIMIT, FORM)
    begin = _decoupled(node, office).begin
    client, said = await asyncio.to_thread(begin, form, holder, node.certificate_of(request.scope))
    visit_of(request.scope).client = client
    return Reply(200, msgspec.json.encode(said), headers=(("cache-control", "no-store"),)).response()


@serve(
    router,
    "GET",
    HOLDER_PATH + BASE + "/backchannel-requests",
    access=CONSENTS_READ,
    tag=TAG,
    summary="Customers who are to be asked",
    answers={200: _BEGUN},
    operation_id="oauth_backchannel_requests",
)
def get_backchannel_requests(
    node: NodeHere,
    office: OfficeHere,
    holder: HolderHere,
    caller: CallerHere,
    after: Annotated[int, Query(ge=-1, le=2**53)] = -1,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """For a holder that reaches its customers in its own application: `login_hint`, `binding_message` and consent of each
    request that waits. Go on from `next`; what she answers, the holder records as always."""
    if caller.id != holder:
        raise NotPermitted("only the holder itself is told who is to be asked")
    said = _decoupled(node, office).open_requests(node.ledger, holder, after, limit)
    return Reply(200, msgspec.json.encode(said), headers=(("cache-control", "no-store"),)).response()


def _decoupled(node: Node, office: Office) -> DecoupledRequests:
    return DecoupledRequests(
        _requests(node, office), node.tokens.backchannel, Backchannels(office.notes), node.registrations
    )


def _requests(node: Node, office: Office) -> Requests:
    registry, issuer = (lambda: node.ledger.registry), node.settings.base_url
    return Requests(office, node.clients, node.flow, node.once, registry, issuer, node.nonces)


@serve(
    router,
    "POST",
    BASE + "/par",
    access=CLIENT,
    tag=TAG,
    summary="Push an authorization request, the holder named in it",
    request_body=_FORM,
    answers={201: _SAID},
    operation_id="oauth_par_of_any_holder",
)
async def post_par_of_any(request: Request, node: NodeHere, office: OfficeHere) -> Response:
    """As `POST /holders/{holder}/oauth/par`, for clients that know the issuer only: `resource` (RFC 8707) is the holder's id,
    and need not be there where there is one holder."""
    return await _push(request, node, office, None)


@serve(
    router,
    "DELETE",
    "/grants/{grant_id:path}",
    access=token("grant_management_revoke"),
    tag=TAG,
    summary="End a grant",
    answers={204: {"description": "The consent is revoked, and with it every token that is bound to it"}},
    problems=("not-found", "not-permitted"),
)
def delete_grant(grant_id: str, node: NodeHere, office: OfficeHere, recipient: RecipientHere) -> Response:
    """Grant Management for OAuth 2.0 §6.5: the customer's wish, told to the client. In the same commit every token dies."""
    consent = node.ledger.records.consent(recipient, grant_id)
    if office.describe(consent).status not in IN_FORCE:
        raise NotFound("there is no such active grant of this client", member="grant_id")
    office.step(recipient, consent.terms.holder, grant_id, "consent.revoke", by="customer", reason="customer-request")
    return Response(status_code=204, headers={"cache-control": "no-store"})
