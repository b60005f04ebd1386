"""A bank and an app that go on working while something is done to the ledger, and keep every receipt that they are given."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from api.client import (
    LedgerClient,
    LedgerUnavailable,
    Pseudonyms,
    VerifiedReceipt,
    make_item,
    make_terms,
    request_digest,
)

NOTICE = b"We show you your spending by category."
SHOWN = {"provision": b"Give my data to this app.", "sensitive": b"My payments can tell a lot about me."}
PATIENCE = 300.0
"""Seconds for anything to come about, on a machine that does other things."""


@dataclass
class Load:
    """The bank `bank-a`, the app `app-1`, and what was acknowledged to them."""

    client: Callable[[str], LedgerClient]
    """A participant's client, as it reaches the ledger."""
    writers: int = 4
    """Customers, each with one consent that is used until the end."""
    pause: float = 0.1
    """Seconds between two accesses of one writer: they work all the time, and this is no benchmark."""
    receipts: list[VerifiedReceipt] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    """When (monotonic seconds) each access was acknowledged."""
    slowest: float = 0.0
    unavailable: int = 0
    """Questions given up with LedgerUnavailable; each is asked again: only an answer tells that it is recorded."""
    broken: BaseException | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _resting: threading.Event = field(default_factory=threading.Event)
    _busy: int = 0
    _thread: threading.Thread | None = None

    def again(self, client: Callable[[str], LedgerClient] | None = None) -> Load:
        """The same participants, stopped before, perhaps with other clients; they keep what they have."""
        return replace(
            self,
            client=client or self.client,
            receipts=list(self.receipts),
            answered=list(self.answered),
            _stop=threading.Event(),
            _resting=threading.Event(),
            _thread=None,
        )

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

    def works(self, more: int = 0) -> None:
        """Wait until so many further accesses were acknowledged, by default four of each writer. Raises AssertionError, or
        what broke it."""
        more = more or 4 * self.writers
        wanted = len(self.answered) + more
        self._await(lambda: len(self.answered) >= wanted, f"{more} more accesses are acknowledged")

    def rests(self) -> None:
        """Let everyone finish what they have begun, and begin nothing more until `goes_on`. Raises as `works` does."""
        self._resting.set()
        self._await(lambda: self._busy == 0, "everything that was asked is answered")

    def goes_on(self) -> None:
        """See `rests`."""
        self._resting.clear()

    def longest_gap(self, since: float) -> float:
        """The longest time between two acknowledgements, from the last one before `since` to the newest."""
        times = list(self.answered)
        begun = max((at for at in times if at <= since), default=since)
        later = [begun, *(at for at in times if at > begun)]
        return max((after - before for before, after in pairwise(later)), default=0.0)

    def _await(self, holds: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            self._complain()
            assert time.monotonic() < end, f"it did not come to this within {PATIENCE:g} s: {what}"
            time.sleep(0.05)

    def _complain(self) -> None:
        if self.broken is not None:
            raise self.broken

    def _run(self) -> None:
        try:
            asyncio.run(self._work())
        except BaseException as error:  # noqa: BLE001  (told by whoever asks next)
            self.broken = error

    async def _work(self) -> None:
        pseudonyms = Pseudonyms(b"r" * 32)
        async with self.client("bank-a") as bank, self.client("app-1") as app:
            await asyncio.gather(*(self._write(bank, app, pseudonyms, number) for number in range(self.writers)))

    async def _write(self, bank: LedgerClient, app: LedgerClient, pseudonyms: Pseudonyms, number: int) -> None:
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
        self.receipts += await bank.authorise(
            consent_id,
            terms,
            customer=f"customer-{number}",
            accounts=["account"],
            pseudonyms=pseudonyms,
            sca={"acr": "psd2:sca", "amr": ["pwd", "otp"], "at": int(time.time())},
            separate_consents=SHOWN,
        )
        account = pseudonyms.account("account", consent_id)
        while not self._stop.is_set():
            if not self._resting.is_set():
                self._busy += 1
                await self._access(app, consent_id, account)
                self._busy -= 1
            await asyncio.sleep(self.pause)

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
