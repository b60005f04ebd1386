"""Refusals and answers in this standard's frame: code, Chinese message, request number, time; signed by the gateway."""

from __future__ import annotations

import re
import time
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.http.problems import problem_headers, problem_of
from api.http.wire import Reply
from api.node.node import Node
from api.standards.china.answers import said
from api.standards.china.envelope import sealed_body
from api.standards.detached import SIGNATURE_HEADER, detached
from api.standards.dialects import HOLDER, DialectRefusal
from api.standards.words import words
from ledger.errors import LedgerError

BASE: Final = "/jrt/v1"
NUMBER: Final = "consent_ledger.china.request_no"
SEALED: Final = "consent_ledger.china.sm4_key"
"""The key of a request that came encrypted: its answer goes back encrypted."""


def answer(request: Request, status: int, body: dict[str, Any]) -> Response:
    """An answer: encrypted if the request was, and signed as it goes out."""
    node: Node = request.app.state.node
    data = msgspec.json.encode(body)
    key = request.scope.get(SEALED)
    if key is not None:
        data = sealed_body(data, key, f"{request.method} {request.url.path}")
    headers = [("cache-control", "no-store")]
    if node.office is not None:
        headers.append((SIGNATURE_HEADER, detached(node.office.gateway.messages, data)))
    return Reply(status, data, headers=tuple(headers)).response()


class ChinaDialect:
    """See `Dialect`."""

    place: Final = re.compile(HOLDER + BASE + r"(/|\Z)")

    def refusal(self, error: LedgerError, request: Request) -> Response:
        """The code for what happened, its message in Chinese, and what was refused."""
        problem = problem_of(error)
        told = words("china").problems[problem.slug]
        status, code = (error.status, error.code) if isinstance(error, DialectRefusal) else (told.status, told.code)
        number = str(request.scope.get(NUMBER, ""))
        more = {"detail": problem.meaning if status >= 500 else error.detail}
        member = getattr(error, "member", None)
        if member:
            more["member"] = str(member)
        made = answer(request, status, said(code, number, int(time.time()), **more))
        for name, value in problem_headers(error).items():
            made.headers[name] = value
        return made
