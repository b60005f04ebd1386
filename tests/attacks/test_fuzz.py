"""Coverage-guided fuzzing of every parser: `pytest -m fuzz`; FUZZ_SECONDS for each (20). Finds are kept beside the corpus."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance import ROOT
from tests.verifier.parsers import PARSERS

SECONDS = int(os.environ.get("FUZZ_SECONDS", "20"))
NAMES = sorted({*PARSERS, "canonical", "leaf", "receipt file", "pack head", "pack item"})


@pytest.mark.fuzz
@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.parametrize("name", NAMES)
def test_no_input_that_coverage_leads_to_makes_a_parser_fail(name: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris has wheels for one platform only")
    program = [sys.executable, "-m", "tests.attacks.fuzz", name, str(SECONDS), str(tmp_path / "corpus")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(program, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3_000:]
