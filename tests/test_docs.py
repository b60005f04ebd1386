"""The documents against the project: what a page names exists, and every page is reached from the README."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from api.cli.folder import ENVIRONMENT
from api.cli.main import PLACES, loaded
from api.node.configuration import CONFIG
from api.node.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
OURS = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "Dockerfile")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SYMBOL = re.compile(r"\[`([\w.]+)`\]\((\.\./[\w/]+\.py)\)")
PATH = re.compile(r"(?:api|ledger|verifier|tests|docs|scripts|migrations|requirements|sdk|deploy)/[\w./-]*\w")
SETTING = re.compile(r"CONSENT_LEDGER_[A-Z0-9_]+\b(?!…|\*)")


def pages() -> list[Path]:
    return [ROOT / name for name in OURS if name.endswith(".md")] + sorted((ROOT / "docs").rglob("*.md"))


each_page = pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))


def links(page: Path) -> list[Path]:
    """The files that a page leads to."""
    text = CODE.sub("", FENCE.sub("", page.read_text())) if page.name != "architecture.md" else page.read_text()
    targets = [target.partition("#")[0] for target in LINK.findall(text)]
    return [(page.parent / target).resolve() for target in targets if target and "://" not in target]


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [str(target) for target in links(page) if not target.exists()] == []


def test_every_page_is_reached_from_the_readme() -> None:
    seen, ahead = set[Path](), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        for target in links(page):
            ahead += [target / "README.md"] if target.is_dir() else [target]
    fragments = ROOT / "docs" / "changelog.d"
    left = [page for page in pages() if page not in seen and page.parent != fragments]
    assert [str(page.relative_to(ROOT)) for page in left] == []


@each_page
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    root = ROOT / "tests" if page.name == "security-cases.md" else ROOT  # its names are below tests/
    named = {found for code in CODE.findall(page.read_text()) for found in PATH.findall(code)}
    named -= {name for name in named if "/v1/" in name}  # tags of hashes
    assert sorted(name for name in named if not any(root.glob(name)) and not any(ROOT.glob(name))) == []


def test_every_name_of_the_walk_is_in_its_file() -> None:
    page = ROOT / "docs" / "architecture.md"
    missing = []
    for name, target in SYMBOL.findall(page.read_text()):
        source, last = (page.parent / target).read_text(), name.rpartition(".")[2]
        if not re.search(rf"^\s*(async def|def|class) {last}\b", source, re.MULTILINE):
            missing.append(f"{name} in {target}")
    assert missing == []


def test_every_room_is_named_among_the_floors() -> None:
    floors = (ROOT / "docs" / "architecture.md").read_text().partition("## The floors")[2]
    for package in ("api", "ledger", "verifier"):
        rooms = {
            path.stem for path in (ROOT / package).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
        }
        table = floors.partition(f"| `{package}/` |")[2].partition("\n\n")[0]
        named = {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in CODE.findall(row)}
        assert {room for room in rooms if not room.startswith("__")} == named, package


def test_readme_leads_in_one_step_to_where_an_access_is_decided_receipted_and_replayed() -> None:
    """The promise of the house: somebody who never saw it finds the three places from the README alone."""
    readme = (ROOT / "README.md").read_text()
    for path, name in (
        ("ledger/policy/decision.py", "decide"),
        ("ledger/receipts.py", "receipt_bytes"),
        ("verifier/rules/decisions.py", "decide"),
        ("docs/architecture.md", None),
    ):
        assert f"]({path})" in readme
        assert name is None or re.search(rf"^def {name}\b", (ROOT / path).read_text(), re.MULTILINE)


@cache
def _commands() -> set[tuple[str, ...]]:
    """Every command of `consent-ledger`, as the words after it."""

    def below(command: object, words: tuple[str, ...]) -> set[tuple[str, ...]]:
        inner = getattr(command, "commands", {})
        return {words}.union(*(below(one, (*words, name)) for name, one in inner.items()))

    return {()}.union(*(below(loaded(name), (name,)) for name in PLACES))


def _grouped(name: str) -> bool:
    return any(command[:1] == (name,) and len(command) > 1 for command in _commands())


def _told(page: Path, program: str) -> list[str]:
    text = page.read_text()
    code = [*CODE.findall(text), *(line for block in FENCE.findall(text) for line in block.splitlines())]
    return [found for line in code for found in re.findall(rf"(?:^|[\s/]){program} ([a-z][\w -]*)", line)]


@each_page
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    unknown = []
    for words in _told(page, "consent-ledger"):
        said = tuple(words.split())
        if said[:1] not in _commands() or (_grouped(said[0]) and said[:2] not in _commands() and len(said) > 1):
            unknown.append(words)
    assert unknown == []


@cache
def _verifiers_commands() -> set[str]:
    answer = subprocess.run(
        [sys.executable, "-m", "verifier", "--help"], check=True, capture_output=True, text=True, cwd=ROOT
    )
    return set(re.findall(r"^\s{2,6}([a-z][a-z-]+)\b", answer.stdout, re.MULTILINE))


@each_page
def test_every_command_of_the_verifier_that_a_page_names_exists(page: Path) -> None:
    assert [words for words in _told(page, "consent-verify") if words.split()[0] not in _verifiers_commands()] == []


@each_page
def test_every_setting_that_a_page_names_exists(page: Path) -> None:
    known = {ENVIRONMENT, CONFIG}
    for name, field in Settings.model_fields.items():
        known.add(f"CONSENT_LEDGER_{name.upper()}")
        below = getattr(field.annotation, "model_fields", {})
        known |= {f"CONSENT_LEDGER_{name.upper()}__{inner.upper()}" for inner in below}
    assert sorted(set(SETTING.findall(page.read_text())) - known) == []


ROUTE = re.compile(r"`(GET|POST|PUT|DELETE) (/[^`\s?\[]*)[^`]*`")


OF_OTHERS = {("POST", "/add"), ("GET", "/accounts/*/transactions")}
"""Served by tests/bench/personality.py, beside other tile logs in the benchmarks; an example of a bank's own API."""


@each_page
def test_every_route_that_a_page_names_exists(page: Path) -> None:
    known = {(method, _shape(path)) for method, path in _routes()}
    if page.parent.name in ("standards", "adr") or page.name == "witnesses.md":
        pytest.skip("official files' own addresses")
    told = {(method, _shape(path)) for method, path in ROUTE.findall(page.read_text())}
    assert sorted(one for one in told - OF_OTHERS if one not in known and not _fits(one, known)) == []


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}|<[^>]*>|…|\b[Nn]\b", "*", path.rstrip("/") or "/")


def _fits(told: tuple[str, str], known: set[tuple[str, str]]) -> bool:
    method, path = told
    return any(other == method and re.fullmatch(re.escape(shape).replace(r"\*", ".+"), path) for other, shape in known)


@cache
def _routes() -> list[tuple[str, str]]:
    import importlib
    import pkgutil

    from fastapi import APIRouter

    import api

    found = []
    for module in pkgutil.walk_packages(api.__path__, "api."):
        if module.name.startswith(("api.routes.", "api.standards.", "api.web.")):
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, APIRouter):
                    found += [(m, r.path) for r in value.routes if isinstance(r, APIRoute) for m in r.methods]
    return found


def test_the_picture_of_the_architecture_is_that_of_the_code() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "draw-architecture"), "--check"]
    answer = subprocess.run(command, check=False, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


BOX = re.compile(r'class="box" x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)".*?<text [^>]*>(\w+)</text>')
LETTER = 9
"""Pixels: the mean letter of a name at 15 pixels, in a wide font."""


def test_no_room_of_the_picture_covers_another_and_each_name_fits_its_box() -> None:
    rooms = [(name, *map(int, place)) for *place, name in BOX.findall((ROOT / "docs" / "architecture.svg").read_text())]
    assert len(rooms) > 50
    assert [name for name, _, _, width, _ in rooms if LETTER * len(name) > width] == []
    covering = [
        (one, two)
        for (one, left, top, width, height), (two, left_2, top_2, width_2, height_2) in combinations(rooms, 2)
        if left < left_2 + width_2 and left_2 < left + width and top < top_2 + height_2 and top_2 < top + height
    ]
    assert covering == []


def test_a_table_stands_in_lines_of_its_own() -> None:
    """A table that was wrapped like a paragraph is shown as one."""
    within = re.compile(r"\|[^|]*[^|\s:-][^|]*\|\s*:?---+:?\s*\|")
    torn = [
        f"{page.relative_to(ROOT)}: {line[:60]}"
        for page in pages()
        for line in page.read_text().splitlines()
        if within.search(line)
    ]
    assert torn == []
