"""What the scorer remembers of each access lies on disk beyond a bound; a full disk says nothing about the log."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.verifier.alerting import begun, legs_differ
from tests.verifier.replaying import replayed, told
from verifier.errors import CannotCheck
from verifier.rules import spilled
from verifier.rules.spilled import Spilled


def test_texts_come_back_from_disk_until_they_are_dropped() -> None:
    with closing(Spilled(hot=4)) as table:
        for number in range(20):
            table.put(str(number), f"text {number}")
        table.put("3", "another")
        assert [table.get(str(number)) for number in (0, 3, 19, 20)] == ["text 0", "another", "text 19", None]
        for number in (0, 3, 19):
            table.drop(str(number))
        assert [table.get(str(number)) for number in (0, 3, 19, 1)] == [None, None, None, "text 1"]
        table.clear()
        assert table.get("1") is None


def test_alerts_are_the_same_with_hardly_any_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spilled.Spilled.__init__, "__defaults__", (2,))
    world, consent = begun()
    legs_differ(world, consent, 0)
    world.raise_due()
    assert told(replayed(world)) == []


def test_an_unusable_folder_is_not_a_defect_of_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spilled.Spilled.__init__, "__defaults__", (2,))
    world, consent = begun()
    legs_differ(world, consent, 0)
    for _ in range(5):
        world.access(consent, customer_present=True)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(CannotCheck, match="set TMPDIR"):
        replayed(world)
