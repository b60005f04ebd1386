"""Participants who go on working, through one client with the addresses of both nodes, and keep what is acknowledged."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from api.client import (
    LedgerClient,
    LedgerUnavailable,
    LocalSigner,
    Pseudonyms,
    Trust,
    VerifiedReceipt,
    make_item,
    make_terms,
    request_digest,
)
from tests.failover.cluster import PATIENCE, until

NOTICE = b"We show you your spending by category."
SHOWN = {"provision": b"Give my data to this app.", "sensitive": b"My payments can tell a lot about me."}
WRITERS = 6
PAUSE = 0.05
"""Seconds between two accesses of one writer: they work all the time, and this is no benchmark."""


@dataclass
class Load:
    """A bank, an app, and what was acknowledged to them."""

    urls: Sequence[str]
    trust: Trust
    keys: Mapping[str, tuple[LocalSigner, LocalSigner]]
    """Participant → its keys for statements and as a client."""
    receipts: list[VerifiedReceipt] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    """When (monotonic seconds) each access was acknowledged."""
    slowest: float = 0.0
    unavailable: int = 0
    """Questions that the client gave up with LedgerUnavailable; each is asked again."""
    broken: BaseException | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _resting: threading.Event = field(default_factory=threading.Event)
    _busy: int = 0
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, in a thread."""
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End when what was begun is acknowledged. Raises what broke it."""
        self._stop.set()
        assert self._thread is not None
        self._thread.join(PATIENCE)
        self._complain()
        assert not self._thread.is_alive(), "the load does not end"

    def _complain(self) -> None:
        if self.broken is not None:
            raise self.broken

    def works(self, more: int = 4 * WRITERS) -> None:
        """Wait until so many further accesses were acknowledged. Raises AssertionError, or what broke it."""
        wanted, end = len(self.answered) + more, time.monotonic() + PATIENCE
        while len(self.answered) < wanted:
            self._complain()
            assert time.monotonic() < end, f"no {more} accesses were acknowledged within {PATIENCE:g} s"
            time.sleep(0.05)

    def rests(self) -> None:
        """Let everyone finish what they have begun, and begin nothing more until `goes_on`. Raises AssertionError."""
        self._resting.set()
        until(lambda: self._busy == 0 or self.broken, "everything that was asked is answered")
        self._complain()

    def goes_on(self) -> None:
        """See `rests`."""
        self._resting.clear()

    def longest_gap(self, since: float) -> float:
        """The longest time between two acknowledgements, from the last one before `since` to the newest."""
        times = list(self.answered)
        begun = max((at for at in times if at <= since), default=since)
        later = [begun, *(at for at in times if at > begun)]
        return max((after - before for before, after in pairwise(later)), default=0.0)

    def _run(self) -> None:
        try:
            asyncio.run(self._work())
        except BaseException as error:  # noqa: BLE001  (told by whoever asks next)
            self.broken = error

    def client(self, participant: str) -> LedgerClient:
        """With both addresses, and otherwise as a participant has it."""
        statement, client = self.keys[participant]
        return LedgerClient(list(self.urls), participant, statement, self.trust, client_key=client)

    async def _work(self) -> None:
        pseudonyms = Pseudonyms(b"r" * 32)
        async with self.client("bank-a") as bank, self.client("app-1") as app:
            await asyncio.gather(*(self._write(bank, app, pseudonyms, number) for number in range(WRITERS)))

    async def _write(self, bank: LedgerClient, app: LedgerClient, pseudonyms: Pseudonyms, number: int) -> None:
        """One customer's consent, used until the end."""
        consent_id = str(uuid.uuid4())
        terms = make_terms(
            holder="bank-a",
            recipient="app-1",
            permissions=["ReadBalances"],
            purpose="budgeting",
            purpose_text="Budget planning",
            notice=NOTICE,
            expires_at=int(time.time()) + 90 * 86_400,
        )
        self.receipts.append(await app.request_consent(consent_id, terms))
        proof = {"acr": "psd2:sca", "amr": ["pwd", "otp"], "at": int(time.time())}
        self.receipts += await bank.authorise(
            consent_id,
            terms,
            customer=f"customer-{number}",
            accounts=["account"],
            pseudonyms=pseudonyms,
            sca=proof,
            separate_consents=SHOWN,
        )
        account = pseudonyms.account("account", consent_id)
        while not self._stop.is_set():
            if not self._resting.is_set():
                self._busy += 1
                await self._access(app, consent_id, account)
                self._busy -= 1
            await asyncio.sleep(PAUSE)

    async def _access(self, app: LedgerClient, consent_id: str, account: str) -> None:
        item: Any = make_item(
            consent_id=consent_id,
            accounts=[account],
            permissions=["ReadBalances"],
            purpose="budgeting",
            request_digest=request_digest("bank-a", "GET", f"/accounts/{account}/balances"),
            interaction_id=str(uuid.uuid4()),
            customer_present=True,
        )
        question = app.statements.access(item)
        asked = time.monotonic()
        receipts: list[VerifiedReceipt] = []
        while not receipts:
            try:
                receipts = await app.ask("/accesses", question)
            except LedgerUnavailable:
                self.unavailable += 1
        [receipt] = receipts
        assert receipt.allowed, receipt
        self.receipts.append(receipt)
        self.answered.append(time.monotonic())
        self.slowest = max(self.slowest, self.answered[-1] - asked)
