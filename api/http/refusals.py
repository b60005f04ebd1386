"""The refusals of the HTTP layer itself, beside the core's errors (ledger/errors.py).

LedgerError
├── HttpRefusal
│   ├── BadRequest          query, path or body are not of the documented shape
│   ├── PathMismatch        the statement says something else than the address it was posted to
│   ├── NoSuchRoute         nothing is served at this address
│   ├── MethodNotAllowed    something is, under other methods
│   ├── NotAcceptable       only in media types that the caller does not want
│   ├── TooLarge            more bytes than this route reads
│   ├── TooSlow             the request was not there in time
│   ├── HeadersTooLarge     more bytes of headers than are read
│   ├── UnsupportedMedia    the body is not declared as the media type this route reads
│   ├── Unauthenticated     no token, or no valid one
│   ├── InsufficientScope   the token is good and not for this
│   ├── InvalidClient       a token request whose client is not who it says it is
│   ├── ReadsOnly           this node records nothing; others do
│   └── RateLimited         more requests than the client may make
├── Overloaded (Unavailable) more requests are in work than this process takes
└── InternalError           a defect of ours
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from ledger.errors import LedgerError, Unavailable

CertificateFault = Literal["", "missing", "invalid", "expired", "revoked", "blocked"]


class HttpRefusal(LedgerError):
    """Refused before the core was asked. `headers` go with the answer; `error` is OAuth's name for it (RFC 6749 §5.2)."""

    def __init__(
        self,
        detail: str,
        *,
        member: str | None = None,
        headers: Mapping[str, str] | None = None,
        error: str | None = None,
    ) -> None:
        super().__init__(detail, member=member)
        self.headers = dict(headers or {})
        self.error = error


class BadRequest(HttpRefusal):
    """The request is not of the documented shape."""


class PathMismatch(HttpRefusal):
    """The statement's act or consent is not that of the address."""


class ReadsOnly(HttpRefusal):
    """This node answers reads only; `write_at` are those that record."""

    def __init__(self, detail: str, write_at: Sequence[str]) -> None:
        super().__init__(detail)
        self.write_at = tuple(write_at)


class NoSuchRoute(HttpRefusal):
    """There is nothing at this address."""


class MethodNotAllowed(HttpRefusal):
    """The address exists under other methods."""


class NotAcceptable(HttpRefusal):
    """The resource has no representation that the caller accepts."""


class TooLarge(HttpRefusal):
    """The body is larger than this route reads."""


class TooSlow(HttpRefusal):
    """The request was not complete in the time that it has."""


class HeadersTooLarge(HttpRefusal):
    """The address and the headers have more bytes than are read."""


class UnsupportedMedia(HttpRefusal):
    """The body's declared media type is not the one this route reads."""


class Unauthenticated(HttpRefusal):
    """There is no access token, or it is not valid (RFC 6750 §3.1, RFC 9449 §7.1)."""

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None, fault: CertificateFault = "") -> None:
        """`fault`: what is wrong with the client certificate, where it stands for a token."""
        super().__init__(detail, headers=headers)
        self.fault = fault


class InsufficientScope(HttpRefusal):
    """The access token does not cover this."""


class InvalidClient(HttpRefusal):
    """The client of a token request did not authenticate (RFC 6749 §5.2)."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, error="invalid_client")


class RateLimited(HttpRefusal):
    """The caller has made more requests than it may."""


class Overloaded(Unavailable):
    """This process is already handling its maximum number of requests."""


class InternalError(LedgerError):
    """An unforeseen error. The log of this node says more; the answer does not."""
