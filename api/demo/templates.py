"""The requests of the demo's recipients, taken from the standards' own examples where they are at hand.

The examples are of their time (dates of 2017) and of their bank (IBANs). So permissions, frequency and recurrence are taken
from them, and the dates and accounts are those of the demo's customers.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from api.demo.people import ROOT
from ledger.catalogue import LATEST

BALANCES: Final = "ReadBalances"
TRANSACTIONS: Final = "ReadTransactionsDetail"
ACCOUNTS: Final = "ReadAccountsDetail"


@dataclass(frozen=True, slots=True)
class Template:
    """What a recipient asks for at one bank."""

    standard: str
    version: str
    permissions: tuple[str, ...]
    frequency_per_day: int
    source: str


def find_templates() -> tuple[Template, Template]:
    """One in the manner of the UK standard, one in that of the Berlin Group."""
    folder = (ROOT / os.environ.get("CONFORMANCE_DIR", "../shared")).resolve() / "standards"
    examples = _examples(folder) if folder.is_dir() else []
    british = next(
        (
            example
            for example in examples
            if set(example[1].get("Data", {})) >= {"Permissions", "TransactionFromDateTime"}
            and "ConsentId" not in example[1]["Data"]
        ),
        None,
    )
    berlin = next(
        (example for example in examples if "frequencyPerDay" in example[1] and example[1].get("access")), None
    )
    return _british(british), _berlin(berlin)


def _examples(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path in sorted(folder.glob("*/examples/**/*.json")):
        try:
            content = orjson.loads(path.read_bytes())
        except orjson.JSONDecodeError:
            continue
        if isinstance(content, dict) and isinstance(content.get("Data", {}), dict):
            found.append((f"the standard's example {path.parent.name}/{path.name[:40]}", content))
    return found


def _british(example: tuple[str, dict[str, Any]] | None) -> Template:
    source, asked = (
        "our own terms",
        [ACCOUNTS, BALANCES, "ReadTransactionsCredits", "ReadTransactionsDebits", TRANSACTIONS],
    )
    if example is not None:
        source, asked = (
            example[0],
            [code for code in example[1]["Data"]["Permissions"] if code in LATEST.grades and code != "ReadPAN"],
        )
    return Template("uk-ob", "v4.0", tuple(sorted(set(asked))), 4, source)


def _berlin(example: tuple[str, dict[str, Any]] | None) -> Template:
    """`balances` and `transactions` of the Berlin Group, in our codes; the first always comes with the account's details."""
    source, frequency = "our own terms", 4
    access: dict[str, Any] = {"balances": [], "transactions": []}
    if example is not None:
        source, access, frequency = example[0], example[1]["access"], int(example[1]["frequencyPerDay"])
    asked = {ACCOUNTS}
    if "balances" in access:
        asked.add(BALANCES)
    if "transactions" in access:
        asked |= {TRANSACTIONS, "ReadTransactionsCredits", "ReadTransactionsDebits"}
    return Template("berlin-group", "1.3.11", tuple(sorted(asked)), frequency, source)
