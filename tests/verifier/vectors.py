"""The cases of published vectors, as the verifier's tests read them."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from tests.conformance import files


def cases(pattern: str, *members: str) -> list[dict[str, Any]]:
    """The objects of all JSON lists (or lists inside an object) that have these members."""
    found: list[dict[str, Any]] = []
    for path in files(pattern):
        whole = json.loads(path.read_text())
        for part in [whole, *(whole.values() if isinstance(whole, dict) else [])]:
            if isinstance(part, list):
                found += [{**c, "_path": path} for c in part if isinstance(c, dict) and c.keys() >= set(members)]
    assert found, f"no case with {members} in {pattern}"
    return found


def hashes(texts: list[str] | None) -> list[bytes]:
    return [raw(text) for text in texts or []]


def raw(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
