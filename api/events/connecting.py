"""Connecting to an address that a participant has chosen: to the judged network address itself, and nowhere else from there."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias

import httpx2

from api.events.addresses import AddressRefused, EndpointAddress, check_address, read_endpoint
from api.http.bounded import WHOLE_SECONDS, read_document
from ledger.errors import InvalidInput, Unavailable

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]

STEP_SECONDS: Final = 5.0


class NameUnknown(Exception):
    """The host's name leads to no address."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """All addresses of a host, as the system knows them. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def judged_address(endpoint: EndpointAddress, resolver: Resolve, *, development: bool) -> str:
    """The address to connect to. If one of several is not allowed, all are refused: somebody is manipulating names.

    Raises AddressRefused, NameUnknown.
    """
    try:
        found = [ipaddress.ip_address(text) for text in await resolver(endpoint.host, endpoint.port)]
    except (OSError, UnicodeError):
        raise NameUnknown from None
    except ValueError:  # a scoped address
        raise AddressRefused("the name leads to an address of one link") from None
    for address in found:
        check_address(address, scheme=endpoint.scheme, development=development)
    if not found:
        raise NameUnknown
    return str(min(found, key=lambda address: address.version))


def bare_transport(trust: ssl.SSLContext | None = None) -> httpx2.AsyncHTTPTransport:
    """No cookies, no redirects, no proxies of the environment. No connection is kept: one that was verified for a host must
    not carry what is meant for another host at the same address."""
    limits = httpx2.Limits(max_connections=64, max_keepalive_connections=0)
    verify = httpx2.create_ssl_context(trust_env=False) if trust is None else trust
    return httpx2.AsyncHTTPTransport(verify=verify, limits=limits, trust_env=False)


def request_to(
    endpoint: EndpointAddress, address: str, method: str, headers: Mapping[str, str], body: bytes | None = None
) -> httpx2.Request:
    """A request of an endpoint, to the network address that was judged; TLS and `Host` are the endpoint's own."""
    host = f"[{address}]" if ":" in address else address
    return httpx2.Request(
        method,
        f"{endpoint.scheme}://{host}:{endpoint.port}{endpoint.path}",
        headers={"Host": endpoint.authority, "Connection": "close", **headers},
        content=body,
        extensions={"sni_hostname": endpoint.host, "timeout": httpx2.Timeout(STEP_SECONDS).as_dict()},
    )


def fetch_public(url: str, *, development: bool) -> bytes:
    """What is at an address that a participant has named: JSON of at most 256 KiB, within ten seconds. Blocking; not in an
    event loop's thread. Raises Unavailable."""
    return asyncio.run(_fetch(url, development=development))


def poll_public(url: str, etag: str, headers: Mapping[str, str], *, development: bool) -> tuple[bytes | None, str]:
    """The same of an address that is looked at again and again, with its entity tag; None while that is still `etag`."""
    sent = {"Accept": "application/json", **headers, **({"If-None-Match": etag} if etag else {})}
    answer, body = asyncio.run(_asked(url, sent, development=development))
    return body, etag if body is None else answer.headers.get("etag", "")[:256]


async def _fetch(url: str, *, development: bool) -> bytes:
    _, body = await _asked(url, {"Accept": "application/jwk-set+json, application/json"}, development=development)
    if body is None:
        raise Unavailable("it answers 304")
    return body


async def _asked(url: str, headers: Mapping[str, str], *, development: bool) -> tuple[httpx2.Response, bytes | None]:
    """An answer and its document; None for one that has not changed (304)."""
    try:
        async with asyncio.timeout(WHOLE_SECONDS), bare_transport() as transport:
            endpoint = read_endpoint(url, development=development)
            address = await judged_address(endpoint, resolve, development=development)
            answer = await transport.handle_async_request(request_to(endpoint, address, "GET", headers))
            if answer.status_code == httpx2.codes.NOT_MODIFIED:
                return answer, None
            return answer, await read_document(answer, "it")
    except (TimeoutError, NameUnknown, httpx2.HTTPError):
        raise Unavailable("there is no answer") from None
    except (InvalidInput, AddressRefused, httpx2.InvalidURL, UnicodeError):
        raise Unavailable("it is not an https address of the public internet") from None
