"""The distributions: what they need, and what they hold."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.client.packaged import PACKAGE, ROOT, builder, run_apart, write_client

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


def test_httpx_is_named_nowhere() -> None:
    # A checkout that was set up before httpx2 still has it, and hides that a fresh one has not.
    assert "httpx" not in _imported("ledger", "api", "migrations", "tests", "sdk")


def test_each_command_comes_with_one_distribution() -> None:
    # Two that bring one name write over each other's file, and removing one takes it from the other.
    owners: dict[str, list[str]] = {}
    for folder in (".", "verifier", "sdk/python"):
        project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
        for command in project["scripts"]:
            owners.setdefault(command, []).append(project["name"])
    assert owners == {
        "consent-ledger": ["consent-ledger"],
        "consent-verify": ["consent-verify"],
        "consent-guard": ["consent-ledger-client"],
    }


# -- consent-ledger-client ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the client's package and nothing else."""
    return write_client(tmp_path_factory.mktemp("client"))


NEEDED = {"cryptography", "httpx2", "msgspec", "nacl", "orjson"}
MAY_WAIT = {
    "_core/custody/token.py": {"pkcs11"},
    "client/aws_kms.py": {"botocore"},
    "client/google_login.py": {"google"},
    "guard": {"starlette"},
    "guard/describing.py": {"fastapi"},
    "guard/sidecar_command.py": {"uvicorn"},
    "guard/used_redis.py": {"redis"},
    "guard/used_sql.py": {"sqlalchemy"},
}
"""What comes with an extra, and where it may be imported."""


def test_the_client_imports_only_what_its_distribution_asks_for(client: Path) -> None:
    strangers = []
    for path in (client / PACKAGE).rglob("*.py"):
        place = path.relative_to(client / PACKAGE).as_posix()
        allowed = NEEDED | {PACKAGE} | sys.stdlib_module_names
        for where, names in MAY_WAIT.items():
            allowed |= names if place.startswith(where) else set()
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            strangers += [f"{place}: {module}" for module in modules if module.partition(".")[0] not in allowed]
    assert strangers == []
    asked = tomllib.loads((ROOT / "sdk/python/pyproject.toml").read_text())["project"]
    names = {Requirement(line).name for line in asked["dependencies"]}
    assert {IMPORTED_AS.get(name, name) for name in names} == NEEDED


def test_the_client_carries_all_of_client_and_guard_and_is_typed(client: Path) -> None:
    held = {path.relative_to(client / PACKAGE).as_posix() for path in (client / PACKAGE).rglob("*") if path.is_file()}
    for room in ("client", "guard"):
        assert {f"{room}/{path.name}" for path in (ROOT / "api" / room).glob("*.py")} <= held
    assert {"py.typed", "__init__.py", "receipts.py"} <= held


def test_an_import_that_the_client_cannot_take_along_stops_the_build(tmp_path: Path) -> None:
    for room, text in (("client", "from api.node.settings import Settings\n"), ("guard", "")):
        (tmp_path / "api" / room).mkdir(parents=True)
        (tmp_path / "api" / room / "__init__.py").write_text(text)
    for name in ("", "node"):
        (tmp_path / "api" / name / "__init__.py").parent.mkdir(exist_ok=True)
        (tmp_path / "api" / name / "__init__.py").write_text("")
    (tmp_path / "api/node/settings.py").write_text("class Settings: ...\n")
    hook = builder()
    with pytest.raises(hook.MissingModule, match=r"api\.node\.settings"):
        hook.closure(tmp_path)


HEAVY = (
    "httpx2",
    "httpcore2",
    "sqlalchemy",
    "fastapi",
    "pydantic",
    "typer",
    "click",
    "rich",
    "redis",
    "alembic",
    "uvicorn",
    "limits",
)
LOADED = """
import json, sys
import {modules}
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""


@pytest.mark.parametrize(
    ("modules", "beyond"), [("client", {"starlette"}), ("guard", set()), ("receipts", {"starlette"})]
)
def test_importing_the_client_loads_no_server_and_no_http(
    client: Path, tmp_path: Path, modules: str, beyond: set[str]
) -> None:
    answer = run_apart(LOADED.format(modules=f"{PACKAGE}.{modules}"), client, folder=tmp_path)
    assert answer.returncode == 0, answer.stderr
    loaded = set(json.loads(answer.stdout))
    assert PACKAGE in loaded
    assert loaded & {*HEAVY, *beyond, "api", "ledger", "verifier"} == set()


BESIDE_OTHERS = """
import json, uuid
import api, ledger
import api.guard as theirs
from consent_ledger_client.client import LedgerClient, LocalSigner, Trust, parse_vkey, request_digest, make_item
from consent_ledger_client.guard import ConsentGuard, GuardedAccess
from consent_ledger_client.receipts import open_receipt

signer = LocalSigner.generate("app-1-2026")
client = LedgerClient("https://ledger.example", "app-1", signer, Trust(parse_vkey({vkey!r})))
item = make_item(consent_id=str(uuid.uuid4()), accounts=["a" * 22], permissions=["ReadBalances"], purpose="budgeting",
    request_digest=request_digest("bank-a", "GET", "/accounts/a"), interaction_id="interaction-1")
said = client.statements.access(item)
assert len(said.text.split(".")) == 3
print(json.dumps([api.WHOSE, ledger.WHOSE, theirs.WHOSE, type(client).__module__]))
"""


def test_the_client_lives_in_a_project_that_has_packages_api_and_ledger(client: Path, tmp_path: Path) -> None:
    from ledger.notes.keys import Ed25519NoteSigner

    for name in ("api", "api/guard", "ledger"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"WHOSE = 'the bank: {name}'\n")
    vkey = Ed25519NoteSigner("ledger.example", bytes(32)).vkey.format()
    answer = run_apart(BESIDE_OTHERS.format(vkey=vkey), client, folder=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == [
        "the bank: api",
        "the bank: ledger",
        "the bank: api/guard",
        f"{PACKAGE}.client.client",
    ]


def _built(folder: Path, kind: str, source: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    done = subprocess.run(command, cwd=source, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    [made] = folder.iterdir()
    return made


def _contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_wheel_from_the_sdist_is_the_wheel_from_the_checkout(tmp_path: Path) -> None:
    direct = _contents(_built(tmp_path / "direct", "wheel", ROOT / "sdk" / "python"))
    assert {name.partition("/")[0] for name in direct if ".dist-info/" not in name} == {PACKAGE}
    sdist = _built(tmp_path / "sdist", "sdist", ROOT / "sdk" / "python")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    [source] = (tmp_path / "unpacked").iterdir()
    assert _contents(_built(tmp_path / "again", "wheel", source)) == direct
