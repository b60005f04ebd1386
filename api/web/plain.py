"""Making foreign text harmless: names, purposes and reasons are written by strangers (tests/web/test_hostile.py)."""

from __future__ import annotations

import unicodedata
from typing import Final

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_JOINERS: Final = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
_FORMULA: Final = tuple("=+-@\t\r\n|%\uff1d\uff0b\uff0d\uff20")
"""Also in full width, which some programs take for the same."""


def plain(text: str) -> str:
    """`text` with every invisible character that could reorder, hide or end what stands around it replaced visibly.

    Those are controls, bidirectional overrides and isolates, other format characters, line separators, surrogates and
    private ones; the two joiners stay, since some languages are misspelt without them.
    """
    return "".join(
        REPLACEMENT
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} and character not in _JOINERS
        else character
        for character in text
    )


def cell(value: object) -> str:
    """A spreadsheet cell that no program takes for a formula (OWASP, CSV injection): such text begins with an apostrophe."""
    if isinstance(value, int):
        return str(value)
    text = plain(str(value))
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
