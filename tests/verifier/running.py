"""Running consent-verify within the test's own process."""

from __future__ import annotations

import json

import pytest

from verifier.cli import main


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[dict[str, object]]]:
    status = main([*map(str, arguments), "--json"])
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]
