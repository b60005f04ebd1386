"""Retries: bounded tries, growing pauses with jitter, Retry-After obeyed, answers of bounded size, several addresses.

Repeating is safe for every request of this client, at any node of the log: reads change nothing, and a statement is recorded
once however often and wherever it arrives (docs/spec/statements.md, `jti`).
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

import orjson

from api.client.addresses import Addresses
from api.client.errors import ClientError, LedgerUnavailable, ReceiptRefused, RefusedByLedger
from ledger.errors import LedgerError
from ledger.notes.checkpoint import Checkpoint

if TYPE_CHECKING:  # loaded by whoever makes a client (client.py)
    import httpx2

ELSEWHERE: Final = 421
"""A node that only reads, asked to record: another one is asked, and this one not again."""
BEHIND_TRIES: Final = 10
BEHIND_SECONDS: Final = 0.5
"""Between two tries: another node learns within a second what one has recorded, a reader as soon as its standby does."""
CONNECT_SECONDS: Final = 10.0
"""A machine that has vanished is not waited for as long as one that works."""
ANSWER_LIMIT: Final = 64 * 1024 * 1024
AGAIN: Final = frozenset({429, 502, 503, 504})
"""Statuses that are tried again: too many requests, and «not now» from the ledger or from a proxy before it."""
TOO_MANY: Final = 429
"""It is about the client and not about the node: no other node is asked before its time either."""

NONCE_HEADER: Final = "dpop-nonce"
WANTS_NONCE: Final = "use_dpop_nonce"
"""RFC 9449 §8, §9: the error of a proof without the nonce that the ledger wants."""

Headers = Callable[[str], Awaitable[Mapping[str, str]]]
"""Makes the headers of one try, for the address that it goes to."""
Body = Callable[[str], Awaitable[bytes]]
"""Likewise the body."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try. Times in seconds."""

    tries: int = 6
    """Of each address."""
    first_pause: float = 0.1
    longest_pause: float = 5.0
    longest_retry_after: float = 30.0
    """A ledger that asks for more than this is given up at once: the caller decides."""
    longest: float = 400.0
    """For all tries of one request together, whatever each of them takes."""

    def pause(self, attempt: int) -> float:
        """How long to wait after the failed `attempt` (0, 1, …): «full jitter», so that a crowd does not come back at once."""
        ceiling = min(self.longest_pause, self.first_pause * 2.0 ** min(attempt, 30))
        return ceiling * (secrets.randbelow(1_000_001) / 1_000_000)


THROUGH_A_FAILOVER: Final = Patience(tries=60, longest_pause=1.0, longest=90.0)
"""What a client with several addresses has, unless told otherwise: a database's failover takes seconds, and that of a
whole machine some twenty (docs/deploying.md)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response whose status says that it worked."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Raises ReceiptRefused."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise ReceiptRefused(f"the ledger's answer is not JSON: {error}") from None


def open_http(timeout: float, transport: httpx2.AsyncBaseTransport | None = None) -> httpx2.AsyncClient:
    """Connections for one client; `timeout`: seconds for each answer."""
    import httpx2  # noqa: PLC0415  (it costs a third of what importing the client does)

    limits = httpx2.Limits(max_connections=16, max_keepalive_connections=16)
    waits = httpx2.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS))
    return httpx2.AsyncClient(timeout=waits, transport=transport, limits=limits)


@runtime_checkable
class ProvingHeaders(Protocol):
    """Headers with a proof of possession. They learn what the ledger wants in the next one (RFC 9449 §8)."""

    async def __call__(self, address: str) -> Mapping[str, str]:
        """The headers of one try at an address."""
        ...

    def learn(self, address: str, nonce: str) -> None:
        """The nonce that the next proof for an address brings."""
        ...


async def as_form(_: str) -> Mapping[str, str]:
    """The headers of a form."""
    return {"Content-Type": "application/x-www-form-urlencoded"}


class Transport:
    """HTTP with patience, to whichever address answers."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        addresses: Addresses,
        patience: Patience | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self._addresses = addresses
        self._patience = patience or (Patience() if len(addresses) == 1 else THROUGH_A_FAILOVER)
        self._sleep = sleep

    async def ask(
        self, method: str, path: str, *, body: bytes | Body | None = None, headers: Headers | None = None
    ) -> Answer:
        """Send until an answer comes: the same bytes to one address after the other. `headers`, and a body that says who
        asks, are made again for each try, since proofs of possession are for one use and one address.

        Raises RefusedByLedger for a final no, LedgerUnavailable when patience ends.
        """
        from httpx2 import TransportError  # noqa: PLC0415  (whoever made `http` has loaded it)

        patience, turns = self._patience, self._addresses.round()
        reason, begun = "no try was made", monotonic()
        tries = patience.tries * len(self._addresses)
        for _ in range(tries):
            address, wait = turns.next()
            if wait > patience.longest_retry_after:
                raise LedgerUnavailable(f"{method} {path}: the ledger asks to wait {wait:.0f} s ({reason})")
            left = begun + patience.longest - monotonic() - wait
            if left <= 0:
                raise LedgerUnavailable(
                    f"{method} {path}: no answer within {patience.longest:g} s ({reason}); sending the same again is safe"
                )
            if wait:
                await self._sleep(wait)
            turns.passed(wait)
            asked, asks_for, everywhere = monotonic(), 0.0, False
            try:
                async with asyncio.timeout(left):
                    answer = await self._try(method, address, path, body, headers)
            except (TransportError, TimeoutError, LedgerUnavailable) as error:
                reason = error.detail if isinstance(error, LedgerUnavailable) else f"{type(error).__name__}: {error}"
            else:
                if answer.status < 300:
                    self._addresses.answered(address)
                    return answer
                if answer.status not in AGAIN and not (answer.status == ELSEWHERE and len(self._addresses) > 1):
                    raise _refusal(answer)
                reason = f"{answer.status}: {_problem(answer).get('detail', 'no reason given')}"
                asks_for, everywhere = _retry_after(answer), answer.status == TOO_MANY
                if answer.status == ELSEWHERE:
                    asks_for = patience.longest
            turns.passed(monotonic() - asked)
            turns.failed(address, max(asks_for, patience.pause(turns.failures(address))), everywhere=everywhere)
        raise LedgerUnavailable(
            f"{method} {path}: no answer after {tries} tries ({reason}); sending the same again is safe"
        )

    async def _try(
        self, method: str, address: str, path: str, body: bytes | Body | None, headers: Headers | None
    ) -> Answer:
        """One try; twice where the ledger asks for a proof with the nonce that it tells."""
        answer = await self._made_and_sent(method, address, path, body, headers)
        if not isinstance(headers, ProvingHeaders) or not (nonce := answer.headers.get(NONCE_HEADER)):
            return answer
        headers.learn(address, nonce)
        if answer.status != 401 or WANTS_NONCE not in answer.headers.get("www-authenticate", ""):
            return answer
        return await self._made_and_sent(method, address, path, body, headers)

    async def _made_and_sent(
        self, method: str, address: str, path: str, body: bytes | Body | None, headers: Headers | None
    ) -> Answer:
        extra = {} if headers is None else dict(await headers(address))
        content = await body(address) if callable(body) else body
        return await self._send(method, address + path, content, extra)

    async def newest(
        self, read: Callable[[], Awaitable[str]], opened: Callable[[str], Checkpoint], size: int
    ) -> tuple[Checkpoint, str]:
        """The log's newest checkpoint, as `read` asks for it. One of several nodes may not have heard yet of the `size` that
        another one recorded: it is asked again for some seconds, and what it says then is what it says. Raises
        ReceiptRefused, and as `ask` does."""
        left = BEHIND_TRIES if len(self._addresses) > 1 else 1
        while True:
            note = await read()
            try:
                checkpoint = opened(note)
            except LedgerError as error:
                raise ReceiptRefused(f"the checkpoint is refused: {error.detail}") from error
            left -= 1
            if checkpoint.size >= size or left == 0:
                return checkpoint, note
            await self._sleep(BEHIND_SECONDS)

    async def _send(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        async with self._http.stream(method, url, content=body, headers=headers) as response:
            content = bytearray()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > ANSWER_LIMIT:
                    raise ReceiptRefused(f"{method} {url}: the answer has more than {ANSWER_LIMIT} bytes")
            return Answer(response.status_code, response.headers, bytes(content))


def _refusal(answer: Answer) -> ClientError:
    if 400 <= answer.status < 500:
        return RefusedByLedger(answer.status, _problem(answer))
    detail = _problem(answer).get("detail", "no reason given")
    return LedgerUnavailable(f"the ledger answered {answer.status}: {detail}; sending the same again is safe")


def _problem(answer: Answer) -> Mapping[str, Any]:
    try:
        problem = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _retry_after(answer: Answer) -> float:
    """Seconds that the ledger asks for; its other form, a date, is not used by ours and counts as nothing."""
    value = answer.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) <= 6 else 0.0


def monotonic() -> float:
    """Seconds of a clock that never goes back: for lifetimes, never for times of day."""
    return time.monotonic()
