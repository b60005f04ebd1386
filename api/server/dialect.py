"""Rewrites the OpenAPI document in the part of JSON Schema that every reader understands: linters and generators of
clients know less than the standard has. The meaning stays the same."""

from __future__ import annotations

from typing import Any, Final

_JSON_TYPES: Final = {str: "string", bool: "boolean", int: "integer"}


def in_common_words(value: Any) -> Any:
    """The same document, in which

    - a pattern ends in `$`, which is the end of the text in ECMA-262, and not in Python's `\\Z`;
    - a member that may be null has a list of types; a reference that may be null stands in `oneOf`;
    - one constant text is an `enum` of one;
    - a version, `v`, is an integer between equal bounds: generators give an enum of a number no name;
    - an integer has 64 bits: generators would take 32, and an index may be as large as 2^53−1.

    Examples are left as they are: they are no schemas.
    """
    if isinstance(value, list):
        return [in_common_words(item) for item in value]
    if not isinstance(value, dict):
        return value
    said = {
        name: item if name in {"example", "examples", "default"} else in_common_words(item)
        for name, item in value.items()
    }
    if isinstance(pattern := said.get("pattern"), str) and pattern.endswith("\\Z"):
        said["pattern"] = pattern.removesuffix("\\Z") + "$"
    if "const" in said and not isinstance(said["const"], dict):
        constant = said.pop("const")
        said = {"type": _JSON_TYPES[type(constant)], **said, "enum": [constant]}
    if isinstance(kinds := said.get("enum"), list) and len(kinds) == 1 and type(kinds[0]) is int:
        said.pop("enum")
        said = {**said, "type": "integer", "minimum": kinds[0], "maximum": kinds[0]}
    said = _nullable(said)
    if said.get("type") in ("integer", ["integer", "null"]):
        said.setdefault("format", "int64")
    return said


def _nullable(said: dict[str, Any]) -> dict[str, Any]:
    choices = said.get("anyOf")
    if not isinstance(choices, list) or {"type": "null"} not in choices:
        return said
    others = [choice for choice in choices if choice != {"type": "null"}]
    if len(others) == 1 and isinstance(others[0].get("type"), str):
        said.pop("anyOf")
        [only] = others
        if "enum" in only:
            only = {**only, "enum": [*only["enum"], None]}
        return {**only, **said, "type": [only["type"], "null"]}
    said.pop("anyOf")
    return {**said, "oneOf": choices}
