"""Running consent-verify within the test's own process."""

from __future__ import annotations

import json
from typing import Any

import pytest

from verifier.cli import main

Json = dict[str, Any]


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[Json]]:
    """Exit status and events of one command."""
    status = main([*map(str, arguments), "--json"])
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def verdict(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit status and code of one command."""
    status, events = run(capsys, *words)
    assert "internal error" not in str(events[-1]["reason"])
    return status, events[-1]["code"] or ""


def places(events: list[Json], kind: str) -> set[tuple[str, int | str]]:
    """The code of each event of a kind, and the entry or the file that it is about."""
    return {
        (event["code"], event["file"] if event["index"] is None else event["index"])
        for event in events
        if event["event"] == kind
    }
