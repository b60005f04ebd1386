"""Requests and answers below the framework: what the fast routes and the framework's routes have in common."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from api.http.problems import MEDIA_TYPE as PROBLEM_TYPE
from api.http.problems import problem_body, problem_headers, problem_of
from api.http.refusals import BadRequest, TooLarge, UnsupportedMedia
from ledger.errors import LedgerError

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

Shape = TypeVar("Shape", bound=Struct)

JSON: Final = "application/json"
SHAPE_LIMIT: Final = 64 * 1024
"""Bytes of a body that is neither a batch nor a file, at most."""
KEY: Final = "consent_ledger.visit"
UNKNOWN: Final = "unknown"
"""The route of a request that no route was found for."""


@dataclass(slots=True)
class Visit:
    """One request, for its log line and its figures. No personal data, no consent ids."""

    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    route: str = UNKNOWN
    """The route's template, never the address itself."""
    status: int = 0
    client: str | None = None
    """The authenticated participant or operator."""
    index: int | None = None
    """Index of the (first) entry that the request made or read."""
    problem: str | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """What goes with the answer, whichever it is."""
    given_up: bool = False
    """Whether it was answered because its handler took too long."""

    @property
    def instance(self) -> str:
        """The request as a URI."""
        return f"urn:uuid:{self.request_id}"


def visit_of(scope: Scope) -> Visit:
    """The visit that this scope belongs to."""
    visit = scope.get(KEY)
    if not isinstance(visit, Visit):
        visit = scope[KEY] = Visit()
    return visit


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer."""

    status: int
    body: bytes
    media_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()

    async def send(self, send: Send) -> None:
        """Send it over ASGI."""
        headers = []
        if self.status != 304:  # RFC 9110 §15.4.5: it says what has not changed, not what would have been sent
            headers = [(b"content-type", self.media_type.encode()), (b"content-length", b"%d" % len(self.body))]
        headers += [(name.encode(), value.encode("latin-1")) for name, value in self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})

    def response(self) -> Response:
        """The same for the framework."""
        media_type = None if self.status == 304 else self.media_type
        return Response(self.body, self.status, dict(self.headers), media_type=media_type)


def problem_reply(error: LedgerError, visit: Visit, base_url: str) -> Reply:
    """An error as the caller sees it."""
    problem = problem_of(error)
    visit.problem = problem.slug
    body = problem_body(error, base_url=base_url, instance=visit.instance)
    return Reply(problem.status, body, PROBLEM_TYPE, tuple(problem_headers(error).items()))


def header(scope: Scope, name: bytes) -> str | None:
    """One header's value, None when it is absent. Raises BadRequest when it comes more than once."""
    values = [value for key, value in scope["headers"] if key == name]
    if len(values) > 1:
        raise BadRequest(f"the header {name.decode()!r} came more than once")
    return values[0].decode("latin-1") if values else None


async def read_body(scope: Scope, receive: Receive, limit: int, media_type: str = JSON) -> bytes:
    """The request's body, at most `limit` bytes and declared as `media_type`.

    Raises UnsupportedMedia, TooLarge (before reading, when the length is declared), BadRequest when the caller left.
    """
    declared = (header(scope, b"content-type") or "").split(";")[0].strip().lower()
    if declared != media_type or header(scope, b"content-encoding") not in (None, "identity"):
        raise UnsupportedMedia(f"the body must be declared as {media_type}, without a content coding")
    length = header(scope, b"content-length")
    if length is not None and (not length.isdecimal() or len(length) > 12 or int(length) > limit):
        raise TooLarge(f"a body has at most {limit} bytes here", headers={"connection": "close"})
    return await read_all(receive, limit)


async def read_all(receive: Receive, limit: int) -> bytes:
    """A request's body whatever it is declared as, at most `limit` bytes. Raises TooLarge, BadRequest when the caller left."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("the caller left before its request was complete")
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise TooLarge(f"a body has at most {limit} bytes here", headers={"connection": "close"})
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def read_shape(request: Request, kind: type[Shape], limit: int = SHAPE_LIMIT) -> Shape:
    """The request's JSON body as `kind`. Raises BadRequest, and what `read_body` raises."""
    try:
        return msgspec.json.decode(await read_body(request.scope, request.receive, limit), type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not of the documented shape: {error}") from None
