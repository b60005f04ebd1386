"""Reading the JSON of foreign standards: objects with each name once, of bounded depth."""

from __future__ import annotations

import json
from typing import Any


class NotJson(ValueError):
    """The bytes are no JSON object, or one with a name twice."""


def read_object(body: bytes) -> dict[str, Any]:
    """The object. Raises NotJson: what is hashed into the terms must have one meaning (docs/spec/requests.md)."""
    try:
        found = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
        json.dumps(found, ensure_ascii=False).encode("utf-8")  # half a character is no text
    except (ValueError, RecursionError) as error:
        raise NotJson(f"the body is not JSON with each name once: {error}"[:200]) from None
    if not isinstance(found, dict):
        raise NotJson("the body is not a JSON object")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotJson("one object has a name twice")
    return members


def _no_constant(name: str) -> Any:
    raise NotJson(f"{name} is not a JSON number")
