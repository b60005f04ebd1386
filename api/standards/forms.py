"""Small forms that several standards share, read strictly."""

from __future__ import annotations

import ipaddress
import uuid
from typing import Final

from starlette.requests import Request

from api.http.refusals import NotAcceptable

LATEST_SECOND: Final = 9_999_999_999
"""The last second that terms can name; in the year 2286."""
LATEST_YEAR: Final = 2286
_ACCEPTED: Final = frozenset({"*/*", "application/*", "application/json"})
CONSENT_URN: Final = "urn:consent-ledger:"
"""Before a consent's id, for a standard whose ids are URNs (Brazil)."""


def is_uuid(text: str) -> bool:
    """Whether this is a UUID in its usual spelling (RFC 4122)."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def is_address(text: str) -> bool:
    """Whether this is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def require_json_wanted(request: Request) -> None:
    """Raises NotAcceptable when the caller takes no JSON."""
    wanted = [part.split(";")[0].strip().lower() for part in request.headers.get("accept", "*/*").split(",")]
    if not _ACCEPTED.intersection(wanted):
        raise NotAcceptable("there is application/json only")
