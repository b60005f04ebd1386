"""Refusals in the Account Aggregator's form: ErrorResponse, with the transaction's own id, signed like every answer."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.http.problems import problem_headers, problem_of
from api.http.wire import Reply
from api.node.node import Node
from api.standards.detached import SIGNATURE_HEADER
from api.standards.dialects import HOLDER, DialectRefusal
from api.standards.india.requests import aa_time
from api.standards.india.signatures import sign_body
from api.standards.india.versions import SERIES, series_at
from api.standards.words import words
from ledger.errors import LedgerError

TXN: Final = "consent_ledger.aa.txnid"
_HERE: Final = {"Consent/fetch": "InvalidConsentId", "Consent/handle": "InvalidConsentHandle"}
"""The name of an unknown id, by operation."""


def answer(request: Request, status: int, body: dict[str, Any]) -> Response:
    """An answer, signed by the gateway."""
    node: Node = request.app.state.node
    data = msgspec.json.encode(body)
    headers = [("cache-control", "no-store")]
    if node.office is not None:
        options = node.office.gateway.options(request.path_params.get("holder", ""))
        headers.append((SIGNATURE_HEADER, sign_body(node.office.gateway, options, data)))
    return Reply(status, data, headers=tuple(headers)).response()


class IndiaDialect:
    """See `Dialect`."""

    place: Final = re.compile(HOLDER + f"({'|'.join(one.base for one in SERIES)})" + r"(/|\Z)")

    def refusal(self, error: LedgerError, request: Request) -> Response:
        """The specification's code where it has one for what happened at this operation."""
        problem = problem_of(error)
        series = series_at(request.url.path)
        operation = request.url.path.partition(series.base + "/")[2]
        if series.by_address and request.method == "GET":
            operation = "Consent/handle" if operation.startswith("Consent/handle") else "Consent/fetch"
        told = words("india").problems[problem.slug]
        status, code = (error.status, error.code) if isinstance(error, DialectRefusal) else (told.status, told.code)
        if problem.slug == "not-found":
            code = _HERE.get(operation, "InvalidRequest")
        txnid = request.scope.get(TXN) or str(uuid.uuid4())
        said = {
            "ver": series.numbers[-1],
            "txnid": txnid,
            "timestamp": aa_time(time.time_ns() // 1_000_000),
            "errorCode": code,
            "errorMsg": problem.meaning if status >= 500 else error.detail,
        }
        made = answer(request, status, said)
        for name, value in problem_headers(error).items():
            made.headers[name] = value
        return made
