"""The architecture as tests: what `lint-imports` (pyproject.toml) cannot say, and what only a running program shows."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import grimp
import pytest

from ledger import documents

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("ledger", "api", "verifier")
SQL = {"sqlalchemy", "sqlite3", "psycopg", "alembic"}


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """Who imports whom, in our packages and beyond."""
    return grimp.build_graph(*PACKAGES, include_external_packages=True, cache_dir=None)


def _sources(*packages: str) -> Iterator[tuple[Path, ast.Module]]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text())


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


PROBE = """
import importlib, json, pkgutil, sys
before = {*sys.modules, "__mp_main__"}  # the name that multiprocessing gives to __main__
sys.path.insert(0, sys.argv[1])
import verifier
left_out = tuple(sys.argv[2:])  # what runs on import, and adapters of libraries that are not there
for module in pkgutil.walk_packages(verifier.__path__, "verifier."):
    if not module.name.endswith(left_out):
        importlib.import_module(module.name)
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""


LIBRARIES = {"nacl", "_sodium", "cryptography", "_openssl", "_cffi_backend", "cffi"}
ADAPTERS = ["with_pynacl", "with_cryptography", "ml_dsa"]


@pytest.mark.parametrize(
    ("flags", "left_out", "libraries"),
    [
        pytest.param(["-I", "-S"], ADAPTERS, set(), id="with the standard library alone"),
        pytest.param(["-I"], [], LIBRARIES, id="beside everything installed"),
    ],
)
def test_the_verifier_runs_by_itself(
    tmp_path: Path, flags: list[str], left_out: list[str], libraries: set[str]
) -> None:
    # A copy: nothing of ours lies beside it that could be imported by accident.
    shutil.copytree(ROOT / "verifier", tmp_path / "verifier")
    command = [sys.executable, *flags, "-c", PROBE, str(tmp_path), "__main__", *left_out]
    answer = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    loaded = set(json.loads(answer.stdout))
    assert "verifier" in loaded
    assert loaded - set(sys.stdlib_module_names) - {"verifier"} <= libraries


DOORS = {
    "api.checking": "the operator's own check reads every table",
    "api.cli.log": "makes the completeness map anew",
    "api.cli.tiers": "moves old bodies out of the database",
    "api.http.submission": "waits no longer than a commit may take",
    "api.http.answers": "waits for what the sequencer answers",
    "api.office.facts": "keeps a standard's request texts beside the log, in a table of its own",
    "api.tokens.once": "keeps used proofs in a table of its own",
    "api.tokens.registrations": "keeps clients' registrations in a table of their own",
    "api.witness": "keeps cosignatures, as a witness and for the log",
    "api.events": "keeps deliveries in a table of their own",
    "api.web.waiting": "waits for what the sequencer answers",
    "api.node": "puts the parts together",
    "api.server.fleet": "runs the sequencing process",
    "api.server.tracing": "traces batches and commits",
}
"""Who may import storage or sequencer, and why: everybody else goes through `ledger.app` and `ledger.queries`."""


def test_storage_and_sequencer_are_reached_only_by_those_that_have_business_there(imports: grimp.ImportGraph) -> None:
    reaching = {
        importer
        for importer in imports.modules
        if _within(importer, "api")
        for imported in imports.find_modules_directly_imported_by(importer)
        if _within(imported, "ledger.storage") or _within(imported, "ledger.sequencer")
    }
    assert {one for one in reaching if not any(_within(one, door) for door in DOORS)} == set()
    assert [door for door in DOORS if not any(_within(one, door) for one in reaching)] == []


def test_a_class_name_means_one_thing_in_a_distribution() -> None:
    for distribution in (("ledger", "api"), ("verifier",)):
        named: dict[str, list[str]] = {}
        for path, tree in _sources(*distribution):
            for node in tree.body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    named.setdefault(node.name, []).append(str(path))
        assert {name: places for name, places in named.items() if len(places) > 1} == {}


SPEAKERS = ("ledger.engines", "ledger.storage", "ledger.opening", "ledger.vault", "ledger.queries")
WRITES = {"insert", "update", "delete", "text"}


def test_sql_is_spoken_by_storage_vault_and_queries_only(imports: grimp.ImportGraph) -> None:
    elsewhere = {
        importer
        for library in SQL & imports.modules
        for importer in imports.find_modules_that_directly_import(library)
        if _within(importer, "ledger") and not any(_within(importer, speaker) for speaker in SPEAKERS)
    }
    assert elsewhere == set()


def test_queries_only_read() -> None:
    writing = [
        f"{path}:{node.lineno} {alias.name}"
        for path, tree in _sources("ledger/queries")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "sqlalchemy"
        for alias in node.names
        if alias.name in WRITES
    ]
    assert writing == []


def test_the_core_and_the_verifier_have_no_module_in_common(imports: grimp.ImportGraph) -> None:
    crossings = [
        (importer, imported)
        for importer in imports.modules
        for imported in imports.find_modules_directly_imported_by(importer)
        if {importer.partition(".")[0], imported.partition(".")[0]} in ({"ledger", "verifier"}, {"api", "verifier"})
    ]
    assert crossings == []


def test_private_names_stay_in_their_module() -> None:
    borrowed = [
        f"{path}:{node.lineno} takes {alias.name} from {node.module}"
        for path, tree in _sources(*PACKAGES, "tests")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in PACKAGES
        for alias in node.names
        if alias.name.startswith("_") and not alias.name.startswith("__")
    ]
    assert borrowed == []


def test_a_verification_raises_and_never_answers_with_a_bool() -> None:
    answering = [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in _sources(*PACKAGES)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith(("verify", "check", "_verify", "_check"))
        and isinstance(node.returns, ast.Name)
        and node.returns.id == "bool"
    ]
    assert answering == []


NOW = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
ENVIRONMENT = {"os.environ", "os.getenv"}


def test_the_core_asks_only_its_clock_for_the_time_and_never_the_environment() -> None:
    # PostgreSQL's own programs look in their environment for the file with the password.
    asking = [
        f"{path}:{node.lineno} {name}"
        for path, tree in _sources("ledger")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and (name := ".".join(ast.unparse(node).split(".")[-2:])) in NOW | ENVIRONMENT
        and not (path == Path("ledger/clock.py") and name in NOW)
        and not (path == Path("ledger/engines/copies.py") and name == "os.environ")
    ]
    assert asking == []


TAKEN = re.compile(r"\b(?:from|import)\s+tests[\w.]*\.test_\w+")
"""An import in a program that a test hands to an interpreter."""


def _imported(tree: ast.AST) -> Iterator[str]:
    """What a module imports, by its full name, in its programs too."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names):
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.Constant(value=str(text)):
                yield from (found.split()[-1] for found in TAKEN.findall(text))


def test_no_test_file_is_imported() -> None:
    """What several tests need stands in a plain module; a test file can be read, moved and deleted by itself."""
    taken = [
        f"{path} imports {name}"
        for path, tree in _sources("tests", "scripts", "sdk", *PACKAGES)
        for name in _imported(tree)
        if name.startswith("tests.") and any(part.startswith("test_") for part in name.split("."))
    ]
    assert taken == []


def test_every_test_stands_in_a_file_that_is_collected() -> None:
    never_run = [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in _sources("tests")
        if not path.name.startswith("test_")
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and node.name.startswith(("test_", "Test"))
    ]
    assert never_run == []


def test_no_test_replaces_our_own_code_by_a_mock() -> None:
    mocks = [
        f"{path}:{node.lineno}"
        for path, tree in _sources("tests")
        for node in ast.walk(tree)
        if (isinstance(node, ast.Import) and any(alias.name.endswith("mock") for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").endswith("mock"))
        or (isinstance(node, ast.ImportFrom) and any(alias.name == "mock" for alias in node.names))
    ]
    assert mocks == []


# -- databases ------------------------------------------------------------------------------------------------------------

OPENERS = {
    # who may open a database by itself, and why not through ledger/engines/engine.py
    "ledger/engines/sqlite.py": "the engine",
    "ledger/engines/postgres.py": "the engine",
    "ledger/storage/counted.py": "the count book, a file of its own that can be made again from the log",
    "ledger/storage/spill.py": "what a check sets aside, in a file of its own that has no name when it ends",
    "migrations/shape.py": "one look at a database that no engine may be made for yet",
    "migrations/env.py": "Alembic's own connection, to a database that engines.make_private has seen",
    "migrations/grants.py": "the owner's connection to PostgreSQL",
    "api/histories/workbook.py": "what a holder sets aside while its past is brought, gone when all is recorded",
    "api/witness/store.py": "a witness's memory: one connection of the standard library",
    "api/demo/audit.py": "the demo's copy",
}


def test_databases_are_opened_in_few_places_and_through_their_engine_only() -> None:
    """A file of SQLite that is opened and closed behind its back costs the process all its locks (docs/adr/0018)."""
    found = {
        str(path)
        for path, tree in _sources("ledger", "api", "migrations")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"create_engine", "sqlite3.connect", "psycopg.connect"}
    }
    assert found == set(OPENERS)


def test_only_the_core_decides_what_an_engine_can_do() -> None:
    names = {
        f"{path}: {ast.unparse(node)}"
        for path, tree in _sources("ledger", "api")
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and path.name not in {"sqlite.py", "postgres.py"}
        and any(isinstance(each, ast.Constant) and each.value in {"sqlite", "postgresql"} for each in node.comparators)
    }
    assert names == set()


def test_only_the_engines_ask_what_an_engine_is_called() -> None:
    """Everybody else asks what it can do: an engine that nobody has thought of would be taken for one of those there are."""
    asked = {
        str(path)
        for path, tree in _sources("ledger", "api")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and path.parts[:2] != ("ledger", "engines")
        and (ast.unparse(node).endswith("dialect.name") or node.attr in {"get_backend_name", "drivername"})
    }
    assert asked == {"ledger/storage/log.py"}, "only to show it to an operator"


def test_operator_documents_are_made_in_one_place() -> None:
    """A dict written by hand forgets a member or its order; `document_of` and mypy do not."""
    kinds = {kind.__struct_config__.tag for kind in get_args(documents.Document)}
    by_hand = [
        f"{path}:{node.lineno}"
        for path, tree in _sources("ledger", "api")
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and key.value == "type"
        if isinstance(value, ast.Constant) and value.value in kinds
    ]
    assert by_hand == []
