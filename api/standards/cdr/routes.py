"""The Consumer Data Right's addresses at a holder, and those of recipients that are served here."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from api.http.wire import Reply, header, read_body, visit_of
from api.node.admission import CLIENT, PUBLIC, CallerHere, NodeHere, serve, token
from api.standards.cdr.dialect import BASE, refused
from api.standards.cdr.metrics import metrics
from api.standards.cdr.operations import Arrangements
from api.standards.cdr.requests import SCOPES
from api.standards.incoming import HOLDER_PATH, BodyHere, HolderHere, OfficeHere
from api.tokens.clients import FORM, FORM_LIMIT
from api.tokens.keys import ALGORITHMS
from ledger.errors import NotPermitted

router = APIRouter()
TAG: Final = "consumer-data-right"
PLACE: Final = HOLDER_PATH + BASE
METRICS: Final = token("admin:metrics.basic:read")
METRICS_VERSION: Final = 5
METADATA: Final = token("admin:metadata:update")
METADATA_VERSION: Final = 1
_POSITIVE: Final = re.compile(r"[1-9][0-9]{0,8}")
_JSON: Final[dict[str, Any]] = {
    "description": "As the standard's own schema",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ForeignObject"}}},
}
_GONE: Final[dict[str, Any]] = {"description": "The arrangement is revoked"}
_FORM: Final = {"required": True, "content": {FORM: {"schema": {"type": "object"}}}}


def _arrangements(node: NodeHere, office: OfficeHere) -> Arrangements:
    return Arrangements(node.ledger, office, node.clients, node.once, node.flow, node.settings.base_url)


async def _form(request: Request) -> bytes:
    return await read_body(request.scope, request.receive, FORM_LIMIT, FORM)


ArrangementsHere = Annotated[Arrangements, Depends(_arrangements)]
FormHere = Annotated[bytes, Depends(_form)]


@serve(
    router,
    "POST",
    PLACE + "/par",
    access=CLIENT,
    tag=TAG,
    summary="Push a request for an arrangement",
    request_body=_FORM,
    answers={201: _JSON},
    operation_id="cdr_par",
)
async def post_par(request: Request, arrangements: ArrangementsHere, holder: HolderHere, form: FormHere) -> Response:
    """RFC 9126. The signed request object becomes a consent that awaits its customer at the holder, or with
    `cdr_arrangement_id` a new version of one. The `request_uri` begins with the arrangement's id."""
    client, said = await asyncio.to_thread(arrangements.push, form, holder)
    visit_of(request.scope).client = client
    return Reply(201, msgspec.json.encode(said), headers=(("cache-control", "no-cache, no-store"),)).response()


@serve(
    router,
    "POST",
    PLACE + "/arrangements/revoke",
    access=CLIENT,
    tag=TAG,
    summary="Revoke an arrangement at its holder",
    request_body=_FORM,
    answers={204: _GONE},
    operation_id="cdr_revoke_at_holder",
)
async def post_revoke(request: Request, arrangements: ArrangementsHere, holder: HolderHere, form: FormHere) -> Response:
    """By its recipient, with `cdr_arrangement_id` in the form. Every token of the arrangement is over with this entry."""
    visit_of(request.scope).client = await asyncio.to_thread(arrangements.revoke_at_holder, form, holder)
    return Response(status_code=204, headers={"cache-control": "no-store"})


@serve(
    router,
    "POST",
    "/recipients/{recipient}" + BASE + "/arrangements/revoke",
    access=CLIENT,
    tag=TAG,
    summary="Revoke an arrangement at its recipient",
    request_body=_FORM,
    answers={204: _GONE},
    operation_id="cdr_revoke_at_recipient",
)
async def post_revoke_at_recipient(
    request: Request, node: NodeHere, arrangements: ArrangementsHere, recipient: str, form: FormHere
) -> Response:
    """By its holder, with a signed `cdr_arrangement_jwt`: for recipients that let this ledger hear for them."""
    address = node.settings.base_url + request.url.path
    visit_of(request.scope).client = await asyncio.to_thread(arrangements.revoke_at_recipient, form, recipient, address)
    return Response(status_code=204, headers={"cache-control": "no-store"})


@serve(
    router,
    "GET",
    PLACE + "/cds-au/v1/admin/metrics",
    access=METRICS,
    tag=TAG,
    summary="Metrics of a holder",
    answers={200: _JSON},
    operation_id="cdr_get_metrics",
)
async def get_metrics(
    request: Request,
    node: NodeHere,
    office: OfficeHere,
    caller: CallerHere,
    holder: HolderHere,
    period: Annotated[Literal["ALL", "CURRENT", "HISTORIC"], Query()] = "ALL",
) -> Response:
    """For the regulator, and for the holder itself: version 5, counted from the log."""
    _require_version(request, METRICS_VERSION)
    office.require_holder(holder)
    supervised = node.ledger.registry.has_role(caller.id, "regulator") and node.remit_of(caller.id).covers_all_of(
        holder
    )
    if caller.id != holder and not supervised:
        raise NotPermitted("metrics are for the holder itself and a regulator that is there for all its consents")
    said = await asyncio.to_thread(
        metrics,
        node.ledger,
        node.events.queries,
        holder,
        period=period,
        zone=office.gateway.options(holder).tz,
        now=office.now,
        link=f"{node.settings.base_url}{request.url.path}?period={period}",
    )
    headers = (("x-v", str(METRICS_VERSION)), ("cache-control", "no-store"))
    return Reply(200, msgspec.json.encode(said), headers=headers).response()


@serve(
    router,
    "GET",
    PLACE + "/.well-known/openid-configuration",
    access=PUBLIC,
    tag=TAG,
    summary="Metadata of a holder",
    answers={200: _JSON},
    operation_id="cdr_get_metadata",
)
def get_metadata(node: NodeHere, office: OfficeHere, holder: HolderHere) -> Response:
    """The members that this ledger serves for a holder; the authorisation endpoint is the holder's own."""
    office.require_holder(holder)
    issuer = node.settings.base_url
    place = f"{issuer}{PLACE.format(holder=holder)}"
    said = {
        "issuer": issuer,
        "pushed_authorization_request_endpoint": f"{place}/par",
        "cdr_arrangement_revocation_endpoint": f"{place}/arrangements/revoke",
        "introspection_endpoint": f"{issuer}/introspect",
        "revocation_endpoint": f"{issuer}/revoke",
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/jwks",
        "scopes_supported": ["openid", *SCOPES],
        "claims_supported": ["sub", "acr", "auth_time", "sharing_expires_at", "cdr_arrangement_id"],
        "require_pushed_authorization_requests": True,
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "request_object_signing_alg_values_supported": list(ALGORITHMS),
    }
    return Reply(200, msgspec.json.encode(said)).response()


class _Action(msgspec.Struct, frozen=True):
    action: Literal["REFRESH"]


class _MetadataUpdate(msgspec.Struct, frozen=True):
    data: _Action


_updates: Final = msgspec.json.Decoder(_MetadataUpdate)


@serve(
    router,
    "POST",
    PLACE + "/cds-au/v1/admin/register/metadata",
    access=METADATA,
    tag=TAG,
    summary="The register has something new",
    request_body={
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ForeignObject"}}},
    },
    answers={200: {"description": "What was kept of the registers is read anew when it is next needed"}},
    operation_id="cdr_update_metadata",
)
async def post_metadata(
    request: Request, node: NodeHere, office: OfficeHere, holder: HolderHere, body: BodyHere
) -> Response:
    """By the register, which takes part as a regulator: version 1, action `REFRESH`."""
    _require_version(request, METADATA_VERSION)
    office.require_holder(holder)
    try:
        _updates.decode(body)
    except msgspec.ValidationError:
        raise refused(400, "Field/Invalid", "data.action") from None
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        raise refused(400, "Field/Missing", "data") from None
    await asyncio.to_thread(node.registering.refresh)
    if node.watcher is not None:
        node.watcher.refresh()
    headers = {"x-v": str(METADATA_VERSION), "cache-control": "no-store"}
    return Response(status_code=200, headers=headers)


def _require_version(request: Request, served: int) -> None:
    """`x-v` and `x-min-v` (Versioning). Raises Refusal."""
    wanted, least = (header(request.scope, name) for name in (b"x-v", b"x-min-v"))
    if wanted is None:
        raise refused(400, "Header/Missing", "x-v")
    for name, value in (("x-v", wanted), ("x-min-v", least)):
        if value is not None and not _POSITIVE.fullmatch(value):
            raise refused(400, "Header/InvalidVersion", name)
    highest = int(wanted)
    lowest = highest if least is None or int(least) >= highest else int(least)
    if not lowest <= served <= highest:
        raise refused(406, "Header/UnsupportedVersion", f"the version here is {served}")
