"""The wheels at work: built, installed without the checkout, and used. scripts/test-packages does it in empty environments.

Here third-party packages are those of this environment, so no index is asked; all of ours comes from the wheels.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.client.packaged import ROOT

OURS = ("consent_ledger", "consent_verify", "_consent_", "__editable__")
"""How our own traces in an environment begin: links to the checkout and what they say of themselves."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of installed packages: the wheels' files, and links to this environment's third-party packages."""
    folder = tmp_path_factory.mktemp("wheels")
    for number, source in enumerate((ROOT, ROOT / "verifier", ROOT / "sdk" / "python")):
        target = folder / str(number)
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
        built = subprocess.run(command, cwd=source, check=False, capture_output=True, text=True)
        assert built.returncode == 0, built.stdout + built.stderr
        [wheel] = target.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / "site")
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        # merkletools is no dependency, and is not there where nobody brought it.
        if not entry.name.lower().startswith((*OURS, "merkletools")) and not (folder / "site" / entry.name).exists():
            (folder / "site" / entry.name).symlink_to(entry)
    return folder


def run(place: Path, module: str, *arguments: str, timeout: int = 170) -> str:
    """Run a command line from the wheels, in a process that sees nothing but them and what they need."""
    program = f"import sys; sys.path[:0] = [{str(place / 'site')!r}]; sys.argv[0] = {module!r}; "
    program += f"from {module} import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=place,
        timeout=timeout,
        env={"PATH": os.environ["PATH"], "HOME": str(place), "LANG": "C.UTF-8"},
    )
    assert done.returncode == 0, f"{module} {arguments}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.slow
def test_a_log_is_made_exported_and_verified_with_nothing_but_wheels(place: Path) -> None:
    assert "Usage" in run(place, "api.cli.main", "--help")
    told = run(place, "api.cli.main", "init", "--state", "state", "--json")
    key = json.loads(told)
    vkey = next(value for value in key.values() if isinstance(value, str) and value.startswith("ledger.example/1+"))
    run(place, "api.cli.main", "participant", "add", "bank-a", "--role", "holder", "--name", "A", "--state", "state")
    packed = run(place, "api.cli.main", "export", "pack", "--participant", "bank-a", "--state", "state")
    assert "merkletools is not installed" in packed
    run(place, "api.cli.main", "export", "bundle", "--evidence", "none", "--state", "state")
    (place / "policy").write_text(f"log {vkey}\nquorum none\n")
    assert "VALID" in run(place, "verifier.cli", "bundle", "bundle", "--policy", "policy")
    assert "VALID" in run(place, "verifier.cli", "pack", "pack", "--policy", "policy")


def test_a_demo_without_its_auditor_says_so_before_it_starts(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "site", tmp_path / "site", symlinks=True, ignore=shutil.ignore_patterns("verifier"))
    program = f"import sys; sys.path[:0] = [{str(tmp_path / 'site')!r}]; "
    program += "from api.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-I", "-S", "-c", program, "demo", "--once", "--customers", "10"]
    told = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path, timeout=170)
    assert told.returncode == 1
    assert "consent-ledger[demo]" in " ".join((told.stdout + told.stderr).split())
    assert "start" not in told.stdout


def test_the_client_is_small(place: Path) -> None:
    wheel = next((place / "2").glob("*.whl"))
    assert wheel.stat().st_size < 250_000


def test_no_wheel_brings_a_test_or_a_script(place: Path) -> None:
    held = {path.name for path in (place / "site").iterdir() if not path.is_symlink()}
    packages = {name for name in held if not name.endswith(".dist-info")}
    assert packages == {"api", "ledger", "migrations", "verifier", "consent_ledger_client"}
