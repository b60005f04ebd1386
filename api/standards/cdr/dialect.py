"""How the Consumer Data Right says no: `ResponseErrorListV2` with its URNs; OAuth's own errors at OAuth's endpoints."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.problems import problem_headers, problem_of
from api.refusals import HttpRefusal
from api.standards.dialects import Refusal
from api.wire import Reply
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
OF_REASON: Final = {
    "ACCOUNT_APPROVAL_PENDING": _BANKING + "Authorisation/UnavailableBankingAccount",
    "ACCOUNT_APPROVAL_WITHDRAWN": _BANKING + "Authorisation/UnavailableBankingAccount",
    "ACCOUNT_BLOCKED": _BANKING + "Authorisation/UnavailableBankingAccount",
    "ACCOUNT_CLOSED": _BANKING + "Authorisation/InvalidBankingAccount",
    "ACCOUNT_NOT_IN_CONSENT": _BANKING + "Authorisation/InvalidBankingAccount",
    "CONSENT_CONSUMED": _ALL + "Authorisation/RevokedConsent",
    "CONSENT_EXPIRED": _ALL + "Authorisation/RevokedConsent",
    "CONSENT_NOT_YOURS": _ALL + "Authorisation/InvalidArrangement",
    "CONSENT_REVOKED": _ALL + "Authorisation/RevokedConsent",
    "CONSENT_SUPERSEDED": _ALL + "Authorisation/RevokedConsent",
    "CONSENT_TERMINATED": _ALL + "Authorisation/RevokedConsent",
    "CONSENT_UNKNOWN": _ALL + "Authorisation/InvalidArrangement",
    "PARTICIPANT_SUSPENDED": _ALL + "Authorisation/AdrStatusNotActive",
    "SOFTWARE_INACTIVE": _ALL + "Authorisation/AdrStatusNotActive",
    "SOFTWARE_REMOVED": _ALL + "Authorisation/AdrStatusNotActive",
}
"""A denial's first reason in this standard's words, for a holder's data interface; any other is an invalid consent."""
_BY_SLUG: Final = {
    "no-such-route": _ALL + "Resource/NotFound", "not-found": _ALL + "Resource/NotFound",
    "unavailable": _ALL + "Service/Unavailable", "queue-full": _ALL + "Service/Unavailable",
    "sequencer-stopped": _ALL + "Service/Unavailable", "overloaded": _ALL + "Service/Unavailable",
    "bad-request": _ALL + "Field/Invalid",
}  # fmt: skip


def code_of_reason(reason: str) -> str:
    """The URN for a denial's reason."""
    return OF_REASON.get(reason, _ALL + "Authorisation/InvalidConsent")


def refused(status: int, name: str, detail: str) -> Refusal:
    """A refusal with one of `cds-all`'s codes, such as `Header/Missing`."""
    return Refusal(status, _ALL + name, detail)


def invalid_arrangement(arrangement: str) -> Refusal:
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
        body: dict[str, Any]
        if isinstance(error, Refusal):
            status = error.status
            body = {"errors": [_one(error.code, error.detail)]}
        elif oauth is not None or request.url.path.endswith("/par"):
            status = {403: 400, 404: 400, 409: 400}.get(status, status)
            code = oauth or ("temporarily_unavailable" if status == 503 else "invalid_request")
            body = {"error": code, "error_description": _plain(error.detail if status < 500 else problem.meaning)}
        else:
            general = "GeneralError/Unexpected" if status >= 500 else "GeneralError/Expected"
            code = _BY_SLUG.get(problem.slug, _ALL + general)
            body = {"errors": [_one(code, error.detail if status < 500 else problem.meaning)]}
        headers = (*problem_headers(error).items(), ("cache-control", "no-store"))
        return Reply(status, msgspec.json.encode(body), headers=headers).response()


def _one(code: str, detail: str) -> dict[str, Any]:
    return {"code": code, "title": TITLES.get(code, "Expected Error Encountered"), "detail": detail, "meta": {}}


def _plain(text: str) -> str:
    """The characters that RFC 6749 §5.2 lets `error_description` hold."""
    return "".join(sign if " " <= sign <= "~" and sign not in '"\\' else "'" for sign in text)
