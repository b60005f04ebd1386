"""Retries: bounded tries, growing pauses with jitter, Retry-After obeyed, answers of bounded size.

Repeating is safe for every request of this client: reads change nothing, and a statement is recorded once however often it
arrives (docs/spec/statements.md, `jti`).
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from api.client.errors import ClientError, LedgerUnavailable, ReceiptRefused, RefusedByLedger

if TYPE_CHECKING:  # loaded by whoever makes a client (client.py)
    import httpx2

ANSWER_LIMIT: Final = 64 * 1024 * 1024
AGAIN: Final = frozenset({429, 502, 503, 504})
"""Statuses that are tried again: too many requests, and «not now» from the ledger or from a proxy before it."""

Headers = Callable[[], Awaitable[Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try. Times in seconds."""

    tries: int = 6
    first_pause: float = 0.1
    longest_pause: float = 5.0
    longest_retry_after: float = 30.0
    """A ledger that asks for more than this is given up at once: the caller decides."""

    def pause(self, attempt: int) -> float:
        """How long to wait after the failed `attempt` (0, 1, …): «full jitter», so that a crowd does not come back at once."""
        ceiling = min(self.longest_pause, self.first_pause * 2.0**attempt)
        return ceiling * (secrets.randbelow(1_000_001) / 1_000_000)


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


class Transport:
    """HTTP with patience."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        patience: Patience = Patience(),
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self._patience = patience
        self._sleep = sleep

    async def ask(self, method: str, path: str, *, body: bytes | None = None, headers: Headers | None = None) -> Answer:
        """Send until an answer comes. `headers` is asked again for each try, since proofs of possession are for one use.

        Raises RefusedByLedger for a final no, LedgerUnavailable when patience ends.
        """
        from httpx2 import TransportError  # noqa: PLC0415  (whoever made `http` has loaded it)

        reason = "no try was made"
        for attempt in range(self._patience.tries):
            try:
                extra = {} if headers is None else dict(await headers())
                answer = await self._send(method, path, body, extra)
            except TransportError as error:
                reason, pause = f"{type(error).__name__}: {error}", self._patience.pause(attempt)
            else:
                if answer.status < 300:
                    return answer
                if answer.status not in AGAIN:
                    raise _refusal(answer)
                reason = f"{answer.status}: {_problem(answer).get('detail', 'no reason given')}"
                pause = max(_retry_after(answer), self._patience.pause(attempt))
            if pause > self._patience.longest_retry_after:
                raise LedgerUnavailable(f"{method} {path}: the ledger asks to wait {pause:.0f} s ({reason})")
            if attempt + 1 < self._patience.tries:
                await self._sleep(pause)
        raise LedgerUnavailable(
            f"{method} {path}: no answer after {self._patience.tries} tries ({reason}); sending the same again is safe"
        )

    async def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        async with self._http.stream(method, path, content=body, headers=headers) as response:
            content = bytearray()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > ANSWER_LIMIT:
                    raise ReceiptRefused(f"{method} {path}: the answer has more than {ANSWER_LIMIT} bytes")
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
