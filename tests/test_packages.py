"""The distributions: what they need, and what they hold."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent

IMPORTED_AS = {"pynacl": "nacl", "pydantic-settings": "pydantic_settings", "prometheus-client": "prometheus_client"}
INDIRECT = {
    "httptools": "uvicorn's parser, which our protocol class builds on",
    "python-multipart": "Starlette reads the pages' forms with it",
}
"""What the service needs without importing it, and why."""


def _imported(*folders: str) -> set[str]:
    names = set()
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names.add(node.module.partition(".")[0])
                elif isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
    return names


def test_the_service_asks_for_nothing_that_it_does_not_use() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {Requirement(line).name for line in asked}
    used = _imported("ledger", "api", "migrations")
    assert {name for name in names if IMPORTED_AS.get(name, name) not in used} == set(INDIRECT)
