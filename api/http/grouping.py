"""Groups questions: those that arrive while the last ones are being answered are asked together.

A read costs a thread and a transaction, whether it answers one question or fifty. One group is under way at a time: a
single question never waits for others, and many share one read. A question is never answered from a read that began
before it came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

MOST: Final = 64
"""Questions of one group: so many one thread answers before others have their turn."""

Q = TypeVar("Q")
A = TypeVar("A")


class Together(Generic[Q, A]):
    """Groups questions; for one event loop."""

    def __init__(self, answer: Callable[[list[Q]], Sequence[A | Exception]]) -> None:
        """`answer` blocks; it is called on a thread and gives one answer or error a question, in their order."""
        self._answer = answer
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._asking: asyncio.Task[None] | None = None

    async def ask(self, question: Q) -> A:
        """The answer. Raises the error given for this question, or the one that failed its whole group."""
        future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_all())
        return await future

    async def _ask_all(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            answers: Sequence[A | Exception]
            try:
                answers = await asyncio.to_thread(self._answer, [question for question, _ in group])
            except Exception as error:  # noqa: BLE001 - whatever it is, each of those who wait must hear of it
                answers = [error] * len(group)
            for (_, future), answer in zip(group, answers, strict=True):
                if future.done():  # its caller is gone
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
