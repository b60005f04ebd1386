"""The headers of every answer of the pages, and the test for requests that are the customer's own (security: sessions,
CSP)."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledger.errors import NotPermitted

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; manifest-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
FRAMES: Final = "frame-ancestors 'none'"
RESOURCES: Final = "cross-origin-resource-policy"
HEADERS: Final = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), "
    "geolocation=(), microphone=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
HSTS: Final = "max-age=63072000; includeSubDomains"
HOME: Final = "/my/connections"
BODY_LIMIT: Final = 64 * 1024
_LOCAL: Final = frozenset(string.ascii_letters + string.digits + "/._~-%?=&:@")


class CrossSite(NotPermitted):
    """A request that changes something did not come from one of our own pages."""


def local_path(value: str | None) -> str:
    """`value` if it is a path of ours, else the home page: nobody is ever sent elsewhere. Takes time in proportion to it."""
    if value and len(value) <= 512 and value[0] == "/" and "//" not in value and _LOCAL.issuperset(value):
        return value
    return HOME


def check_same_origin(headers: Headers, origin: str) -> None:
    """Refuse an unsafe request that a page of another site caused. Raises CrossSite.

    `Sec-Fetch-Site` cannot be set by scripts, so it decides where it is sent. Our own pages send no referrer, which makes
    browsers write `Origin: null` beside it. A browser too old for `Sec-Fetch-Site` must name our origin.
    """
    site, sent = headers.get("sec-fetch-site"), headers.get("origin")
    if site is None and sent != origin:
        raise CrossSite("the browser did not say that this form came from one of our pages")
    if site not in (None, "same-origin") or sent not in (None, "null", origin):
        raise CrossSite("this form was sent from another site")


class Guarded:
    """Middleware: headers on every answer; no caching of personal pages; bodies of a bounded size."""

    def __init__(self, app: ASGIApp, *, secure: bool, ancestors: Sequence[str] = ()) -> None:
        """`ancestors`: the sites that may show our pages in a frame; nobody else may."""
        self._app = app
        self._headers = HEADERS | ({"strict-transport-security": HSTS} if secure else {})
        if ancestors:
            self._headers["content-security-policy"] = CSP.replace(FRAMES, f"frame-ancestors {' '.join(ancestors)}")
            del self._headers["x-frame-options"]  # it knows no list; whoever reads the policy ignores it

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > BODY_LIMIT:
                raise CrossSite("the form is longer than a form of ours can be")
            return message

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    if name != RESOURCES or name not in headers:  # (what a listed site may load says so itself)
                        headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, bounded, with_headers)
