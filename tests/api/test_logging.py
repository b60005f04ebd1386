"""What gets into a log line: fields of a list, and nothing is said that the list then drops."""

from __future__ import annotations

import ast
from pathlib import Path

import api
from api.node.logs import FIELDS

LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def said() -> set[tuple[str, str]]:
    """(file and line, field) for every field that the service gives a log line."""
    found = set()
    root = Path(api.__file__).parent
    for path in root.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in LEVELS:
                logger = call.func.value
                if isinstance(logger, ast.Name) and logger.id.endswith("log"):
                    place = f"{path.relative_to(root)}:{call.lineno}"
                    found |= {(place, one.arg) for one in call.keywords if one.arg is not None}
    return found


def test_a_field_that_a_log_line_is_given_comes_out() -> None:
    """A warning that named no process, and an error that named no folder, told an operator half."""
    assert len({name for _, name in said()}) >= 10
    assert sorted((place, name) for place, name in said() if name not in FIELDS and name != "exc_info") == []
