"""The rules of the house as tests: files, scripts, packages, licences, the image."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent

TOP_LEVEL = {
    ".ci",
    ".dockerignore",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "api",
    "deploy",
    "docs",
    "ledger",
    "migrations",
    "pyproject.toml",
    "requirements",
    "scripts",
    "sdk",
    "tests",
    "verifier",
}

LONG = {
    # path: why its ideas cannot be parted
    "tests/attacks/tamper.py": "one table: the kinds of tampering",
    "tests/verifier/cases.py": "one table: the tamper matrix",
    "tests/verifier/forge.py": "one world that writes every byte by itself",
    "tests/verifier/later_cases.py": "one table: the tamper matrix of ruleset 2",
}
LIMIT = 400
WIDE = 120
UNWRAPPED = (
    "docs/attacks.md",
    "docs/reference/",
    "docs/errors/",
    "docs/gallery/",
    "docs/zh/",
    "docs/mutants.md",
    "docs/changelog.d/",
    "docs/spec/vectors/",
)
"""Written by programs, or in a script without spaces."""
MARKED = re.compile(r"`[^`]+`|!?\[[^\]]*\]\([^)]*\)")
"""Code and links, which are not broken over lines."""

# Spelt in pieces, so that this file does not hold what it forbids.
FORBIDDEN = [
    re.compile(word)
    for word in (
        r"(?<![\w.])/" + r"work/",  # a path of somebody's machine
        r"/ro" + r"ot/(?!\.)",
        r"/home/\w+/",
        r"\.libr" + "ary",
        r"py" + r"pi\.org",
        r"pythonhos" + r"ted",
        r"registry\.npm" + "js",
        r"extra-index" + "-url",
        r"--index" + "-url(?! )",
        r"BEGIN (EC |RSA |OPENSSH )?PRIV" + "ATE KEY",
    )
]
ALLOWED = {
    ("scripts/lock", "--no-emit-index-url"),
    ("tests/operating/containers.py", 'startswith("/ro' + 'ot/")'),
}

PERMISSIVE = re.compile(
    r"\b(MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|Unlicense|0BSD|CC0|HPND|Zlib)\b",
    re.IGNORECASE,
)
# The LGPL asks for nothing more than that the library can be exchanged, as any Python package can.
ARGUED = {
    "psycopg": "LGPL-3.0: an unchanged library, imported, not copied",
    "psycopg-binary": "LGPL-3.0: as psycopg",
    "psycopg-pool": "LGPL-3.0: as psycopg",
}


def _ours() -> list[Path]:
    """Every file of the project, relative to its root: tracked, or new and not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [Path(name) for name in sorted(set(listed.split("\0"))) if name and (ROOT / name).is_file()]


def test_the_top_level_holds_what_it_should_and_nothing_else() -> None:
    assert {path.parts[0] for path in _ours()} == TOP_LEVEL


def test_no_source_file_is_so_long_that_it_must_hold_two_ideas() -> None:
    counted = {
        str(path): len((ROOT / path).read_text().splitlines())
        for path in _ours()
        if path.suffix in {".py", ".css", ".js", ".html"}
    }
    assert {path: lines for path, lines in counted.items() if lines > LIMIT and path not in LONG} == {}
    assert {path for path in LONG if counted.get(path, 0) <= LIMIT} == set(), "no longer long: take it off the list"


def test_pages_styles_scripts_and_prose_fit_beside_each_other_on_a_screen() -> None:
    """Python has ruff for that. Of Markdown only prose counts: tables, code, and words that cannot be broken do not."""
    wide = []
    for path in _ours():
        if path.suffix in {".css", ".js", ".html"} and path.parts[0] == "api":
            lines: list[str] = (ROOT / path).read_text().splitlines()
        elif path.suffix == ".md" and not str(path).startswith(UNWRAPPED):
            lines = [line for line in _prose(path) if max(map(len, MARKED.sub("_", line).split(" "))) < WIDE // 2]
        else:
            continue
        wide += [f"{path}: {line[:60]}…" for line in lines if len(line) > WIDE and len(MARKED.sub("_", line)) > WIDE]
    assert wide == []


def _prose(path: Path) -> Iterator[str]:
    """The lines of a page that are neither a table's nor code."""
    code = False
    for line in (ROOT / path).read_text().splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            code = not code
        elif not code and not line.lstrip().startswith(("|", "#", "<")):
            yield line


def test_nothing_names_a_machine_a_registry_or_a_private_key() -> None:
    found = []
    for path in _ours():
        try:
            text = (ROOT / path).read_text()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path}:{number}: {line.strip()[:100]}"
            for number, line in enumerate(text.splitlines(), 1)
            if any(word.search(line) for word in FORBIDDEN)
            and not any(str(path) == where and phrase in line for where, phrase in ALLOWED)
        ]
    assert found == []


@pytest.mark.conformance
def test_no_vector_is_copied_into_the_project() -> None:
    # Whoever changes a vector must change it for every implementation at once.
    from tests.conformance import conformance_dir

    folder = conformance_dir()
    sizes: dict[int, list[Path]] = {}
    for path in _ours():
        if (size := (ROOT / path).stat().st_size) >= 200 and path.name != "LICENSE":
            sizes.setdefault(size, []).append(path)
    copies = [
        (str(path), str(vector.relative_to(folder)))
        for vector in folder.rglob("*")
        if vector.is_file()
        for path in sizes.get(vector.stat().st_size, [])
        if (ROOT / path).read_bytes() == vector.read_bytes()
    ]
    assert copies == []


# ------------------------------------------------------------------------------------------------ scripts


def _scripts() -> list[Path]:
    return [path for path in _ours() if path.parts[0] in {"scripts", ".ci"} and path.suffix == ""]


def test_scripts_are_executable_strict_and_well_formed() -> None:
    assert {path.name for path in _scripts()} >= {"setup", "demo", "test", "lint", "lock", "run"}
    for path in _scripts():
        text = (ROOT / path).read_text()
        assert (ROOT / path).stat().st_mode & stat.S_IXUSR, path
        if text.startswith("#!/usr/bin/env bash"):
            assert "\nset -euo pipefail\n" in text, path
            checked = subprocess.run(["bash", "-n", str(ROOT / path)], check=False, capture_output=True, text=True)
            assert checked.returncode == 0, checked.stderr
        else:
            assert text.startswith("#!/usr/bin/env python3"), path


# ---------------------------------------------------------------------------------------- packages, locks


def _project(path: str = "pyproject.toml") -> dict[str, object]:
    project = tomllib.loads((ROOT / path).read_text())["project"]
    assert isinstance(project, dict)
    return project


def _locked(name: str) -> dict[str, list[str]]:
    """Package -> its pinned versions (more than one where markers differ), with every hash checked for form."""
    text = (ROOT / "requirements" / name).read_text()
    pins: dict[str, list[str]] = {}
    for block in re.split(r"\n(?=\S)", text.strip()):
        head, *hashes = [part.strip() for part in block.split(" \\\n")]
        requirement = Requirement(head)
        assert re.fullmatch(r"==[\w.+!]+", str(requirement.specifier)), head
        assert hashes, f"{head} has no hash"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", value) for value in hashes), head
        pins.setdefault(canonicalize_name(requirement.name), []).append(str(requirement.specifier)[2:])
    return pins


@pytest.mark.parametrize("name", ["build.txt", "runtime.txt", "dev.txt", "merkletools.txt"])
def test_every_locked_package_is_pinned_with_hashes(name: str) -> None:
    assert _locked(name)


def test_locks_satisfy_what_the_project_asks_for() -> None:
    project = _project()
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    wanted = {"runtime.txt": [project["dependencies"], extras["postgres"]]}
    wanted["dev.txt"] = [project["dependencies"], *extras.values()]
    for lock, groups in wanted.items():
        pins = _locked(lock)
        for line in [line for group in groups for line in group]:
            requirement = Requirement(line)
            if requirement.name in OURS:
                continue  # in this repository
            versions = pins.get(canonicalize_name(requirement.name))
            assert versions, f"{lock} lacks {line}: run scripts/lock"
            assert any(requirement.specifier.contains(version) for version in versions), f"{lock}: {line}"


def test_developers_run_the_versions_that_production_runs() -> None:
    development = _locked("dev.txt")
    assert {name: versions for name, versions in _locked("runtime.txt").items() if development[name] != versions} == {}


def test_licences_of_what_we_ship_with_are_permissive() -> None:
    shipped = set(_locked("runtime.txt")) | set(_locked("merkletools.txt"))
    refused = []
    for name in sorted(shipped):
        try:
            metadata = importlib.metadata.metadata(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another platform
        said = [metadata.get("License-Expression") or "", (metadata.get("License") or "")[:200]]
        said += [line for line in metadata.get_all("Classifier") or [] if line.startswith("License")]
        if not PERMISSIVE.search(" ".join(said)) and name not in ARGUED:
            refused.append((name, said))
    assert refused == []
    assert "merkletools" in shipped


def _wheel(folder: Path, target: Path) -> set[str]:
    """Build the distribution in `folder` (a copy: building leaves nothing behind) and list what its wheel holds."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    built = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    [wheel] = target.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target / "installed")
        return set(archive.namelist())


def _copy(source: Path, target: Path) -> Path:
    ignored = shutil.ignore_patterns(".venv", ".git", "__pycache__", ".*_cache", ".hypothesis", "dist")
    shutil.copytree(source, target, ignore=ignored)
    return target


def test_the_product_is_built_with_its_migrations_and_without_the_verifier(tmp_path: Path) -> None:
    held = _wheel(_copy(ROOT, tmp_path / "source"), tmp_path / "wheel")
    migrations = {str(path) for path in _ours() if path.parts[0] == "migrations"}
    assert {name for name in migrations if name.endswith(".py")}, "no migrations at all"
    assert migrations <= held
    texts = {str(path) for path in _ours() if path.suffix == ".po"}
    assert {Path(name).parent.name for name in texts} >= {"en", "zh_CN"}
    assert texts <= held
    assert {name.partition("/")[0] for name in held if ".dist-info/" not in name} == {
        "ledger",
        "api",
        "migrations",
    }
    [entry_points] = [name for name in held if name.endswith("entry_points.txt")]
    text = (tmp_path / "wheel/installed" / entry_points).read_text()
    assert "consent-ledger = api.cli.main:main" in text
    assert "verif" not in text
    assert any(name.endswith("licenses/LICENSE") for name in held)


def test_the_verifier_is_a_distribution_of_its_own_that_needs_python_only(tmp_path: Path) -> None:
    held = _wheel(_copy(ROOT / "verifier", tmp_path / "source"), tmp_path / "wheel")
    sources = {str(path) for path in _ours() if path.parts[0] == "verifier" and path.suffix == ".py"}
    assert {name for name in held if ".dist-info/" not in name} >= sources
    assert _project("verifier/pyproject.toml")["dependencies"] == []
    program = f"import sys; sys.path.insert(0, {str(tmp_path / 'wheel/installed')!r}); sys.argv[1:] = ['--help']; "
    program += "from verifier.cli import main; main()"
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert answer.returncode == 0, answer.stderr
    assert "usage" in answer.stdout.lower()


OURS = {"consent-verify"}
DISTRIBUTIONS = ("", "verifier/", "sdk/python/")


def test_all_distributions_carry_the_same_licence() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert {(ROOT / folder / "LICENSE").read_text() for folder in DISTRIBUTIONS} == {text}


def test_all_distributions_have_the_version_of_the_changelog() -> None:
    versions = {_project(f"{folder}pyproject.toml")["version"] for folder in DISTRIBUTIONS}
    newest = re.search(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert versions == {newest[1]}


def test_changelog_fragments_name_their_kind() -> None:
    kinds = {"added", "changed", "fixed", "removed", "security"}
    for path in (ROOT / "docs/changelog.d").iterdir():
        if path.name != "README.md":
            assert re.fullmatch(rf"[a-z0-9-]+\.({'|'.join(kinds)})\.md", path.name), path.name
            assert path.read_text().strip(), path.name


def test_decision_records_have_numbers_of_their_own_and_every_section() -> None:
    numbers: dict[str, str] = {}
    for path in sorted((ROOT / "docs/adr").glob("*.md")):
        if path.name == "README.md":
            continue
        match = re.fullmatch(r"(\d{4})-[a-z0-9-]+\.md", path.name)
        assert match, path.name
        assert match[1] not in numbers, f"{path.name} and {numbers[match[1]]} have one number"
        numbers[match[1]] = path.name
        text = path.read_text()
        for heading in ("Context", "Decision", "Rejected", "Consequences"):
            assert f"\n## {heading}" in text, f"{path.name} lacks «{heading}»"


def test_ci_does_what_a_developer_does() -> None:
    text = (ROOT / ".ci/run").read_text()
    assert "export CI=true" in text
    assert "scripts/test" in text
    assert os.access(ROOT / ".ci/run", os.X_OK)
