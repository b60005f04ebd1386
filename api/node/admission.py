"""Access to routes. Every route declares it once, with `serve(access=…)`; a test fails for a route that does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Request
from typing_extensions import override

from api.http.limiting import RateLimits
from api.http.wire import Scope, header, visit_of
from api.node.node import Node
from api.tokens import monitors
from api.tokens.bearer import Caller, TokenGuard
from api.tokens.certified import CertifiedCallers
from api.tokens.monitors import Monitors


@dataclass(frozen=True, slots=True)
class Access:
    """What a caller needs for a route."""

    kind: str
    """`public`, `statement` (the signed statement authenticates itself), `client` (a token request), `signed` (the route checks
    a signature over the whole request), or `token`."""
    scope: str = ""
    """For `token`: the scope it must have."""
    key_headers: tuple[str, ...] = ()
    """For `token`: the headers in which a standard's own clients bring it, which send no `Authorization`; the first that says
    anything counts."""
    certificate_option: str = ""
    """For `token`: the option by which a holder decides that, in place of a token, the client certificate alone will do."""

    @override
    def __str__(self) -> str:
        return f"{self.kind}:{self.scope}" if self.scope else self.kind


PUBLIC: Final = Access("public")
STATEMENT: Final = Access("statement")
CLIENT: Final = Access("client")
SIGNED: Final = Access("signed")


def token(scope: str, *key_headers: str) -> Access:
    """A token with this scope is needed."""
    return Access("token", scope, key_headers)


METRICS: Final = token("metrics:read")
LEAVES: Final = token(monitors.SCOPE)


class Doorkeeper:
    """Enforces `Access` for fast routes and framework routes alike."""

    def __init__(
        self,
        guard: TokenGuard,
        limits: RateLimits,
        *,
        metrics_open: bool,
        monitors: Monitors | None = None,
        certified: CertifiedCallers | None = None,
        option: Callable[[str, str], str] = lambda _holder, _name: "",
    ) -> None:
        """`option`: what a holder has decided, by the option's name."""
        self._guard = guard
        self._certified = certified
        self._option = option
        self._monitors = monitors or Monitors({})
        self._limits = limits
        self._open = {METRICS} if metrics_open else set()

    async def admit(self, access: Access, scope: Scope) -> Caller | None:
        """The caller, where a token is needed. Raises Unauthenticated, InsufficientScope, RateLimited."""
        match "public" if access in self._open else access.kind:
            case "statement":
                return None
            case "public" | "signed":
                self._limits.read(_network_address(scope))
                return None
            case "client":
                self._limits.token(_network_address(scope))
                return None
            case _:
                caller = await self._known(access, scope)
                self._limits.read(caller.id)
                return caller

    async def _known(self, access: Access, scope: Scope) -> Caller:
        known = self._monitors.caller(scope) if access == LEAVES else None
        if known is not None:
            return known
        if self._certified is not None and self._is_certificate_enough(access, scope):
            return await asyncio.to_thread(self._certified.caller, scope, access.scope)
        return await self._guard.caller(scope, access.scope, access.key_headers)

    def _is_certificate_enough(self, access: Access, scope: Scope) -> bool:
        """Never beside a token: who brings one is judged by it."""
        if not access.certificate_option or header(scope, b"authorization") is not None:
            return False
        holder = scope.get("path_params", {}).get("holder", "")
        return self._option(holder, access.certificate_option) == "certificate"


def _network_address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def _node_of(request: Request) -> Node:
    node = request.app.state.node
    assert isinstance(node, Node)  # noqa: S101  (put there by create_app)
    return node


def _caller_of(request: Request) -> Caller:
    caller = request.scope["consent_ledger.caller"]
    assert isinstance(caller, Caller)  # noqa: S101  (put there by the route's own access)
    return caller


NodeHere = Annotated[Node, Depends(_node_of)]
CallerHere = Annotated[Caller, Depends(_caller_of)]

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def serve(
    router: APIRouter,
    method: str,
    path: str,
    *,
    access: Access,
    tag: str,
    summary: str,
    answers: dict[int | str, dict[str, Any]] | None = None,
    problems: tuple[str, ...] = (),
    request_body: dict[str, Any] | None = None,
    parameters: list[dict[str, Any]] | None = None,
    description: str | None = None,
    operation_id: str | None = None,
) -> Callable[[Endpoint], Endpoint]:
    """Register an endpoint with its access and documentation. `problems` are slugs; those of the access are added."""

    async def admit(request: Request) -> None:
        visit_of(request.scope).route = path
        keeper = request.app.state.doorkeeper
        request.scope["consent_ledger.caller"] = await keeper.admit(access, request.scope)

    def register(endpoint: Endpoint) -> Endpoint:
        extra: dict[str, Any] = {"x-access": str(access), "x-problems": list(problems)}
        if request_body is not None:
            extra["requestBody"] = request_body
        if parameters is not None:
            extra["parameters"] = parameters
        router.add_api_route(
            path,
            endpoint,
            methods=[method],
            dependencies=[Depends(admit)],
            tags=[tag],
            summary=summary,
            description=description or endpoint.__doc__,
            operation_id=operation_id or endpoint.__name__,
            responses=answers or {},
            response_model=None,
            openapi_extra=extra,
        )
        return endpoint

    return register
