"""Participants who go on working while the operator does what he does, and keep every receipt that they are given."""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2

from api.client import (
    LedgerClient,
    LedgerUnavailable,
    LocalSigner,
    Patience,
    Pseudonyms,
    Trust,
    VerifiedReceipt,
    make_item,
    make_terms,
    request_digest,
)

NOTICE = b"We show you your spending by category."
CUSTOMER = b"Give my data to this app."
PAUSE = 0.1
"""Seconds between two accesses of one consent: the load is there all the time, and is no benchmark."""


@dataclass
class Load:
    """A bank, an app, and what was acknowledged to them."""

    url: str
    certificate: Path
    trust: Trust
    keys: Mapping[str, tuple[LocalSigner, LocalSigner]]
    """Participant → its keys for statements and as a client."""
    receipts: list[VerifiedReceipt] = field(default_factory=list)
    unavailable: int = 0
    """Questions that were asked again because no answer had come."""
    broken: BaseException | None = None
    consents: int = 4
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def again(self, trust: Trust) -> Load:
        """The same participants, who believe these keys now; they keep what they have."""
        return replace(
            self, trust=trust, receipts=list(self.receipts), _stop=threading.Event(), _thread=None, broken=None
        )

    def start(self) -> None:
        """Begin, in a thread."""
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End when what was begun is acknowledged. Raises what broke it."""
        self._stop.set()
        assert self._thread is not None
        self._thread.join(300)
        self.complain()
        assert not self._thread.is_alive(), "the load does not end"

    def complain(self) -> None:
        """Raise what broke it, if anything did."""
        if self.broken is not None:
            raise self.broken

    def grows_by(self, more: int, seconds: float = 180) -> None:
        """Wait until so many further receipts have come, or a quarter when it is to be short: the ledger works.

        Raises AssertionError."""
        wanted = len(self.receipts) + (more // 4 if os.environ.get("OPERATING_SHORT") else more)
        end = time.monotonic() + seconds
        while len(self.receipts) < wanted:
            self.complain()
            assert time.monotonic() < end, f"no {more} receipts came within {seconds} s"
            time.sleep(0.1)

    def _run(self) -> None:
        try:
            asyncio.run(self._work())
        except BaseException as error:  # noqa: BLE001  (told by whoever asks next)
            self.broken = error

    def _client(self, participant: str) -> LedgerClient:
        statement, client = self.keys[participant]
        context = ssl.create_default_context(cafile=str(self.certificate))
        patience = Patience(tries=4, first_pause=0.2, longest_pause=2.0)
        transport = httpx2.AsyncHTTPTransport(verify=context, limits=httpx2.Limits(max_connections=16))
        return LedgerClient(
            self.url, participant, statement, self.trust, client_key=client, patience=patience, transport=transport
        )

    async def _work(self) -> None:
        pseudonyms = Pseudonyms(b"r" * 32)
        async with self._client("bank-a") as bank, self._client("app-1") as app:
            await asyncio.gather(*(self._consent(bank, app, pseudonyms, number) for number in range(self.consents)))

    async def _consent(self, bank: LedgerClient, app: LedgerClient, pseudonyms: Pseudonyms, number: int) -> None:
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
        self._keep(await app.request_consent(consent_id, terms))
        proof = {"acr": "psd2:sca", "amr": ["pwd", "otp"], "at": int(time.time())}
        for receipt in await bank.authorise(
            consent_id,
            terms,
            customer=f"customer-{number}",
            accounts=["account"],
            pseudonyms=pseudonyms,
            sca=proof,
            separate_consents={"provision": CUSTOMER, "sensitive": CUSTOMER},
        ):
            self._keep(receipt)
        account = pseudonyms.account("account", consent_id)
        while not self._stop.is_set():
            await self._access(app, consent_id, account)
            await asyncio.sleep(PAUSE)

    async def _access(self, app: LedgerClient, consent_id: str, account: str) -> None:
        """One access: the same question until it is answered, since only an answer says that it is recorded."""
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
        while True:
            try:
                receipts = await app.ask("/accesses", question)
            except LedgerUnavailable:
                self.unavailable += 1
                await asyncio.sleep(0.5)
            else:
                break
        for receipt in receipts:
            assert receipt.allowed, receipt
            self._keep(receipt)

    def _keep(self, receipt: VerifiedReceipt) -> None:
        self.receipts.append(receipt)
