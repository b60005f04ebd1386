"""The demo's acts. Each returns what it saw, beside what it must see."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import httpx2

from api.client import VerifiedReceipt
from api.demo.cast import Cast
from api.demo.people import DemoAccount
from api.demo.recipient import DemoConnection, Pulled, Recipient
from api.demo.servers import DemoFailed
from api.demo.templates import BALANCES, TRANSACTIONS

AT_ONCE: Final = 16
BATCH: Final = 40
"""Receipts of a batch must all be used while they are fresh."""

BALANCES_OF: Final = 4
"""Balances are fetched for one customer in so many; transactions for all."""

T = TypeVar("T")
Tick = Callable[[], None]


@dataclass(frozen=True, slots=True)
class CustomerPart:
    """One customer's part: an account, its bank, and the recipient it connects."""

    account: DemoAccount
    bank: str
    recipient: Recipient


@dataclass
class Share:
    """A customer with its connection."""

    customer: CustomerPart
    connection: DemoConnection
    first: Pulled | None = None


@dataclass
class StoryCounts:
    """The observations of all acts."""

    shares: list[Share] = field(default_factory=list)
    joint: int = 0
    online: Counter[int] = field(default_factory=Counter)
    offline: Counter[int] = field(default_factory=Counter)
    rows: int = 0
    revoked_at_bank: int = 0
    revoked_at_recipient: int = 0
    revocations: dict[str, int] = field(default_factory=dict)
    """Consent → index of its revocation."""
    after_revocation: list[Pulled] = field(default_factory=list)
    stranger: Pulled | None = None
    replay: Pulled | None = None
    frequency: list[Pulled] = field(default_factory=list)
    receipts: list[VerifiedReceipt] = field(default_factory=list)


def cast_customers(cast: Cast, wanted: int) -> list[CustomerPart]:
    """Who consents: accounts with transactions first, spread over banks and recipients."""
    banks = list(cast.banks)
    queues = [list(cast.banks[bank].accounts.values()) for bank in banks]
    chosen: list[CustomerPart] = []
    for number in range(wanted):
        bank = number % len(banks)
        again, place = divmod(number // len(banks), len(queues[bank]))
        recipient = cast.recipients[(place + again) % len(cast.recipients)]
        chosen.append(CustomerPart(queues[bank][place], banks[bank], recipient))
    return chosen


async def connect(cast: Cast, seen: StoryCounts, customers: Sequence[CustomerPart], tick: Tick) -> None:
    """Each recipient asks, each customer (and the second person on the account) agrees at the bank."""

    async def one(customer: CustomerPart) -> Share:
        account = customer.account
        booked = [row.booked for row in account.transactions] or [0]
        connection = await customer.recipient.connect(
            customer.bank, authorisers=len(account.people), history=(min(booked), max(booked))
        )
        path = f"/customers/{account.id}/consents/{connection.consent_id}/authorise"
        connection.account = (await _post(cast.channels[customer.bank], path))["account"]
        tick()
        return Share(customer, connection)

    seen.shares = await many(one, customers)
    seen.joint = sum(len(share.customer.account.people) > 1 for share in seen.shares)


async def pull(seen: StoryCounts, tick: Tick) -> None:
    """Balances with the customer present, by the bank's way; transactions by both ways."""

    async def balance(share: Share) -> None:
        _count(seen, seen.online, await _online(share, "balances", BALANCES))
        tick()

    await many(balance, seen.shares[::BALANCES_OF])

    async def transactions(share: Share) -> None:
        share.first = await _online(share, "transactions", TRANSACTIONS)
        _count(seen, seen.online, share.first)
        tick()

    await many(transactions, seen.shares[::2])
    for recipient in {id(share.customer.recipient): share.customer.recipient for share in seen.shares}.values():
        theirs = [share for share in seen.shares[1::2] if share.customer.recipient is recipient]
        for first in range(0, len(theirs), BATCH):
            await _nightly(seen, recipient, theirs[first : first + BATCH], tick)


async def _nightly(seen: StoryCounts, recipient: Recipient, group: Sequence[Share], tick: Tick) -> None:
    """One signature for many accesses; with each receipt the data is had from a bank that asks nobody."""
    items = [recipient.item(share.connection, "transactions", TRANSACTIONS, customer_present=False) for share in group]
    decided = await recipient.client.access_many(items)
    recipient.receipts += decided

    async def one(pair: tuple[Share, VerifiedReceipt]) -> None:
        share, receipt = pair
        share.first = await recipient.pull_with(share.connection, "transactions", receipt)
        _count(seen, seen.offline, share.first)
        await recipient.confirm(share.first)
        tick()

    await many(one, list(zip(group, decided, strict=True)))


async def revoke(cast: Cast, seen: StoryCounts, tick: Tick) -> None:
    """One in ten stops at the bank, one in ten in the app."""

    async def at_bank(share: Share) -> None:
        path = f"/customers/{share.customer.account.id}/consents/{share.connection.consent_id}/revoke"
        answer = await _post(cast.channels[share.customer.bank], path)
        seen.revocations[share.connection.consent_id] = answer["index"]
        tick()

    async def in_app(share: Share) -> None:
        channel = cast.channels[share.customer.recipient.client.participant]
        answer = await _post(channel, f"/consents/{share.connection.consent_id}/revoke")
        seen.revocations[share.connection.consent_id] = answer["index"]
        tick()

    bank, app = seen.shares[::10], seen.shares[5::10]
    await many(at_bank, bank)
    await many(in_app, app)
    seen.revoked_at_bank, seen.revoked_at_recipient = len(bank), len(app)


async def try_what_must_fail(seen: StoryCounts, tick: Tick) -> None:
    """Pulls that must be refused: after revocation, with another's consent, too often, with a used decision."""

    async def after(share: Share) -> None:
        seen.after_revocation.append(await _online(share, "balances", BALANCES))
        tick()

    await many(after, [share for share in seen.shares if share.connection.consent_id in seen.revocations])
    living = [share for share in seen.shares if share.connection.consent_id not in seen.revocations]
    victim, used = (
        living[0],
        next(share for share in living if share.customer.recipient is not living[0].customer.recipient),
    )
    thief = used.customer.recipient
    seen.stranger = await thief.pull(victim.connection, "balances", BALANCES)
    tick()
    if victim.first is not None and victim.first.receipt is not None:
        seen.replay = await victim.customer.recipient.pull_with(victim.connection, "transactions", victim.first.receipt)
    tick()
    often = living[-1]
    for _ in range(often.customer.recipient.templates[often.customer.bank].frequency_per_day + 2):
        seen.frequency.append(
            await often.customer.recipient.pull(often.connection, "balances", BALANCES, customer_present=False)
        )
        tick()


async def _online(share: Share, what: str, permission: str) -> Pulled:
    pulled = await share.customer.recipient.pull(share.connection, what, permission)
    if pulled.status == 200:
        await share.customer.recipient.confirm(pulled)
    return pulled


def _count(seen: StoryCounts, counter: Counter[int], pulled: Pulled) -> None:
    counter[pulled.status] += 1
    seen.rows += pulled.rows


async def _post(channel: httpx2.AsyncClient, path: str) -> dict[str, Any]:
    answer = await channel.post(path)
    if answer.status_code != 200:
        raise DemoFailed(f"{path.rpartition('/')[2]} was answered {answer.status_code}: {answer.text[:300]}")
    content = answer.json()
    if not isinstance(content, dict):
        raise DemoFailed(f"{path.rpartition('/')[2]} was answered with something else than an object")
    return content


async def many(what: Callable[[Any], Awaitable[T]], each: Iterable[Any]) -> list[T]:
    """Do the same for each, so many at once, in order of the input. The first failure ends all."""
    turnstile = asyncio.Semaphore(AT_ONCE)

    async def one(item: Any) -> T:
        async with turnstile:
            return await what(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in each]
    except* DemoFailed as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]
