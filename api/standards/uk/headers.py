"""The headers of the UK's API that mean something here, read strictly."""

from __future__ import annotations

import re
from typing import Final

from fastapi import Request

from api.standards.forms import is_address, is_uuid, require_json_wanted
from api.standards.uk.dialect import INTERACTION, Fault, Faults

_AUTH_DATE: Final = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d{2}:\d{2}:\d{2} (GMT|UTC)"
)


async def check_headers(request: Request) -> None:
    """Raises Faults (U006) for headers that are not of their form, NotAcceptable."""
    headers = request.headers
    faults = []
    if INTERACTION in headers and not is_uuid(headers[INTERACTION]):
        faults.append(Fault("U006", "must be a UUID (RFC 4122)", INTERACTION))
    if "x-fapi-auth-date" in headers and not _AUTH_DATE.fullmatch(headers["x-fapi-auth-date"]):
        faults.append(Fault("U006", "must be a date of RFC 7231", "x-fapi-auth-date"))
    if "x-fapi-customer-ip-address" in headers and not is_address(headers["x-fapi-customer-ip-address"]):
        faults.append(Fault("U006", "must be an IP address", "x-fapi-customer-ip-address"))
    if faults:
        raise Faults(faults)
    require_json_wanted(request)
