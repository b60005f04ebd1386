"""Pushing one token to one endpoint (RFC 8935), without letting the endpoint lead us anywhere else."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import httpx2
import msgspec

from api.events.addresses import AddressRefused, EndpointAddress, check_address, read_endpoint
from ledger.errors import InvalidInput

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]

MEDIA_TYPE: Final = "application/secevent+jwt"
WHOLE_SECONDS: Final = 10.0
STEP_SECONDS: Final = 5.0
ANSWER_LIMIT: Final = 4096
_CODE: Final = re.compile(r"[a-z][a-z_]{0,31}")


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: a security event token, or the same news in the words of an outward standard."""

    body: bytes
    media_type: str = MEDIA_TYPE
    headers: tuple[tuple[str, str], ...] = ()
    acknowledged_by: frozenset[int] = frozenset({202})
    """HTTP statuses that mean: received, and need not be sent again."""


class NotDelivered(Exception):
    """A token was not acknowledged. `code` is for records: our own word, or the receiver's `err`."""

    def __init__(self, code: str, *, endpoint_is_down: bool) -> None:
        super().__init__(code)
        self.code = code
        self.endpoint_is_down = endpoint_is_down
        """Whether another token would have failed too."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """All addresses of a host, as the system knows them. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Push:
    """Sends tokens. Use from one event loop; `aclose` at the end."""

    def __init__(
        self, *, development: bool = False, resolver: Resolve = resolve, trust: ssl.SSLContext | None = None
    ) -> None:
        """`trust` says which certificates are believed; default: those of public authorities."""
        self._development = development
        self._resolve = resolver
        # A bare transport: no cookies, no redirects, no proxies of the environment. No connection is kept: one that was
        # verified for a host must not carry what is meant for another host at the same address.
        limits = httpx2.Limits(max_connections=64, max_keepalive_connections=0)
        verify = httpx2.create_ssl_context(trust_env=False) if trust is None else trust
        self._transport = httpx2.AsyncHTTPTransport(verify=verify, limits=limits, trust_env=False)

    async def aclose(self) -> None:
        """Close what is open."""
        await self._transport.aclose()

    async def __call__(self, url: str, token: str) -> None:
        """Push a token: returns when the receiver has acknowledged (202). Raises NotDelivered, within ten seconds."""
        await self.send(url, Message(token.encode()))

    async def send(self, url: str, message: Message) -> None:
        """Returns when the receiver has acknowledged. Raises NotDelivered, within ten seconds."""
        try:
            async with asyncio.timeout(WHOLE_SECONDS):
                endpoint = read_endpoint(url, development=self._development)
                address = await self._address(endpoint)
                await self._post(endpoint, address, message)
        except (TimeoutError, httpx2.TimeoutException):
            raise NotDelivered("timeout", endpoint_is_down=True) from None
        except (InvalidInput, AddressRefused, httpx2.InvalidURL, UnicodeError):
            raise NotDelivered("address-refused", endpoint_is_down=True) from None
        except httpx2.HTTPError as error:
            tls = isinstance(error.__cause__, ssl.SSLError) or "CERTIFICATE" in str(error).upper()
            raise NotDelivered("tls" if tls else "no-connection", endpoint_is_down=True) from None

    async def _address(self, endpoint: EndpointAddress) -> str:
        """The address to connect to. If one of several is not allowed, all are refused: somebody is manipulating
        names."""
        try:
            found = [ipaddress.ip_address(text) for text in await self._resolve(endpoint.host, endpoint.port)]
        except (OSError, UnicodeError):
            raise NotDelivered("name-unknown", endpoint_is_down=True) from None
        except ValueError:  # a scoped address
            raise NotDelivered("address-refused", endpoint_is_down=True) from None
        for address in found:
            check_address(address, scheme=endpoint.scheme, development=self._development)
        if not found:
            raise NotDelivered("name-unknown", endpoint_is_down=True)
        return str(min(found, key=lambda address: address.version))

    async def _post(self, endpoint: EndpointAddress, address: str, message: Message) -> None:
        host = f"[{address}]" if ":" in address else address
        request = httpx2.Request(
            "POST",
            f"{endpoint.scheme}://{host}:{endpoint.port}{endpoint.path}",
            headers={
                "Host": endpoint.authority,
                "Content-Type": message.media_type,
                "Accept": "application/json",
                "Connection": "close",
                **dict(message.headers),
            },
            content=message.body,
            extensions={"sni_hostname": endpoint.host, "timeout": httpx2.Timeout(STEP_SECONDS).as_dict()},
        )
        answer = await self._transport.handle_async_request(request)
        try:
            match answer.status_code:
                case status if status in message.acknowledged_by:
                    return
                case 400:
                    raise NotDelivered(_error_of(await _beginning(answer)), endpoint_is_down=False)
                case status:
                    raise NotDelivered(f"http-{status}", endpoint_is_down=True)
        finally:
            await answer.aclose()


async def _beginning(answer: httpx2.Response) -> bytes:
    """The answer's body, as sent, up to a bound: nothing is decompressed."""
    body = b""
    async for part in answer.aiter_raw():
        body += part
        if len(body) > ANSWER_LIMIT:
            return b""
    return body


def _error_of(body: bytes) -> str:
    """The receiver's `err` (RFC 8935 §2.3), where it is a code; its description is not kept."""
    try:
        said = msgspec.json.decode(body, type=dict[str, object]).get("err")
    except (msgspec.DecodeError, RecursionError):
        said = None
    return said if isinstance(said, str) and _CODE.fullmatch(said) else "http-400"
