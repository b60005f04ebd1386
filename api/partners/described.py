"""The fields of an API's answers as its OpenAPI document describes them (Swagger 2.0, OpenAPI 3).

Only what stands in the document itself is followed: a reference to another file or address is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from ledger.datamaps import ANY, FIELDS_LIMIT, MAP_LIMIT, STEPS_LIMIT, step_of
from ledger.datamaps import operation as operation_of
from ledger.errors import InvalidInput

METHODS: Final = ("get", "post", "put", "patch", "delete")
LOOKED_AT: Final = 200_000
"""Schemas that are looked at, at most: a small document can describe a very large answer."""


@dataclass(frozen=True, slots=True)
class DescribedField:
    """A value of an operation's successful answers, and what the document says of it."""

    at: str
    field: str
    description: str = ""
    format: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names on the way to it, the nearest last."""
        steps = (step for step in self.field.split("/")[1:] if step != ANY)
        return tuple("*" if step == "~2" else step.replace("~1", "/").replace("~0", "~") for step in steps)


def read_openapi(path: Path) -> Mapping[str, Any]:
    """The document in a JSON file. Raises InvalidInput, OSError."""
    data = path.read_bytes()
    if len(data) > MAP_LIMIT:
        raise InvalidInput(f"{path} is longer than {MAP_LIMIT} bytes")
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"{path} is not JSON: {error}. A YAML document must be converted first") from None
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        raise InvalidInput(f"{path} is not an OpenAPI document: it has no paths")
    return document


def fields_of(document: Mapping[str, Any]) -> list[DescribedField]:
    """All fields, by operation and place, each once. Raises InvalidInput for a document that cannot be followed."""
    walk = _Walk(document)
    found: dict[tuple[str, str], DescribedField] = {}
    for path, item in _members(document["paths"], "paths").items():
        for method in METHODS:
            operation = _members(walk.resolved(item), path).get(method)
            if operation is None:
                continue
            at = operation_of(method, path)
            for schema in _answers(walk, _members(operation, at), at):
                for each in walk.fields(at, schema):
                    found.setdefault((each.at, each.field), each)
            if len(found) > FIELDS_LIMIT:
                raise InvalidInput(
                    f"the document describes more than {FIELDS_LIMIT} fields: make a map for a part of it"
                )
    places = found.keys()
    return [found[each] for each in sorted(places) if not any((each[0], above) in places for above in _above(each[1]))]


def _above(place: str) -> Iterator[str]:
    while place:
        place = place.rpartition("/")[0]
        yield place


def _answers(walk: _Walk, operation: Mapping[str, Any], at: str) -> Iterator[Any]:
    """The schemas of its successful answers."""
    for status, response in _members(operation.get("responses", {}), at).items():
        if not str(status).startswith("2"):
            continue
        said = _members(walk.resolved(response), at)
        if "schema" in said:  # Swagger 2.0
            yield said["schema"]
        for media in _members(said.get("content", {}), at).values():
            yield _members(media, at).get("schema", {})


class _Walk:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._seen = 0

    def fields(self, at: str, schema: Any) -> Iterator[DescribedField]:
        yield from self._inside(at, schema, "", (), 0)

    def resolved(self, value: Any) -> Any:
        """What a reference leads to."""
        for _ in range(STEPS_LIMIT):
            if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
                return value
            value = self._target(value["$ref"])
        raise InvalidInput("a reference of the document leads in a circle")

    def _target(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            raise InvalidInput(f"the document refers to {reference[:100]!r}: put everything into one file first")
        here: Any = self._document
        for step in reference[2:].split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(here, dict) or name not in here:
                raise InvalidInput(f"the document refers to {reference[:100]!r}, which is not in it")
            here = here[name]
        return here

    def _inside(
        self, at: str, schema: Any, place: str, through: tuple[str, ...], depth: int
    ) -> Iterator[DescribedField]:
        self._seen += 1
        if self._seen > LOOKED_AT:
            raise InvalidInput(f"the document describes more than {LOOKED_AT} values: make a map for a part of it")
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if isinstance(reference, str):
            if reference in through or len(through) > STEPS_LIMIT:  # it contains itself: graded as a whole
                yield self._field(at, place, schema)
                return
            yield from self._inside(at, self._target(reference), place, (*through, reference), depth)
            return
        if not isinstance(schema, dict) or depth >= STEPS_LIMIT:
            yield self._field(at, place, schema)
            return
        if schema.get("type") == "null":
            return
        deeper = list(_deeper(schema))
        if not deeper:
            yield self._field(at, place, schema)
        for step, inner in deeper:
            below = place if step is None else f"{place}/{step}"
            yield from self._inside(at, inner, below, through, depth if step is None else depth + 1)

    def _field(self, at: str, place: str, schema: Any) -> DescribedField:
        if len(place) > 512 or len(at) > 256:
            raise InvalidInput(f"a field of {at[:100]} lies too deep, or has names that are too long, for a data map")
        said = schema if isinstance(schema, dict) else {}
        words = " ".join(str(said[name]) for name in ("title", "description") if isinstance(said.get(name), str))
        return DescribedField(at, place, words[:1_000], str(said.get("format", ""))[:100])


def _deeper(schema: Mapping[str, Any]) -> Iterator[tuple[str | None, Any]]:
    """The step to each schema inside; None where it describes the same value."""
    for name in ("allOf", "anyOf", "oneOf"):
        for each in _list(schema.get(name)):
            yield None, each
    for name, inner in _dict(schema.get("properties")).items():
        yield step_of(name), inner
    for each in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(each, dict) and each:
            yield ANY, each
    for each in (*_list(schema.get("prefixItems")), *_dict(schema.get("patternProperties")).values()):
        yield ANY, each


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _members(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput(f"{where[:100]} of the document is not an object")
    return value
