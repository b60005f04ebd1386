"""UK Open Banking events: subscriptions, with a callback or without, and aggregated polling (events OpenAPI, v4.0).

A recipient is told of events by this ledger once for all holders, so there is one subscription for each recipient: the same
under every holder's address. What is sent is the ledger's own security event token, which holds the UK's event beside its own.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from api.events.addresses import read_endpoint
from api.events.polling import Poll, poll
from api.events.tokens import UK_REVOKED
from api.http.describing import answer, body
from api.node.admission import NodeHere, serve, token
from api.node.node import Node
from api.office.json import NotJson, read_object
from api.standards.incoming import HOLDER_PATH, BodyHere, HolderHere, OfficeHere, RecipientHere
from api.standards.uk.answering import PATHS, ExchangeHere, SignedBody, UkExchange
from api.standards.uk.dialect import V4, Fault, Faults
from api.standards.uk.headers import check_headers
from ledger.clock import SystemClock
from ledger.errors import InvalidInput

router: Final = APIRouter(dependencies=[Depends(check_headers)])
EVENTS_MANAGE: Final = token("events:manage")
EVENTS_READ: Final = token("events:read")
TYPES: Final = (UK_REVOKED,)
POLLING: Final = ""
"""The address of a subscription that names none: its events wait to be polled."""
_PATH: Final = f"{HOLDER_PATH}{PATHS[V4]}"
_TAG: Final = "uk-open-banking"
_NAMESPACE: Final = uuid.UUID("6f9b0f3e-7a55-4f0e-9d0c-9f1ad2d1a2b7")
SubscriptionId = Annotated[str, Path(alias="EventSubscriptionId", min_length=1, max_length=40)]
_EXAMPLE: Final[dict[str, Any]] = {"Data": {"CallbackUrl": "https://tpp.example/events", "Version": "4.0"}}


def subscription_id(recipient: str) -> str:
    """The id of a recipient's only subscription."""
    return str(uuid.uuid5(_NAMESPACE, recipient))


def _read(body: bytes, node: Node) -> str:
    """The callback of an OBEventSubscription1, or POLLING. Raises Faults."""
    try:
        inner = read_object(body).get("Data")
    except NotJson as error:
        raise Faults([Fault("U010", str(error))]) from None
    if not isinstance(inner, dict):
        raise Faults([Fault("U004", "Data is needed", "Data")])
    if inner.get("Version") not in ("4.0", "v4.0"):
        raise Faults([Fault("U002", "the version of events here is 4.0", "Data.Version")])
    types = inner.get("EventTypes", list(TYPES))
    if not isinstance(types, list) or any(kind not in TYPES for kind in types):
        raise Faults([Fault("U024", f"the event type here is {TYPES[0]}", "Data.EventTypes")])
    url = inner.get("CallbackUrl", POLLING)
    if "CallbackUrl" in inner and (not isinstance(url, str) or not url):
        raise Faults([Fault("U002", "CallbackUrl is an address, or is left out", "Data.CallbackUrl")])
    try:
        if url:
            read_endpoint(url, development=node.settings.web.environment == "development")
    except InvalidInput as error:
        raise Faults([Fault("U002", error.detail, "Data.CallbackUrl")]) from None
    return str(url)


def _worded(recipient: str, url: str) -> dict[str, Any]:
    callback = {"CallbackUrl": url} if url else {}
    return {
        "EventSubscriptionId": subscription_id(recipient),
        **callback,
        "Version": "4.0",
        "EventTypes": list(TYPES),
    }


def _set(node: Node, recipient: str, url: str) -> None:
    """Push to `url` from here on; without one nothing is pushed, and events wait to be polled."""
    node.events.store.set_endpoint(recipient, url, enabled=bool(url), now=SystemClock().now())


def _subscribed(node: Node, recipient: str) -> str | None:
    """The recipient's present address for events, POLLING for a subscription without one; None without a subscription."""
    found = node.events.queries.endpoint(recipient)
    return found.url if found is not None and (found.enabled or found.url == POLLING) else None


def _own(node: Node, recipient: str, said: str) -> str:
    url = _subscribed(node, recipient)
    if url is None or said != subscription_id(recipient):
        raise Faults([Fault("U011", "you have no such subscription", "EventSubscriptionId")])
    return url


def _one(exchange: UkExchange, recipient: str, url: str) -> dict[str, Any]:
    link = exchange.link(f"event-subscriptions/{subscription_id(recipient)}")
    return {"Data": _worded(recipient, url), "Links": {"Self": link}, "Meta": {"TotalPages": 1}}


@serve(
    router,
    "POST",
    f"{_PATH}/event-subscriptions",
    access=EVENTS_MANAGE,
    tag=_TAG,
    operation_id="uk_v4_0_create_subscription",
    summary="UK v4.0: be told of events, at a callback or by polling",
    request_body=body("ForeignObject", _EXAMPLE),
    answers={201: answer("OBEventSubscriptionResponse1")},
    problems=("bad-request", "not-found", "conflict", "too-large", "unsupported-media-type", "not-acceptable"),
)
def post_subscription(
    exchange: ExchangeHere,
    node: NodeHere,
    office: OfficeHere,
    holder: HolderHere,
    recipient: RecipientHere,
    asked: SignedBody,
) -> Response:
    """There is one subscription for each recipient, whatever the holder: a second one is a conflict."""
    office.require_holder(holder)
    url = _read(asked, node)
    if _subscribed(node, recipient) is not None:
        raise Faults([Fault("U029", "there is a subscription of yours; change it, or delete it first")], 409)
    _set(node, recipient, url)
    return exchange.answer(201, _one(exchange, recipient, url))


@serve(
    router,
    "GET",
    f"{_PATH}/event-subscriptions",
    access=EVENTS_MANAGE,
    tag=_TAG,
    operation_id="uk_v4_0_get_subscriptions",
    summary="UK v4.0: one's own subscription",
    answers={200: answer("OBEventSubscriptionsResponse1")},
    problems=("bad-request", "not-found", "not-acceptable"),
)
def get_subscriptions(
    exchange: ExchangeHere, node: NodeHere, office: OfficeHere, holder: HolderHere, recipient: RecipientHere
) -> Response:
    """A list of one or none."""
    office.require_holder(holder)
    url = _subscribed(node, recipient)
    found = [] if url is None else [_worded(recipient, url)]
    links = {"Self": exchange.link("event-subscriptions")}
    return exchange.answer(200, {"Data": {"EventSubscription": found}, "Links": links, "Meta": {"TotalPages": 1}})


@serve(
    router,
    "PUT",
    f"{_PATH}/event-subscriptions/{{EventSubscriptionId}}",
    access=EVENTS_MANAGE,
    tag=_TAG,
    operation_id="uk_v4_0_change_subscription",
    summary="UK v4.0: be told of events elsewhere",
    request_body=body("ForeignObject", _EXAMPLE),
    answers={200: answer("OBEventSubscriptionResponse1")},
    problems=("bad-request", "not-found", "too-large", "unsupported-media-type", "not-acceptable"),
)
def put_subscription(
    exchange: ExchangeHere,
    node: NodeHere,
    recipient: RecipientHere,
    asked: SignedBody,
    identifier: SubscriptionId,
) -> Response:
    """What waits is sent to the new address at once."""
    url = _read(asked, node)
    _own(node, recipient, identifier)
    _set(node, recipient, url)
    return exchange.answer(200, _one(exchange, recipient, url))


@serve(
    router,
    "DELETE",
    f"{_PATH}/event-subscriptions/{{EventSubscriptionId}}",
    access=EVENTS_MANAGE,
    tag=_TAG,
    operation_id="uk_v4_0_delete_subscription",
    summary="UK v4.0: be told at no callback any more",
    answers={204: {"description": "Nothing is pushed from here on; events wait to be polled"}},
    problems=("bad-request", "not-found", "not-acceptable"),
)
def delete_subscription(
    exchange: ExchangeHere, node: NodeHere, recipient: RecipientHere, identifier: SubscriptionId
) -> Response:
    """Events still wait for seven days, to be polled."""
    _own(node, recipient, identifier)
    node.events.store.forget_endpoint(recipient)
    return exchange.answer(204)


@serve(
    router,
    "POST",
    f"{_PATH}/events",
    access=EVENTS_READ,
    tag=_TAG,
    operation_id="uk_v4_0_poll_events",
    summary="UK v4.0: aggregated polling",
    request_body=body("ForeignObject", {"maxEvents": 10, "returnImmediately": True}),
    answers={200: answer("OBEventPollingResponse1")},
    problems=("bad-request", "not-found", "too-large", "unsupported-media-type", "not-acceptable"),
)
async def post_events(
    exchange: ExchangeHere,
    node: NodeHere,
    office: OfficeHere,
    holder: HolderHere,
    recipient: RecipientHere,
    asked: BodyHere,
) -> Response:
    """The same events that the native route gives (RFC 8936): acknowledged by one, they are acknowledged."""
    office.require_holder(holder)
    try:
        read_object(asked)
        wanted = msgspec.json.decode(asked, type=Poll)
    except NotJson as error:
        raise Faults([Fault("U010", str(error))]) from None
    except msgspec.ValidationError as error:
        raise Faults([Fault("U002", str(error)[:400])]) from None
    found = await poll(node.events.queries, node.events.store, node.events.tokens, recipient, wanted)
    return exchange.answer(200, found)
