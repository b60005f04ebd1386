"""Scenario packs: purposes that belong together, with their limits and words, to be applied by one command.

`<name>.json` beside this file are those that come along; a scheme can ship its own in the same form (docs/partners.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from ledger.documents import PurposeDefined, document_of
from ledger.entries.fields import Code
from ledger.errors import InvalidInput

FOLDER: Final = Path(__file__).parent
LANGUAGES: Final = frozenset({"en", "pt-BR", "zh-CN"})
LIMIT: Final = 65_536
"""Bytes of a pack."""
Limit = Annotated[int, Meta(ge=0, le=36_500)]
Words = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,200}\Z", max_length=200)]


class DefaultTerms(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a recipient asks for unless it needs something else; within the purpose's limits."""

    days: Limit
    frequency_per_day: Limit
    retention_days: Limit


class ScenarioPurpose(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A purpose with its limits (0 = none), its words in each language, and an icon's name."""

    code: Code
    icon: Code
    max_days: Limit
    max_frequency_per_day: Annotated[int, Meta(ge=0, le=10_000)]
    max_history_days: Limit
    max_retention_days: Limit
    permissions: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=64)]
    terms: DefaultTerms
    texts: dict[str, Words]

    def __post_init__(self) -> None:
        if self.texts.keys() != LANGUAGES:
            raise ValueError(f"texts are in {', '.join(sorted(LANGUAGES))}, each once")
        asked = self.terms
        for name, wanted, limit in (
            ("days", asked.days, self.max_days),
            ("frequency_per_day", asked.frequency_per_day, self.max_frequency_per_day),
            ("retention_days", asked.retention_days, self.max_retention_days),
        ):
            if limit and not 0 < wanted <= limit:
                raise ValueError(f"terms.{name} lies within the limit of the purpose, {limit}")

    def document(self) -> dict[str, Any]:
        """The operator document that defines it."""
        return document_of(
            PurposeDefined,
            code=self.code,
            permissions=tuple(sorted(set(self.permissions))),
            max_days=self.max_days,
            max_frequency_per_day=self.max_frequency_per_day,
            max_history_days=self.max_history_days,
            max_retention_days=self.max_retention_days,
        )


class ScenarioPack(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A scenario: `purposes` that belong together."""

    scenario: Code
    version: Code
    purposes: Annotated[tuple[ScenarioPurpose, ...], Meta(min_length=1, max_length=32)]


def packs() -> dict[str, Path]:
    """The packs that come along, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.json"))}


def read_pack(path: Path) -> ScenarioPack:
    """A pack from its file. Raises InvalidInput for anything else, OSError."""
    data = path.read_bytes()
    if len(data) > LIMIT:
        raise InvalidInput(f"{path} has {len(data)} bytes; a pack has at most {LIMIT}")
    try:
        return msgspec.json.decode(data, type=ScenarioPack, strict=True)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not a scenario pack: {error}") from None
