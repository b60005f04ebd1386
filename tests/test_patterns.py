"""No input of a stranger makes a pattern of the product work more than in proportion to its length (review: one GET stopped a
process for ever)."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from api.web.security import HOME, local_path
from tests.ambiguity import judge

ROOT: Final = Path(__file__).parents[1]
PACKAGES: Final = ("api", "ledger", "verifier", "migrations")
"""The last of them is not imported: what stands there is run by the migrations only."""
SEARCHING: Final = frozenset({"search", "findall", "finditer", "sub", "subn", "split"})

COLLECT: Final = """
import importlib, json, pkgutil, re, sys
from pathlib import Path
root = Path.cwd()
found, compile_ = set(), re._compile

def noting(pattern, flags):
    made = compile_(pattern, flags)
    if isinstance(pattern, re.Pattern):
        return made
    frame, files = sys._getframe(1), []
    while frame is not None and len(files) < 12:
        files.append(frame.f_code.co_filename)
        frame = frame.f_back
    outside = [name for name in files if not name.endswith(("re/__init__.py", "<string>"))]
    place = Path(outside[0]) if outside else root
    if place.is_relative_to(root) and ".venv" not in place.parts:
        kind = "bytes" if isinstance(pattern, bytes) else "str"
        text = pattern.decode("latin-1") if kind == "bytes" else pattern
        found.add((str(place.relative_to(root)), kind, text, made.flags))
    return made

re._compile = noting
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        if not module.name.endswith("__main__") and module.name != "api.cli.main":
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:
                print("left out:", module.name, error, file=sys.stderr)
print(json.dumps(sorted(found)))
"""


def patterns() -> list[tuple[str, str, str, int]]:
    """(file, kind, pattern, flags) of everything that is compiled when the whole product is imported."""
    done = subprocess.run(
        [sys.executable, "-c", COLLECT, *PACKAGES[:3]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=150,
    )
    return [(file, kind, text, flags) for file, kind, text, flags in json.loads(done.stdout)]


def test_no_pattern_of_the_product_can_be_made_to_try_ever_more_ways() -> None:
    found = patterns()
    assert len(found) > 60
    written = {constant for constants in _written().values() for constant, _ in constants}
    assert {"^[a-z0-9][a-z0-9._-]{1,62}\\Z", "(?!nonce|state|code_challenge|redirect_uri|response_)\\w+"} <= {
        text for _, _, text, _ in found
    } | written

    slow = [(file, text) for file, _, text, flags in found if judge(text, flags) != "linear"]

    assert slow == []


def test_patterns_that_stand_in_functions_or_in_models_are_linear_too() -> None:
    slow = [
        (file, pattern)
        for file, constants in _written().items()
        for pattern, searched in constants
        if judge(pattern, searched=searched) != "linear"
    ]

    assert slow == []


def test_every_pattern_is_a_constant() -> None:
    """One that is put together while a request is served could not be judged here."""
    made = [
        str(path.relative_to(ROOT))
        for path, tree in _trees()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if _is_of_re(node) and not isinstance(node.args[0], ast.Constant)
    ]

    assert made == ["verifier/records/usual_access.py"] * 2  # of the log's origin, escaped


@pytest.mark.parametrize(
    ("pattern", "judged"),
    [
        (r"/(?:[A-Za-z0-9._~\-%?=&:@]+/?)*", "exponential"),
        (r"(a*)*", "exponential"),
        (r"(a|aa)+b", "exponential"),
        (r"(?:[a-z]+\s?)+\Z", "exponential"),
        (r"(\w{1,50}-?){1,50}", "exponential"),
        (r"(?=(x+x+)+y)z", "exponential"),
        (r"\d+\d+", "polynomial"),
        (r"a.*b.*c", "polynomial"),
        (r"[a-z0-9][a-z0-9._-]{1,62}", "linear"),
        (r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", "linear"),
    ],
)
def test_the_analysis_tells_good_patterns_from_bad_ones(pattern: str, judged: str) -> None:
    assert judge(pattern) == judged


@pytest.mark.parametrize("count", [60, 511, 100_000])
def test_a_hostile_redirect_address_is_read_in_linear_time(count: int) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from api.web.security import local_path; print(local_path(sys.stdin.read()))",
        ],
        input="/" + "a" * count + "!",
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout.strip() == HOME


@pytest.mark.parametrize(
    "path", ["/", "/my/connections", "/my/consents/4f9-a/", "/approve?id=a&x=b%20c", "/a:b@c", "/" + "a" * 511]
)
def test_paths_of_ours_are_gone_on_to(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "my",
        "//evil.example",
        "/a//evil.example",
        "/\\evil.example",
        "/a b",
        "/a\n",
        "/é",
        "https://evil.example",
        "/" + "a" * 512,
        "/a#b",
        "/a;b",
        "/a\x00",
    ],
)
def test_anything_else_leads_home(path: str | None) -> None:
    assert local_path(path) == HOME


def _trees() -> list[tuple[Path, ast.Module]]:
    return [(path, ast.parse(path.read_text())) for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]


def _written() -> dict[str, list[tuple[str, bool]]]:
    """File to (pattern, whether it may begin anywhere): constants given to `re`, as `pattern=`, and to `Meta` or `Field`."""
    found: dict[str, list[tuple[str, bool]]] = {}
    for path, tree in _trees():
        named = {
            target.id: node.value.args[0].value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign | ast.AnnAssign) and _is_of_re(node.value)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name) and isinstance(node.value.args[0], ast.Constant)  # type: ignore[union-attr]
        }
        here = found.setdefault(str(path.relative_to(ROOT)), [])
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            if _is_of_re(node) and isinstance(node.args[0], ast.Constant):
                here.append((_text(node.args[0].value), called.attr in SEARCHING))  # type: ignore[attr-defined]
            elif isinstance(called, ast.Attribute) and called.attr in SEARCHING and _name(called.value) in named:
                here.append((_text(named[_name(called.value)]), True))
            here += [
                (_text(word.value.value), False)
                for word in node.keywords
                if word.arg == "pattern" and isinstance(word.value, ast.Constant)
            ]
    return found


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _text(pattern: object) -> str:
    return pattern.decode("latin-1") if isinstance(pattern, bytes) else str(pattern)


def _is_of_re(node: ast.AST | None) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        and hasattr(re, node.func.attr)
        and node.func.attr != "escape"
        and bool(node.args)
    )
