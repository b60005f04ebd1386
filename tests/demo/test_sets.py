"""The demo of several logs as one: what its table says, and what the independent program says of the files it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import ROOT


@pytest.mark.timeout(300)
def test_two_shards_are_audited_by_the_head_logs_key_alone(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    done = _run("-m", "api.cli.main", "demo", "--shards", "2", "--directory", str(folder))
    assert done.returncode == 0, done.stdout
    facts: dict[str, Any] = json.loads((folder / "facts.json").read_text())
    assert {name for name, one in facts.items() if not one["good"]} == set()
    assert "REFUTED" in facts["set.falsified"]["result"]
    # the copy in which a byte was changed is still there: the program names its log and entry, and no other
    judged = _run("-m", "verifier", "set", str(folder / "set"), "--policy", str(folder / "head.policy"), "--json")
    assert judged.returncode == 1
    told = [json.loads(line) for line in judged.stdout.splitlines() if line.startswith("{")]
    assert {one["log"] for one in told if one["event"] == "defect"} == {"ledger.demo.example/shard-2"}


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONSENT_LEDGER_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
        check=False,
    )
