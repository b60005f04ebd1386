"""A conformance run: tasks for a partner's own software, judged by what the sandbox's log and its answers show.

The list of behaviours (behaviours.json) has a version; a report names it. The partner asks for the next task, does it, and says
what it concluded.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from api.sandbox import judging_holders, judging_recipients
from api.sandbox.evidence import Problems, TaskEvidence, said_wrong
from api.sandbox.faults import FaultKind, PlannedFault
from api.sandbox.world import BANKS, LEDGER, SandboxWorld
from ledger.canonical import b64u, encode
from ledger.errors import IllegalTransition, InvalidInput, NotFound

LIST: Final = Path(__file__).with_name("behaviours.json")
BANK: Final = next(iter(BANKS))
REVOKED_KEY: Final = "revoked-key"


class Behaviour(Struct, frozen=True, rename={"given": "with"}):
    """One behaviour: `do` is the kind of task, `given` its parameters, `answer` the right conclusion."""

    id: str
    side: str
    do: str
    given: dict[str, Any]
    answer: str
    expected: str
    why: str
    remedy: str
    spec: str


class BehaviourList(Struct, frozen=True):
    """A version of the list."""

    suite: str
    version: str
    behaviours: tuple[Behaviour, ...]

    def of(self, side: str) -> tuple[Behaviour, ...]:
        """Those of recipients, or of holders."""
        return tuple(one for one in self.behaviours if one.side == side)


class Conclusion(Struct, frozen=True, forbid_unknown_fields=True):
    """What a partner says of a task: its conclusion, and the consent that it used."""

    answer: str
    consent_id: str = ""


class BehaviourVerdict(Struct, frozen=True):
    """How one behaviour came out; `problems` say what was wrong, `remedy` what to do."""

    behaviour: str
    passed: bool
    problems: tuple[str, ...]
    expected: str
    why: str
    remedy: str
    spec: str


@cache
def behaviours() -> BehaviourList:
    """The list that runs are made of."""
    return msgspec.json.decode(LIST.read_bytes(), type=BehaviourList)


class ConformanceRun:
    """A run of one guest, in the log that it began in."""

    def __init__(self, world: SandboxWorld, url: str = "") -> None:
        """`url`: where a holder's data routes are, on loopback. Raises InvalidInput."""
        self.world = world
        self._side = world.guest.role
        host = urlsplit(url).hostname
        if self._side == "holder" and (host not in ("127.0.0.1", "localhost") or urlsplit(url).scheme != "http"):
            raise InvalidInput("url is where your data routes are: http://127.0.0.1:PORT", member="url")
        if not world.has_joined:
            raise IllegalTransition("come in first: the run judges what you sign")
        self._url = url.rstrip("/")
        self._waiting = [*behaviours().of(self._side)]
        self._task: tuple[Behaviour, TaskEvidence] | None = None
        self.verdicts: list[BehaviourVerdict] = []

    @property
    def many(self) -> int:
        """How many behaviours the run has."""
        return len(behaviours().of(self._side))

    async def next(self) -> dict[str, Any] | None:
        """The next task; the present one while it is not answered; None at the end. Raises ClientError."""
        if self._task is None:
            if not self._waiting:
                return None
            behaviour = self._waiting.pop(0)
            task = TaskEvidence(self.world, self.world.guest.participant, await self._made(behaviour))
            task.keys_before = frozenset(kid for kid, key in task.keys().items() if key.revoked_at is None)
            task.sent_before = len(self.world.faults[LEDGER].seen)
            self._break(behaviour)
            self._task = behaviour, task
        behaviour, task = self._task
        return {"behaviour": behaviour.id, "do": behaviour.do, "expected": behaviour.expected, "with": dict(task.asked)}

    async def answered(self, behaviour_id: str, said: Conclusion) -> BehaviourVerdict:
        """Judge the task that was given. Raises NotFound when it is another one."""
        if self._task is None or self._task[0].id != behaviour_id:
            raise NotFound(f"{behaviour_id!r} is not the task that was given: ask for the next one")
        behaviour, task = self._task
        task.answer, task.consent_id = said.answer, said.consent_id
        self.world.faults[LEDGER].clear()
        problems = [*said_wrong(task, behaviour.answer), *await self._judged(behaviour, task)]
        verdict = BehaviourVerdict(
            behaviour.id,
            not problems,
            tuple(problems),
            behaviour.expected,
            behaviour.why,
            behaviour.remedy,
            behaviour.spec,
        )
        self.verdicts.append(verdict)
        self._task = None
        return verdict

    def report(self) -> dict[str, Any]:
        """What came out so far; `log_hash` binds all of it."""
        told = {
            "behaviours": self.many,
            "ended": len(self.verdicts) == self.many,
            "origin": self.world.node.ledger.origin,
            "participant": self.world.guest.participant,
            "passed": sum(one.passed for one in self.verdicts),
            "side": self._side,
            "suite": f"{behaviours().suite}-{self._side}",
            "suite_version": behaviours().version,
            "verdicts": [msgspec.to_builtins(one) for one in self.verdicts],
        }
        return told | {"log_hash": b64u(sha256(encode(told)).digest())}

    async def _judged(self, behaviour: Behaviour, task: TaskEvidence) -> Problems:
        if self._side == "recipient":
            return judging_recipients.JUDGES[behaviour.id](task)
        return await judging_holders.JUDGES[behaviour.id](task)

    async def _made(self, behaviour: Behaviour) -> dict[str, Any]:
        """What the task needs: a consent that waits for a holder's customer, a receipt to be judged."""
        given = dict(behaviour.given)
        if self._side == "holder":
            authorisers = int(given.get("authorisers", 1))
            given["consent_id"] = await self.world.ask_for_consent(self.world.guest.participant, authorisers)
            if given.pop("again", False):
                given["also"] = await self.world.ask_for_consent(self.world.guest.participant)
            return {**given, "url": self._url}
        if "receipt" in given:
            given["receipt"] = b64u(await self._receipt(given["receipt"]))
        if behaviour.do in ("read", "stop", "acknowledge", "rotate"):
            given["bank"] = BANK
        return given

    async def _receipt(self, kind: str) -> bytes:
        """A receipt of this log that is true, changed, or misplaced; or one that another log signed."""
        consents = [await self.world.ask_for_consent(BANK) for _ in range(2)]
        first, second = [(await self.world.app.history(one))[0].file for one in consents]
        if kind == "changed":
            return first.replace(b"AWAITING", b"ACTIVE00")
        if kind == "misplaced":
            one, other = msgspec.json.decode(first), msgspec.json.decode(second)
            return msgspec.json.encode(one | {"proof": other["proof"]})
        if kind == "foreign":
            one = msgspec.json.decode(first)
            return msgspec.json.encode(one | {"proof": self.world.signed_by_another(one["proof"])})
        return first

    def _break(self, behaviour: Behaviour) -> None:
        fault = behaviour.given.get("fault")
        if fault == REVOKED_KEY:
            self.world.revoke_key()
        elif fault is not None:
            kind = msgspec.convert(fault, FaultKind)
            times = 20 if behaviour.do == "follow" else 1  # until it is answered: others may read checkpoints too
            fault = PlannedFault(kind, times=times, seconds=int(behaviour.given.get("seconds", 1)))
            self.world.faults[LEDGER].arm(fault)
