"""For those who run the ledger: health, figures, pages about problems."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.http.describing import TEXT, answer
from api.http.problems import BY_SLUG
from api.http.reference import CSP
from api.http.refusals import NoSuchRoute
from api.http.wire import Reply
from api.node.admission import METRICS, PUBLIC, NodeHere, serve
from api.node.metrics import MEDIA_TYPE, Metrics
from ledger.errors import ClockAhead, SequencerStopped, Unavailable

router = APIRouter()


@serve(
    router,
    "GET",
    "/health/live",
    access=PUBLIC,
    tag="operations",
    summary="Whether the process answers",
    answers={200: answer("It does", example={"status": "live"})},
)
async def get_live() -> Response:
    """For supervisors: if this fails, start the process anew."""
    return Reply(200, b'{"status":"live"}').response()


@serve(
    router,
    "GET",
    "/health/ready",
    access=PUBLIC,
    tag="operations",
    summary="Whether the node records",
    answers={200: answer("It does", example={"status": "ready"})},
    problems=("sequencer-stopped", "clock-ahead", "unavailable"),
)
async def get_ready(node: NodeHere) -> Response:
    """For load balancers: 200 when a commit, or a look at the database in its place, has come to its end in the last seconds;
    503 with the reason when the sequencer has stopped, or pauses, or would not record: the database or the key store does not
    answer, the disk is full, a standby is away. Costs nothing: the node has looked already."""
    if (stopped := node.ledger.stopped_because) is not None:
        raise SequencerStopped(stopped)
    if (paused := node.ledger.paused_because) is not None:
        raise ClockAhead(paused)
    if (reason := node.ledger.unready_because) is not None:
        raise Unavailable(reason)
    return Reply(200, b'{"status":"ready"}').response()


@serve(
    router,
    "GET",
    "/metrics",
    access=METRICS,
    tag="operations",
    summary="Figures for Prometheus",
    answers={200: answer("Prometheus text exposition", TEXT)},
)
def get_metrics(request: Request) -> Response:
    """Of all processes of this node. No ids of persons and no personal data."""
    metrics = request.app.state.metrics
    assert isinstance(metrics, Metrics)  # noqa: S101  (put there by create_app)
    return Response(metrics.text(), media_type=MEDIA_TYPE)


@serve(
    router,
    "GET",
    "/errors/{slug}",
    access=PUBLIC,
    tag="operations",
    summary="What a type of problem means",
    answers={200: answer("A page in Markdown", "text/markdown")},
    problems=("no-such-route",),
)
async def get_error_page(slug: str) -> Response:
    """Where the `type` of a problem leads."""
    problem = BY_SLUG.get(slug)
    if problem is None:
        raise NoSuchRoute("there is no such type of problem")
    return Response(problem.page(), media_type="text/markdown; charset=utf-8")


@serve(
    router,
    "GET",
    "/openapi.json",
    access=PUBLIC,
    tag="operations",
    summary="This description",
    answers={200: answer("OpenAPI 3.1")},
)
async def get_openapi_document(request: Request) -> Response:
    """Every route, for machines."""
    return Reply(200, request.app.state.documentation.json).response()


@serve(
    router,
    "GET",
    "/docs",
    access=PUBLIC,
    tag="operations",
    summary="This description, as a page",
    answers={200: answer("A page that needs no script", "text/html")},
)
async def get_reference(request: Request) -> Response:
    """Every route, for people."""
    headers = {"content-security-policy": CSP}
    return Response(request.app.state.documentation.page, media_type="text/html; charset=utf-8", headers=headers)
