"""Events: where a participant is told, what it has been told, and asking for it (RFC 8936)."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from msgspec import Meta, Struct
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.events.polling import Poll, poll
from api.http.describing import answer, body
from api.http.wire import Reply, read_shape
from api.node.admission import PUBLIC, CallerHere, NodeHere, serve, token
from api.tokens.scopes import OPERATOR
from ledger.errors import NotFound
from ledger.queries.events import Delivery

router = APIRouter()
EVENTS_READ: Final = token("events:read")
EVENTS_MANAGE: Final = token("events:manage")
PAGE: Final = 200
BEFORE: Final = re.compile(r"[0-9]{1,15}\.[A-Za-z0-9_-]{22}")
"""How a page of attempts names the last one before it: time and event id."""
State = Literal["pending", "escalated", "acknowledged", "expired"]
_NO_STORE: Final = (("cache-control", "no-store"),)


class EndpointReply(Struct, frozen=True):
    """Where a participant is told of events."""

    participant: str
    url: str
    enabled: bool


class EndpointTestReply(Struct, frozen=True):
    """How a test of an endpoint ended."""

    event_id: str
    """The token's `jti`."""
    url: str
    delivered: bool
    """Whether the endpoint acknowledged the token (202)."""
    error: str | None
    """What the attempt met: a code, as in `last_error`."""
    milliseconds: int
    """How long it took."""


class NewEndpoint(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to be told of events: an https address that answers 202 to a security event token (RFC 8935)."""

    url: Annotated[str, Meta(min_length=1, max_length=2048)]
    enabled: bool = True


class DeliveryReply(Struct, frozen=True):
    """One event and how far its telling has come. Times are milliseconds."""

    event_id: str
    """The token's `jti`."""
    index: int
    """The entry it is about."""
    act: str
    state: str
    """`pending`, `escalated` (not acknowledged within five minutes), `acknowledged`, or `expired` (after seven days)."""
    attempts: int
    first_at: int
    next_at: int | None
    """When it is pushed next, where there is an endpoint; null when it is over."""
    acknowledged_at: int | None
    last_error: str | None
    """What the last attempt met: a code."""


class DeliveryAttemptReply(Struct, frozen=True):
    """One token, sent to the endpoint once. Nothing of what was in it."""

    event_id: str
    """The token's `jti`."""
    at: int
    """When it was sent (ms)."""
    kind: str
    """The act that it told of; `trial` for a test of the endpoint."""
    index: int | None
    """The entry it was about; null for a trial."""
    attempt: int
    """The how-manieth try of this event."""
    status: int | None
    """Of the endpoint's answer (HTTP); null when none came."""
    error: str | None
    """What it met: a code, as in `last_error`; null if it was acknowledged."""
    milliseconds: int
    """How long it took."""


class DeliveryAttemptsReply(Struct, frozen=True):
    """A page of attempts."""

    attempts: list[DeliveryAttemptReply]


class DeliveriesReply(Struct, frozen=True):
    """A page of deliveries."""

    deliveries: list[DeliveryReply]


@serve(
    router,
    "PUT",
    "/participants/{participant}/endpoint",
    access=EVENTS_MANAGE,
    tag="events",
    summary="Say where a participant is told of events",
    request_body=body("EndpointRegistration", {"url": "https://tpp.example/events"}),
    answers={200: answer("As it is now", schema="Endpoint")},
    problems=("bad-request", "invalid-input", "not-found", "too-large", "unsupported-media-type"),
)
async def put_endpoint(participant: str, request: Request, node: NodeHere, caller: CallerHere) -> Response:
    """For the participant itself and for the operator. What waits for the participant is sent there at once."""
    if caller.id not in (OPERATOR, participant):
        raise NotFound(f"there is no participant {participant!r} for this client", member="participant")
    known = node.ledger.registry.participant(participant)
    new = await read_shape(request, NewEndpoint)
    await run_in_threadpool(node.endpoints.put, known.id, new.url, enabled=new.enabled)
    return Reply(200, msgspec.json.encode(EndpointReply(known.id, new.url, new.enabled)), headers=_NO_STORE).response()


@serve(
    router,
    "POST",
    "/participants/{participant}/endpoint/test",
    access=EVENTS_MANAGE,
    tag="events",
    summary="Try a participant's endpoint",
    answers={200: answer("How it ended", schema="TrialDelivery")},
    problems=("conflict", "not-found"),
)
async def post_endpoint_test(participant: str, node: NodeHere, caller: CallerHere) -> Response:
    """For the participant itself and for the operator: one token about nothing, signed and sent as all others are, also where
    the endpoint is switched off. It is not repeated, and noted among the attempts."""
    if caller.id not in (OPERATOR, participant):
        raise NotFound(f"there is no participant {participant!r} for this client", member="participant")
    ended = await node.endpoints.test(participant)
    reply = EndpointTestReply(ended.event_id, ended.url, ended.error is None, ended.error, ended.milliseconds)
    return Reply(200, msgspec.json.encode(reply), headers=_NO_STORE).response()


@serve(
    router,
    "GET",
    "/events/deliveries",
    access=EVENTS_READ,
    tag="events",
    summary="Events that were delivered, and those that were not yet",
    answers={200: answer("A page, oldest first; the header `Link` leads to the next", schema="Deliveries")},
    problems=("bad-request",),
)
def get_deliveries(
    node: NodeHere,
    caller: CallerHere,
    state: Annotated[State | None, Query(description="Only those in this state")] = None,
    after: Annotated[
        int, Query(ge=-1, le=2**53 - 1, description="Continue after this entry, from the `next` link")
    ] = -1,
    limit: Annotated[int, Query(ge=1, le=PAGE, description="Entries of a page")] = 50,
) -> Response:
    """The caller's own deliveries, whether pushed or polled."""
    found = node.events.queries.deliveries_of(caller.id, state=state, after=after, limit=limit)
    headers: tuple[tuple[str, str], ...] = _NO_STORE
    if len(found) == limit:
        only = "" if state is None else f"&state={state}"
        link = f'</events/deliveries?after={found[-1].index}&limit={limit}{only}>; rel="next"'
        headers = (("link", link), *_NO_STORE)
    page = DeliveriesReply([_delivery_reply(one) for one in found])
    return Reply(200, msgspec.json.encode(page), headers=headers).response()


@serve(
    router,
    "GET",
    "/events/attempts",
    access=EVENTS_READ,
    tag="events",
    summary="What was sent to one's endpoint, and what came back",
    answers={200: answer("A page, newest first; the header `Link` leads to the next", schema="DeliveryAttempts")},
    problems=("bad-request",),
)
def get_attempts(
    node: NodeHere,
    caller: CallerHere,
    before: Annotated[
        str | None,
        Query(pattern=f"^{BEFORE.pattern}$", description="Continue before this one, from the `next` link"),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE, description="Attempts of a page")] = 50,
) -> Response:
    """Of the caller's own endpoint, in the last seven days: deliveries and tests. What was fetched is not among them."""
    known = None
    if before is not None:
        at, _, event_id = before.partition(".")
        known = int(at), event_id
    found = node.events.queries.attempts_of(caller.id, limit, known)
    headers: tuple[tuple[str, str], ...] = _NO_STORE
    if len(found) == limit:
        link = f'</events/attempts?before={found[-1].at}.{found[-1].event_id}&limit={limit}>; rel="next"'
        headers = (("link", link), *_NO_STORE)
    attempts = [
        DeliveryAttemptReply(
            one.event_id,
            one.at,
            one.kind,
            one.index,
            one.number,
            one.status,
            one.error,
            one.milliseconds,
        )
        for one in found
    ]
    page = DeliveryAttemptsReply(attempts)
    return Reply(200, msgspec.json.encode(page), headers=headers).response()


@serve(
    router,
    "POST",
    "/events/poll",
    access=EVENTS_READ,
    tag="events",
    summary="Ask for events, and acknowledge them",
    request_body=body("Poll", {"ack": ["4d3559ec67504aaba65d"], "maxEvents": 10, "returnImmediately": True}),
    answers={200: answer("Tokens by `jti`; `moreAvailable` says that asking again gives more", schema="PolledEvents")},
    problems=("bad-request", "too-large", "unsupported-media-type"),
)
async def post_poll(request: Request, node: NodeHere, caller: CallerHere) -> Response:
    """RFC 8936, beside pushing or instead of it. A token comes again until it is acknowledged; unless `returnImmediately` is
    true, the answer waits up to twenty seconds for the first one."""
    asked = await read_shape(request, Poll)
    found = await poll(node.events.queries, node.events.store, node.events.tokens, caller.id, asked)
    return Reply(200, msgspec.json.encode(found), headers=_NO_STORE).response()


@serve(
    router,
    "GET",
    "/events/jwks",
    access=PUBLIC,
    tag="events",
    summary="Keys of event tokens",
    answers={200: answer("A JWK set (RFC 7517)")},
)
async def get_event_jwks(node: NodeHere) -> Response:
    """What security event tokens are verified with. These keys sign nothing else."""
    headers = (("cache-control", "public, max-age=300"),)
    return Reply(200, msgspec.json.encode(node.events.tokens.key_set), headers=headers).response()


def _delivery_reply(one: Delivery) -> DeliveryReply:
    return DeliveryReply(
        one.event_id,
        one.index,
        one.kind,
        one.state.value,
        one.attempts,
        one.first_at,
        one.next_at if one.is_open else None,
        one.acknowledged_at,
        one.last_error,
    )
