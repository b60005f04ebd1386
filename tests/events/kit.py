"""A ledger whose clock stands still, a sender that goes step by step, and receivers that listen on loopback."""

from __future__ import annotations

import asyncio
import json
import queue
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from api.events.delivery import Push, resolve
from api.events.sender import EventSender
from api.events.tokens import TYP, EventTokens
from api.node.node import Events
from api.tokens.jwt import read_jwt
from api.tokens.keys import PublicKey, TokenSigner
from ledger.queries.events import Delivery, EventQueries
from ledger.storage.events import EventStore
from tests.clocks import HandClock
from tests.world import Party, World, running_world

ISSUER = "https://ledger.example"


@dataclass(frozen=True)
class Heard:
    """One request that a receiver got."""

    path: str
    headers: dict[str, str]
    body: str

    @property
    def claims(self) -> dict[str, Any]:
        return claims_of(self.body)


class Receiver:
    """A participant's own HTTP server. Answers as told, 202 at first."""

    def __init__(self, trust: ssl.SSLContext | None = None) -> None:
        self.heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self.status, self.body, self.answer_headers = 202, b"", {}
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                receiver.heard.put(Heard(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(receiver.status)
                for name, value in receiver.answer_headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(receiver.body)))
                self.end_headers()
                self.wfile.write(receiver.body)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: pytest shows what matters."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if trust is not None:
            self.server.socket = trust.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/events"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def answers(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.status, self.body, self.answer_headers = status, body, headers

    def all(self) -> list[Heard]:
        """What came so far."""
        return [self.heard.get() for _ in range(self.heard.qsize())]

    def next(self) -> Heard:
        """What comes next; fails when nothing does within ten seconds."""
        return self.heard.get(timeout=10)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@contextmanager
def receiving(trust: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver(trust)
    try:
        yield receiver
    finally:
        receiver.close()


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token, unverified."""
    return json.loads(_padded(token.split(".")[1]))


def verified(token: str, key_set: dict[str, Any]) -> dict[str, Any]:
    """The claims of a token after its signature was checked as a receiver would, with the published keys."""
    jwt = read_jwt(token, typ=frozenset({TYP}), members=frozenset({"kid"}))
    [jwk] = [one for one in key_set["keys"] if one["kid"] == jwt.header["kid"]]
    return jwt.verified(PublicKey.from_jwk(jwk))


def _padded(text: str) -> bytes:
    import base64

    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def no_such_name(host: str, port: int) -> Sequence[str]:
    raise OSError("no such name")


@dataclass
class Office:
    """A world, and what tells its participants."""

    world: World
    clock: HandClock
    events: Events
    senders: list[EventSender] = field(default_factory=list)

    def sender(self, *, chance: float = 0.0, clock: Any = None, resolver: Any = resolve) -> EventSender:
        return EventSender(
            self.events.queries,
            self.events.store,
            self.events.tokens,
            lambda: Push(development=True, resolver=resolver),
            clock=clock or self.clock,
            chance=lambda: chance,
        )

    def tell(self, *senders: EventSender) -> None:
        """One turn of each sender, all of them at the same time, and the end of what they began."""

        async def one(sender: EventSender) -> None:
            try:
                await sender.turn()
                await sender.settle()
            finally:
                await sender.aclose()

        async def every() -> None:
            await asyncio.gather(*(one(sender) for sender in senders or (self.sender(),)))

        asyncio.run(every())

    def endpoint(self, party: Party, url: str) -> None:
        self.events.store.set_endpoint(party.id, url, enabled=True, now=self.clock.now())

    def deliveries(self, party: Party) -> list[Delivery]:
        return self.events.queries.deliveries_of(party.id, limit=1000)

    def last(self, party: Party) -> Delivery:
        return self.deliveries(party)[-1]


@contextmanager
def running_office(database_url: str, folder: Path) -> Iterator[Office]:
    clock = HandClock()
    with running_world(database_url, folder, clock=clock) as world:
        ledger = world.ledger
        signer = TokenSigner.make(folder / "events.key")
        store = EventStore(database_url)
        events = Events(store, EventQueries(ledger.store, ledger.keystore), EventTokens(ISSUER, ledger.origin, signer))
        try:
            yield Office(world, clock, events)
        finally:
            store.close()
