"""OAuth's addresses that write: pushed authorization requests, and the end of a grant."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from api.http.wire import Reply, header, read_body, visit_of
from api.node.admission import CLIENT, PUBLIC, CallerHere, NodeHere, serve, token
from api.node.node import Node
from api.office.office import Office
from api.standards.incoming import CONSENTS_WRITE, HOLDER_PATH, BodyHere, HolderHere, OfficeHere, RecipientHere
from api.standards.oauth.dialect import BASE
from api.standards.oauth.requests import Requests
from api.tokens.clients import FORM, FORM_LIMIT
from ledger.consent.state import IN_FORCE
from ledger.errors import NotFound, NotPermitted

router = APIRouter()
TAG: Final = "oauth"
_FORM: Final = {"required": True, "content": {FORM: {"schema": {"type": "object"}}}}
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
