"""Refusals in the UK standard's form: OBErrorResponse1, with codes in v4 and names in v3."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import Struct, field
from starlette.requests import Request
from starlette.responses import Response

from api.http.problems import problem_headers, problem_of
from api.http.wire import visit_of
from api.standards.dialects import HOLDER, DialectRefusal
from api.standards.forms import is_uuid
from api.standards.words import words
from ledger.errors import LedgerError

V4: Final = "v4.0"
V3: Final = "v3.1"
INTERACTION: Final = "x-fapi-interaction-id"
MEDIA_TYPE: Final = "application/json; charset=utf-8"
WITHOUT_BODY: Final = frozenset({401, 404, 405, 406, 415, 429})
"""Statuses for which the standard defines no body."""
PLACE: Final = re.compile(rf"{HOLDER}/open-banking/(v4\.0|v3\.1)(/|$)")

NAMES: Final = {
    "U000": "UK.OBIE.UnexpectedError",
    "U001": "UK.OBIE.Field.Expected",
    "U002": "UK.OBIE.Field.Invalid",
    "U003": "UK.OBIE.Field.InvalidDate",
    "U004": "UK.OBIE.Field.Missing",
    "U005": "UK.OBIE.Field.Unexpected",
    "U006": "UK.OBIE.Header.Invalid",
    "U007": "UK.OBIE.Header.Missing",
    "U009": "UK.OBIE.Resource.InvalidConsentStatus",
    "U010": "UK.OBIE.Resource.InvalidFormat",
    "U011": "UK.OBIE.Resource.NotFound",
    "U015": "UK.OBIE.Signature.Invalid",
    "U016": "UK.OBIE.Signature.InvalidClaim",
    "U017": "UK.OBIE.Signature.MissingClaim",
    "U018": "UK.OBIE.Signature.Malformed",
    "U019": "UK.OBIE.Signature.Missing",
    "U024": "UK.OBIE.Unsupported.EventType",
    "U029": "UK.OBIE.Rules.ResourceAlreadyExists",
    "U042": "UK.OBIE.OtherReason",
}
"""Codes that these adapters send, with the names that v3 uses in their place (OB_Internal_Codeset)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. `path` is a JSON path, or the name of a header."""

    code: str
    message: str
    path: str | None = None


class Faults(DialectRefusal):
    """Everything that is wrong with a request, in one answer."""

    def __init__(self, faults: Sequence[Fault], status: int = 400) -> None:
        super().__init__(status, faults[0].code, faults[0].message, member=faults[0].path)
        self.faults = tuple(faults)


class _Error(Struct, frozen=True, omit_defaults=True):
    code: str = field(name="ErrorCode")
    message: str = field(name="Message")
    path: str | None = field(name="Path", default=None)


class _Errors(Struct, frozen=True):
    """OBErrorResponse1."""

    id: str = field(name="Id")
    code: str = field(name="Code")
    message: str = field(name="Message")
    errors: list[_Error] = field(name="Errors")


class UkDialect:
    """See Dialect."""

    place = PLACE

    def refusal(self, error: LedgerError, request: Request) -> Response:
        """See Dialect."""
        if isinstance(error, Faults):
            faults, status = error.faults, error.status
        else:
            told = words("uk").problems[problem_of(error).slug]
            message = "Something went wrong here; tell the operator the Id" if told.status >= 500 else error.detail
            faults, status = (Fault(told.code, message, error.member),), told.status
        headers = {**problem_headers(error), INTERACTION: interaction_of(request), "cache-control": "no-store"}
        if status in WITHOUT_BODY:
            return Response(status_code=status, headers=headers)
        body = _Errors(
            visit_of(request.scope).request_id,
            _CATEGORY.get(status, f"{status} Error"),
            faults[0].message[:500],
            [_Error(self._name(request, one.code), _worded(one), one.path) for one in faults],
        )
        return Response(msgspec.json.encode(body), status, headers, media_type=MEDIA_TYPE)

    def _name(self, request: Request, code: str) -> str:
        return NAMES[code] if version_of(request) == V3 else code


_CATEGORY: Final = {
    400: "400 BadRequest",
    403: "403 Forbidden",
    409: "409 Conflict",
    500: "500 InternalServerError",
    503: "503 ServiceUnavailable",
}


def version_of(request: Request) -> str:
    """`v4.0` or `v3.1`, from the address."""
    found = PLACE.match(request.scope["path"])  # not the URL's path, which drops line breaks
    return found[1] if found else V4


def interaction_of(request: Request) -> str:
    """The interaction id to answer with: the caller's, or this request's own."""
    said = request.headers.get(INTERACTION)
    return said if said is not None and is_uuid(said) else visit_of(request.scope).request_id


def _worded(fault: Fault) -> str:
    return f"{NAMES[fault.code]} - {fault.message}"[:500]
