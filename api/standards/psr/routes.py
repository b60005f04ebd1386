"""The dashboard's addresses: for the customer's bank, and for providers."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from api.http.wire import Reply
from api.node.admission import CallerHere, NodeHere, serve
from api.office.rights import Rights
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
from api.standards.psr.dialect import BASE
from api.standards.psr.operations import Dashboard
from ledger.errors import NotPermitted

router = APIRouter()
TAG: Final = "permission-dashboard"
PLACE: Final = HOLDER_PATH + BASE
ONE: Final = PLACE + "/permissions/{permission}"
_OBJECT: Final = {"schema": {"$ref": "#/components/schemas/ForeignObject"}}
_BODY: Final = {"required": True, "content": {"application/json": _OBJECT}}
_SHOWN: Final[dict[str, Any]] = {"description": "As the page describes it", "content": {"application/json": _OBJECT}}


def _dashboard(node: NodeHere, office: OfficeHere, holder: HolderHere) -> Dashboard:
    office.require_holder(holder)
    return Dashboard(node.ledger, office, Rights.of(office), node.discretion, holder, node.settings.base_url)


def _of_holder(dashboard: Annotated[Dashboard, Depends(_dashboard)], caller: CallerHere) -> Dashboard:
    if caller.id != dashboard.holder:
        raise NotPermitted("a customer's dashboard is shown and used by her holder only")
    return dashboard


DashboardHere = Annotated[Dashboard, Depends(_dashboard)]
HoldersHere = Annotated[Dashboard, Depends(_of_holder)]
PermissionHere = Annotated[str, Path(description="Id of the permission: the consent's", min_length=1, max_length=128)]


def _reply(status: int, said: dict[str, Any]) -> Response:
    return Reply(status, msgspec.json.encode(said), headers=(("cache-control", "no-store"),)).response()


@serve(
    router,
    "POST",
    PLACE + "/dashboard",
    access=CONSENTS_READ,
    tag=TAG,
    summary="A customer's permissions",
    request_body=_BODY,
    answers={200: _SHOWN},
    operation_id="psr_dashboard",
)
async def post_dashboard(dashboard: HoldersHere, body: BodyHere) -> Response:
    """Art. 43(2)(a) and (d), for her bank's own user interface. A POST, since her reference must stand in no address."""
    return _reply(200, await asyncio.to_thread(dashboard.shown, body))


@serve(
    router,
    "POST",
    ONE + "/withdraw",
    access=CONSENTS_WRITE,
    tag=TAG,
    summary="Withdraw a permission",
    request_body=_BODY,
    answers={200: _SHOWN},
    operation_id="psr_withdraw",
)
async def post_withdraw(
    dashboard: HoldersHere, permission: PermissionHere, body: BodyHere, statement: StatementHere
) -> Response:
    """Art. 43(2)(b). Signed by the gateway for the holder, or by the holder itself (`Consent-Statement`)."""
    return _reply(200, await asyncio.to_thread(dashboard.withdraw, permission, body, statement))


@serve(
    router,
    "POST",
    ONE + "/re-establish",
    access=CONSENTS_WRITE,
    tag=TAG,
    summary="Re-establish a permission",
    request_body=_BODY,
    answers={200: _SHOWN, 201: {**_SHOWN, "description": "A new permission with the same terms awaits her"}},
    operation_id="psr_reestablish",
)
async def post_reestablish(
    dashboard: HoldersHere, permission: PermissionHere, body: BodyHere, statement: StatementHere
) -> Response:
    """Art. 43(2)(c). What was paused goes on; what was withdrawn is asked for again in the provider's name, and shared again
    when she has agreed at `approveAt`."""
    status, said = await asyncio.to_thread(dashboard.reestablish, permission, body, statement)
    return _reply(status, said)


@serve(
    router,
    "POST",
    PLACE + "/objection",
    access=CONSENTS_WRITE,
    tag=TAG,
    summary="Object to all sharing",
    request_body=_BODY,
    answers={200: _SHOWN},
    operation_id="psr_object",
)
async def post_objection(dashboard: HoldersHere, body: BodyHere) -> Response:
    """Everything that she shares ends, and she agrees to nothing new until the objection is lifted."""
    return _reply(200, await asyncio.to_thread(dashboard.stand, body))


@serve(
    router,
    "POST",
    PLACE + "/objection/lift",
    access=CONSENTS_WRITE,
    tag=TAG,
    summary="Lift an objection to all sharing",
    request_body=_BODY,
    answers={200: _SHOWN},
    operation_id="psr_lift",
)
async def post_lift(dashboard: HoldersHere, body: BodyHere) -> Response:
    """She may agree to requests again. What ended stays ended."""
    return _reply(200, await asyncio.to_thread(dashboard.lift, body))


@serve(
    router,
    "POST",
    PLACE + "/permissions",
    access=CONSENTS_WRITE,
    tag=TAG,
    summary="Announce a new permission",
    request_body=_BODY,
    answers={201: _SHOWN},
    operation_id="psr_announce",
)
async def post_permission(
    dashboard: DashboardHere, recipient: RecipientHere, body: BodyHere, statement: StatementHere
) -> Response:
    """Art. 43(4)(b), by its provider: purpose, period of validity, categories of data. The holder is told at once."""
    return _reply(201, await asyncio.to_thread(dashboard.announce, recipient, body, statement))


@serve(
    router,
    "GET",
    ONE,
    access=CONSENTS_READ,
    tag=TAG,
    summary="One permission",
    answers={200: _SHOWN},
    operation_id="psr_permission",
)
async def get_permission(dashboard: DashboardHere, caller: CallerHere, permission: PermissionHere) -> Response:
    """For its provider and its holder, as it stands."""
    return _reply(200, await asyncio.to_thread(dashboard.permission, caller.id, permission))
