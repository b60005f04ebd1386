"""The JSON schemas of docs/spec/schemas accept every honest object, and refuse what is not of its form."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from tests.conformance import ROOT
from tests.vectors.hashing import unb64u
from tests.vectors.reading import cases, materialised, read
from tests.vectors.story import ruleset_1, ruleset_2
from tests.vectors.story_3 import ruleset_3
from tests.verifier.cases import honest
from tests.verifier.later_cases import honest_of_2

FOLDER = ROOT / "docs/spec/schemas"
SCHEMAS = {path.name: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.schema.json"))}
REGISTRY: Registry[Any] = Registry().with_resources(
    [(name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items()]
)
SAYABLE = {"7.4", "7.8", "8.2"}
"""Steps that are about the form of one object."""
UNSAYABLE = {
    "a-payload-with-white-space",
    "a-payload-with-a-name-twice",
    "a-payload-whose-permissions-are-not-sorted",
    "roles-that-are-not-sorted",
    "a-key-of-small-order",
    "a-key-off-the-curve",
    "a-purpose-with-unsorted-permissions",
    "a-log-key-of-small-order",
    "a-shard-with-a-key-of-small-order",
    "heads-out-of-order",
    "one-shard-twice-in-one-document",
    "an-sm2-key-off-its-curve",
    "a-freeze-that-ends-before-it-is-signed",
    "a-freeze-for-too-long",
    "an-assessment-that-is-due-already",
    "a-decision-with-unsorted-reasons",
    "an-incident-detected-tomorrow",
    "an-incident-whose-clocks-run-backwards",
    "an-incident-with-two-clocks-of-a-name",
    "feedback-that-is-due-already",
    "an-order-whose-officers-are-not-sorted",
    "an-attestation-that-is-over",
    "a-tariff-whose-line-has-no-tier-from-0",
    "a-tariff-whose-tiers-do-not-rise",
    "a-tariff-whose-rows-run-backwards",
    "a-tariff-that-ends-in-the-past",
    "an-answer-that-disputes-nothing",
    "a-certificate-of-more-than-there-is",
    "a-score-without-weights",
    "a-score-of-a-purpose",
    "a-score-that-weighs-too-much",
}
"""What no schema can say: how bytes are spelled, that a list is sorted, how two members compare, that a point is on its curve."""


def refusals(name: str, value: object) -> list[str]:
    validator = Draft202012Validator(SCHEMAS[f"{name}.schema.json"], registry=REGISTRY)
    return [f"{error.json_path}: {error.message}"[:300] for error in validator.iter_errors(value)]


def objects(entries: list[bytes], bodies: list[bytes]) -> list[tuple[str, Any]]:
    """Every object in a log, with the name of its schema."""
    found: list[tuple[str, Any]] = [("leaf", json.loads(entry)) for entry in entries]
    for body in bodies:
        evidence = json.loads(body)
        found.append(("evidence", evidence))
        words = [word for word in evidence["statements"] if word.startswith("ey")]
        found += [("statement", json.loads(unb64u(word.split(".")[1]))) for word in words]
    return found


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_each_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$id"] == name


@pytest.mark.parametrize("make", [ruleset_1, ruleset_2, ruleset_3], ids=["ruleset-1", "ruleset-2", "ruleset-3"])
def test_every_object_of_the_annotated_bundles_is_valid(make: Any) -> None:
    log = make()
    found = objects(log.entries, [body for body, _ in log.bodies.values()])
    found += [("receipt", log.receipt(index)) for index in range(len(log.entries))]
    assert len(found) > 40
    assert [wrong for name, value in found for wrong in refusals(name, value)] == []


@pytest.mark.parametrize("make", [lambda: honest()[1], honest_of_2], ids=["forge", "forge of ruleset 2"])
def test_every_object_of_the_other_generators_is_valid(make: Any) -> None:
    world = make()
    found = objects(world.entries, [body for body, _ in world.evidence.values()])
    assert [wrong for name, value in found for wrong in refusals(name, value)] == []


def test_the_documents_of_a_head_log_are_valid() -> None:
    files = materialised(case_of("six-heads-in-one-document"))
    [name] = [name for name in files if name.startswith("tile/entries/")]
    documents = [json.loads(entry)["document"] for entry in split(files[name])[13:]]
    assert {document["type"] for document in documents} == {"shard.added", "holder.placed", "heads.committed"}
    assert [wrong for document in documents for wrong in refusals("document", document)] == []


def test_the_other_vectors_are_judged_alike() -> None:
    for row in read("receipts")["cases"]:
        if row["exit"] == 0:
            assert refusals("receipt", json.loads(row["receipt"])) == [], row["name"]
    for row in read("completeness")["cases"]:
        if row["exit"] == 0:
            assert refusals("completeness", json.loads(row["file"])) == [], row["name"]
    for row in read("passkeys")["cases"]:
        if row["accept"]:
            assert refusals("assertion", row["record"]) == [], row["name"]


def case_of(name: str) -> Any:
    return json.loads(next(path for path in cases() if path.stem == name).read_text())


def sayable(path: Path) -> bool:
    case = json.loads(path.read_text())
    return bool(SAYABLE & {*case["steps"]}) and case["expect"]["exit"] != 0 and case["name"] not in UNSAYABLE


FORMS = [path for path in cases() if sayable(path)]


@pytest.mark.parametrize("path", FORMS, ids=[path.stem for path in FORMS])
def test_an_object_in_another_form_is_refused(path: Path) -> None:
    """The entry that the case names, or (a version that nobody knows: no entry is named) any of the bundle."""
    case = json.loads(path.read_text())
    files = materialised(case)
    [name] = [name for name in files if name.startswith("tile/entries/")]
    lines = [json.loads(line) for line in gzip.decompress(files["evidence/000.jsonl.gz"]).splitlines()]
    entries, bodies = split(files[name]), {line["index"]: line["evidence"].encode() for line in lines}
    if case["expect"]["defects"]:
        index = case["expect"]["defects"][0]["index"]
        entries, bodies = [entries[index]], {index: bodies[index]} if index in bodies else {}
    assert [wrong for kind, value in objects(entries, [*bodies.values()]) for wrong in refusals(kind, value)] != []


def split(content: bytes) -> list[bytes]:
    entries = []
    while content:
        size = 2 + int.from_bytes(content[:2])
        entries.append(content[2:size])
        content = content[size:]
    return entries
