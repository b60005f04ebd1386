"""A client with several addresses of one ledger: a statement goes to the next node, unchanged, and is recorded once."""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import httpx2
import pytest

from api.client import LedgerUnavailable, Patience, Pseudonyms, RefusedByLedger, RolledBack
from api.client.addresses import Addresses
from api.node.building import build_node
from api.server.app import create_app
from tests.client.service import Service, active_consent, balance_item, serving, terms_for

NOWHERE = "http://127.0.0.1:9"
Spoil = Callable[[httpx2.Request], httpx2.Response | None]


def nothing(_: httpx2.Request) -> None:
    return None


class Watched(httpx2.AsyncHTTPTransport):
    """Notes what is sent where. `spoil` may answer in a node's place; an answer of those in `lose` gets lost, once."""

    def __init__(self, spoil: Spoil = nothing) -> None:
        super().__init__()
        self.sent: list[tuple[str, str, bytes]] = []
        self.lose: set[str] = set()
        self.spoil = spoil

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        where = origin(request)
        self.sent.append((where, request.url.path, await request.aread()))
        if (spoilt := self.spoil(request)) is not None:
            return spoilt
        answer = await super().handle_async_request(request)
        if where in self.lose and request.method == "POST" and request.url.path != "/token":
            self.lose.discard(where)
            await answer.aread()
            raise httpx2.ReadError("the answer was lost", request=request)
        return answer

    def posted(self, path: str) -> list[tuple[str, bytes]]:
        return [(where, body) for where, at, body in self.sent if at == path]


def origin(request: httpx2.Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc.decode()}"


def busy(status: int, **seconds: int) -> Spoil:
    """Nodes that answer so until they were asked twice, each with its own `Retry-After`."""
    asked: dict[str, int] = {}

    def spoil(request: httpx2.Request) -> httpx2.Response | None:
        name = request.url.host.replace(".", "_")
        asked[name] = asked.get(name, 0) + 1
        if asked[name] > 1:
            return httpx2.Response(400, json={"detail": "now it answers"})
        return httpx2.Response(status, headers={"Retry-After": str(seconds[name])}, json={"detail": "busy"})

    return spoil


def noted(pauses: list[float]) -> Callable[[float], Awaitable[None]]:
    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    return sleep


@contextmanager
def second_node(service: Service) -> Iterator[str]:
    """Another node of the same log; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    settings = service.node.settings.model_copy(update={"port": port, "public_url": None})
    node = build_node(settings)
    try:
        with serving(create_app(node), port=port):
            yield url
    finally:
        node.stop()


def test_an_address_without_a_node_costs_one_try_and_no_wait(sqlite_service: Service) -> None:
    watched, pauses = Watched(), list[float]()

    async def story() -> None:
        addresses = [NOWHERE, sqlite_service.url]
        async with sqlite_service.client("app-1", url=addresses, transport=watched, sleep=noted(pauses)) as app:
            for _ in range(3):
                await app.request_consent(str(uuid.uuid4()), terms_for())

    asyncio.run(story())
    asked = [where for where, _ in watched.posted("/consents")]
    assert asked == [NOWHERE, *[sqlite_service.url] * 3], "the one that answered is asked first from then on"
    assert sum(pauses) == 0, "while another address was free, nobody waited"


def test_a_statement_whose_answer_was_lost_goes_to_another_node_and_is_recorded_once(service: Service) -> None:
    watched = Watched()

    async def story(other: str) -> None:
        consent_id = str(uuid.uuid4())
        addresses = [service.url, other]
        async with (
            service.client("bank-a") as bank,
            service.client("app-1", url=addresses, transport=watched) as app,
        ):
            account = await active_consent(bank, app, consent_id, Pseudonyms.generate())
            watched.lose.add(service.url)
            size = service.node.ledger.tree.size()

            receipt = await app.access(balance_item(consent_id, account))

            assert receipt.allowed
            assert receipt.index == size
            [first, second] = watched.posted("/accesses")
            assert [first[0], second[0]] == addresses
            assert first[1] == second[1], "the same bytes, and so the same jti"
            history = await app.history(consent_id)
            assert [one.act for one in history].count("access.request") == 1
            assert next(one for one in history if one.index == size).file == receipt.file

    with second_node(service) as other:
        asyncio.run(story(other))


def test_no_node_is_asked_before_the_time_it_named_and_no_time_is_lost_on_one(sqlite_service: Service) -> None:
    watched, pauses = Watched(busy(503, a_example=7, b_example=3)), list[float]()

    async def story() -> None:
        addresses = ["http://a.example", "http://b.example"]
        async with sqlite_service.client("app-1", url=addresses, transport=watched, sleep=noted(pauses)) as app:
            with pytest.raises(RefusedByLedger, match="now it answers"):
                await app.request_consent(str(uuid.uuid4()), terms_for())

    asyncio.run(story())
    assert [where for where, _ in watched.posted("/consents")] == [
        "http://a.example",
        "http://b.example",
        "http://b.example",
    ]
    assert [pause for pause in pauses if pause] == [3.0]


def test_too_many_requests_is_said_of_the_client_and_so_holds_at_every_node(sqlite_service: Service) -> None:
    watched, pauses = Watched(busy(429, a_example=4, b_example=4)), list[float]()

    async def story() -> None:
        addresses = ["http://a.example", "http://b.example"]
        async with sqlite_service.client("app-1", url=addresses, transport=watched, sleep=noted(pauses)) as app:
            with pytest.raises(RefusedByLedger, match="now it answers"):
                await app.request_consent(str(uuid.uuid4()), terms_for())

    asyncio.run(story())
    assert next(pause for pause in pauses if pause) == 4.0, "before the second node was asked"


def test_all_tries_together_take_no_longer_than_patience_says(sqlite_service: Service) -> None:
    async def hang(_: float) -> None:
        await asyncio.Event().wait()

    class Hanging(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            await asyncio.Event().wait()
            raise AssertionError("unreachable")

    async def ask(transport: httpx2.AsyncBaseTransport, longest: float) -> None:
        patience = Patience(longest=longest)
        addresses = ["http://a.example", "http://b.example"]
        async with sqlite_service.client(
            "app-1", url=addresses, transport=transport, patience=patience, sleep=hang
        ) as app:
            with pytest.raises(LedgerUnavailable, match=f"no answer within {longest:g} s.*again is safe"):
                await app.request_consent(str(uuid.uuid4()), terms_for())

    asyncio.run(ask(Hanging(), 0.2))
    asyncio.run(ask(Watched(busy(503, a_example=20, b_example=20)), 10))  # it does not begin a pause that ends too late


def test_a_node_that_has_not_heard_yet_is_asked_again_before_the_log_is_accused(sqlite_service: Service) -> None:
    pauses: list[float] = []
    older = sqlite_service.node.ledger.tree.checkpoint()
    times = [3]

    def behind(request: httpx2.Request) -> httpx2.Response | None:
        if request.url.path != "/checkpoint/newest" or times[0] == 0:
            return None
        times[0] -= 1
        return httpx2.Response(200, text=older)

    async def story() -> None:
        addresses = [sqlite_service.url, NOWHERE]
        watched = Watched(behind)
        async with sqlite_service.client("app-1", url=addresses, transport=watched, sleep=noted(pauses)) as app:
            receipt = await app.request_consent(str(uuid.uuid4()), terms_for())
            assert (await app.checkpoint()).size > receipt.index
            times[0] = -1  # and now for ever
            with pytest.raises(RolledBack):
                await app.checkpoint()

    asyncio.run(story())
    assert len([pause for pause in pauses if pause]) > 3


@pytest.mark.parametrize(
    ("addresses", "told"),
    [
        ([], "1 to 16 addresses"),
        (["https://a.example", "https://a.example/"], "given twice"),
        (["https://a.example", "b.example"], "'b.example' is not an address"),
        ("https://a.example?x=1", "is not an address"),
    ],
)
def test_addresses_that_cannot_be_meant_are_refused(addresses: str | list[str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Addresses(addresses)
