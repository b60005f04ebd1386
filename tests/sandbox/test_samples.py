"""The samples of the console run against a sandbox as they are printed (TypeScript and Java: scripts/test-sdks)."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.conformance import ROOT
from tests.sandbox.kit import running_sandboxes
from tests.sandbox.samples import LANGUAGES, both_sides, printed, run_as_printed


def test_the_python_samples_run_for_both_sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with running_sandboxes(tmp_path / "logs") as service:
        both_sides(service, "Python", [sys.executable], tmp_path)


@pytest.mark.skipif(shutil.which("curl") is None and not os.environ.get("CI"), reason="curl is not installed")
def test_the_commands_of_curl_run(tmp_path: Path) -> None:
    with running_sandboxes(tmp_path / "logs") as service:
        app = service.guest(tmp_path / "app", "app-new")
        said = run_as_printed(app, "curl", ["bash", "-eu"], tmp_path / "sample")
        assert tuple(printed(app)) == LANGUAGES
    assert app.room["ledger"]["origin"] in said
    assert '"app-new"' in said
