"""What every outward standard keeps to, so that a further one is a folder and one line, and a forgotten place turns red."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from api.http.problems import BY_SLUG
from api.server.openapi import openapi_document
from api.standards.served import STANDARDS
from api.standards.standard import Standard
from api.standards.words import words

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "api" / "standards"
FILES = ("routes", "requests", "dialect", "standard")
NO_STANDARD = {"receipts", "words"}
"""Folders beside the standards: receipts for people are a form of answer, words are data."""
ELSEWHERE = {
    ("oauth", "/grants/{grant_id:path}"): "Grant Management's address is the ledger's own, and answers problems",
}
"""Addresses of a standard at which its dialect is not spoken, and why."""

each_standard = pytest.mark.parametrize("standard", STANDARDS, ids=lambda one: one.name)


def test_every_folder_is_served_and_everything_served_has_a_folder() -> None:
    folders = {path.parent.name for path in FOLDER.glob("*/__init__.py")}
    assert folders - NO_STANDARD == {standard.name for standard in STANDARDS}
    assert len({standard.tag for standard in STANDARDS}) == len(STANDARDS)


@each_standard
def test_a_folder_holds_the_files_that_every_standard_has(standard: Standard) -> None:
    assert [name for name in FILES if not (FOLDER / standard.name / f"{name}.py").is_file()] == []


@each_standard
def test_a_standard_has_words_a_page_and_a_line_in_the_list_of_standards(standard: Standard) -> None:
    assert words(standard.name).problems.keys() >= {"bad-request", "not-found", "internal-error", "overloaded"}
    assert (ROOT / "docs" / "standards" / f"{standard.name}.md").is_file()
    assert f"(standards/{standard.name}.md)" in (ROOT / "docs" / "standards.md").read_text()


@each_standard
def test_a_standard_refuses_in_its_own_dialect_at_every_address(standard: Standard) -> None:
    spoken = [route.path for router in standard.routers for route in router.routes]  # type: ignore[attr-defined]
    assert spoken
    outside = [
        path for path in spoken if not standard.dialect.place.match(path) and (standard.name, path) not in ELSEWHERE
    ]
    assert outside == []
    others = [other for other in STANDARDS if other is not standard]
    assert not [path for path in spoken for other in others if other.dialect.place.match(path)]


@each_standard
def test_the_openapi_document_words_its_refusals_as_it_does(standard: Standard) -> None:
    app = FastAPI()
    for router in standard.routers:
        app.include_router(router)
    document = openapi_document(app, "https://ledger.example")
    assert {tag["name"] for tag in document["tags"]} >= {standard.tag}
    for path, item in document["paths"].items():
        for operation in item.values():
            assert standard.tag in operation["tags"], f"{path} is under {operation['tags']}, not {standard.tag}"
            if standard.dialect.place.match(path):
                assert not _promises_problems(operation), f"{path} documents problems, and answers in its own words"


def _promises_problems(operation: dict[str, Any]) -> bool:
    statuses = {str(problem.status) for problem in BY_SLUG.values()}
    return any(
        "application/problem+json" in answer.get("content", {})
        for status, answer in operation["responses"].items()
        if status in statuses
    )
