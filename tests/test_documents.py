"""A kind of operator document has its place wherever documents are read: one that is new and forgotten turns red here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from api.web.console.records import ABOUT
from api.web.locale import CATALOGUES
from ledger.documents import SINCE_RULESET_2, Document
from verifier.rules import about_entries, orders, sets
from verifier.rules import participants as verifier
from verifier.telling.acts import NAMES

ROOT = Path(__file__).resolve().parent.parent
KINDS = {str(kind.__struct_config__.tag): kind for kind in get_args(Document)}

each_kind = pytest.mark.parametrize("kind", KINDS)


def test_ledger_and_verifier_know_the_same_kinds_with_the_same_members() -> None:
    members = {tag: set(kind.__struct_encode_fields__) - {"v"} for tag, kind in KINDS.items()}
    later = {tag: {*names, *orders.OPTIONAL.get(tag, ())} for tag, names in orders.MEMBERS.items()}
    named = {
        tag: {*names, *orders.OPTIONAL.get(tag, ())} | ({"catalogue"} if tag in verifier.RULES else set())
        for tag, names in verifier.MEMBERS.items()
    }
    assert members == {**named, **later, **sets.MEMBERS}


def test_ledger_and_verifier_take_the_same_kinds_from_ruleset_2_onwards_only() -> None:
    assert {str(kind.__struct_config__.tag) for kind in SINCE_RULESET_2} == verifier.SINCE_2


@each_kind
def test_the_verifier_applies_it(kind: str) -> None:
    folders = (
        (orders.MEMBERS, orders.Orders),
        (about_entries.MEMBERS, about_entries.AboutEntries),
        (sets.MEMBERS, sets.Shards),
    )
    folder = next((folder for members, folder in folders if kind in members), verifier.Registry)
    assert callable(getattr(folder, "_" + kind.replace(".", "_"), None))


@each_kind
def test_the_specification_lists_it(kind: str) -> None:
    assert f"`{kind}`" in (ROOT / "docs" / "spec" / "leaves.md").read_text()


@each_kind
def test_the_schema_describes_it(kind: str) -> None:
    schema = json.loads((ROOT / "docs" / "spec" / "schemas" / "document.schema.json").read_text())
    assert kind in schema["properties"]["type"]["enum"]
    assert kind in schema["$defs"]
    assert f'"#/$defs/{kind}"' in json.dumps(schema["allOf"])


@each_kind
def test_reports_of_the_verifier_name_it_in_both_languages(kind: str) -> None:
    english, chinese = NAMES[kind]
    assert english.isascii()
    assert not chinese.isascii()


@each_kind
@pytest.mark.parametrize("language", CATALOGUES)
def test_the_console_names_it(kind: str, language: str) -> None:
    assert f"cact.{kind}" in CATALOGUES[language]


def test_an_auditor_finds_it_under_what_it_is_about() -> None:
    found = {kind for kinds in ABOUT.values() for kind in kinds}
    assert found == set(KINDS)
