"""The addresses of consent grants."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from api.http.wire import Reply
from api.node.admission import CallerHere, NodeHere, serve
from api.standards.fdx.dialect import BASE
from api.standards.fdx.operations import ConsentGrants
from api.standards.incoming import (
    CONSENTS_READ,
    CONSENTS_WRITE,
    HOLDER_PATH,
    BodyHere,
    HolderHere,
    OfficeHere,
    StatementHere,
    require_recipient,
)

router = APIRouter()
TAG: Final = "consent-grants"
PLACE: Final = HOLDER_PATH + BASE + "/consents"
ONE: Final = PLACE + "/{consent_id}"
_OBJECT: Final = {"schema": {"$ref": "#/components/schemas/ForeignObject"}}
_BODY: Final = {"required": True, "content": {"application/json": _OBJECT}}
_SHOWN: Final[dict[str, Any]] = {"description": "As the page describes it", "content": {"application/json": _OBJECT}}


def _grants(node: NodeHere, office: OfficeHere, holder: HolderHere, caller: CallerHere) -> ConsentGrants:
    office.require_holder(holder)
    if caller.id != holder:
        require_recipient(node, caller)
    return ConsentGrants(node.ledger, office, holder, caller.id, node.settings.base_url)


def _of_recipient(node: NodeHere, office: OfficeHere, holder: HolderHere, caller: CallerHere) -> ConsentGrants:
    office.require_holder(holder)
    require_recipient(node, caller)
    return ConsentGrants(node.ledger, office, holder, caller.id, node.settings.base_url)


GrantsHere = Annotated[ConsentGrants, Depends(_grants)]
RecipientsHere = Annotated[ConsentGrants, Depends(_of_recipient)]
ConsentIdHere = Annotated[str, Path(description="Id of the consent grant", min_length=1, max_length=128)]


def _reply(status: int, said: dict[str, Any]) -> Response:
    return Reply(status, msgspec.json.encode(said), headers=(("cache-control", "no-store"),)).response()


@serve(
    router,
    "POST",
    PLACE,
    access=CONSENTS_WRITE,
    tag=TAG,
    summary="Ask for a consent grant",
    request_body=_BODY,
    answers={201: _SHOWN},
    operation_id="fdx_request_consent",
)
async def post_consent(grants: RecipientsHere, body: BodyHere, statement: StatementHere) -> Response:
    """By a third party, with its authorization disclosure (12 CFR 1033.411): at most a year. The consumer agrees at her data
    provider, at `approveAt`."""
    return _reply(201, await asyncio.to_thread(grants.request, body, statement))


@serve(
    router,
    "GET",
    PLACE,
    access=CONSENTS_READ,
    tag=TAG,
    summary="List consent grants",
    answers={200: _SHOWN},
    operation_id="fdx_list_consents",
)
async def get_consents(
    grants: RecipientsHere,
    offset: Annotated[int, Query(ge=-1, le=2**53)] = -1,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Response:
    """The recipient's own at this data provider; go on at `nextOffset`."""
    return _reply(200, await asyncio.to_thread(grants.listed, offset, limit))


@serve(
    router,
    "GET",
    ONE,
    access=CONSENTS_READ,
    tag=TAG,
    summary="Read a consent grant",
    answers={200: _SHOWN},
    operation_id="fdx_get_consent",
)
async def get_consent(grants: GrantsHere, consent_id: ConsentIdHere) -> Response:
    """For its recipient and its data provider."""
    return _reply(200, await asyncio.to_thread(grants.shown, consent_id))


@serve(
    router,
    "POST",
    ONE + "/reauthorization",
    access=CONSENTS_WRITE,
    tag=TAG,
    summary="Ask for another year",
    request_body=_BODY,
    answers={200: _SHOWN},
    operation_id="fdx_reauthorize",
)
async def post_reauthorization(
    grants: RecipientsHere, consent_id: ConsentIdHere, body: BodyHere, statement: StatementHere
) -> Response:
    """12 CFR 1033.421(b)(3): a new disclosure and a new authorization. What is in force goes on to its own end meanwhile."""
    return _reply(200, await asyncio.to_thread(grants.reauthorize, consent_id, body, statement))


@serve(
    router,
    "PUT",
    ONE + "/revocation",
    access=CONSENTS_WRITE,
    tag=TAG,
    summary="Revoke a consent grant",
    request_body=_BODY,
    answers={204: {"description": "It has ended"}},
    operation_id="fdx_revoke_consent",
)
async def put_revocation(
    grants: GrantsHere, consent_id: ConsentIdHere, body: BodyHere, statement: StatementHere
) -> Response:
    """By the recipient, which relays what the consumer told it (12 CFR 1033.421(h)(2)) or has no more need; or by the data
    provider (1033.331(e)). The other one is told by an event."""
    await asyncio.to_thread(grants.revoke, consent_id, body, statement)
    return Response(status_code=204, headers={"cache-control": "no-store"})


@serve(
    router,
    "GET",
    ONE + "/revocation",
    access=CONSENTS_READ,
    tag=TAG,
    summary="Read how a consent grant was revoked",
    answers={200: _SHOWN},
    operation_id="fdx_get_revocation",
)
async def get_revocation(grants: GrantsHere, consent_id: ConsentIdHere) -> Response:
    """Who wanted it, why, and when."""
    return _reply(200, await asyncio.to_thread(grants.revocation, consent_id))
