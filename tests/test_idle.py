"""Nothing is reachable from tests only: what the product defines, the product uses."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DISTRIBUTIONS = {"ledger": ("ledger", "api", "migrations", "scripts"), "verifier": ("verifier",)}
REGISTERED = re.compile(r"serve\(|router\.|app\.|\.command|\.callback|validator|override|event\.|contextmanager_hook")
"""A decorator that hands the function to somebody who calls it."""
KEPT = {
    "CHECKED": "what holds each column, as a table; tests/faults/test_changed_rows.py asks it to be whole",
    "DOORS": "who may see which page of a console, as a table; tests/web/test_console_doors.py asks it to be whole",
    "DONE": "the first in the list of exit statuses",
    "UsedInRedis": "of the guard, for a bank with several processes",
    "UsedInSql": "of the guard, for a bank with several processes",
    "capture_signals": "uvicorn calls it",
    "filtered": "of the guard, for a bank's own answers",
    **dict.fromkeys(
        (
            "close_incident",
            "define_purpose",
            "record_assessment",
            "require_assessment",
            "update_incident",
            "waive_assessment",
        ),
        "of the client, for participants",
    ),
    "redirect_request": "urllib calls it",
    "verify_prefix": "completeness of a whole prefix, which the shared vectors ask of a verifier",
    "verify_subtree_inclusion": "subtrees, which the shared vectors ask of a verifier",
}
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


def _texts(distribution: str) -> Iterator[Path]:
    for folder in DISTRIBUTIONS[distribution]:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def _docstrings(tree: ast.Module) -> set[int]:
    return {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def _uses(tree: ast.AST, skip: set[int]) -> Iterator[str]:
    """Every name that is read, and every word in a string that could name something (getattr, templates)."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
                yield name
            case ast.alias(name=name):
                yield name.rpartition(".")[2]
            case ast.Constant(value=str(text)) if id(node) not in skip:
                yield from re.findall(r"\w+", text)
                yield "_" + text.replace(".", "_")  # the verifier's participants.py calls by kind of document
            case ast.MatchClass(kwd_attrs=names):
                yield from names


def _definitions(body: list[ast.stmt], *, members: bool) -> Iterator[tuple[str, ast.stmt]]:
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if not any(REGISTERED.search(ast.unparse(one)) for one in node.decorator_list):
                    yield name, node
            case ast.ClassDef(name=name):
                yield name, node
                yield from _definitions(node.body, members=True)
            case ast.Assign(targets=[ast.Name(id=name)]) if not members:
                yield name, node
            case ast.AnnAssign(target=ast.Name(id=name)) if not members:
                yield name, node
            case ast.If(body=inner):
                yield from _definitions(inner, members=members)


def _idle(distribution: str) -> dict[str, str]:
    """The names that the product defines and does not use, and where."""
    trees = {path: ast.parse(path.read_text()) for path in _texts(distribution) if path.suffix == ".py"}
    skip = {number for tree in trees.values() for number in _docstrings(tree)}
    used = Counter(name for tree in trees.values() for name in _uses(tree, skip))
    for path in _texts(distribution):
        if path.suffix in {".html", ".js", ".toml", ".mako", ""}:
            used.update(re.findall(r"\w+", path.read_text(errors="replace")))
    used.update(re.findall(r"\w+", (ROOT / "pyproject.toml").read_text()))
    return {
        name: f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in trees.items()
        for name, node in _definitions(tree.body, members=False)
        if not re.fullmatch(r"__\w+__", name)
        if used[name] == Counter(_uses(node, skip))[name]
    }


def test_the_product_uses_every_definition() -> None:
    """Else: use it, delete it, or move it to the tests that need it."""
    idle = _idle("ledger") | _idle("verifier")
    assert sorted(f"{place} {name}" for name, place in idle.items() if name not in KEPT) == []
    assert set(KEPT) - set(idle) == set(), "these are used now: take them off the list"
