"""What people read on a page."""

from __future__ import annotations

import html
import re


def words_of(page: str) -> str:
    """A page's text, spaces joined."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
