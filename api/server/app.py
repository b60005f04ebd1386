"""The application: framework routes, fast routes in front of them, one layer around both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.events.figures import EventFigures
from api.http.bodies import Room
from api.http.limiting import RateLimits
from api.http.problems import MEDIA_TYPE as PROBLEM_TYPE
from api.http.problems import problem_of
from api.http.refusals import BadRequest, MethodNotAllowed, NoSuchRoute
from api.http.telemetry import NO_TELEMETRY
from api.http.wire import JSON, App, Receive, Scope, Send, header, problem_reply, visit_of
from api.node.admission import Doorkeeper
from api.node.metrics import Metrics
from api.node.node import Node
from api.node.reconciling import ReconciliationFigures
from api.node.scoring import AlertFigures
from api.node.settings import Settings
from api.office.backchannels import Backchannels
from api.office.begun import Begun
from api.office.rights import Rights
from api.routes import (
    alerts,
    bundles,
    consents,
    delegations,
    events,
    histories,
    joining,
    log,
    operations,
    participants,
    partners,
    receipts,
    reconciliation,
    sets,
    submissions,
    supervision,
    tokens,
    usage,
    witnesses,
)
from api.server.hot import HotRoutes
from api.server.observing import Observed, note_security_event
from api.server.openapi import Documentation
from api.server.readers import ReadsOnlyLayer
from api.server.tracing import RequestTraces
from api.sets.committing import ShardFigures
from api.standards.dialects import Dialect, dialect_for
from api.standards.receipts.routes import router as receipts_for_people
from api.standards.served import STANDARDS
from api.tokens.certified import CertifiedCallers
from api.tokens.monitors import read_monitors
from api.web import mount
from api.web.handover import Handover
from api.web.telling.teller import Teller
from ledger.errors import LedgerError

TOKEN_ENDPOINTS = frozenset({"/introspect", "/revoke", "/token"})
ROUTERS = (
    submissions.router,
    receipts_for_people,
    consents.router,
    receipts.router,
    log.router,
    participants.router,
    events.router,
    bundles.router,
    tokens.router,
    operations.router,
    witnesses.router,
    sets.router,
    reconciliation.router,
    supervision.router,
    alerts.router,
    partners.router,
    usage.router,
    histories.router,
    joining.router,
    delegations.router,
)


def create_app(node: Node, traces: RequestTraces | None = None) -> App:
    """The ASGI application of a node. Its lifespan starts and stops the node; without one, the caller does."""
    return assemble(node, create_framework(node), traces)


def assemble(node: Node, framework: FastAPI, traces: RequestTraces | None = None) -> App:
    """Fast routes and the observing layer around the framework's application."""
    hot: App = HotRoutes(node, framework.state.doorkeeper, framework)
    if node.settings.role == "reader":
        hot = ReadsOnlyLayer(hot, node)
    return Observed(
        hot, framework.state.metrics.http, framework.state.room, base_url=node.settings.base_url, traces=traces
    )


def create_framework(node: Node) -> FastAPI:
    """The framework's application: every route, documented."""
    settings = node.settings

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        node.start()
        _begin_telling(app.state.teller, settings)
        yield
        app.state.teller.stop()
        node.stop()

    app = FastAPI(
        title="Consent ledger",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
    )
    app.state.node = node
    app.state.documentation = Documentation(app, settings.base_url)
    app.state.room = Room(max_requests=settings.max_requests, body_bytes=settings.max_body_bytes)
    app.state.metrics = Metrics(
        node.ledger,
        app.state.room,
        EventFigures(node.events.queries),
        ReconciliationFigures(node.ledger.reconciliation),
        ShardFigures(node.ledger),
        *([AlertFigures(node.alerts)] if node.alerts is not None else []),
    )
    limits = RateLimits(
        tokens_per_minute=settings.token_requests_per_minute, reads_per_minute=settings.reads_per_minute
    )
    app.state.doorkeeper = Doorkeeper(
        node.guard,
        limits,
        metrics_open=settings.metrics_open,
        monitors=read_monitors(settings.monitors_file),
        certified=CertifiedCallers(node.certificates, node.ledger.registry_now),
        option=node.option_of,
    )
    for router in ROUTERS:
        app.include_router(router)

    standards = STANDARDS if node.office is not None else ()
    dialects = [standard.dialect for standard in standards]
    for standard in standards:
        for router in standard.routers:
            app.include_router(router)

    def refuse(request: Request, error: LedgerError) -> Response:
        visit = visit_of(request.scope)
        note_security_event(error, visit, app.state.metrics.http)
        dialect = dialect_for(dialects, request.scope["path"])
        if dialect is not None:
            visit.problem = problem_of(error).slug
            return dialect.refusal(error, request)
        reply = problem_reply(error, visit, settings.base_url)
        if request.scope["path"] in TOKEN_ENDPOINTS and _takes_plain_json(request):
            reply = replace(reply, media_type=JSON)  # RFC 6749 §5.2: stock clients read no other
        return reply.response()

    async def on_refusal(request: Request, error: Exception) -> Response:
        assert isinstance(error, LedgerError)  # noqa: S101  (registered for this class)
        return refuse(request, error)

    async def on_bad_parameters(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101  (registered for this class)
        return refuse(request, _bad_parameters(error))

    async def on_framework_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  (registered for this class)
        return refuse(request, _framework_error(error))

    app.add_exception_handler(LedgerError, on_refusal)
    app.add_exception_handler(RequestValidationError, on_bad_parameters)
    app.add_exception_handler(HTTPException, on_framework_error)
    office = node.office
    handover = (
        None
        if office is None
        else Handover(
            node.flow,
            lambda holder: office.gateway.options(holder).approve_at,
            Begun(office.notes).way_back,
            Backchannels(office.notes).binding,
        )
    )
    rights = None if office is None else Rights.of(office)
    app.state.teller = mount(
        app,
        node.ledger,
        settings,
        clock=node.ledger.clock,
        handover=handover,
        rights=rights,
        endpoints=node.endpoints,
    )
    app.router.default = _standards_first(app.router.default, dialects)
    return app


def _begin_telling(teller: Teller, settings: Settings) -> None:
    """Customers are told of news by the nodes that record it, and not by readers too."""
    if settings.role == "node":
        teller.start()


def _takes_plain_json(request: Request) -> bool:
    """Whether a client asks for JSON and has not heard of problems (RFC 9457)."""
    accepted = header(request.scope, b"accept") or ""
    return JSON in accepted and PROBLEM_TYPE not in accepted


def _standards_first(pages: App, dialects: Iterable[Dialect]) -> App:
    """What is not a route: the pages answer for it, but for addresses of a standard, where it is refused in its dialect."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and dialect_for(dialects, scope["path"]) is not None:
            raise NoSuchRoute("nothing is served at this address")
        await pages(scope, receive, send)

    return answer


def _bad_parameters(error: RequestValidationError) -> LedgerError:
    """The first thing that is wrong, without the value that was sent."""
    first: Any = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    return BadRequest(f"{' '.join(place)}: {first['msg']}", member=place[-1])


def _framework_error(error: HTTPException) -> LedgerError:
    if error.status_code == 404:
        return NoSuchRoute("nothing is served at this address")
    if error.status_code == 405:
        return MethodNotAllowed("not under this method", headers=error.headers)
    return BadRequest(str(error.detail))
