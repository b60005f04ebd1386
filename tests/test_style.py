"""How code is written: the formatter has the last word but for tables, and names of tests are claims."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SKIP = "# fmt: " + "skip"
TABLES = 23
"""How many tables there are. The number only goes down: what the formatter writes needs no argument."""
ROWS, CELLS = 5, 2
NEAR = re.compile(r"#.*\n\s*(and|or)\b")
"""Where a comment may stand inside a condition: the formatter begins lines with the operator."""
CLAUSE = re.compile(r"test_(how|that|wh(at|ich|o|om|ose|y)(ever)?)_")
"""A relative clause as the subject: a reader learns only at its end who does something."""


def _sources() -> Iterator[tuple[str, str]]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in sorted(set(listed.split("\0"))):
        if name and (ROOT / name).is_file():
            yield name, (ROOT / name).read_text()


def _comments(source: str) -> list[tuple[int, str, int]]:
    """Of each comment: its line, its text, and how many brackets are open there."""
    found, depth = [], 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            found.append((token.start[0], token.string, depth))
        elif token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
    return found


def _cells(row: ast.expr | None) -> int:
    match row:
        case ast.Tuple(elts=cells) | ast.List(elts=cells) | ast.Set(elts=cells):
            return len(cells)
        case ast.Dict(keys=keys):
            return len(keys)
        case ast.Call(args=args, keywords=keywords):
            return len(args) + len(keywords)
        case _:
            return 0


def is_table(source: str, line: int) -> bool:
    """Whether the bracket that closes in this line holds at least five rows of cells, each begun in a line of its own."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if getattr(node, "end_lineno", None) != line:
            continue
        match node:
            case ast.Dict(keys=keys, values=values):
                rows = list(zip(keys, values, strict=True))
            case ast.List(elts=values) | ast.Tuple(elts=values) | ast.Set(elts=values) | ast.Call(args=values):
                rows = [(value, value) for value in values]
            case _:
                continue
        told = [
            begin
            for begin, row in rows
            if begin is not None and _cells(row) >= CELLS and not lines[begin.lineno - 1][: begin.col_offset].strip()
        ]
        if len(told) >= ROWS and len(told) >= 0.8 * len(rows):
            return True
    return False


def torn(source: str) -> list[int]:
    """The lines in which a comment stands between the parts of one condition."""
    if not NEAR.search(source):
        return []
    lines = source.splitlines()
    conditions = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.BoolOp) and any("#" in line for line in lines[node.lineno - 1 : node.end_lineno])
    ]
    if not conditions:
        return []
    comments = _comments(source)
    depths: dict[int, dict[int, int]] = {}
    depth = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
        depths.setdefault(token.start[0], {})[token.end[1]] = depth
    found = set()
    for node in conditions:
        first = node.values[0]
        level = depths[first.end_lineno or first.lineno].get(first.end_col_offset)
        between = range(node.lineno, node.end_lineno or node.lineno)
        found |= {line for line, _, open_ in comments if line in between and level in {open_, None}}
    return sorted(found)


def test_only_tables_are_kept_from_the_formatter() -> None:
    skips = [
        (path, line)
        for path, source in _sources()
        if SKIP in source
        for line, text, _ in _comments(source)
        if text.endswith(SKIP)
    ]
    sources = dict(_sources())
    assert [f"{path}:{line}" for path, line in skips if not is_table(sources[path], line)] == []
    assert len(skips) <= TABLES, "a table more: let the formatter write it"
    assert len(skips) == TABLES, "a table fewer: lower TABLES"


def test_no_condition_is_torn_by_a_comment() -> None:
    assert [f"{path}:{line}" for path, source in _sources() for line in torn(source)] == []


def test_no_name_of_a_test_has_a_relative_clause_as_its_subject() -> None:
    names = [
        f"{path}: {node.name}"
        for path, source in _sources()
        if path.startswith("tests/") and CLAUSE.search(source)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and CLAUSE.match(node.name)
    ]
    assert names == []


def test_a_list_of_words_is_no_table_and_a_comment_within_a_condition_is_seen() -> None:
    rows = "".join(f'    ("a{number}", {number}),\n' for number in range(ROWS))
    assert is_table(f"X = [\n{rows}]\n", ROWS + 2)
    assert not is_table(f"X = [\n{rows[: rows.rindex('    (')]}]\n", ROWS + 1)
    assert not is_table("X = (\n" + '    "a", "b", "c",\n' * 9 + ")\n", 11)
    assert not is_table("X = f(\n    1, 2, 3,\n    a=4, b=5, c=6,\n)\n", 4)
    assert torn("if (\n    a\n    # why\n    and b\n):\n    pass\n") == [3]
    assert torn("x = a and (  # why\n    b\n)\ny = [\n    a and b,  # why\n    c,\n]\n") == []
