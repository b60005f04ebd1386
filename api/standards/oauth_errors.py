"""OAuth's own errors, which other standards speak too at their OAuth endpoints (RFC 6749 §5.2, RFC 9126 §2.3)."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from api.http.problems import problem_headers, problem_of
from api.http.refusals import HttpRefusal
from api.http.wire import Reply
from api.standards.words import words
from ledger.errors import LedgerError


def oauth_refusal(error: LedgerError) -> Response:
    """The answer of an OAuth endpoint."""
    problem = problem_of(error)
    told = words("oauth").problems[problem.slug]
    status, named = told.status, error.error if isinstance(error, HttpRefusal) else None
    said = problem.meaning if status >= 500 else error.detail
    body = {"error": named or told.code, "error_description": _plain(said)}
    headers = (*problem_headers(error).items(), ("cache-control", "no-store"))
    return Reply(status, msgspec.json.encode(body), headers=headers).response()


def _plain(text: str) -> str:
    """The characters that RFC 6749 §5.2 lets `error_description` hold."""
    return "".join(sign if " " <= sign <= "~" and sign not in '"\\' else "'" for sign in text)
