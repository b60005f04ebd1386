"""Refusals in NextGenPSD2's form: `tppMessages`, with the codes of the framework."""

from __future__ import annotations

import re
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.http.problems import problem_headers, problem_of
from api.http.refusals import Unauthenticated
from api.standards.dialects import HOLDER, DialectRefusal
from api.standards.forms import is_uuid
from api.standards.words import words
from ledger.errors import LedgerError

REQUEST_ID: Final = "x-request-id"
WITHOUT_BODY: Final = frozenset({408, 415, 500, 503})
"""Statuses for which the framework defines no message."""
PLACE: Final = re.compile(rf"{HOLDER}/v[12]/")


CERTIFICATE: Final[dict[str, str]] = {
    "missing": "CERTIFICATE_MISSING",
    "invalid": "CERTIFICATE_INVALID",
    "expired": "CERTIFICATE_EXPIRED",
    "revoked": "CERTIFICATE_REVOKE",
    "blocked": "CERTIFICATE_BLOCKED",
}
"""What is wrong with a certificate that stands for a token."""


class TppMessage(DialectRefusal):
    """An error message of the framework. `path` is a JSON path, or the name of a header."""

    def __init__(self, status: int, code: str, text: str, path: str | None = None) -> None:
        super().__init__(status, code, text, member=path)


def format_error(text: str, path: str | None = None) -> TppMessage:
    """Malformed input."""
    return TppMessage(400, "FORMAT_ERROR", text, path)


def consent_unknown() -> TppMessage:
    """The same answer for a consent that does not exist and for another's."""
    return TppMessage(403, "CONSENT_UNKNOWN", "you have no such consent with this account provider", "consentId")


class BerlinDialect:
    """See Dialect."""

    place = PLACE

    def refusal(self, error: LedgerError, request: Request) -> Response:
        """See Dialect."""
        if isinstance(error, DialectRefusal):
            status, code = error.status, error.code
        elif isinstance(error, Unauthenticated) and error.fault:
            status, code = 401, CERTIFICATE[error.fault]
        else:
            told = words("berlin").problems[problem_of(error).slug]
            status, code = told.status, told.code
        headers = {**problem_headers(error), **echoed(request), "cache-control": "no-store"}
        if status in WITHOUT_BODY:
            return Response(status_code=status, headers=headers)
        message = {"category": "ERROR", "code": code, "text": error.detail[:500]}
        if error.member is not None:
            message["path"] = error.member
        body = msgspec.json.encode({"tppMessages": [message]})
        return Response(body, status, headers, media_type="application/json")


def echoed(request: Request) -> dict[str, str]:
    """The request's id, where it had one."""
    said = request.headers.get(REQUEST_ID)
    return {REQUEST_ID: said} if said is not None and is_uuid(said) else {}
