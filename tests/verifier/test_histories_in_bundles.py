"""Attested history as an auditor meets it: in the headline, as a command, in a receipt; never as something that was proved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.verifier.forge import Json, b64u, encode, sha, write
from tests.verifier.historical import ALICE, CSV, Historical, row, sheets_of, usual
from tests.verifier.packing import pack
from verifier.cli import main
from verifier.rules.sheets import NO_HISTORY

Told = tuple[int, list[dict[str, Any]]]
TABLE = b"a table"


def begun() -> Historical:
    world = Historical(11)
    world.begun()
    return world


@pytest.fixture
def asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def ask(world: Historical, command: str, *words: object) -> Told:
        place = tmp_path / str(len(world.entries))
        write(world.files(), place / "bundle")
        (tmp_path / "policy").write_text(world.policy())
        arguments = [command, place / "bundle", "--policy", tmp_path / "policy", "--jobs", "1", "--json", *words]
        status = main([*map(str, arguments)])
        return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return ask


def of(told: Told, event: str) -> list[dict[str, Any]]:
    return [one for one in told[1] if one["event"] == event]


def test_an_audit_tells_it_apart_at_once_in_each_language_and_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: Any
) -> None:
    world = begun()
    world.access(world.grant())
    world.history()
    told = asked(world, "bundle")
    assert (told[0], of(told, "verdict")[0]["code"]) == (0, "VALID")
    [history] = of(told, "history")
    assert (history["rows"], history["customers"], history["there"], history["state"]) == (5, 2, 3, "agrees")
    assert [one["count"] for one in of(told, "count") if one["of"] == "decision"] == [1], "rows are no accesses"
    place = tmp_path / str(len(world.entries))
    for language, words in (
        ("en", "This ledger neither decided nor proves them."),
        ("zh", "本账本未作判定，亦不能证明"),
    ):
        report = tmp_path / f"{language}.html"
        arguments = ["bundle", place / "bundle", "--policy", tmp_path / "policy", "--jobs", "1", "--lang", language]
        assert main([*map(str, arguments), "--report", str(report)]) == 0
        shown = capsys.readouterr().out
        assert words in "".join(shown.split("\n")[:4]).replace("  ", " "), "within the first lines"
        assert report.read_text().count(words) >= 2, "in the head of the report, and among what its board reads"


def test_the_command_lists_histories_each_with_what_became_of_it(asked: Any) -> None:
    world = begun()
    world.history()
    right = world.at
    world.attest(sheets_of({ALICE: [[row(1)], [row(2)]]}), source={**CSV, "hash": b64u(sha(b"3"))})
    half = world.at
    world.sheet(1)
    told = asked(world, "history")
    *lines, reserved = [str(one["text"]) for one in of(told, "text")]
    assert [(int(line.split()[0]), line.rpartition("; ")[2]) for line in lines] == [
        (right, "all its sheets are here and give what was said of them"),
        (half, "not checked as a whole: 1 of 2 sheets are here to be read"),
    ]
    assert "their holder's word" in reserved
    assert told[0] == 0


@pytest.mark.parametrize(("which", "status"), [("right", 0), ("wrong", 1), ("half", 2), ("none", 2)])
def test_the_exit_status_of_one_history(which: str, status: int, asked: Any) -> None:
    world = begun()
    if which == "half":
        world.attest(usual())
        world.sheet(0)
    else:
        world.history(**({"rows": 9} if which == "wrong" else {}))
    told = asked(world, "history", "--entry", 2 if which == "none" else world.at)
    assert told[0] == status
    assert asked(world, "history")[0] == 0, "what a holder said does not decide about the log"


def test_the_files_of_the_source_are_told_from_others(tmp_path: Path, asked: Any) -> None:
    world = begun()
    world.history(source={**CSV, "hash": b64u(sha(TABLE))})
    (tmp_path / "table.csv").write_bytes(TABLE)
    (tmp_path / "other.csv").write_bytes(TABLE + b"\n")
    told = asked(world, "history", "--entry", world.at, "--source", tmp_path / "table.csv")
    assert told[0] == 0
    assert "These are the files of the source." in [one["text"] for one in of(told, "text")]
    assert asked(world, "history", "--entry", world.at, "--source", tmp_path / "other.csv")[0] == 1
    assert asked(world, "history", "--entry", world.at, "--source", tmp_path / "nowhere")[0] == 2
    assert asked(world, "history", "--source", tmp_path / "table.csv")[0] == 2


def test_a_folder_has_the_hash_of_what_sha256sum_prints(tmp_path: Path, asked: Any) -> None:
    folder = tmp_path / "journal"
    (folder / "b").mkdir(parents=True)
    files = {"b/1.ion": b"one", "a.ion": b"two", "b.ion": b"three"}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    lines = [f"{sha(files[name]).hex()}  {name}\n" for name in ("a.ion", "b.ion", "b/1.ion")]
    world = begun()
    world.history(source={**CSV, "files": 3, "hash": b64u(sha("".join(lines).encode()))})
    assert asked(world, "history", "--entry", world.at, "--source", folder)[0] == 0
    (folder / "c").write_bytes(b"")
    assert asked(world, "history", "--entry", world.at, "--source", folder)[0] == 1


# --- one receipt ----------------------------------------------------------------------------------------------


class Shown:
    """Receipts of a world, asked about."""

    def __init__(self, world: Historical, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.world, self.place, self.capsys = world, place, capsys
        (place / "policy").write_text(world.policy())

    def ask(self, sheet: int, history: int | None = None) -> Told:
        words: list[object] = ["receipt", self._put(sheet)]
        words += [] if history is None else ["--history", self._put(history)]
        status = main([*map(str, words), "--policy", str(self.place / "policy"), "--json"])
        return status, [json.loads(line) for line in self.capsys.readouterr().out.splitlines()]

    def _put(self, index: int) -> Path:
        path = self.place / f"{index}.receipt"
        receipt: Json = self.world.receipt(index)
        path.write_bytes(encode(receipt))
        return path


def test_a_receipt_of_a_sheet_is_held_against_that_of_its_history(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = begun()
    first, *_ = world.history()
    history = world.at
    changed = world.sheet(1, bend=lambda sheet: sheet.update(rows=[row(7)]))
    world.attest(usual(), source={**CSV, "files": 2, "hash": b64u(sha(b"2"))})
    shown = Shown(world, tmp_path, capsys)
    told = shown.ask(first)
    assert told[0] == 0
    assert NO_HISTORY in [one["what"] for one in of(told, "unchecked")]
    told = shown.ask(first, history)
    assert told[0] == 0
    assert NO_HISTORY not in [one["what"] for one in of(told, "unchecked")]
    assert "sheets of attested histories" in [one["what"] for one in of(told, "checked")]
    assert "this ledger did not decide and cannot prove them" in str(of(told, "text"))
    told = shown.ask(changed, history)
    assert (told[0], [one["code"] for one in of(told, "defect")]) == (1, ["BAD_PROOF"])
    told = shown.ask(first, world.at)
    assert (told[0], [one["code"] for one in of(told, "defect")]) == (1, ["CONSENT_INVALID"])
    assert shown.ask(history, first)[0] == 2, "the other way round there is nothing to hold against"


# --- a pack ---------------------------------------------------------------------------------------------------


def of_pack(world: Historical, indexes: list[int], place: Path, capsys: pytest.CaptureFixture[str]) -> Told:
    write(pack(world, indexes), place / "pack")
    (place / "policy").write_text(world.policy())
    status = main(["pack", str(place / "pack"), "--policy", str(place / "policy"), "--json"])
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("with_history", [True, False])
def test_an_export_of_one_customer_holds_her_sheets_against_their_history_where_it_has_that(
    with_history: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = begun()
    first, second, _ = world.history()
    told = of_pack(world, [*([world.at] if with_history else []), first, second], tmp_path, capsys)
    assert told[0] == 0
    unchecked = {one["what"]: one["count"] for one in of(told, "unchecked")}
    checked = {one["what"]: one["count"] for one in of(told, "checked")}
    assert unchecked.get(NO_HISTORY, 0) == (0 if with_history else 2)
    assert checked.get("sheets of attested histories", 0) == (2 if with_history else 0)
    assert "3 rows from before this log" in str(of(told, "text"))


def test_a_sheet_in_an_export_that_is_none_of_its_history_is_refuted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = begun()
    world.attest(usual())
    lie = world.sheet(0, bend=lambda sheet: sheet.update(rows=[row(7)]))
    told = of_pack(world, [world.at, lie], tmp_path, capsys)
    assert told[0] == 1
    assert [(one["code"], one["index"]) for one in of(told, "defect")] == [("BAD_PROOF", lie)]
