"""Refusals of the dashboard: a code, and what was refused."""

from __future__ import annotations

import re
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.http.problems import problem_headers, problem_of
from api.http.wire import Reply
from api.standards.dialects import HOLDER, DialectRefusal
from api.standards.words import words
from ledger.errors import LedgerError

BASE: Final = "/psr/v1"


def psr_refusal(status: int, code: str, detail: str, member: str | None = None) -> DialectRefusal:
    """A refusal of the dashboard's own."""
    return DialectRefusal(status, code, detail, member=member)


class PsrDialect:
    """See `Dialect`."""

    place: Final = re.compile(HOLDER + BASE + r"(/|\Z)")

    def refusal(self, error: LedgerError, request: Request) -> Response:
        """See `Dialect`."""
        del request
        problem = problem_of(error)
        told = words("psr").problems[problem.slug]
        status, code = (error.status, error.code) if isinstance(error, DialectRefusal) else (told.status, told.code)
        said = {"code": code, "detail": problem.meaning if status >= 500 else error.detail}
        if error.member is not None:
            said["member"] = error.member
        headers = (*problem_headers(error).items(), ("cache-control", "no-store"))
        return Reply(status, msgspec.json.encode(said), headers=headers).response()
