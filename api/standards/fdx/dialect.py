"""Refusals in this interface's form: a code, a message, and the member that is wrong."""

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

BASE: Final = "/fdx/v6"


def fdx_refusal(status: int, code: str, message: str, member: str | None = None) -> DialectRefusal:
    """A refusal of this interface's own."""
    return DialectRefusal(status, code, message, member=member)


class FdxDialect:
    """See `Dialect`."""

    place: Final = re.compile(HOLDER + BASE + r"(/|\Z)")

    def refusal(self, error: LedgerError, request: Request) -> Response:
        """See `Dialect`."""
        del request
        problem = problem_of(error)
        told = words("fdx").problems[problem.slug]
        status, code = (error.status, error.code) if isinstance(error, DialectRefusal) else (told.status, told.code)
        said = {"code": code, "message": problem.meaning if status >= 500 else error.detail}
        if error.member is not None:
            said["debugMessage"] = error.member
        headers = (*problem_headers(error).items(), ("cache-control", "no-store"))
        return Reply(status, msgspec.json.encode(said), headers=headers).response()
