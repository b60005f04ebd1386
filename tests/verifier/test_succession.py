"""A log that changed its key, for readers who know one of its keys: files of all times (log.md, «The log's keys»)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.vectors.hashing import encode
from tests.vectors.policies import POLICIES
from tests.vectors.story import Story, ruleset_2
from tests.vectors.told_keys import NEW, OLD, added, compromised, retired
from tests.verifier.forge import write
from verifier.cli import main

AT = 13


class Files:
    """A log of which receipts were made before and after its key changed."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], *, stolen: int | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self._capsys = folder, capsys
        log = self.log = ruleset_2(AT)
        log.until = None
        self.keep("before", log.receipt(11))
        log.tick()
        added(log)
        self.keep("overlap", log.receipt(11))
        if stolen is None:
            retired(log)
        else:
            compromised(log, stolen)
            log.signers = (NEW,)
        self.keep("after", log.receipt(11))
        log.signers = (OLD,)
        self.keep("too-late", log.receipt(11))
        log.signers = (NEW,)
        write(log.files(), folder / "bundle")
        for name in ("policy", "newer-key", "both-keys"):
            (folder / name).write_text(POLICIES[name])

    def keep(self, name: str, receipt: Any) -> None:
        (self.folder / f"{name}.json").write_bytes(encode(receipt))

    def judge(self, receipt: str, policy: str, *, bundle: bool = True) -> tuple[int, str]:
        """Exit status and code for a receipt, beside the bundle or alone."""
        beside = ["--bundle", str(self.folder / "bundle")] if bundle else []
        path, trust = str(self.folder / f"{receipt}.json"), str(self.folder / policy)
        status = main(["receipt", path, "--policy", trust, *beside, "--json"])
        events = [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]
        return status, events[-1]["code"] or ""


@pytest.mark.parametrize("policy", ["policy", "newer-key", "both-keys"])
def test_receipts_of_all_times_hold_for_whoever_knows_one_key_and_the_log(
    policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = Files(tmp_path, capsys)
    assert {name: files.judge(name, policy) for name in ("before", "overlap", "after")} == dict.fromkeys(
        ("before", "overlap", "after"), (0, "VALID")
    )


@pytest.mark.parametrize("policy", ["policy", "newer-key", "both-keys"])
def test_a_key_that_signs_after_its_end_is_refused_by_whoever_knows_the_log(
    policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Files(tmp_path, capsys).judge("too-late", policy) == (1, "POLICY_REJECTED")


def test_without_the_log_a_key_that_the_reader_does_not_know_counts_for_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = Files(tmp_path, capsys)
    assert files.judge("after", "policy", bundle=False) == (1, "BAD_SIGNATURE")
    assert files.judge("before", "newer-key", bundle=False) == (1, "BAD_SIGNATURE")
    assert (
        files.judge("before", "policy", bundle=False)
        == files.judge("overlap", "newer-key", bundle=False)
        == (0, "VALID")
    )


def test_a_stolen_keys_signatures_count_only_below_the_size_named_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = Files(tmp_path, capsys, stolen=AT + 1)
    assert files.judge("before", "newer-key") == (0, "VALID")
    assert files.judge("overlap", "newer-key") == (0, "VALID"), "the other key's line counts"
    files = Files(tmp_path / "earlier", capsys, stolen=AT)
    assert files.judge("before", "newer-key") == (1, "KEY_COMPROMISED")


def test_compare_follows_the_log_from_an_older_key_to_a_newer_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = Files(tmp_path, capsys)
    paths = [str(tmp_path / name) for name in ("bundle", "before.json", "overlap.json", "after.json")]
    assert main(["compare", *paths, "--policy", str(tmp_path / "policy"), "--json"]) == 0
    assert isinstance(files.log, Story)
