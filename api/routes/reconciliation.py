"""What reconciliation found: for the parties it concerns, and the regulator (docs/spec/reconciliation.md)."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Query
from msgspec import Struct
from starlette.responses import Response

from api.http.describing import answer
from api.http.wire import Reply
from api.node.admission import CallerHere, NodeHere, serve, token

router = APIRouter()
READ: Final = token("reconciliation:read")
PAGE: Final = 500


class FindingReply(Struct, frozen=True):
    """One thing that does not fit about an access."""

    access: int
    """Index of the access's decision."""
    finding: str
    """`release-missing`, `receipt-missing`, `rows-differ`, `bytes-differ`, `digest-differ` or `mask-skipped`."""
    report: int
    """Index of the report that says so."""
    closed_by: int | None
    """Index of the leg that came after all; null while the finding is open."""


class FindingsReply(Struct, frozen=True):
    """A page of findings."""

    findings: list[FindingReply]


@serve(
    router,
    "GET",
    "/reconciliation",
    access=READ,
    tag="reconciliation",
    summary="Differences between the legs of accesses",
    answers={200: answer("A page, in order of the accesses; the header `Link` leads to the next", schema="Findings")},
    problems=("bad-request",),
)
def get_reconciliation(
    node: NodeHere,
    caller: CallerHere,
    *,
    open: Annotated[bool, Query(description="Only what has not been made good")] = False,  # noqa: A002  (its name in addresses)
    after: Annotated[int, Query(ge=-1, le=2**53 - 1, description="Continue after this key, from the `next` link")] = -1,
    limit: Annotated[int, Query(ge=1, le=PAGE, description="Findings of a page")] = 100,
) -> Response:
    """Holders and recipients see findings about consents of theirs, a regulator all that it is there for. Indexes and codes
    only: what an access was about is in its receipt, for its parties."""
    supervises = "regulator" in node.ledger.registry.participant(caller.id).roles
    viewer = node.remit_of(caller.id) if supervises else caller.id
    found = node.ledger.reconciliation.findings(viewer, open_only=open, after=after, limit=limit)
    reply = FindingsReply([FindingReply(one.access, one.code, one.report, one.closed_by) for one in found])
    headers: tuple[tuple[str, str], ...] = (("cache-control", "no-store"),)
    if len(found) == limit:
        query: dict[str, Any] = {"after": found[-1].key, "limit": limit} | ({"open": "true"} if open else {})
        headers = (("link", f'</reconciliation?{urlencode(query)}>; rel="next"'), *headers)
    return Reply(200, msgspec.json.encode(reply), headers=headers).response()
