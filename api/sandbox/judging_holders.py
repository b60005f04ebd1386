"""Whether a holder's software did a task as the list of behaviours expects (behaviours.json): its log, and its data routes."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any, Final

import httpx2

from api.client import LocalSigner, make_item, request_digest
from api.client.statements import StatementMaker
from api.guard import STATEMENT_HEADER
from api.sandbox.evidence import Problems, TaskEvidence, accesses
from api.sandbox.faults import PlannedFault
from api.sandbox.world import APP, LEDGER
from api.web.happened import Event
from ledger.canonical import b64u
from ledger.clock import SystemClock
from ledger.entries.acts import ConsentAuthorise

TIMEOUT_SECONDS: Final = 30.0
ONLY_DIGITS: Final = bytes(code if code in b"0123456789" else 32 for code in range(256))
"""Turns all else into blanks."""
SHORTEST_CARD: Final = 13
"""Digits of a card number, at least (ISO/IEC 7812-1)."""
Answer = httpx2.Response


class Reader:
    """The sandbox's own recipient, at the holder's data routes."""

    def __init__(self, task: TaskEvidence) -> None:
        self._task = task
        self._client = task.world.app
        given = [one.says for one in task.events(task.asked["consent_id"]) if isinstance(one.says, ConsentAuthorise)]
        self.account = given[-1].accounts[0] if given else ""

    async def read(self, what: str = "balances", *, signed: str | None = "", about: str = "") -> Answer:
        """One GET. `signed`: the statement to send, empty for a new one, None for none; `about`: what it says it is for."""
        path = self._path(what)
        text = self.statement(about or what) if signed == "" else signed
        headers = {} if text is None else {STATEMENT_HEADER: text}
        async with httpx2.AsyncClient(base_url=self._task.asked["url"], timeout=TIMEOUT_SECONDS) as http:
            return await http.get(path, headers=headers)

    def statement(self, what: str, maker: StatementMaker | None = None) -> str:
        """A signed `access.request` for one GET."""
        permission = {"accounts": "ReadAccountsDetail", "balances": "ReadBalances"}[what]
        item = make_item(
            consent_id=self._task.asked["consent_id"],
            accounts=[self.account],
            permissions=[permission],
            purpose="budgeting",
            request_digest=request_digest(self._task.participant, "GET", self._path(what)),
            interaction_id=str(uuid.uuid4()),
            customer_present=True,
        )
        return (maker or self._client.statements).access(item).text

    def _path(self, what: str) -> str:
        return "/accounts" if what == "accounts" else f"/accounts/{self.account}/{what}"


async def _plain(task: TaskEvidence) -> Problems:
    answer = await Reader(task).read()
    problems = _is(answer, 200)
    if not any(one.allowed for one in accesses(task.events(task.asked["consent_id"]))):
        problems.append("no decision of the log allowed it")
    return problems


async def _release(task: TaskEvidence) -> Problems:
    answer = await Reader(task).read()
    legs = [one.leg for one in task.events(task.asked["consent_id"]) if one.act == "access.release"]
    digest, size = b64u(sha256(answer.content).digest()), len(answer.content)
    if not legs or legs[-1] is None:
        return [*_is(answer, 200), "no access.release is on record"]
    if (legs[-1].digest, legs[-1].bytes) != (digest, size):
        return [f"the release says {legs[-1].bytes} bytes of another digest; {size} bytes arrived"]
    return _is(answer, 200)


async def _unsigned(task: TaskEvidence) -> Problems:
    return _gives_nothing(await Reader(task).read(signed=None))


async def _mismatch(task: TaskEvidence) -> Problems:
    return _gives_nothing(await Reader(task).read("balances", about="accounts"))


async def _replay(task: TaskEvidence) -> Problems:
    reader = Reader(task)
    text = reader.statement("balances")
    first = await reader.read(signed=text)
    return [*_is(first, 200), *_gives_nothing(await reader.read(signed=text))]


async def _forged(task: TaskEvidence) -> Problems:
    reader, origin = Reader(task), task.world.node.ledger.origin
    stranger = StatementMaker(APP, origin, LocalSigner.generate(f"{APP}-1", "EdDSA"), SystemClock())
    return _gives_nothing(await reader.read(signed=reader.statement("balances", stranger)))


async def _withdrawn(task: TaskEvidence) -> Problems:
    reader = Reader(task)
    first = await reader.read()
    await task.world.app.revoke(task.asked["consent_id"])
    return [*_is(first, 200), *_gives_nothing(await reader.read())]


async def _away(task: TaskEvidence) -> Problems:
    reader, ledger = Reader(task), task.world.faults[LEDGER]
    text = reader.statement("balances")
    ledger.arm(PlannedFault("unavailable", times=10_000))
    try:
        answer = await reader.read(signed=text)
    finally:
        ledger.clear()
    return [
        *_gives_nothing(answer),
        *([] if answer.status_code == 503 else ["the answer is 503 while nobody can decide"]),
    ]


async def _masked(task: TaskEvidence) -> Problems:
    answer = await Reader(task).read("accounts")
    shown = [run for run in answer.content.translate(ONLY_DIGITS).split() if len(run) >= SHORTEST_CARD]
    return [*_is(answer, 200), *(["a card number went out whole"] if shown else [])]


def _is(answer: Answer, status: int) -> Problems:
    return [] if answer.status_code == status else [f"the answer is {answer.status_code}, and {status} was right"]


def _gives_nothing(answer: Answer) -> Problems:
    return [] if 400 <= answer.status_code < 600 else [f"data went out, with {answer.status_code}"]


def _in_the_log(
    judge: Callable[[TaskEvidence, list[Event]], Problems],
) -> Callable[[TaskEvidence], Awaitable[Problems]]:
    async def judged(task: TaskEvidence) -> Problems:
        return judge(task, task.events(task.asked["consent_id"]))

    return judged


def _acts(events: list[Event], task: TaskEvidence) -> list[str]:
    return [one.act for one in events if one.principal == task.participant]


def _agreed(task: TaskEvidence, _: list[Event]) -> Problems:
    return [] if _status(task) == "ACTIVE" else [f"the consent is {_status(task)}, and not ACTIVE"]


def _status(task: TaskEvidence) -> str:
    ledger = task.world.node.ledger
    found = ledger.records.consent(APP, task.asked["consent_id"])
    return str(found.status_at(ledger.clock.now()).value)


def _separately(task: TaskEvidence, events: list[Event]) -> Problems:
    given: set[Any] = set()
    for one in events:
        if isinstance(one.says, ConsentAuthorise) and one.says.separate_consents:
            given |= {each.kind for each in one.says.separate_consents}
    missing = sorted({"provision", "sensitive"} - given)
    return [*[f"nobody gave the separate consent {kind}" for kind in missing], *_agreed(task, events)]


def _declined(_: TaskEvidence, events: list[Event]) -> Problems:
    rejects = [one for one in events if one.act == "consent.reject" and one.by == "customer"]
    return [] if rejects else ["no consent.reject by the customer is on record"]


def _two(task: TaskEvidence, events: list[Event]) -> Problems:
    people = {one.says.authoriser for one in events if isinstance(one.says, ConsentAuthorise)}
    return [*([] if len(people) > 1 else ["the two owners are not two authorisers"]), *_agreed(task, events)]


def _one_of_two(task: TaskEvidence, events: list[Event]) -> Problems:
    many = _acts(events, task).count("consent.authorise")
    problems = [] if many == 1 else [f"one owner agreed, and {many} authorisations are on record"]
    return [*problems, *([] if _status(task) == "PARTIAL" else [f"the consent is {_status(task)}, and not PARTIAL"])]


def _unlinked(task: TaskEvidence, events: list[Event]) -> Problems:
    found = [*events, *task.events(task.asked["also"])]
    given = [one.says.accounts for one in found if isinstance(one.says, ConsentAuthorise)]
    if len(given) < 2:
        return ["both consents are to be agreed to"]
    return ["both consents name the account by the same reference"] if set(given[0]) & set(given[-1]) else []


def _ended(task: TaskEvidence, events: list[Event]) -> Problems:
    ends = [one for one in events if one.act == "consent.revoke" and one.principal == task.participant]
    right = bool(ends) and ends[0].by == "customer"
    return [] if right else ["no consent.revoke by the customer is on record"]


JUDGES: Final[dict[str, Callable[[TaskEvidence], Awaitable[Problems]]]] = {
    "agrees-for-a-customer": _in_the_log(_agreed),
    "asks-separately": _in_the_log(_separately),
    "declines-for-a-customer": _in_the_log(_declined),
    "has-both-owners-agree": _in_the_log(_two),
    "waits-for-the-second-owner": _in_the_log(_one_of_two),
    "names-nobody-twice": _in_the_log(_unlinked),
    "serves-what-was-allowed": _plain,
    "says-what-it-gave": _release,
    "refuses-the-unsigned": _unsigned,
    "refuses-another-request": _mismatch,
    "refuses-a-second-use": _replay,
    "refuses-a-foreign-key": _forged,
    "refuses-after-a-withdrawal": _withdrawn,
    "closes-when-the-ledger-is-away": _away,
    "shows-masked-numbers": _masked,
    "ends-for-a-customer": _in_the_log(_ended),
}
"""By behaviour."""
