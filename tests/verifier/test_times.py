"""Times against witnesses, and several files against each other: what one log cannot have signed is told."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.verifier.cases import honest
from tests.verifier.forge import World, encode, leaf_hash, note_line, signing_key, write
from verifier.audit.histories import AHEAD_MS, BEHIND_MS, window_of
from verifier.cli import main
from verifier.crypto.backend import select
from verifier.tlog.policy import parse_policy


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[dict[str, Any]]]:
    capsys.readouterr()
    status = main([*map(str, arguments), "--json"])
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def defects(events: list[dict[str, Any]]) -> list[tuple[str, int | None]]:
    return [(one["code"], one["index"]) for one in events if one["event"] == "defect"]


def cosigned(world: World, root: Path, at: int, *, quorum: bool = True) -> Path:
    """A bundle of the world whose witness signed at `at` (ms)."""
    clock, world.time = world.time, at
    try:
        write(world.files(cosign=True), root)
    finally:
        world.time = clock
    (root.parent / "policy").write_text(world.policy(quorum))
    return root


@pytest.fixture
def world() -> World:
    _, made = honest()
    return copy.deepcopy(made)


def last_time(world: World) -> int:
    return int(json.loads(world.entries[-1])["time"])


@pytest.mark.parametrize(("late", "status"), [(0, 0), (AHEAD_MS, 0), (AHEAD_MS + 1_000, 1), (365 * 86_400_000, 1)])
def test_no_entry_is_younger_than_the_witnesses_that_saw_it(
    late: int, status: int, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = -(-last_time(world) // 1_000) * 1_000 - late  # a witness's clock shows whole seconds
    bundle = cosigned(world, tmp_path / "bundle", at)
    found, events = run(capsys, "bundle", bundle, "--policy", tmp_path / "policy", "--jobs", 1)
    assert found == status
    if status:
        [(code, index)] = defects(events)
        times = [json.loads(entry)["time"] for entry in world.entries]
        assert (code, index) == ("TIME_INVALID", next(n for n, one in enumerate(times) if one > at + AHEAD_MS))


def test_a_witness_of_whom_the_policy_asks_nothing_refutes_nothing(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A clock that is wrong, or a lie, of fewer witnesses than the quorum must not spoil an audit."""
    bundle = cosigned(world, tmp_path / "bundle", 1_000, quorum=False)
    assert run(capsys, "bundle", bundle, "--policy", tmp_path / "policy", "--jobs", 1)[0] == 0


def test_a_receipt_is_held_against_its_witnesses_too(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy").write_text(world.policy(quorum=True))
    index = len(world.entries) - 1
    for at, status in ((last_time(world) + 1_000, 0), (last_time(world) - 3 * AHEAD_MS, 1)):
        world.time = at
        (tmp_path / "receipt").write_bytes(encode(world.receipt(index, cosign=True)))
        found, events = run(capsys, "receipt", tmp_path / "receipt", "--policy", tmp_path / "policy")
        assert (found, defects(events)) == (status, [("TIME_INVALID", index)] if status else [])


# --- compare ----------------------------------------------------------------------------------------------------


def receipts(world: World, tmp_path: Path, *indexes: int, cosign: bool = False) -> list[Path]:
    made = []
    for index in indexes:
        made.append(tmp_path / f"receipt-{len(world.entries)}-{index}-{world.time}.json")
        made[-1].write_bytes(encode(world.receipt(index, cosign)))
    return made


def forked(world: World) -> World:
    """The same log, but for its last entry."""
    other = copy.deepcopy(world)
    leaf = json.loads(other.entries[-1])
    other.entries[-1] = encode(leaf | {"time": leaf["time"] + 1})
    other.hashes[-1] = leaf_hash(other.entries[-1])
    return other


def grown(world: World) -> World:
    other = copy.deepcopy(world)
    other.tick()
    other.grant()
    return other


def test_files_of_one_log_are_consistent(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "policy").write_text(world.policy())
    files = receipts(world, tmp_path, 20, 30)
    (tmp_path / "checkpoint").write_bytes(world.checkpoint(200))
    (tmp_path / "proof").write_bytes(world.proof(9))
    write(grown(world).files("none"), tmp_path / "bundle")
    policy = ("--policy", tmp_path / "policy")
    found, events = run(
        capsys, "compare", *files, tmp_path / "checkpoint", tmp_path / "proof", tmp_path / "bundle", *policy
    )
    assert (found, defects(events)) == (0, []), events
    assert not [one for one in events if one["event"] == "unchecked"]
    found, events = run(capsys, "compare", *files, tmp_path / "checkpoint", *policy)
    assert found == 0
    [apart] = [one for one in events if one["event"] == "unchecked"]
    assert (apart["count"], "no bundle" in apart["what"]) == (1, True)


@pytest.mark.parametrize(
    "kind", ["receipts", "checkpoints", "a bundle and a receipt", "a bundle and a smaller checkpoint"]
)
def test_two_histories_are_equivocation(
    kind: str, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy").write_text(world.policy())
    other, last = forked(world), len(world.entries) - 1
    pairs: dict[str, Callable[[], list[Path]]] = {
        "receipts": lambda: [*receipts(world, tmp_path / "a", last), *receipts(other, tmp_path / "b", last)],
        "checkpoints": lambda: [
            write({"c": one.checkpoint()}, tmp_path / name) / "c" for one, name in ((world, "a"), (other, "b"))
        ],
        "a bundle and a receipt": lambda: [
            write(grown(world).files("none"), tmp_path / "a"),
            *receipts(other, tmp_path / "b", last),
        ],
        "a bundle and a smaller checkpoint": lambda: [
            write(grown(world).files("none"), tmp_path / "a"),
            write({"c": other.checkpoint()}, tmp_path / "b") / "c",
        ],
    }
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    found, events = run(capsys, "compare", *pairs[kind](), "--policy", tmp_path / "policy")
    assert found == 1
    assert events[-1]["code"] == "EQUIVOCATION"


def test_every_comparison_of_a_bundle_is_counted(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tree of the bundle's own size too; entries below it, and not the one that follows its last."""
    (tmp_path / "policy").write_text(world.policy())
    later = grown(world)
    (tmp_path / "same").write_bytes(world.checkpoint())
    (tmp_path / "smaller").write_bytes(world.checkpoint(9))
    write(world.files("none"), tmp_path / "bundle")
    files = [tmp_path / "bundle", tmp_path / "same", tmp_path / "smaller", *receipts(world, tmp_path, 20)]
    policy = ("--policy", tmp_path / "policy")

    found, events = run(capsys, "compare", *files, *policy)

    assert (found, counted(events)) == (
        0,
        {"checkpoint signatures": 4, "smaller trees within the bundle": 3, "entries within the bundle": 1},
    )
    assert apart(events) == []
    found, events = run(capsys, "compare", *files, *receipts(later, tmp_path, len(world.entries)), *policy)
    assert (found, defects(events)) == (0, [])
    assert counted(events)["entries within the bundle"] == 1
    assert apart(events) == [1], "no tile says that the larger tree goes on from the bundle's"


def counted(events: list[dict[str, Any]]) -> dict[str, int]:
    return {one["what"]: one["count"] for one in events if one["event"] == "checked"}


def apart(events: list[dict[str, Any]]) -> list[int]:
    return [one["count"] for one in events if one["event"] == "unchecked"]


def test_trees_that_nothing_connects_are_told_whatever_their_sizes(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy").write_text(world.policy())
    trees = []
    for size in (1, 9, 200):
        trees.append(tmp_path / f"checkpoint-{size}")
        trees[-1].write_bytes(world.checkpoint(size))
    policy = ("--policy", tmp_path / "policy")
    assert [apart(run(capsys, "compare", *trees[:many], *policy)[1]) for many in (1, 2, 3)] == [[], [1], [2]]


def test_an_entry_of_another_history_is_found_though_no_tree_connects_the_two(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy").write_text(world.policy())
    write(world.files("none"), tmp_path / "bundle")
    last = len(world.entries) - 1
    [receipt] = receipts(grown(forked(world)), tmp_path, last)
    found, events = run(capsys, "compare", tmp_path / "bundle", receipt, "--policy", tmp_path / "policy")
    assert (found, defects(events)) == (1, [("EQUIVOCATION", last)])


def test_files_without_an_entry_do_not_tell_how_old_they_are(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy").write_text(world.policy())
    (tmp_path / "checkpoint").write_bytes(world.checkpoint())
    policy = ("--policy", tmp_path / "policy", "--max-age", "1h")
    found, events = run(capsys, "compare", tmp_path / "checkpoint", *policy)
    assert found == 2
    assert "nor this file tell the time" in events[-1]["reason"]


@pytest.mark.parametrize(("length", "status"), [(4_000_000, 1), (4_000_001, 2)])
def test_no_file_of_more_than_four_million_bytes_is_looked_at(
    length: int, status: int, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of so many is read, and refused for what it holds."""
    (tmp_path / "policy").write_text(world.policy())
    (tmp_path / "long").write_bytes(b"{}".ljust(length))
    assert run(capsys, "compare", tmp_path / "long", "--policy", tmp_path / "policy")[0] == status


def test_files_of_two_logs_are_not_compared(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "policy").write_text(world.policy())
    [receipt] = receipts(world, tmp_path, 20)
    (tmp_path / "else").write_text("nothing")
    found, events = run(capsys, "compare", receipt, tmp_path / "else", "--policy", tmp_path / "policy")
    assert (found, events[-1]["code"]) == (1, "BAD_ENCODING")
    assert run(capsys, "compare", tmp_path / "none", "--policy", tmp_path / "policy")[0] == 2


def test_an_entry_that_is_older_than_a_tree_which_did_not_hold_it_is_back_dated(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Behind a cosigned checkpoint nothing can be recorded as of last month."""
    (tmp_path / "policy").write_text(world.policy(quorum=True))
    later = grown(world)
    index = len(world.entries)
    written = json.loads(later.entries[index])["time"]
    seconds = -(-written // 1_000) * 1_000
    for late, status in ((0, 0), (BEHIND_MS - 1_000, 0), (BEHIND_MS + 1_000, 1), (30 * 86_400_000, 1)):
        world.time = later.time = seconds + late
        (tmp_path / "checkpoint").write_bytes(world.checkpoint(cosign=True))
        [receipt] = receipts(later, tmp_path, index, cosign=True)
        found, events = run(capsys, "compare", tmp_path / "checkpoint", receipt, "--policy", tmp_path / "policy")
        assert (found, defects(events)) == (status, [("TIME_INVALID", index)] if status else [])


# --- freshness --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["bundle", "receipt", "compare"])
def test_an_old_checkpoint_leaves_the_question_open_where_its_age_matters(
    command: str, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = time.time_ns() // 1_000_000
    for age, limit, status in ((60_000, "1h", 0), (7_200_000, "1h", 2), (7_200_000, "3h", 0), (86_400_000, "1d", 2)):
        bundle = cosigned(world, tmp_path / f"bundle-{age}", now - age)
        world.time = now - age
        [receipt] = receipts(world, tmp_path, 20, cosign=True)
        path = receipt if command == "receipt" else bundle
        found, events = run(capsys, command, path, "--policy", tmp_path / "policy", "--max-age", limit)
        assert found == status, events
        assert bool(events[-1]["reason"]) is (status == 2)


def test_an_age_is_a_number_and_a_unit(tmp_path: Path) -> None:
    for age in ("1", "h", "1.5h", "-1h", "0s", "1w", "1H", "\u0661h"):
        with pytest.raises(SystemExit):
            main(["receipt", str(tmp_path), "--max-age", age])


def test_a_quorum_bounds_the_times_by_the_witness_that_completes_it() -> None:
    """Two of three: the second to sign says how young an entry may be, the second from the end how old."""
    world = World(7).open()
    keys = [signing_key(f"witness {n}") for n in range(3)]
    names = [f"w{n}.example" for n in range(3)]
    vkeys = [world.vkey(key, name, 4) for key, name in zip(keys, names, strict=True)]
    lines = [f"log {world.vkey()}", *(f"witness w{n} {vkey}" for n, vkey in enumerate(vkeys))]
    policy = parse_policy("\n".join([*lines, "group two 2 w0 w1 w2", "quorum two", ""]).encode())
    note = world.checkpoint()
    text = note.split(b"\n\n")[0] + b"\n"
    for stamp, key, name in zip((1_800_000_900, 1_800_000_100, 1_800_000_500), keys, names, strict=True):
        signature = key.sign(b"cosignature/v1\ntime %d\n" % stamp + text).signature
        note += note_line(name, 4, key, stamp.to_bytes(8) + signature)

    found = window_of(policy, policy.verify(note, select(None)))

    assert found == (1_800_000_500_000 + 300_000, 1_800_000_500_000 - 3_600_000)
