"""Customers, accounts and transactions for the demo: real ones where they are at hand, made-up ones elsewhere.

The real ones are the anonymised customers of a Czech bank (PKDD'99 Discovery Challenge); they come without names, so everybody
here is given an invented one. Files are found by the columns they have, not by their names.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
GIVEN: Final = [
    "Alena",
    "Bohdan",
    "Cecilie",
    "Daniel",
    "Eliska",
    "Filip",
    "Gita",
    "Hynek",
    "Irena",
    "Josef",
    "Kamila",
    "Libor",
    "Marta",
    "Norbert",
    "Olga",
    "Pavel",
]
FAMILY: Final = (
    [
        "Bar",
        "Cer",
        "Dol",
        "Fis",
        "Hor",
        "Jel",
        "Kov",
        "Lip",
        "Mach",
        "Nov",
        "Pros",
        "Ruz",
        "Sed",
        "Tich",
        "Urb",
        "Vlk",
        "Zap",
        "Zem",
    ],
    ["ak", "ek", "ina", "ora", "ovec", "ura"],
)
CARD_PREFIX: Final = "999900"
"""No card issuer has this prefix."""


@dataclass(frozen=True, slots=True)
class DemoCustomer:
    """A customer; `name` is invented."""

    id: str
    name: str
    birth_number: str


@dataclass(frozen=True, slots=True)
class Transaction:
    """One row; `amount` and `balance` as text, as the bank has them; `direction` is `credit` or `debit`."""

    id: str
    booked: int
    """Seconds since 1970."""
    direction: str
    amount: str
    balance: str
    what: str
    counterparty: str


@dataclass(slots=True)
class DemoAccount:
    """An account, who owns it, and who else may dispose of it."""

    id: str
    card: str
    owner: DemoCustomer
    others: list[DemoCustomer] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)

    @property
    def people(self) -> list[DemoCustomer]:
        """Everybody who must agree."""
        return [self.owner, *self.others]


@dataclass(frozen=True, slots=True)
class People:
    """All accounts, and in words where they are from."""

    accounts: tuple[DemoAccount, ...]
    source: str
    is_sample: bool = False
    """Whether they are our own invention."""

    @property
    def transactions(self) -> int:
        """How many rows there are in all."""
        return sum(len(account.transactions) for account in self.accounts)


def find_people() -> People:
    """The real customers below CONFORMANCE_DIR (default `../shared` beside the checkout), or our own sample."""
    folder = (ROOT / os.environ.get("CONFORMANCE_DIR", "../shared")).resolve() / "data"
    candidates = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    for candidate in candidates:
        if (people := _read(candidate)) is not None:
            return people
    return _invent()


def _read(folder: Path) -> People | None:
    """The customers in a folder of CSV tables; None when it holds no such tables."""
    tables = {path: set(_columns(path)) for path in sorted(folder.glob("*.csv"))}

    def table(*columns: str, without: Sequence[str] = ()) -> list[dict[str, str]] | None:
        fitting = [path for path, held in tables.items() if held >= set(columns) and held.isdisjoint(without)]
        return None if not fitting else [row for path in fitting for row in _rows(path)]

    accounts = table("account_id", "frequency", without=["trans_id"])
    clients = table("client_id", "birth_number")
    dispositions = table("disp_id", "client_id", "account_id", "type")
    rows = table("trans_id", "account_id", "date", "type", "amount", "balance")
    if accounts is None or clients is None or dispositions is None or rows is None:
        return None
    people = {
        row["client_id"]: DemoCustomer(row["client_id"], invented_name(row["client_id"]), row["birth_number"])
        for row in clients
    }
    owners = {row["account_id"]: people[row["client_id"]] for row in dispositions if row["type"] == "OWNER"}
    found = {
        row["account_id"]: DemoAccount(row["account_id"], card_number(row["account_id"]), owners[row["account_id"]])
        for row in accounts
        if row["account_id"] in owners
    }
    for row in dispositions:
        if row["type"] != "OWNER" and row["account_id"] in found:
            found[row["account_id"]].others.append(people[row["client_id"]])
    for row in rows:
        if row["account_id"] in found:
            found[row["account_id"]].transactions.append(_transaction(row))
    count = sum(len(account.transactions) for account in found.values())
    source = f"{len(found):,} real accounts and {count:,} real transactions (PKDD'99, anonymised)"
    return People(_busiest_first(found.values()), source)


def _columns(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [name.strip() for name in next(csv.reader(file, delimiter=";"), [])]


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, delimiter=";")
        names = [name.strip() for name in next(reader)]
        yield from (dict(zip(names, row, strict=False)) for row in reader)


def _transaction(row: dict[str, str]) -> Transaction:
    booked = datetime.strptime("19" + row["date"], "%Y%m%d").replace(tzinfo=UTC)
    counterparty = " ".join(part for part in (row.get("bank", ""), row.get("account", "")) if part)
    return Transaction(
        row["trans_id"],
        int(booked.timestamp()),
        "credit" if row["type"] == "credit" else "debit",
        row["amount"],
        row["balance"],
        row.get("operation") or row.get("k_symbol") or row["type"],
        counterparty,
    )


def _busiest_first(accounts: object) -> tuple[DemoAccount, ...]:
    held: list[DemoAccount] = list(accounts)  # type: ignore[call-overload]
    return tuple(sorted(held, key=lambda account: (not account.transactions, int(account.id))))


def _invent() -> People:
    """A small bank of nobody: the same one every time."""
    chance = Random("consent-ledger demo")  # noqa: S311  (repeatable on purpose)
    accounts = []
    for number in range(1, 241):
        owner, *others = (_nobody(chance, 2 * number + second) for second in range(1 + (number % 5 == 0)))
        account = DemoAccount(f"{7_000_000 + 37 * number}", card_number(str(number)), owner, others)
        balance, booked = 20_000.0, 820_454_400
        for row in range(24):
            booked += chance.randrange(1, 6) * 86_400
            amount = round(chance.uniform(50, 9_000), 2)
            direction = "credit" if balance < amount or chance.random() < 0.45 else "debit"
            balance += amount if direction == "credit" else -amount
            account.transactions.append(
                Transaction(
                    f"{number * 1000 + row}",
                    booked,
                    direction,
                    f"{amount:.2f}",
                    f"{balance:.2f}",
                    "transfer",
                    f"XY {chance.randrange(10**7, 10**8)}",
                )
            )
        accounts.append(account)
    rows = sum(len(account.transactions) for account in accounts)
    return People(
        tuple(accounts),
        f"{len(accounts)} invented accounts and {rows:,} invented transactions (our own sample)",
        is_sample=True,
    )


def _nobody(chance: Random, number: int) -> DemoCustomer:
    return DemoCustomer(
        f"{90_000 + number}", invented_name(str(number)), f"{chance.randrange(40, 99)}{chance.randrange(10**7):07d}"
    )


def invented_name(client: str) -> str:
    """A name that no file holds, the same one for the same client."""
    chance = Random(f"name of {client}")  # noqa: S311  (repeatable on purpose)
    stems, endings = FAMILY
    return f"{chance.choice(GIVEN)} {chance.choice(stems)}{chance.choice(stems).lower()}{chance.choice(endings)}"


def card_number(account: str) -> str:
    """Sixteen digits that no card has."""
    return f"{CARD_PREFIX}{int(account) * 7919 % 10**10:010d}"
