"""Connections are dealt out among the processes that serve one address, and again after one was started anew."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, closing
from typing import Any

import httpx2
import pytest

from api.node.settings import Settings
from api.server.listening import DEALS_OUT, DealtOut, bind, listen


def accepted(listening: socket.socket) -> int:
    """How many connections wait there, all of them taken."""
    listening.setblocking(False)
    count = 0
    while True:
        try:
            connection, _ = listening.accept()
        except BlockingIOError:
            return count
        connection.close()
        count += 1


@pytest.mark.skipif(not DEALS_OUT, reason="only Linux deals connections out")
def test_a_crowd_that_comes_at_once_is_dealt_out_among_all_fronts() -> None:
    settings = Settings(port=0)
    with ExitStack() as stack:
        bound = stack.enter_context(closing(bind(settings, shared=True)))
        settings = settings.model_copy(update={"port": bound.getsockname()[1]})
        fronts = [stack.enter_context(closing(listen(settings, bound))) for _ in range(2)]
        for _ in range(64):
            stack.enter_context(closing(socket.create_connection((settings.host, settings.port), timeout=10)))
        counts = [accepted(front) for front in fronts]
    assert sum(counts) == 64
    assert min(counts) > 0


def test_an_address_is_one_nodes_alone_where_it_has_one_process() -> None:
    with closing(bind(Settings(port=0), shared=False)) as bound:
        bound.listen()
        taken = Settings(port=bound.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            bind(taken, shared=False)
        with pytest.raises(OSError, match="in use"):
            bind(taken, shared=True)


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.mark.parametrize(("share", "told"), [(1.0, "close"), (0.0, None)])
def test_an_answer_may_close_its_connection_and_is_whole_all_the_same(share: float, told: str | None) -> None:
    async def ask() -> httpx2.Response:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(DealtOut(app, share))) as client:
            return await client.get("http://node/")

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.text, answer.headers.get("connection")) == (200, "ok", told)
