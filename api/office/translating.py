"""Whether terms are what a request asks for in its standard's words (docs/spec/requests.md; its mapping is requests.json).

The adapters translate by code of their own; what they come to is held against the mapping before anything is signed. The
verifier does the same from the mapping alone. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

import msgspec
from msgspec import Struct

from api.office.json import NotJson, read_object
from api.office.request_rules import HeldAgainst, says
from api.office.request_values import Rule
from ledger.entries.terms import Terms
from ledger.errors import InvalidInput

Asking = Literal["consent.amend", "consent.request"]


class TermsMapping(Struct, frozen=True, forbid_unknown_fields=True):
    """The file."""

    changes: dict[str, dict[str, dict[str, Rule]]]
    """As `standards`, of changes."""
    maps: dict[str, dict[str, list[str]]]
    standards: dict[str, dict[str, dict[str, Rule]]]
    """Standard, version, member of the terms."""
    v: int


@lru_cache
def mapping() -> TermsMapping:
    """The mapping that the specification publishes."""
    text = resources.files(__package__).joinpath("requests.json").read_bytes()
    return msgspec.json.decode(text, type=TermsMapping)


def require_translation(terms: Terms, text: bytes, asked_at: int, act: Asking = "consent.request") -> None:
    """Raises InvalidInput, which names the member, for terms that are no translation of the request's text. `asked_at`: `iat`
    of the statement, in seconds. Of a standard, version or act that the mapping does not hold it says nothing."""
    for _, refusal in differences(msgspec.json.decode(msgspec.json.encode(terms)), text, asked_at, act):
        raise refusal


def differences(
    said: dict[str, Any], text: bytes, asked_at: int, act: Asking = "consent.request"
) -> Iterator[tuple[str, InvalidInput]]:
    """Each member of terms, as the log holds them, that is not what the request asks for, and why; an empty one for a text that
    gives no terms at all."""
    held = mapping().standards if act == "consent.request" else mapping().changes
    rules = held.get(said["standard"], {}).get(said["standard_version"], {})
    try:
        asked = read_object(text) if rules else {}
    except NotJson as error:
        yield "", InvalidInput(f"the request cannot be translated into terms: {error}")
        return
    told = HeldAgainst(asked, said, asked_at, mapping().maps)
    for member, rule in rules.items():
        try:
            same = says(rule, told, member)(said.get(member))
        except InvalidInput as refusal:
            yield member, refusal
            continue
        if not same:
            yield (
                member,
                InvalidInput(
                    f"the terms say something else about {member} than the request does (docs/spec/requests.md)",
                    member=f"terms.{member}",
                ),
            )
