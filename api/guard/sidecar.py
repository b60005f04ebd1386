"""The guard beside an application in any language: a proxy asks it before each request (docs/sidecar.md).

Two proxies' ways of asking are spoken, nginx's `auth_request` and Envoy's `ext_authz` over HTTP. Both get the same answer: 200
with the header `Consent-Access`, or a refusal with its reason. `ConsentGuard` decides what a route may give out, as in
an application of ours; this module only speaks with the proxy.

A proxy and an application may read one address in two ways, and such an address would bypass the guard. So an address
is taken only in a spelling that has one reading: segments of unreserved characters, none of them only dots.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.guard.access import GuardedAccess
from api.guard.describing import RECEIPT_HEADER
from api.guard.guard import ConsentGuard
from api.guard.refusals import MEDIA_TYPE, REFUSALS, RefusedAccess, answer
from ledger.canonical import b64u
from ledger.datamaps import operation

ACCESS_HEADER: Final = "Consent-Access"
REFUSAL_HEADER: Final = "Consent-Refusal"
METHOD_HEADER: Final = "X-Original-Method"
ADDRESS_HEADER: Final = "X-Original-URI"
BODY_HEADER: Final = "X-Original-Body"
"""What nginx is told to write here: `$http_content_length/$http_transfer_encoding`. Never empty, so its absence is seen."""
NO_BODY: Final = frozenset({"/", "0/"})
PARTIAL_HEADER: Final = "X-Envoy-Auth-Partial-Body"
ENVOY: Final = "/envoy"
BODILESS: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
SEGMENT: Final = re.compile(r"[A-Za-z0-9_.~-]+")
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class GuardedRoute:
    """A route of the application behind the proxy, and what an access through it needs."""

    method: str
    path: str
    """With parameters in braces, one a segment: `/accounts/{account}/balances`."""
    permissions: tuple[str, ...]
    account: str | None = None
    """The parameter that names one account by its reference; None: all accounts of the statement."""
    _segments: tuple[str, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Raises ValueError for a route that could never be asked for, or guards nothing."""
        segments = tuple(self.path.split("/")[1:])
        names = [segment[1:-1] for segment in segments if _is_parameter(segment)]
        plain = [segment for segment in segments if not _is_parameter(segment)]
        if not self.path.startswith("/") or not all(_is_plain(segment) for segment in plain):
            raise ValueError(
                f"{self.path!r} is not a path of a guarded route: write it like /accounts/{{account}}/balances"
            )
        if not self.permissions:
            raise ValueError(f"the route {self.path} names no permissions: a guarded route declares what it needs")
        if self.account is not None and self.account not in names:
            raise ValueError(f"the route {self.path} has no parameter {self.account!r}")
        if self.method != self.method.upper() or not self.method.isalpha():
            raise ValueError(f"{self.method!r} is not a method: write GET, POST, …")
        object.__setattr__(self, "permissions", tuple(sorted(set(self.permissions))))
        object.__setattr__(self, "_segments", segments)

    def parameters(self, method: str, segments: Sequence[str]) -> Mapping[str, str] | None:
        """What the parameters are in an address, if it is one of this route."""
        if method != self.method or len(segments) != len(self._segments):
            return None
        found: dict[str, str] = {}
        for said, template in zip(segments, self._segments, strict=True):
            if _is_parameter(template):
                found[template[1:-1]] = said
            elif said != template:
                return None
        return found


class Sidecar:
    """Answers the proxy's questions. Everything that is not a listed route in its one spelling is refused."""

    def __init__(self, guard: ConsentGuard, routes: Iterable[GuardedRoute]) -> None:
        """Raises ValueError for a route of which the guard's data map says nothing: nobody would know what leaves there."""
        self._guard = guard
        self._routes = tuple(routes)
        for route in self._routes:
            if guard.lacks_fields_of(operation(route.method, route.path)):
                raise ValueError(f"the data map has no field of {route.method} {route.path}")

    async def decide(self, asked: Request) -> GuardedAccess:
        """Decide a request of a recipient. Raises RefusedAccess."""
        path: str = asked.scope["path"]
        segments = path.split("/")[1:]
        if not path.startswith("/") or not all(_is_plain(segment) for segment in segments):
            raise RefusedAccess(
                "REQUEST_MALFORMED",
                "a guarded address has segments of letters, digits and -._~ only, none empty or of dots",
            )
        for route in self._routes:
            parameters = route.parameters(asked.method, segments)
            if parameters is not None:
                asked.scope.update(path_params=dict(parameters), route=route)
                return await self._guard.check(asked, route.permissions, account=route.account)
        raise RefusedAccess("ROUTE_UNKNOWN")


def sidecar_app(sidecar: Sidecar, ready: AbstractAsyncContextManager[None] | None = None) -> Starlette:
    """The ASGI application that proxies ask. `ready`: entered before the first question, left after the last."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if ready is None:
            yield
        else:
            async with ready:
                yield

    async def nginx(request: Request) -> Response:
        try:
            return _allowed(await sidecar.decide(_told_in_headers(request)))
        except RefusedAccess as error:
            # auth_request knows 401 and 403; everything else it takes for a failure. The reason leads to the rest.
            refused = await answer(request, error)
            refused.headers[REFUSAL_HEADER] = error.reason
            if refused.status_code not in (401, 403):
                refused.status_code = 403
            return refused

    async def envoy(request: Request) -> Response:
        try:
            return _allowed(await sidecar.decide(_told_in_itself(request)))
        except RefusedAccess as error:
            refused = await answer(request, error)
            refused.headers[REFUSAL_HEADER] = error.reason
            return refused

    async def refusal(request: Request) -> Response:
        """The whole answer to a refused request, by its reason: nginx sends refused callers here."""
        reason = request.path_params["reason"]
        return await answer(request, RefusedAccess(reason if reason in REFUSALS else "LEDGER_UNAVAILABLE"))

    async def live(_: Request) -> Response:
        return Response(b'{"status":"live"}', media_type="application/json")

    every = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    routes = [
        Route("/nginx", nginx, methods=every),
        Route("/refusals/{reason}", refusal, methods=every),
        Route("/health/live", live),
        Route(ENVOY + "{path:path}", envoy, methods=every),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def _told_in_headers(request: Request) -> Request:
    """The recipient's request as nginx tells of it. Raises RefusedAccess."""
    method, address, body = (_one(request, name) for name in (METHOD_HEADER, ADDRESS_HEADER, BODY_HEADER))
    if body not in NO_BODY:
        raise RefusedAccess(
            "REQUEST_MALFORMED", "a request with a body cannot be checked here: nginx does not hand it on"
        )
    path, _, query = address.partition("?")
    return _asked(request, method, path.encode(), query.encode())


def _told_in_itself(request: Request) -> Request:
    """The recipient's request as Envoy sends it on: itself, under the prefix. Raises RefusedAccess."""
    partial = request.headers.get(PARTIAL_HEADER)
    if partial is None and request.method not in BODILESS:
        raise RefusedAccess(
            "REQUEST_MALFORMED", "the proxy does not hand bodies on: it must be told to (with_request_body)"
        )
    if partial not in (None, "false"):
        raise RefusedAccess("REQUEST_MALFORMED", "the body is larger than the proxy hands on")
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return _asked(
        request, request.method, raw.partition(b"?")[0].removeprefix(ENVOY.encode()), request.scope["query_string"]
    )


def _asked(request: Request, method: str, path: bytes, query: bytes) -> Request:
    """The same headers and body under another method and address; the path as it was sent, not decoded."""
    scope: dict[str, Any] = dict(request.scope)
    shown = path.decode("latin-1")
    scope.update(method=method, path=shown, raw_path=path, query_string=query, root_path="", path_params={})
    for name in ("app_root_path", "router", "endpoint", "route"):
        scope.pop(name, None)
    return Request(scope, request.receive)


def _one(request: Request, name: str) -> str:
    values = request.headers.getlist(name)
    if len(values) != 1:
        raise RefusedAccess("REQUEST_MALFORMED", f"the proxy must say {name}, once")
    return values[0]


def _allowed(access: GuardedAccess) -> Response:
    headers = {
        ACCESS_HEADER: told(access),
        RECEIPT_HEADER: b64u(access.receipt.file),
        "Cache-Control": "no-store",
    }
    return Response(status_code=200, headers=headers)


def told(access: GuardedAccess) -> str:
    """The value of `Consent-Access`: JSON in ASCII, one line (docs/sidecar.md)."""
    start, end = access.window
    said = {
        "v": VERSION,
        "entry": access.receipt.index,
        "recipient": access.recipient,
        "consent_id": access.consent_id,
        "accounts": dict(access.accounts),
        "permissions": list(access.permissions),
        "purpose": access.purpose,
        "customer_present": access.customer_present,
        "from": start,
        "to": end,
        "directions": list(access.directions),
        "masks": list(access.masks),
        "filters": [{"field": one.field, "op": one.op, "value": one.value} for one in access.filters],
        "keep_until": access.keep_until,
    }
    if access.operation is not None:
        said |= access.operation.told_to(access.masks)
    return re.sub(r"[^\x20-\x7e]", _escaped, orjson.dumps(said).decode())


def _escaped(character: re.Match[str]) -> str:
    """JSON's own spelling of a character in ASCII (RFC 8259 §7)."""
    units = character[0].encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _is_parameter(segment: str) -> bool:
    return segment.startswith("{") and segment.endswith("}")


def _is_plain(segment: str) -> bool:
    return SEGMENT.fullmatch(segment) is not None and segment.strip(".") != ""


__all__ = ["ACCESS_HEADER", "MEDIA_TYPE", "REFUSAL_HEADER", "GuardedRoute", "Sidecar", "sidecar_app", "told"]
