"""Refusals in OAuth's form: `error` and `error_description` (RFC 6749 §5.2, RFC 9126 §2.3)."""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.standards.dialects import HOLDER
from api.standards.oauth_errors import oauth_refusal
from ledger.errors import LedgerError

BASE: Final = "/oauth"


class OAuthDialect:
    """See `Dialect`."""

    place: Final = re.compile(f"({HOLDER})?{BASE}" + r"(/|\Z)")

    def refusal(self, error: LedgerError, request: Request) -> Response:
        """OAuth's own errors."""
        del request
        return oauth_refusal(error)
