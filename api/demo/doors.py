"""The doors of the demo: whose pages can be looked at, under which name, and the files that the pages need for it.

Nobody has a password: the ledger runs with the development sign-in, on loopback (docs/people.md).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import httpx2
from rich.console import Console

from api.client import Pseudonyms
from api.demo.words import PAGES, Language, Says
from api.web.agent import Customer, CustomerAccount

ENTRY: Final = "/dev-idp/in"
STAFF: Final = (
    ("pia", "app-purse", "recipient", "Pia Lund"),
    ("ben", "bank-north", "holder", "Ben Moss"),
    ("tess", "sign-house", "technology-provider", "Tess Holm"),
    ("ada", "audit-hartmann", "auditor", "Ada Hartmann"),
    ("rita", "authority", "regulator", "Rita Soler"),
    ("rosa", "authority", "regulator", "Rosa Lind"),
    ("olaf", "operator", "operator", "Olaf Berg"),
    ("oda", "operator", "operator", "Oda Vik"),
)
"""(account, participant, role, name): two officers of the operator and two people of the regulator, because an
erasure takes two, and so does evidence for a case."""


@dataclass(frozen=True, slots=True)
class Persona:
    """A customer whose pages can be looked at."""

    sub: str
    name: str
    language: str
    accounts: tuple[tuple[str, str], ...]
    """(account, its label)."""


PERSONAS: Final = (
    Persona("anna", "Anna Novak", "en", (("810001", "Everyday account ··4021"), ("810002", "Savings ··7733"))),
    Persona("limei", "李梅", "zh-CN", (("820001", "日常账户 ··3318"), ("820002", "储蓄账户 ··9026"))),
)


@dataclass(frozen=True, slots=True)
class Door:
    """One line of the closing table."""

    kind: str
    """Names its words: `door.<kind>`."""
    click: str
    address: str


@dataclass(frozen=True, slots=True)
class PagesFolder:
    """Where the pages find who may sign in, and how they ask the bank."""

    folder: Path
    token: str

    def settings(self, port: int) -> dict[str, str]:
        """The ledger's environment for its pages."""
        prefix = "CONSENT_LEDGER_WEB__"
        return {
            "CONSENT_LEDGER_PUBLIC_URL": f"http://localhost:{port}",
            f"{prefix}ENVIRONMENT": "development",
            f"{prefix}HOLDERS_FILE": str(self.folder / "holders.json"),
            f"{prefix}CUSTOMERS_FILE": str(self.folder / "customers.json"),
            f"{prefix}STAFF_FILE": str(self.folder / "staff.json"),
        }


def furnish(folder: Path, bank: str, agent_url: str, pseudonyms: Pseudonyms) -> PagesFolder:
    """Write the files of the pages. The bank signs by itself, at `agent_url`: no key of a participant is in a file."""
    folder.mkdir(mode=0o700)
    token = secrets.token_urlsafe(32)
    (folder / "agent.token").touch(mode=0o600)
    (folder / "agent.token").write_text(token)
    customers = [
        {
            "sub": one.sub,
            "holder": bank,
            "subject": pseudonyms.customer(one.sub),
            "name": one.name,
            "accounts": [{"id": account, "label": label} for account, label in one.accounts],
        }
        for one in PERSONAS
    ]
    staff = [dict(zip(("sub", "participant", "role", "name"), one, strict=True)) for one in STAFF]
    _write(folder / "holders.json", {"holders": [{"holder": bank, "url": agent_url, "token_file": "agent.token"}]})
    _write(folder / "customers.json", {"customers": customers})
    _write(folder / "staff.json", {"staff": staff})
    return PagesFolder(folder, token)


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def customers_of(bank: str, pseudonyms: Pseudonyms) -> tuple[Customer, ...]:
    """The personas as the bank's own agent knows them."""
    return tuple(
        Customer(
            one.sub,
            bank,
            pseudonyms.customer(one.sub),
            one.name,
            tuple(CustomerAccount(account, label) for account, label in one.accounts),
        )
        for one in PERSONAS
    )


def doors(url: str, waiting: str, language: Language) -> list[Door]:
    """Every door; `waiting`: a consent that waits for the first persona's answer; `language`: that of people at work."""
    anna, limei = PERSONAS
    found = [
        Door("customer.en", anna.name, _address(url, anna.language)),
        Door("customer.zh", limei.name, _address(url, limei.language)),
        Door("customer.pt", anna.name, _address(url, "pt-BR")),
        Door("request", anna.name, _address(url, anna.language, then=f"/my/approve?consent={waiting}")),
    ]
    kinds = {"recipient": "partner", "holder": "bank", "technology-provider": "provider"}
    first = {role: (kinds.get(role, role), name) for _, _, role, name in reversed(STAFF)}
    return found + [Door(kind, name, _address(url, PAGES[language])) for kind, name in reversed(first.values())]


def _address(url: str, language: str, then: str = "") -> str:
    return f"{url}{ENTRY}?{urlencode({'to': language} | ({'next': then} if then else {}))}"


async def answering(found: Sequence[Door]) -> int:
    """How many doors lead to a page on which their name can be clicked."""
    good = 0
    headers = {"accept": "text/html"}
    for door in found:
        async with httpx2.AsyncClient(follow_redirects=True, timeout=30.0, headers=headers) as http:
            answer = await http.get(door.address)
            good += answer.status_code == httpx2.codes.OK and door.click in answer.text
    return good


def show_doors(console: Console, say: Says, found: Iterable[Door]) -> None:
    """The closing table, two lines for each door: who, the name to click and what is there; the address, never broken."""
    console.print(f"\n{say('doors')}", highlight=False)
    for door in found:
        line = say("door.line", who=say(f"door.{door.kind}"), name=door.click, there=say(f"door.{door.kind}.there"))
        console.print(f"\n  {line}", highlight=False, markup=False)
        console.print(f"    {door.address}", style="cyan", highlight=False, markup=False, soft_wrap=True)
