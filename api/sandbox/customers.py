"""Customers of a sandbox: nobody is behind them, and each answers a request for consent as its script says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from api.client import LedgerClient
from api.demo.bank import SHOWN, Bank
from api.demo.people import DemoAccount, DemoCustomer, Transaction, card_number
from ledger.clock import SystemClock
from ledger.errors import InvalidInput

LATE_SECONDS: Final = 2
MOST_SECONDS: Final = 60
DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Script:
    """How a customer answers; `accounts`: the bank's own names of hers."""

    id: str
    what: str
    people: tuple[str, ...]
    account: str


SCRIPTS: Final = {
    one.id: one
    for one in (
        Script("yes", "agrees at once", ("Yara Sample",), "900001"),
        Script("no", "declines", ("Noel Sample",), "900002"),
        Script("late", "agrees after some seconds (`seconds`, by default 2)", ("Lara Sample",), "900003"),
        Script("joint", "two people own the account, and both agree", ("Jo Sample", "Jana Sample"), "900004"),
        Script("partial", "two people own the account, and only one agrees", ("Pat Sample", "Paul Sample"), "900005"),
        Script("stops", "agrees, and withdraws as soon as data went out once", ("Sten Sample",), "900006"),
    )
}
"""Every customer, by what she does."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of it. `accounts`: the references by which the recipient reads; `after`: seconds until the answer comes."""

    customer: str
    entries: tuple[int, ...] = ()
    accounts: tuple[str, ...] = ()
    after: int = 0


def sample_accounts() -> dict[str, DemoAccount]:
    """An account for each script, with transactions of the last weeks."""
    today = SystemClock().now() // 1000 // DAY * DAY
    found = {}
    for script in SCRIPTS.values():
        people = [DemoCustomer(f"{script.id}-{number}", name, "") for number, name in enumerate(script.people)]
        account = DemoAccount(script.account, card_number(script.account), people[0], people[1:])
        balance = 100_000
        for number in range(24):
            amount = (number * 7919 % 9_000 + 100) * (1 if number % 3 == 0 else -1)
            balance += amount
            kind = "credit" if amount > 0 else "debit"
            account.transactions.append(
                Transaction(
                    f"{script.account}-{number}",
                    today - (48 - 2 * number) * DAY,
                    kind,
                    _money(abs(amount)),
                    _money(balance),
                    "transfer",
                    f"XY {number:07d}",
                )
            )
        found[account.id] = account
    return found


def _money(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


Later = Callable[[Coroutine[Any, Any, None]], None]
"""Runs something in the background, for as long as the sandbox lives."""


@dataclass
class ScriptedBank(Bank):
    """A bank whose customers answer by script."""

    later: Later = field(default=lambda work: work.close())
    stopping: set[str] = field(default_factory=set)
    """Consents that end with the next data that goes out."""

    @classmethod
    def opened(cls, client: LedgerClient, name: str, later: Later) -> ScriptedBank:
        """A bank with all customers."""
        return cls(client, name, sample_accounts(), later=later)

    async def answer(self, script: Script, consent_id: str, seconds: int = LATE_SECONDS) -> Answered:
        """Have a customer answer the request for this consent. Raises ClientError, InvalidInput."""
        if not 0 <= seconds <= MOST_SECONDS:
            raise InvalidInput(f"a late customer answers after 0 to {MOST_SECONDS} seconds", member="seconds")
        account = self.accounts[script.account]
        terms = await self.asked(consent_id)  # what nobody asked for is told now
        match script.id:
            case "no":
                return Answered(script.id, ((await self._declined(consent_id)),))
            case "late":
                self.later(self._late(consent_id, account, seconds))
                return Answered(script.id, (), self._references(account, consent_id), seconds)
            case "partial":
                who = account.people[:1]
            case _:
                who = account.people
        if script.id == "stops":
            self.stopping.add(consent_id)
        entries = []
        for person in who[: max(1, terms.authorisers_required)] if len(who) == 1 else who:
            entries += await self._agrees(consent_id, account, person)
        return Answered(script.id, tuple(entries), self._references(account, consent_id))

    async def given(self, consent_id: str) -> None:  # type: ignore[explicit-override]  # (3.11 has no typing.override)
        """The one who stops has seen enough."""
        if consent_id in self.stopping:
            self.stopping.discard(consent_id)
            await self.client.revoke(consent_id)

    async def _late(self, consent_id: str, account: DemoAccount, seconds: int) -> None:
        await asyncio.sleep(seconds)
        await self._agrees(consent_id, account, account.owner)

    async def _declined(self, consent_id: str) -> int:
        declined = await self.client.step("reject", consent_id, by="customer", reason="customer-request")
        return declined.index

    async def _agrees(self, consent_id: str, account: DemoAccount, person: DemoCustomer) -> list[int]:
        terms = await self.asked(consent_id)
        self.hold(consent_id, account.owner.id, self._references(account, consent_id))
        entries = await self.client.authorise(
            consent_id,
            terms,
            customer=person.id,
            owner=account.owner.id,
            accounts=[account.id],
            joint_accounts=[account.id] if account.others else [],
            pseudonyms=self.pseudonyms,
            sca={"acr": "psd2:sca", "amr": ["pwd", "otp"], "at": SystemClock().now() // 1000},
            separate_consents={kind: SHOWN[kind] for kind in terms.separate_consents},
        )
        return [entry.index for entry in entries]

    def _references(self, account: DemoAccount, consent_id: str) -> tuple[str, ...]:
        return (self.pseudonyms.account(account.id, consent_id),)
