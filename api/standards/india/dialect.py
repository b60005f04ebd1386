"""How the Account Aggregator says no: ErrorResponse, with the transaction's own id, signed like every answer."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.bootstrap import Node
from api.problems import problem_headers, problem_of
from api.standards.dialects import HOLDER, Refusal
from api.standards.india.details import VERSIONS, aa_time
from api.standards.india.signatures import HEADER, detached
from api.wire import Reply
from ledger.errors import LedgerError

BASE: Final = "/aa/v2"
TXN: Final = "consent_ledger.aa.txnid"
_CODES: Final = {
    400: "InvalidRequest", 401: "Unauthorized", 404: "NoSuchVersion", 409: "IdempotencyError", 412: "PreconditionFailed",
    500: "InternalError", 501: "NotImplemented", 503: "ServiceUnavailable",
}  # fmt: skip
_STATUS: Final = {403: 401, 405: 400, 406: 400, 413: 400, 415: 400, 429: 503}
"""HTTP statuses that the specification does not have for these messages, and the ones it has instead."""
_HERE: Final = {"Consent/fetch": "InvalidConsentId", "Consent/handle": "InvalidConsentHandle"}
"""What an id that leads nowhere is called, by operation."""


def answer(request: Request, status: int, body: dict[str, Any]) -> Response:
    """An answer, signed by the gateway."""
    node: Node = request.app.state.node
    data = msgspec.json.encode(body)
    headers = [("cache-control", "no-store")]
    if node.office is not None:
        headers.append((HEADER, detached(node.office.gateway.messages, data)))
    return Reply(status, data, headers=tuple(headers)).response()


class IndiaDialect:
    """See `Dialect`."""

    place: Final = re.compile(HOLDER + BASE + r"(/|\Z)")

    def refusal(self, error: LedgerError, request: Request) -> Response:
        """The specification's code where it has one for what happened at this operation."""
        problem = problem_of(error)
        operation = request.url.path.partition(BASE + "/")[2]
        if isinstance(error, Refusal):
            status, code = error.status, error.code
        else:
            status = _STATUS.get(problem.status, problem.status)
            code = _CODES.get(status, "InvalidRequest")
            if problem.slug == "not-found":
                status, code = 400, _HERE.get(operation, "InvalidRequest")
            elif problem.slug in ("illegal-transition", "refused"):
                status, code = 400, "InvalidRequest"
        txnid = request.scope.get(TXN) or str(uuid.uuid4())
        said = {
            "ver": VERSIONS[-1], "txnid": txnid, "timestamp": aa_time(time.time_ns() // 1_000_000), "errorCode": code,
            "errorMsg": problem.meaning if status >= 500 else error.detail,
        }  # fmt: skip
        made = answer(request, status, said)
        for name, value in problem_headers(error).items():
            made.headers[name] = value
        return made
