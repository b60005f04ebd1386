"""Tampered copies of a bundle: each kind is refuted with its code, at its place, by the verifier as an auditor runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.attacks import tamper
from tests.conformance import ROOT
from tests.verifier.cases import honest
from tests.verifier.forge import write
from verifier.cli import main

BY_HAND = (
    "a decision is the other one",
    "the history is rewritten from one entry on",
    "the bundle is of a later format",
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tamper.Bundle:
    files, world = honest()
    root = tmp_path_factory.mktemp("tamper")
    (root / "policy").write_text(world.policy())
    return tamper.Bundle(write(files, root / "bundle"))


def test_there_are_more_than_sixty_kinds_with_names_of_their_own(bundle: tamper.Bundle) -> None:
    names = [kind.expected.name for kind in tamper.kinds(bundle)]
    assert len(set(names)) == len(names) > 60


def test_every_kind_is_refuted_with_its_status_code_and_place(
    bundle: tamper.Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = str(bundle.root.parent / "policy")
    assert main(["bundle", str(bundle.root), "--policy", policy, "--jobs", "1"]) == 0
    wrong = {}
    for kind in tamper.kinds(bundle):
        copy = tmp_path / str(len(list(tmp_path.iterdir())))
        tamper.write(kind, bundle, copy)
        capsys.readouterr()
        status = main(["bundle", str(copy), "--policy", policy, "--jobs", "1", "--json"])
        if fault := tamper.judged(capsys.readouterr().out, status, kind.expected):
            wrong[kind.expected.name] = fault
    assert wrong == {}


def test_the_bundle_itself_is_left_as_it_was(bundle: tamper.Bundle, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in bundle.root.rglob("*") if path.is_file()}
    for kind in tamper.kinds(bundle):
        tamper.write(kind, bundle, tmp_path / kind.expected.name)
    assert {path: path.read_bytes() for path in bundle.root.rglob("*") if path.is_file()} == before


def test_an_auditor_with_one_file_and_no_network_gets_the_same_answers(bundle: tamper.Bundle, tmp_path: Path) -> None:
    pyz, policy = tmp_path / "consent-verify.pyz", bundle.root.parent / "policy"
    subprocess.run([sys.executable, ROOT / "scripts/build-zipapp", pyz], check=True, capture_output=True)
    offline = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "true"], check=False, capture_output=True
    )
    alone = (
        os.name == "posix" and offline.returncode == 0
    )  # a container may forbid namespaces; the rest is tried all the same
    kinds = {kind.expected.name: kind for kind in tamper.kinds(bundle)}
    answers = {}
    for name in BY_HAND:
        tamper.write(kinds[name], bundle, tmp_path / name)
        command = tamper.command(pyz, tmp_path / name, policy, offline=alone)
        done = subprocess.run([*command, "--no-signatures"], check=False, capture_output=True, text=True, cwd=tmp_path)
        answers[name] = tamper.judged(done.stdout, done.returncode, kinds[name].expected) or done.stderr
    assert answers == dict.fromkeys(BY_HAND, "")
