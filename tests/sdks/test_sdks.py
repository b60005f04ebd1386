"""What can be said of the SDKs without Node and Java; `scripts/test-sdks` builds and runs them."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SDK, VECTORS = ROOT / "sdk", ROOT / "docs" / "spec" / "vectors"
KINDS = json.loads((SDK / "vectors.json").read_text())
TESTS = {
    "TypeScript": SDK / "typescript" / "test" / "vectors.test.mjs",
    "Java": SDK / "java" / "src" / "test" / "java" / "consentledger" / "client" / "VectorsTest.java",
}


def test_every_kind_of_vector_is_run_by_the_sdks_or_said_to_be_left_out() -> None:
    kinds = {path.name for path in VECTORS.iterdir() if path.suffix == ".json" or path.name in {"bundles", "cases"}}
    assert kinds == {*KINDS["run"], *KINDS["left_out"]}
    assert set(KINDS["run"]) & set(KINDS["left_out"]) == set()
    assert all(KINDS["left_out"].values()), "why it is left out"


@pytest.mark.parametrize("language", TESTS)
def test_each_sdk_reads_every_file_of_vectors_that_it_is_said_to_run(language: str) -> None:
    read = set(re.findall(r'(?:read|file)\("([\w-]+\.json)"\)', TESTS[language].read_text()))
    assert read == set(KINDS["run"])


def test_the_page_says_which_kinds_are_left_out() -> None:
    page = (ROOT / "docs" / "sdks.md").read_text()
    assert [kind for kind in KINDS["left_out"] if f"`{kind}`" not in page] == []


def test_the_lock_of_npm_has_a_hash_for_each_package_and_names_no_registry() -> None:
    lock = json.loads((SDK / "typescript" / "package-lock.json").read_text())
    others = {name: one for name, one in lock["packages"].items() if name}
    assert others
    assert [
        name for name, one in others.items() if "resolved" in one or not one["integrity"].startswith("sha512-")
    ] == []


def test_an_sdk_brings_no_other_package() -> None:
    package = json.loads((SDK / "typescript" / "package.json").read_text())
    assert not {"dependencies", "peerDependencies", "optionalDependencies"} & package.keys()
    pom = (SDK / "java" / "pom.xml").read_text()
    assert len(re.findall("<dependency>", pom)) == len(re.findall("<scope>test</scope>", pom))


def test_the_licence_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    assert json.loads((SDK / "typescript" / "package.json").read_text())["license"] == "Apache-2.0"
    assert "<name>Apache-2.0</name>" in (SDK / "java" / "pom.xml").read_text()
