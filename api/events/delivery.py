"""Pushing one token to one endpoint (RFC 8935), without letting the endpoint lead us anywhere else."""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass
from typing import Final

import httpx2
import msgspec

from api.events.addresses import AddressRefused, EndpointAddress, read_endpoint
from api.events.connecting import NameUnknown, Resolve, bare_transport, judged_address, request_to, resolve
from api.http.bounded import WHOLE_SECONDS, read_raw
from ledger.errors import InvalidInput

MEDIA_TYPE: Final = "application/secevent+jwt"
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

    def __init__(self, code: str, *, endpoint_is_down: bool, status: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        """Of the answer (HTTP); None when none came."""
        self.endpoint_is_down = endpoint_is_down
        """Whether another token would have failed too."""


class Push:
    """Sends tokens. Use from one event loop; `aclose` at the end."""

    def __init__(
        self, *, development: bool = False, resolver: Resolve = resolve, trust: ssl.SSLContext | None = None
    ) -> None:
        """`trust` says which certificates are believed; default: those of public authorities."""
        self._development = development
        self._resolve = resolver
        self._transport = bare_transport(trust)

    async def aclose(self) -> None:
        """Close what is open."""
        await self._transport.aclose()

    async def __call__(self, url: str, token: str) -> int:
        """Push a token: returns when the receiver has acknowledged (202). Raises NotDelivered, within ten seconds."""
        return await self.send(url, Message(token.encode()))

    async def send(self, url: str, message: Message) -> int:
        """The status with which the receiver has acknowledged. Raises NotDelivered, within ten seconds."""
        try:
            async with asyncio.timeout(WHOLE_SECONDS):
                endpoint = read_endpoint(url, development=self._development)
                address = await judged_address(endpoint, self._resolve, development=self._development)
                return await self._post(endpoint, address, message)
        except (TimeoutError, httpx2.TimeoutException):
            raise NotDelivered("timeout", endpoint_is_down=True) from None
        except NameUnknown:
            raise NotDelivered("name-unknown", endpoint_is_down=True) from None
        except (InvalidInput, AddressRefused, httpx2.InvalidURL, UnicodeError):
            raise NotDelivered("address-refused", endpoint_is_down=True) from None
        except httpx2.HTTPError as error:
            tls = isinstance(error.__cause__, ssl.SSLError) or "CERTIFICATE" in str(error).upper()
            raise NotDelivered("tls" if tls else "no-connection", endpoint_is_down=True) from None

    async def _post(self, endpoint: EndpointAddress, address: str, message: Message) -> int:
        request = request_to(
            endpoint,
            address,
            "POST",
            {
                "Content-Type": message.media_type,
                "Accept": "application/json",
                **dict(message.headers),
            },
            message.body,
        )
        answer = await self._transport.handle_async_request(request)
        try:
            match answer.status_code:
                case status if status in message.acknowledged_by:
                    return status
                case 400:
                    said = _error_of(await read_raw(answer, ANSWER_LIMIT) or b"")
                    raise NotDelivered(said, endpoint_is_down=False, status=400)
                case status:
                    raise NotDelivered(f"http-{status}", endpoint_is_down=True, status=status)
        finally:
            await answer.aclose()


def _error_of(body: bytes) -> str:
    """The receiver's `err` (RFC 8935 §2.3), where it is a code; its description is not kept."""
    try:
        said = msgspec.json.decode(body, type=dict[str, object]).get("err")
    except (msgspec.DecodeError, RecursionError):
        said = None
    return said if isinstance(said, str) and _CODE.fullmatch(said) else "http-400"
