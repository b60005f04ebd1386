"""A recipient's request: the request object's claims, and their terms (Security profile, Request Object)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.http.refusals import BadRequest
from api.office.wish import Wish
from api.standards.words import words
from ledger.entries.terms import Purpose

STANDARD: Final = "au-cds"
VERSION: Final = "1.36.0"
YEAR: Final = 31_536_000
"""The longest duration of sharing, in seconds: what is longer is cut."""
DAY: Final = 86_400
"""Up to this duration a single collection is assumed; once-off access is given no longer either."""
SCOPES: Final = {scope: tuple(permissions) for scope, permissions in words("cdr").permissions.items()}
"""Scope to the catalogue's permissions: the data cluster that the scope opens."""
_ALWAYS: Final = "openid"
_ARRANGEMENT: Final = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True, slots=True)
class Sharing:
    """How long is shared."""

    once: bool
    """No refresh token: one access, on the day of asking."""
    seconds: int


def parse_sharing(value: object) -> Sharing:
    """The claim `sharing_duration`. Raises BadRequest: it is a number that is not negative."""
    if value is None or value == 0:
        return Sharing(once=True, seconds=DAY)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _refused("sharing_duration is a whole number of seconds that is not negative")
    return Sharing(once=False, seconds=min(value, YEAR))


def parse_scopes(text: object) -> tuple[str, ...]:
    """The data scopes, sorted. Raises BadRequest `invalid_scope`."""
    asked = set(text.split()) if isinstance(text, str) else set()
    if _ALWAYS not in asked:
        raise BadRequest("the scope openid is missing", error="invalid_scope", member="scope")
    unknown = asked - SCOPES.keys() - {_ALWAYS}
    if unknown or len(asked) == 1:
        raise BadRequest(
            "the scopes of banking, common and profile data are known here", error="invalid_scope", member="scope"
        )
    return tuple(sorted(asked - {_ALWAYS}))


def scopes_of(permissions: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes whose whole cluster is permitted: for consents that were not asked for in this standard's words."""
    held = set(permissions)
    held |= {permission.removesuffix("Detail") + "Basic" for permission in held if permission.endswith("Detail")}
    return tuple(sorted(scope for scope, needed in SCOPES.items() if set(needed) <= held))


def arrangement_in(claims: Mapping[str, Any]) -> str | None:
    """The arrangement that is to be amended; None for a new one. Raises BadRequest."""
    named = _inner(claims).get("cdr_arrangement_id")
    if named is None:
        return None
    if not isinstance(named, str) or not _ARRANGEMENT.fullmatch(named):
        raise _refused("cdr_arrangement_id is a text")
    return named


def wish_of(claims: Mapping[str, Any], *, now: int) -> Wish:
    """The terms that a request object comes to at `now` (seconds). Raises BadRequest."""
    sharing = parse_sharing(_inner(claims).get("sharing_duration"))
    scopes = parse_scopes(claims.get("scope"))
    return Wish(
        permissions={permission for scope in scopes for permission in SCOPES[scope]},
        standard=STANDARD,
        standard_version=VERSION,
        purpose=Purpose("cdr-data-sharing", "Consumer Data Right data sharing"),
        expires_at=now + sharing.seconds,
        once=sharing.once,
        language="en-AU",
    )


def _inner(claims: Mapping[str, Any]) -> Mapping[str, Any]:
    """The claim `claims`, which holds what this standard adds. Raises BadRequest."""
    inner = claims.get("claims", {})
    if not isinstance(inner, dict):
        raise _refused("claims is an object")
    return inner


def _refused(detail: str) -> BadRequest:
    return BadRequest(detail, error="invalid_request_object", member="request")
