"""The controls of sandboxes over HTTP: opened, reset, answered, broken (docs/sandbox.md)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.client import ClientError, RefusedByLedger
from api.http.refusals import BadRequest, NoSuchRoute
from api.http.wire import JSON, Visit, problem_reply, read_shape
from api.sandbox.conformance import Conclusion, ConformanceRun
from api.sandbox.customers import LATE_SECONDS, SCRIPTS, ScriptedBank
from api.sandbox.faults import FaultLayer, PlannedFault
from api.sandbox.room import OpenSandbox
from api.sandbox.service import Sandboxes
from api.sandbox.world import LEDGER, Guest
from ledger.errors import InvalidInput, LedgerError, NotFound, Refused, Unavailable

MOST_TIMES: Final = 1_000
MOST_SECONDS: Final = 30
REVOKED_KEY: Final = "revoked-key"
SAID: Final = "A sandbox: nothing in its logs happened to anybody."
ROOM: Final = "/rooms/{participant}"


class SandboxWish(Struct, frozen=True, forbid_unknown_fields=True):
    """For whom a sandbox is wanted."""

    participant: str
    name: str = ""
    role: str = "recipient"


class AnswerWish(Struct, frozen=True, forbid_unknown_fields=True):
    """Which consent a customer is to answer, and after how many seconds if she is late."""

    consent_id: str
    seconds: int = LATE_SECONDS


class ConsentWish(Struct, frozen=True, forbid_unknown_fields=True):
    """The sandbox's own recipient is to ask this holder for a consent."""

    holder: str
    authorisers: int = 1


class RunWish(Struct, frozen=True, forbid_unknown_fields=True):
    """A conformance run; `url`: where a holder's data routes are, on loopback."""

    url: str = ""


class FaultWish(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to go wrong: one of PlannedFault, or `revoked-key`; where: `ledger`, or a bank."""

    fault: str
    times: int = 1
    seconds: int = 3
    at: str = LEDGER


class Controls:
    """Answers requests about the sandboxes of one process."""

    def __init__(self, sandboxes: Sandboxes, base_url: str) -> None:
        self._sandboxes = sandboxes
        self._base_url = base_url

    async def front(self, _: Request) -> Response:
        """What this is."""
        return said({"sandbox": True, "says": SAID, "customers": {one.id: one.what for one in SCRIPTS.values()}})

    async def open(self, request: Request) -> Response:
        """A sandbox for a participant; the one that is open, if there is one."""
        self._sandboxes.admit(bearer_of(request))
        wish = await read_shape(request, SandboxWish)
        room = await self._sandboxes.open(Guest(wish.participant, wish.name or wish.participant, wish.role))
        return said(room.described(self._base_url), 201)

    async def show(self, request: Request) -> Response:
        """Where everything is."""
        return said(self.room(request).described(self._base_url))

    async def close(self, request: Request) -> Response:
        """Throw it away."""
        await self._sandboxes.close(self.room(request).guest.participant)
        return Response(status_code=204)

    async def reset(self, request: Request) -> Response:
        """Another log in its place."""
        room = self.room(request)
        await self._sandboxes.reset(room)
        return said(room.described(self._base_url))

    async def answer(self, request: Request) -> Response:
        """A customer answers a request for consent."""
        room = self.room(request)
        script = SCRIPTS.get(request.path_params["script"])
        if script is None:
            raise NotFound(f"no customer is scripted so: there are {', '.join(SCRIPTS)}")
        asked = await read_shape(request, AnswerWish)
        bank = await _bank_of(room, asked.consent_id)
        return said(msgspec.to_builtins(await bank.answer(script, asked.consent_id, asked.seconds)))

    async def ask(self, request: Request) -> Response:
        """The sandbox's own recipient asks a holder for a consent."""
        room = self.room(request)
        wanted = await read_shape(request, ConsentWish)
        return said({"consent_id": await room.world.ask_for_consent(wanted.holder, wanted.authorisers)}, 201)

    async def break_it(self, request: Request) -> Response:
        """Something is to go wrong."""
        room = self.room(request)
        broken = await read_shape(request, FaultWish)
        if broken.fault == REVOKED_KEY:
            return said({"fault": REVOKED_KEY, "kid": await asyncio.to_thread(room.world.revoke_key)}, 201)
        _faults(room, broken.at).arm(_fault(broken))
        return said(msgspec.to_builtins(broken), 201)

    async def mend(self, request: Request) -> Response:
        """Nothing goes wrong any more."""
        for faults in self.room(request).world.faults.values():
            faults.clear()
        return Response(status_code=204)

    async def begin(self, request: Request) -> Response:
        """A conformance run begins, in the place of an earlier one."""
        room = self.room(request)
        room.run = ConformanceRun(room.world, (await read_shape(request, RunWish)).url)
        return said(room.run.report(), 201)

    async def task(self, request: Request) -> Response:
        """The next task; `ended` when there is none."""
        task = await self._run(request).next()
        return said({"ended": True} if task is None else {"ended": False, **task})

    async def judge(self, request: Request) -> Response:
        """The partner has done its task, and says what it concluded."""
        run = self._run(request)
        concluded = await read_shape(request, Conclusion)
        return said(await run.answered(request.path_params["behaviour"], concluded))

    async def report(self, request: Request) -> Response:
        """What came out so far."""
        return said(self._run(request).report())

    def _run(self, request: Request) -> ConformanceRun:
        run = self.room(request).run
        if run is None:
            raise NotFound("no conformance run has begun: POST to this address's conformance")
        return run

    def room(self, request: Request) -> OpenSandbox:
        """The sandbox that the address names, for who may control it. Raises Unauthenticated, NotFound."""
        return self._sandboxes.room(request.path_params["participant"], bearer_of(request))

    def route(self, path: str, method: str, work: Callable[[Request], Awaitable[Response]]) -> Route:
        """A route whose refusals are problems (RFC 9457)."""

        async def told(request: Request) -> Response:
            try:
                return await work(request)
            except RefusedByLedger as error:
                refusal: LedgerError = Refused(error.detail)
            except ClientError as error:
                refusal = Unavailable(error.detail)
            except LedgerError as error:
                refusal = error
            return problem_reply(refusal, Visit(), self._base_url).response()

        return Route(path, told, methods=[method])

    async def nothing(self, request: Request, _: Exception) -> Response:
        """There is no such address."""
        refusal = NoSuchRoute(f"nothing is at {request.url.path}")
        return problem_reply(refusal, Visit(), self._base_url).response()


def control_app(sandboxes: Sandboxes, base_url: str) -> Starlette:
    """The controls as an application; its end throws all sandboxes away."""
    here = Controls(sandboxes, base_url)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await sandboxes.close_all()

    return Starlette(
        routes=[
            here.route("/", "GET", here.front),
            here.route("/rooms", "POST", here.open),
            here.route(ROOM, "GET", here.show),
            here.route(ROOM, "DELETE", here.close),
            here.route(f"{ROOM}/reset", "POST", here.reset),
            here.route(f"{ROOM}/customers/{{script}}/answer", "POST", here.answer),
            here.route(f"{ROOM}/requests", "POST", here.ask),
            here.route(f"{ROOM}/conformance", "POST", here.begin),
            here.route(f"{ROOM}/conformance", "GET", here.report),
            here.route(f"{ROOM}/conformance/next", "GET", here.task),
            here.route(f"{ROOM}/conformance/{{behaviour}}", "POST", here.judge),
            here.route(f"{ROOM}/faults", "POST", here.break_it),
            here.route(f"{ROOM}/faults", "DELETE", here.mend),
        ],
        exception_handlers={404: here.nothing},
        lifespan=lifespan,
    )


def bearer_of(request: Request) -> str:
    """The bearer token of a request; empty if it has none."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token if kind.lower() == "bearer" else ""


def said(content: object, status: int = 200) -> Response:
    """An answer that nobody keeps."""
    return Response(msgspec.json.encode(content), status, {"cache-control": "no-store"}, JSON)


async def _bank_of(room: OpenSandbox, consent_id: str) -> ScriptedBank:
    """The bank of which a consent is asked. Raises NotFound."""
    for one in room.world.banks.values():
        try:
            await one.client.consent(consent_id)
        except RefusedByLedger:
            continue
        return one
    raise NotFound("nobody has asked a bank of this sandbox for this consent")


def _faults(room: OpenSandbox, at: str) -> FaultLayer:
    found = room.world.faults.get(at)
    if found is None:
        raise InvalidInput(f"at is one of {', '.join(room.world.faults)}", member="at")
    return found


def _fault(broken: FaultWish) -> PlannedFault:
    if not (1 <= broken.times <= MOST_TIMES and 0 <= broken.seconds <= MOST_SECONDS):
        raise InvalidInput(f"times is 1 to {MOST_TIMES}, seconds 0 to {MOST_SECONDS}", member="times")
    try:
        return msgspec.convert({"fault": broken.fault, "times": broken.times, "seconds": broken.seconds}, PlannedFault)
    except msgspec.ValidationError:
        kinds = "unavailable, lost, slow, fork, rollback, revoked-key"
        raise BadRequest(f"{broken.fault!r} is not one of {kinds}", member="fault") from None
