"""What an audit would fail for at its end is told before it begins."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.verifier.cases import honest
from tests.verifier.forge import write
from verifier.cli import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("option", ["--report", "--pdf"])
@pytest.mark.parametrize("name", ["no/such/folder/report", "a-folder"])
def test_a_report_that_cannot_be_written_is_told_before_the_audit(
    option: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a-folder").mkdir()
    (tmp_path / "policy").write_text(honest()[1].policy())
    # There is no bundle: an audit that had begun would say that instead.
    arguments = ["bundle", tmp_path / "none", "--policy", tmp_path / "policy", option, tmp_path / name, "--json"]
    assert main([*map(str, arguments)]) == 2
    verdict = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "the report cannot be written" in verdict["reason"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-folder", "policy"], "and nothing is left behind"


def test_a_report_that_was_there_stays_until_there_is_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "policy").write_text(honest()[1].policy())
    (tmp_path / "report.html").write_text("of last month")
    arguments = ["bundle", tmp_path / "none", "--policy", tmp_path / "policy", "--report", tmp_path / "report.html"]
    assert main([*map(str, arguments)]) == 2
    assert (tmp_path / "report.html").read_text() == "of last month"


def test_a_missing_typst_is_told_before_the_audit(tmp_path: Path) -> None:
    """The single file without site-packages, as an auditor runs it."""
    files, world = honest()
    write(files, tmp_path / "bundle")
    (tmp_path / "policy").write_text(world.policy())
    started = "import sys; sys.path.insert(0, sys.argv.pop(1)); import runpy; runpy.run_module('verifier', run_name='__main__')"
    options = ["--policy", str(tmp_path / "policy"), "--pdf", str(tmp_path / "out.pdf"), "--json"]
    command = [sys.executable, "-I", "-S", "-c", started, str(ROOT), "bundle", str(tmp_path / "bundle"), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 2
    assert "typst" in lines[-1]["reason"]
    assert not [line for line in lines if line["event"] == "checked"], "nothing was done for nothing"
    assert not (tmp_path / "out.pdf").exists()


OLD = [path for version in ("2.7", "3.6", "3.8", "3.9", "3.10") if (path := shutil.which(f"python{version}"))]


@pytest.mark.parametrize("python", OLD, ids=[Path(path).name for path in OLD])
@pytest.mark.parametrize("packed", [False, True])
def test_an_older_python_is_told_in_a_sentence(python: str, packed: bool, tmp_path: Path) -> None:
    if subprocess.run([python, "--version"], capture_output=True, check=False).returncode:
        pytest.skip("the name leads to no interpreter here")
    command = [python, "-m", "verifier", "bundle", "x"]
    if packed:
        out = tmp_path / "consent-verify.pyz"
        subprocess.run([sys.executable, ROOT / "scripts" / "build-zipapp", out], check=True, capture_output=True)
        command = [python, str(out), "bundle", "x"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment, timeout=60)
    assert done.returncode == 2
    assert "needs Python 3.11 or newer" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_older_python_can_read_the_file_that_refuses_it() -> None:
    """No older interpreter may be at hand: then at least the grammar of 3.6 must hold where the guard stands."""
    for name in ("__init__.py", "__main__.py"):
        ast.parse((ROOT / "verifier" / name).read_text("utf-8"), feature_version=(3, 6))
    assert "from __future__ import annotations" not in (ROOT / "verifier" / "__init__.py").read_text("utf-8")
