"""A log that changed its key, for readers who know one of its keys: files of all times (log.md, «The log's keys»)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.vectors.hashing import b64u, encode
from tests.vectors.log import ORIGIN, vkey
from tests.vectors.policies import POLICIES
from tests.vectors.story import Story, ruleset_2
from tests.vectors.told_keys import NEW, NEXT, OLD, STRANGER, added, compromised, retired
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


class Public:
    """The public files of a log that changes its key, and a reader who follows it with the policy of its first one."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.log = ruleset_2(AT)
        self.log.until = None
        (folder / "policy").write_text(POLICIES["policy"])

    def show(self, *, entries: bool = False, keys: bool = True) -> None:
        """What the log shows from now on; `keys`: also what it says of its keys."""
        place = self.folder / "log"
        shutil.rmtree(place, ignore_errors=True)
        files = {path: data for path, data in self.log.files().items() if path == "checkpoint" or "tile/" in path}
        write({path: data for path, data in files.items() if entries or "entries" not in path}, place)
        if keys:
            documents = [
                {"index": n, "leaf": b64u(entry)} for n, entry in enumerate(self.log.entries) if b'"log.key_' in entry
            ]
            (place / "log").mkdir()
            (place / "log/keys").write_bytes(encode({"documents": documents, "keys": []}))

    def follow(self) -> tuple[int, str, str]:
        """Exit status, code, and all that is told."""
        words = ["log", str(self.folder / "log"), "--policy", str(self.folder / "policy")]
        status = main([*words, "--state", str(self.folder / "state"), "--json"])
        told = self._capsys.readouterr().out
        return status, json.loads(told.splitlines()[-1])["code"] or "", told


@pytest.fixture
def public(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Public:
    return Public(tmp_path, capsys)


@pytest.mark.parametrize("kind", ["handed out", "among the entries"])
def test_a_log_is_followed_across_its_keys_and_the_policys_new_lines_are_told(public: Public, kind: str) -> None:
    shown = {"entries": kind != "handed out", "keys": kind == "handed out"}
    public.show(**shown)
    assert public.follow()[:2] == (0, "VALID")
    added(public.log)
    retired(public.log)
    public.show(**shown)
    status, code, told = public.follow()
    assert (status, code) == (0, "VALID")
    assert f"log {vkey(ORIGIN, 1, NEW)}" in told
    assert public.follow()[:2] == (0, "VALID"), "what is remembered is signed by the new key alone"
    added(public.log, NEXT, NEW)
    retired(public.log, NEW, NEXT)
    public.show(**shown)
    assert public.follow()[:2] == (0, "VALID")
    (public.folder / "policy").write_text(POLICIES["policy"] + f"log {vkey(ORIGIN, 1, NEXT)}\n")
    status, code, told = public.follow()
    assert (status, code, "policy beside" in told) == (0, "VALID", False), "nothing is missing any more"


def test_a_log_that_proves_nothing_of_its_new_key_is_refused_with_what_to_do(public: Public) -> None:
    added(public.log)
    retired(public.log)
    public.show(keys=False)
    status, code, told = public.follow()
    assert (status, code) == (1, "BAD_SIGNATURE")
    assert "get the verifier key by another way" in told
    assert "tile/entries" in told, "what could not be read"
    assert not (public.folder / "state").exists()


@pytest.mark.parametrize("lie", ["by itself", "never ended", "of another tree", "a stranger signs"])
def test_a_key_that_the_older_one_did_not_vouch_for_is_never_followed(public: Public, lie: str) -> None:
    public.show()
    assert public.follow()[0] == 0
    kept = next((public.folder / "state").iterdir()).read_bytes()
    added(public.log)
    match lie:
        case "by itself":
            retired(public.log, by=NEW)
        case "never ended":
            public.log.signers = (NEW,)
        case "of another tree":
            retired(public.log)
            public.log.entries[AT - 1] = public.log.entries[AT - 1].replace(b'"time":', b'"time":1')
        case _:
            retired(public.log)
            public.log.signers = (STRANGER,)
    public.show()
    assert public.follow()[:2] == (1, "BAD_SIGNATURE")
    assert next((public.folder / "state").iterdir()).read_bytes() == kept


def test_a_stolen_key_leads_a_follower_nowhere_and_the_log_says_why(public: Public) -> None:
    added(public.log)
    compromised(public.log, AT)
    public.log.signers = (NEW,)
    public.show()
    status, code, told = public.follow()
    assert (status, code) == (1, "KEY_COMPROMISED")
    assert "by another way than the log" in told


def test_a_document_that_is_not_the_logs_entry_is_not_believed(public: Public) -> None:
    added(public.log)
    retired(public.log)
    public.show()
    place = public.folder / "log/log/keys"
    said = json.loads(place.read_bytes())
    said["documents"][0]["leaf"] = said["documents"][1]["leaf"]
    place.write_bytes(encode(said))
    assert public.follow()[:2] == (1, "BAD_SIGNATURE")


def test_a_receipt_by_a_key_of_the_logs_name_says_how_to_get_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = Files(tmp_path, capsys)
    assert main(["receipt", str(tmp_path / "after.json"), "--policy", str(files.folder / "policy")]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "consent-verify log" in told
    assert "--bundle" in told
