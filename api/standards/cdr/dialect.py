"""Refusals in the Consumer Data Right's form: `ResponseErrorListV2` with its URNs; OAuth's own errors at OAuth's
endpoints."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.http.problems import problem_headers, problem_of
from api.http.refusals import HttpRefusal
from api.http.wire import Reply
from api.standards.dialects import DialectRefusal
from api.standards.oauth_errors import oauth_refusal
from api.standards.words import words
from ledger.errors import LedgerError

BASE: Final = "/cdr"
_ALL: Final = "urn:au-cds:error:cds-all:"
_BANKING: Final = "urn:au-cds:error:cds-banking:"
TITLES: Final = {
    _ALL + "Authorisation/AdrStatusNotActive": "ADR Status Is Not Active",
    _ALL + "Authorisation/InvalidArrangement": "Invalid Consent Arrangement",
    _ALL + "Authorisation/InvalidConsent": "Consent Is Invalid",
    _ALL + "Authorisation/RevokedConsent": "Consent Is Revoked",
    _ALL + "Field/Invalid": "Invalid Field",
    _ALL + "Field/Missing": "Missing Required Field",
    _ALL + "GeneralError/Expected": "Expected Error Encountered",
    _ALL + "GeneralError/Unexpected": "Unexpected Error Encountered",
    _ALL + "Header/InvalidVersion": "Invalid Version",
    _ALL + "Header/Missing": "Missing Required Header",
    _ALL + "Header/UnsupportedVersion": "Unsupported Version",
    _ALL + "Resource/NotFound": "Resource Not Found",
    _ALL + "Service/Unavailable": "Service Unavailable",
    _BANKING + "Authorisation/InvalidBankingAccount": "Invalid Banking Account",
    _BANKING + "Authorisation/UnavailableBankingAccount": "Unavailable Banking Account",
}
"""Code to its title, which is constant (errors.md)."""


def refused(status: int, name: str, detail: str) -> DialectRefusal:
    """A refusal with one of `cds-all`'s codes, such as `Header/Missing`."""
    return DialectRefusal(status, _ALL + name, detail)


def invalid_arrangement(arrangement: str) -> DialectRefusal:
    """422: unknown, another's, or ended already: they are told in the same way. The detail is the id, as the standard says."""
    return refused(422, "Authorisation/InvalidArrangement", arrangement[:128])


class CdrDialect:
    """See `Dialect`."""

    place: Final = re.compile(r"/(holders|recipients)/[^/]+" + BASE + r"(/|\Z)")

    def refusal(self, error: LedgerError, request: Request) -> Response:
        """By the address: `/par` and the client's authentication are OAuth's."""
        problem = problem_of(error)
        oauth = error.error if isinstance(error, HttpRefusal) else None
        status = problem.status
        if isinstance(error, DialectRefusal):
            status, body = error.status, {"errors": [_one(error.code, error.detail)]}
        elif oauth is not None or request.url.path.endswith("/par"):
            return oauth_refusal(error)
        else:
            told = words("cdr").problems[problem.slug]
            status, code = told.status, told.code or _ALL + "GeneralError/Expected"
            body = {"errors": [_one(code, error.detail if status < 500 else problem.meaning)]}
        headers = (*problem_headers(error).items(), ("cache-control", "no-store"))
        return Reply(status, msgspec.json.encode(body), headers=headers).response()


def _one(code: str, detail: str) -> dict[str, Any]:
    return {"code": code, "title": TITLES.get(code, "Expected Error Encountered"), "detail": detail, "meta": {}}
