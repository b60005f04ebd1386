"""Those who use the ledger in a run: a bank, a fintech, readers, and operators who erase.

Whoever gets no answer sends the same statement again, to any node. What was acknowledged is told to the judge at once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty
from typing import Any, Final, Protocol

from ledger.app import Ledger
from ledger.canonical import b64u, encode
from ledger.entries.leaf import consent_chain
from ledger.errors import LedgerError, QueueFull, SequencerStopped, Unavailable
from ledger.planning.commands import Recorded
from tests.simulation.hub import Hub, SimulatedQueue
from tests.simulation.node import EPOCH, Machine
from tests.world import BANK, FINTECH, ORIGIN, Signer, separately, terms, terms_hash

SIGNERS: Final = {name: Signer.named(name) for name in (BANK, FINTECH)}
PASSING: Final = (Unavailable, QueueFull, SequencerStopped)
"""The same statement may be sent again."""


class Listener(Protocol):
    """Who is told what left a node."""

    def acknowledged(self, statement: Statement, recorded: Sequence[Recorded]) -> None: ...

    def shown(self, note: str, where: str) -> None: ...

    def erased(self, consent_id: str) -> None: ...


@dataclass(eq=False)
class Statement:
    """A signed statement with what travels beside it."""

    act: str
    consent_id: str
    text: str
    companion: str | None = None
    begun: float = 0.0
    """When it was first sent."""


@dataclass
class Consent:
    """What its parties know of a consent."""

    id: str
    terms: dict[str, Any]
    revoked_at: float | None = None
    """When its revocation was acknowledged."""


@dataclass
class Network:
    """How requests reach nodes, and answers come back."""

    hub: Hub
    machines: list[Machine]
    listener: Listener
    drops: Callable[[], bool] = lambda: False
    """Whether this message is lost."""
    cache: dict[str, object] = field(default_factory=dict)

    def ask(self, machine: Machine, work: Callable[[Ledger], object], patience: float) -> object:
        """The result of some work on a node, the error, or None when no answer came."""
        hub, box = self.hub, SimulatedQueue(self.hub)
        hub.pause(0.001 + hub.random.random() * 0.01)
        ledger, process = machine.ledger, machine.process
        if ledger is None or process is None or self.drops():
            hub.pause(0.2)
            return None

        def front() -> None:
            try:
                result = work(ledger)
            except LedgerError as error:
                result = error
            if not self.drops():
                box.put(result)

        hub.spawn(front, process)
        try:
            return box.get(patience)
        except Empty:
            return None

    def submit(self, statement: Statement, *, tries: int = 40) -> str:
        """Send until there is an answer: `recorded`, `refused`, or `given up`."""
        hub = self.hub
        statement.begun = statement.begun or hub.now
        for _ in range(tries):
            machine = hub.random.choice(self.machines)
            answer = self.ask(machine, lambda ledger: submitted(hub, ledger, statement), hub.random.choice((2, 5, 20)))
            if isinstance(answer, tuple):
                self.listener.acknowledged(statement, answer)
                return "recorded"
            if isinstance(answer, LedgerError) and not isinstance(answer, PASSING):
                hub.say(f"{statement.act} refused: {answer.detail[:80]}")
                return "refused"
            hub.pause(hub.random.random() * 0.5)
        return "given up"

    def look(self, machine: Machine) -> None:
        """Somebody asks for the newest checkpoint."""
        note = self.ask(machine, lambda ledger: ledger.tree.checkpoint(), 5)
        if isinstance(note, str):
            self.listener.shown(note, machine.name)


def submitted(hub: Hub, ledger: Ledger, statement: Statement) -> tuple[Recorded, ...]:
    """What a front does with one submission."""
    box = SimulatedQueue(hub)
    ledger.submit(ledger.prepare(statement.text, companion=statement.companion), box.put)
    try:
        answer = box.get(60)
    except Empty:
        raise Unavailable("no answer within a minute") from None
    if isinstance(answer, LedgerError):
        raise answer
    return ledger.settle(answer)


class Parties:
    """A bank and a fintech with one customer each for so many consents."""

    def __init__(self, network: Network) -> None:
        self.network, self.hub = network, network.hub
        self.consents: list[Consent] = []

    # -- statements -----------------------------------------------------------------------------------------------------

    def _sign(self, signer: Signer, act: str, **members: Any) -> str:
        common = {
            "act": act,
            "aud": ORIGIN,
            "iat": EPOCH // 1000 + int(self.hub.now),
            "iss": signer.id,
            "jti": b64u(self.hub.entropy.randbytes(16)),
            "v": 1,
        }
        return signer.jws(encode(common | members))

    def request(self, consent: Consent) -> Statement:
        text = self._sign(SIGNERS[FINTECH], "consent.request", consent_id=consent.id, terms=consent.terms)
        return Statement("consent.request", consent.id, text)

    def authorise(self, consent: Consent) -> Statement:
        now = EPOCH // 1000 + int(self.hub.now)
        said = {
            "accounts": [b64u(bytes(18))],
            "authoriser": b64u(bytes(17) + b"a"),
            "consent_id": consent.id,
            "sca": {"acr": "loa3", "amr": ["pwd", "otp"], "at": now},
            "subject": b64u(bytes(17) + b"s"),
            "terms_hash": terms_hash(consent.terms),
            "version": 1,
            "separate_consents": separately(consent.terms["separate_consents"], now * 1000),
        }
        customer = b64u(bytes(17) + b"c")
        companion = self._sign(SIGNERS[BANK], "subject.consent", consent_id=consent.id, subject=customer)
        return Statement(
            "consent.authorise", consent.id, self._sign(SIGNERS[BANK], "consent.authorise", **said), companion
        )

    def access(self, consent: Consent) -> Statement:
        said = {
            "accounts": [],
            "consent_id": consent.id,
            "customer_present": False,
            "from": 0,
            "to": 0,
            "interaction_id": b64u(self.hub.entropy.randbytes(16)),
            "permissions": ["ReadBalances"],
            "purpose": "budgeting",
            "request_digest": b64u(bytes(32)),
        }
        return Statement("access.request", consent.id, self._sign(SIGNERS[FINTECH], "access.request", **said))

    def revoke(self, consent: Consent) -> Statement:
        said = {"consent_id": consent.id, "reason": "as-asked", "by": "customer"}
        return Statement("consent.revoke", consent.id, self._sign(SIGNERS[BANK], "consent.revoke", **said))

    # -- what they do ---------------------------------------------------------------------------------------------------

    def open(self) -> Consent:
        identity = uuid.UUID(bytes=self.hub.entropy.randbytes(16), version=4)
        consent = Consent(str(identity), terms())
        self.consents.append(consent)
        return consent

    def live(self) -> None:
        """The life of one consent, from its request to its erasure."""
        chance, consent = self.hub.random.random, self.open()
        self.hub.pause(chance() * 2)
        submit = self.network.submit
        if submit(self.request(consent)) != "recorded" or submit(self.authorise(consent)) != "recorded":
            return
        self._accesses(consent, self.hub.random.randrange(1, 4))
        if chance() < 0.2:
            return
        if submit(self.revoke(consent)) == "recorded":
            consent.revoked_at = self.hub.now
        self._accesses(consent, self.hub.random.randrange(1, 3))
        if consent.revoked_at is not None and chance() < 0.4:
            self._erase(consent)

    def _accesses(self, consent: Consent, count: int) -> None:
        for _ in range(count):
            self.hub.pause(self.hub.random.random())
            statement = self.access(consent)
            if self.hub.random.random() < 0.15:  # the same one is on its way twice
                self.hub.spawn(lambda again=statement: self.network.submit(again, tries=2))  # type: ignore[misc]
            self.network.submit(statement, tries=12)

    def _erase(self, consent: Consent) -> None:
        def work(ledger: Ledger) -> object:
            return ledger.erase([consent_chain(consent.id)], "gdpr-17", ("anna", "bert"))

        for _ in range(12):
            answer = self.network.ask(self.hub.random.choice(self.network.machines), work, 65)
            if isinstance(answer, tuple):
                self.network.listener.erased(consent.id)
                return
            self.hub.pause(0.5)
