"""OAuth's addresses that write: pushed authorization requests, and the end of a grant."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from api.http.wire import Reply, read_body, visit_of
from api.node.admission import CLIENT, NodeHere, serve, token
from api.standards.incoming import HOLDER_PATH, HolderHere, OfficeHere, RecipientHere
from api.standards.oauth.dialect import BASE
from api.standards.oauth.requests import Requests
from api.tokens.clients import FORM, FORM_LIMIT
from ledger.consent.state import IN_FORCE
from ledger.errors import NotFound

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
    form = await read_body(request.scope, request.receive, FORM_LIMIT, FORM)
    client, said = await asyncio.to_thread(Requests(office, node.clients).push, form, holder)
    visit_of(request.scope).client = client
    return Reply(201, msgspec.json.encode(said), headers=(("cache-control", "no-cache, no-store"),)).response()


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
