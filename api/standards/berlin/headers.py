"""The headers of NextGenPSD2 and of openFinance 2 that mean something here, read strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from fastapi import Request

from api.standards.berlin.dialect import REQUEST_ID, format_error
from api.standards.dialects import HOLDER
from api.standards.forms import is_address, is_uuid, require_json_wanted
from api.tokens.returns import origin_of

ADDRESS: Final = "psu-ip-address"


@dataclass(frozen=True, slots=True)
class VersionHeaders:
    """A version's names, and where its consents are below a holder's address."""

    version: str
    consents: str
    redirect: str
    nok_redirect: str
    explicit: str
    booleans: tuple[str, ...]


ONE: Final = VersionHeaders(
    version="1.3",
    consents="/v1/consents",
    redirect="tpp-redirect-uri",
    nok_redirect="tpp-nok-redirect-uri",
    explicit="tpp-explicit-authorisation-preferred",
    booleans=("tpp-redirect-preferred", "tpp-decoupled-preferred"),
)
TWO: Final = VersionHeaders(
    version="2",
    consents="/v2/consents/account-access",
    redirect="client-redirect-uri",
    nok_redirect="client-nok-redirect-uri",
    explicit="client-explicit-authorisation-preferred",
    booleans=(),
)
_TWO: Final = re.compile(rf"{HOLDER}/v2/")


def version_of(request: Request) -> VersionHeaders:
    """The version that an address is of."""
    return TWO if _TWO.match(request.url.path) else ONE


async def check_headers(request: Request) -> None:
    """Raises Message (FORMAT_ERROR) for headers that are missing or not of their form, NotAcceptable."""
    headers, names = request.headers, version_of(request)
    if not is_uuid(headers.get(REQUEST_ID, "")):
        raise format_error("X-Request-ID is needed, and must be a UUID", "X-Request-ID")
    if ADDRESS in headers and not is_address(headers[ADDRESS]):
        raise format_error("PSU-IP-Address must be an IP address", "PSU-IP-Address")
    if "psu-device-id" in headers and not is_uuid(headers["psu-device-id"]):
        raise format_error("PSU-Device-ID must be a UUID", "PSU-Device-ID")
    for name in (*names.booleans, names.explicit):
        if headers.get(name, "true").lower() not in ("true", "false"):
            raise format_error(f"{name} must be true or false", name)
    for name in (names.redirect, names.nok_redirect):
        if name in headers and origin_of(headers[name]) is None:
            raise format_error("must be an https address without user or fragment", name)
    require_json_wanted(request)
