"""A release: what scripts/release makes is whole, names what is in it, and does its work."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conformance import ROOT

REQUIREMENT = re.compile(r"^([a-z0-9-]+)==([^ ]+)", re.MULTILINE)


def commit() -> str:
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of the commit that is checked out; the script itself makes it twice and compares the bytes."""
    out = tmp_path_factory.mktemp("release") / "out"
    done = subprocess.run([ROOT / "scripts/release", out], check=False, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "made twice to the same bytes" in done.stdout
    assert commit().startswith(re.findall(r", of ([0-9a-f]+),", done.stdout)[0]), (
        "the checkout was left alone meanwhile"
    )
    return out


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_everything_is_there_under_its_checksum(release: Path) -> None:
    sums = dict(line.split("  ")[::-1] for line in (release / "SHA256SUMS").read_text().splitlines())
    files = {path.name for path in release.iterdir()} - {"SHA256SUMS"}
    assert set(sums) == files
    assert sums == {name: hashlib.sha256((release / name).read_bytes()).hexdigest() for name in files}
    for pattern in (
        "consent_ledger-*.whl",
        "consent_ledger_client-*.whl",
        "consent_verify-*.whl",
        "consent-verify-*.pyz",
        "RELEASE-NOTES.md",
    ):
        assert len(list(release.glob(pattern))) == 1, pattern


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["consent-ledger", "consent-ledger-client", "consent-verify"])
def test_an_sbom_names_exactly_what_is_locked_with_its_hashes(release: Path, name: str) -> None:
    [file] = release.glob(f"{name}-[0-9]*.cdx.json")
    bom = json.loads(file.read_text())
    assert (bom["bomFormat"], bom["specVersion"], bom["metadata"]["component"]["name"]) == ("CycloneDX", "1.6", name)
    [lock] = release.glob(f"{name}-[0-9]*.requirements.txt")
    locked = set(REQUIREMENT.findall(lock.read_text()))
    assert len(locked) >= 5
    assert {(each["name"], each["version"]) for each in bom["components"]} == locked
    for each in bom["components"]:
        assert each["purl"].startswith(f"pkg:pypi/{each['name']}@{each['version']}")
        assert any(said.get("hashes") for said in each["externalReferences"]), each["name"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_wheel_holds_the_files_that_are_committed_and_the_verifier_runs_from_one_file(release: Path) -> None:
    made_of = commit()
    for pattern, folder in (("consent_ledger-*.whl", "ledger"), ("consent_verify-*.whl", "verifier")):
        [wheel] = release.glob(pattern)
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.startswith(f"{folder}/") and name.endswith(".py"):
                    shown = subprocess.run(
                        ["git", "show", f"{made_of}:{name}"], cwd=ROOT, check=True, capture_output=True
                    )
                    assert archive.read(name) == shown.stdout, name
    [zipapp] = release.glob("*.pyz")
    done = subprocess.run([sys.executable, "-I", "-S", zipapp, "--version"], check=True, capture_output=True, text=True)
    assert "consent-verify" in done.stdout


def notes(*arguments: str) -> str:
    command = [sys.executable, ROOT / "scripts/release-notes", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_notes_tell_every_fragment_under_its_kind() -> None:
    told = notes("0.1.0")
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", told, re.MULTILINE | re.DOTALL))
    found = [path for path in (ROOT / "docs/changelog.d").glob("*.md") if path.name != "README.md"]
    for path in found:
        kind = path.name.split(".")[1].capitalize()
        sentences = " ".join(path.read_text().split())
        assert sentences in " ".join(sections[kind].split()), path.name
    assert re.match(r"# 0\.1\.0\n", told)
    assert next(iter(sections)) == "Security"
