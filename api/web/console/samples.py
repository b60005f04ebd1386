"""Ready-to-run code for a participant: its id, its key ids and the log's key are filled in (tests run it).

The code itself lies in the folder `code`, a file for each language and side.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

from api.web.console.doors import PartnerDesk

CODE: Final = Path(__file__).with_name("code")
LANGUAGES: Final = (("Python", "py"), ("TypeScript", "ts"), ("Java", "java"))


@dataclass(frozen=True, slots=True)
class Sample:
    """A piece of code under a name that says its language."""

    language: str
    arguments: str
    """How to call it: a key of the catalogue."""
    code: str


def samples(partner: PartnerDesk) -> list[Sample]:
    """The samples for one participant. Keys that are not registered yet appear under the ids they might get."""
    ledger = partner.desk.office.ledger
    filled = {
        "base": partner.desk.office.base_url,
        "participant": partner.id,
        "vkey": ledger.vkey.format(),
        "statement_kid": _kid(partner, "statement"),
        "client_kid": _kid(partner, "client"),
    }
    side = partner.side
    found = [
        Sample(language, f"con.sandbox.run.{side}", _code(f"{side}.{ending}.txt", filled))
        for language, ending in LANGUAGES
    ]
    return [*found, Sample("curl", "con.sandbox.run.curl", _code("curl.txt", filled))]


def _code(file: str, filled: dict[str, str]) -> str:
    return Template((CODE / file).read_text("utf-8")).substitute(filled)


def _kid(partner: PartnerDesk, use: str) -> str:
    keys = partner.desk.office.ledger.registry.keys.values()
    active = [key.kid for key in keys if key.participant == partner.id and key.use == use and key.revoked_at is None]
    return active[-1] if active else f"{partner.id}-{use}"
