"""The catalogues: the one that is published, and the one that old logs keep."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ledger.catalogue import CATALOGUES, LATEST

SPEC = Path(__file__).resolve().parents[2] / "docs" / "spec"


def published(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SPEC / name).read_text())
    return found


def conforms(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """Whether a value is of a schema's shape: the part of JSON Schema that ours uses, and nothing else."""
    if "$ref" in schema:
        return conforms(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    known = {
        "$schema",
        "$defs",
        "title",
        "description",
        "type",
        "properties",
        "required",
        "additionalProperties",
        "propertyNames",
        "items",
        "uniqueItems",
        "minItems",
        "maxItems",
        "minimum",
        "maximum",
        "pattern",
    }
    assert schema.keys() <= known, schema.keys() - known
    kinds: dict[str, type] = {"object": dict, "array": list, "string": str, "integer": int}
    if "type" in schema and not (isinstance(value, kinds[schema["type"]]) and not isinstance(value, bool)):
        return False
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, int):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    if isinstance(value, list):
        fits = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        unique = not schema.get("uniqueItems") or len({json.dumps(each) for each in value}) == len(value)
        return bool(fits and unique and all(conforms(each, schema.get("items", {}), root) for each in value))
    named = schema.get("properties", {})
    others = schema.get("additionalProperties", {})
    return (
        value.keys() >= set(schema.get("required", []))
        and all(conforms(name, schema.get("propertyNames", {}), root) for name in value)
        and all(
            conforms(each, named[name], root) if name in named else others is not False and conforms(each, others, root)
            for name, each in value.items()
        )
    )


def test_the_catalogues_are_the_published_ones() -> None:
    assert CATALOGUES[2].as_document() == published("catalogue-2.json")
    assert CATALOGUES[3].as_document() == published("catalogue-3.json")
    assert list(CATALOGUES[2].masks) == sorted(CATALOGUES[2].masks)
    assert LATEST is CATALOGUES[3]


def test_every_catalogue_has_the_published_shape() -> None:
    schema = published("catalogue.schema.json")
    for catalogue in CATALOGUES.values():
        assert conforms(catalogue.as_document(), schema, schema)
    whole = published("catalogue-2.json")
    for change in (
        {"max_grade": 6},
        {"masks": {"pan": {}}},
        {"permissions": {"a b": {"grade": 1}}},
        {"separate_consents": {"9": ["x"]}},
        {"note": 1},
        {"ruleset": "2"},
    ):
        assert not conforms({**whole, **change}, schema, schema), change


def test_a_catalogue_holds_every_code_that_it_names() -> None:
    for catalogue in CATALOGUES.values():
        for code in (*catalogue.implied_by, *catalogue.implied_by.values(), *sum(catalogue.masks.values(), ())):
            assert code in catalogue.grades
        assert all(grade <= catalogue.max_grade for grade in catalogue.separate_consents)


def test_a_new_catalogue_takes_nothing_back() -> None:
    assert CATALOGUES[1].grades.items() <= CATALOGUES[2].grades.items()
    assert CATALOGUES[1].implied_by == CATALOGUES[2].implied_by
