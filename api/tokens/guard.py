"""Who is calling: an access token and its DPoP proof, checked for each request (RFC 9068, RFC 9449)."""

from __future__ import annotations

from dataclasses import dataclass

from api.refusals import Unauthenticated
from api.wire import Scope


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated client."""

    id: str
    """Participant id, or the operator's client id."""
    scopes: frozenset[str]


class TokenGuard:
    """Checks tokens."""

    async def caller(self, scope: Scope, needed: str) -> Caller:
        """The caller, who has the scope that is needed."""
        raise Unauthenticated("no token")
