"""The OpenAPI document keeps to the words that generators take: `scripts/test-openapi` compiles the clients they make."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from api.server.dialect import in_common_words
from tests.api.service import Service

NOT_SCHEMAS = {"example", "examples", "default"}


def every_object(value: Any, place: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the document that can be a schema, and where it stands."""
    if isinstance(value, dict):
        yield place, value
        for name, item in value.items():
            if name not in NOT_SCHEMAS:
                yield from every_object(item, f"{place}/{name}")
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from every_object(item, f"{place}/{number}")


@pytest.fixture
def document(sqlite_service: Service) -> dict[str, Any]:
    served: dict[str, Any] = sqlite_service.http.get("/openapi.json").json()
    return served


def test_a_pattern_is_one_of_ecma_262(document: dict[str, Any]) -> None:
    patterns = {place: one["pattern"] for place, one in every_object(document) if isinstance(one.get("pattern"), str)}
    assert patterns
    assert {place: pattern for place, pattern in patterns.items() if re.search(r"\\[AZz]|\(\?P", pattern)} == {}
    # An anchor at the end means the same there as \Z does here: nothing may stand behind, not even a line's end.
    assert [place for place, pattern in patterns.items() if not pattern.endswith("$")] == []


def test_null_is_a_type_beside_another_or_a_choice_beside_a_reference(document: dict[str, Any]) -> None:
    for place, one in every_object(document):
        assert {"type": "null"} not in one.get("anyOf", []), place
        if {"type": "null"} in one.get("oneOf", []):
            assert all("$ref" in choice for choice in one["oneOf"] if choice != {"type": "null"}), place
    schemas = document["components"]["schemas"]
    assert schemas["Entry"]["properties"]["consent_id"]["type"] == ["string", "null"]
    items = schemas["Envelope"]["properties"]["items"]
    assert (items["type"], items["items"], items["maxItems"]) == (["array", "null"], {"type": "string"}, 1000)


def test_a_constant_is_an_enum_of_one_text_and_a_version_a_bounded_integer(document: dict[str, Any]) -> None:
    for place, one in every_object(document):
        assert "const" not in one, place
        if "enum" in one:
            assert all(choice is None or isinstance(choice, str) for choice in one["enum"]), place
    schemas = document["components"]["schemas"]
    assert schemas["Token"]["properties"]["token_type"] == {"type": "string", "enum": ["DPoP"]}
    version = schemas["Receipt"]["properties"]["v"]
    assert (version["type"], version["minimum"], version["maximum"]) == ("integer", 1, 1)


def test_integers_have_64_bits(document: dict[str, Any]) -> None:
    narrow = [
        place
        for place, one in every_object(document)
        if "integer" in (one.get("type"), *(one["type"] if isinstance(one.get("type"), list) else ()))
        and one.get("format") != "int64"
    ]
    assert narrow == []


def test_the_type_of_a_problem_may_be_relative_as_it_is_in_the_examples(document: dict[str, Any]) -> None:
    assert document["components"]["schemas"]["Problem"]["properties"]["type"]["format"] == "uri-reference"


def test_no_schema_has_the_name_of_anothers_constructor_in_go(document: dict[str, Any]) -> None:
    names = set(document["components"]["schemas"])
    assert {name for name in names if f"New{name}" in names} == set()


def test_anything_but_a_schema_is_left_unchanged() -> None:
    said = {"example": {"const": 1, "anyOf": [{"type": "string"}, {"type": "null"}]}, "type": "object"}
    assert in_common_words(said) == said
    assert in_common_words({"properties": {"pattern": {"type": "string"}}}) == {
        "properties": {"pattern": {"type": "string"}}
    }
    assert in_common_words({"anyOf": [{"enum": ["a"], "type": "string"}, {"type": "null"}], "title": "x"}) == {
        "enum": ["a", None],
        "type": ["string", "null"],
        "title": "x",
    }
