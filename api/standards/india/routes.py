"""The Account Aggregator's addresses: every message is a POST of a signed JSON body."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from api.http.wire import header
from api.node.admission import CallerHere, NodeHere, serve, token
from api.standards.detached import SIGNATURE_HEADER
from api.standards.incoming import (
    HOLDER_PATH,
    BodyHere,
    HolderHere,
    OfficeHere,
    StatementHere,
)
from api.standards.india.dialect import TXN, answer
from api.standards.india.operations import Aggregator
from api.standards.india.requests import aa_time, refused
from api.standards.india.signatures import check_detached
from api.standards.india.versions import V1, V2, series_at

router = APIRouter()
TAG: Final = "account-aggregator"
PLACE: Final = HOLDER_PATH + V2.base
OLDER: Final = HOLDER_PATH + V1.base
KEY_HEADERS: Final = ("client_api_key", "fip_api_key")
"""Where the official files have an FIU and an FIP show themselves; they know no `Authorization`."""
MAY_READ: Final = token("consents:read", *KEY_HEADERS)
MAY_WRITE: Final = token("consents:write", *KEY_HEADERS)
_SAID: Final[dict[str, Any]] = {
    "description": "As the specification's own schema",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ForeignObject"}}},
}
_BODY: Final = {
    "required": True,
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ForeignObject"}}},
}


class _Txn(msgspec.Struct, frozen=True):
    txnid: str = ""


async def _aggregator(
    request: Request, node: NodeHere, office: OfficeHere, caller: CallerHere, holder: HolderHere, body: BodyHere
) -> Aggregator:
    with suppress(msgspec.DecodeError, RecursionError, UnicodeError):  # reported by the code that reads the body
        request.scope[TXN] = msgspec.json.decode(body, type=_Txn).txnid[:128]
    signature = header(request.scope, SIGNATURE_HEADER.encode())
    if signature is not None:
        check_detached(signature, body, caller.id, node.ledger.registry)
    elif office.gateway.options(holder).signatures_required:
        raise refused("InvalidSecurity", f"this FIP asks for {SIGNATURE_HEADER}")
    office.require_holder(holder)
    series = series_at(request.url.path)
    return Aggregator(node.ledger, office, node.once, caller.id, holder, node.settings.base_url, series)


def _reader(request: Request, node: NodeHere, office: OfficeHere, caller: CallerHere, holder: HolderHere) -> Aggregator:
    """Of a request without a body, which has nothing to sign."""
    office.require_holder(holder)
    series = series_at(request.url.path)
    return Aggregator(node.ledger, office, node.once, caller.id, holder, node.settings.base_url, series)


AggregatorHere = Annotated[Aggregator, Depends(_aggregator)]
ReaderHere = Annotated[Aggregator, Depends(_reader)]
Does = Callable[[Aggregator, bytes, str | None], dict[str, Any]]


def _register(
    path: str, operation: str, summary: str, description: str, does: Does, *, writes: bool, place: str = PLACE
) -> None:
    async def post(request: Request, aggregator: AggregatorHere, body: BodyHere, statement: StatementHere) -> Response:
        return answer(request, 200, await asyncio.to_thread(does, aggregator, body, statement))

    serve(
        router,
        "POST",
        place + path,
        access=MAY_WRITE if writes else MAY_READ,
        tag=TAG,
        summary=summary,
        description=description,
        operation_id=operation,
        answers={200: _SAID},
        request_body=_BODY,
    )(post)


_register(
    "/Consent",
    "aa_consent",
    "Ask for a consent",
    "By an FIU. Answered with a handle: the artefact is there when the customer has agreed at the FIP.",
    lambda aggregator, body, statement: aggregator.request(body, statement),
    writes=True,
)
_register(
    "/Consent/handle",
    "aa_consent_handle",
    "How a request stands",
    "By the FIU that asked.",
    lambda aggregator, body, _: aggregator.handle(body),
    writes=False,
)
_register(
    "/Consent/fetch",
    "aa_consent_fetch",
    "The signed artefact",
    "By the FIU and the FIP of the consent.",
    lambda aggregator, body, _: aggregator.fetch(body),
    writes=False,
)
_register(
    "/Consent/Notification",
    "aa_consent_notification",
    "Tell what the customer decided",
    "By the FIU (revoked, rejected) or the FIP (also paused, active again).",
    lambda aggregator, body, _: aggregator.notify(body),
    writes=True,
)
_register(
    "/fip/Consent",
    "aa_fip_consent",
    "Hand in an artefact of another aggregator",
    "By the FIP that it names. The consent then waits for that FIP's own authorisation.",
    lambda aggregator, body, _: aggregator.accept(body),
    writes=True,
)


_register(
    "/Consent",
    "aa_v1_consent",
    "1.x: ask for a consent",
    "By an FIU, as in 2.x.",
    lambda aggregator, body, statement: aggregator.request(body, statement),
    writes=True,
    place=OLDER,
)
_register(
    "/Consent/Notification",
    "aa_v1_consent_notification",
    "1.x: tell what the customer decided",
    "As in 2.x.",
    lambda aggregator, body, _: aggregator.notify(body),
    writes=True,
    place=OLDER,
)


@serve(
    router,
    "GET",
    OLDER + "/Consent/handle/{handle:path}",
    access=MAY_READ,
    tag=TAG,
    summary="1.x: how a request stands",
    answers={200: _SAID},
    operation_id="aa_v1_consent_handle",
)
def get_handle(request: Request, aggregator: ReaderHere, handle: str) -> Response:
    """By the FIU that asked. A request that was rejected, or ran out, is FAILED."""
    if not handle:
        raise refused("InvalidConsentHandle", "the address ends with a handle", status=404)
    return answer(request, 200, aggregator.handle_of(handle, V1.numbers[-1], str(uuid.uuid4())))


@serve(
    router,
    "GET",
    OLDER + "/Consent/{consentId:path}",
    access=MAY_READ,
    tag=TAG,
    summary="1.x: the signed artefact",
    answers={200: _SAID},
    operation_id="aa_v1_consent_artefact",
)
def get_artefact(
    request: Request, aggregator: ReaderHere, consent_id: Annotated[str, Path(alias="consentId")]
) -> Response:
    """By the FIU and the FIP of the consent; the same that 2.x gives."""
    if not consent_id:
        raise refused("InvalidConsentId", "the address ends with a consent id", status=404)
    return answer(request, 200, aggregator.artefact(consent_id, V1.numbers[-1], str(uuid.uuid4())))


@serve(
    router,
    "GET",
    PLACE + "/Heartbeat",
    access=MAY_READ,
    tag=TAG,
    summary="Whether this aggregator works",
    answers={200: _SAID},
    operation_id="aa_heartbeat",
)
def get_heartbeat(request: Request, node: NodeHere, office: OfficeHere, holder: HolderHere) -> Response:
    """UP while this node writes."""
    office.require_holder(holder)
    up = node.ledger.stopped_because is None
    said = {"ver": V2.numbers[-1], "timestamp": aa_time(time.time_ns() // 1_000_000), "Status": "UP" if up else "DOWN"}
    return answer(request, 200, said)
