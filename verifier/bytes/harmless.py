"""Untrusted text made harmless for terminals and pages: no control characters, no bidi overrides, no escapes."""

from __future__ import annotations

import html
import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def neutral(text: str) -> str:
    """Characters that are not seen, or change how others are seen, become visible escapes."""
    if text.isprintable():  # true of no character of those categories
        return text
    return "".join(f"\\u{ord(c):04x}" if unicodedata.category(c) in _HIDDEN else c for c in text)


def page(text: object) -> str:
    """As `neutral`, for HTML."""
    return html.escape(neutral(str(text)))
