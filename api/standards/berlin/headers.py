"""The headers of NextGenPSD2 that mean something here, read strictly."""

from __future__ import annotations

from typing import Final

from fastapi import Request

from api.standards.berlin.dialect import REQUEST_ID, format_error
from api.standards.forms import is_address, is_uuid, require_json_wanted
from api.tokens.returns import origin_of

ADDRESS: Final = "psu-ip-address"
REDIRECT: Final = "tpp-redirect-uri"
NOK_REDIRECT: Final = "tpp-nok-redirect-uri"
EXPLICIT: Final = "tpp-explicit-authorisation-preferred"
_BOOLEANS: Final = ("tpp-redirect-preferred", "tpp-decoupled-preferred", EXPLICIT)


async def check_headers(request: Request) -> None:
    """Raises Message (FORMAT_ERROR) for headers that are missing or not of their form, NotAcceptable."""
    headers = request.headers
    if not is_uuid(headers.get(REQUEST_ID, "")):
        raise format_error("X-Request-ID is needed, and must be a UUID", "X-Request-ID")
    if ADDRESS in headers and not is_address(headers[ADDRESS]):
        raise format_error("PSU-IP-Address must be an IP address", "PSU-IP-Address")
    if "psu-device-id" in headers and not is_uuid(headers["psu-device-id"]):
        raise format_error("PSU-Device-ID must be a UUID", "PSU-Device-ID")
    for name in _BOOLEANS:
        if headers.get(name, "true").lower() not in ("true", "false"):
            raise format_error(f"{name} must be true or false", name)
    for name in (REDIRECT, NOK_REDIRECT):
        if name in headers and origin_of(headers[name]) is None:
            raise format_error("must be an https address without user or fragment", name)
    require_json_wanted(request)
