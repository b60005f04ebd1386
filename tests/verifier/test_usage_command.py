"""`consent-verify usage`, as either side of a bill asks it (docs/spec/partners.md, 5)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.verifier.billed import Billed, billed
from tests.verifier.forge import OTHER, write
from verifier.cli import main

Told = tuple[int, list[str], list[dict[str, Any]]]


def life() -> tuple[Billed, int, list[int]]:
    """A month with three releases, and one of the month before."""
    world = billed()
    offer = world.agreed()
    consent = world.grant()
    world.use(consent)
    world.next_month()
    releases = [world.use(consent) for _ in range(3)]
    other = world.request(OTHER, recipient=OTHER)
    world.authorise(other)
    world.release(world.access(other, OTHER))
    world.access(consent, purpose="MKT")  # refused
    world.next_month()
    return world, offer, releases


def asked(
    world: Billed,
    place: Path,
    capsys: pytest.CaptureFixture[str],
    *words: object,
    withheld: frozenset[int] = frozenset(),
) -> Told:
    """Exit status, lines and events."""
    bundle = place / str(len(world.entries))
    write(world.files("partial" if withheld else "full", withheld), bundle)
    (place / "policy").write_text(world.policy())
    arguments = ["usage", bundle, "--policy", place / "policy", "--jobs", "1", *words]
    status = main([*map(str, arguments), "--json"])
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return status, [str(one["text"]) for one in events if one["event"] == "text"], events


def test_statements_are_listed_each_with_what_became_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world, offer, releases = life()
    wrong = world.state(offer, twice=(releases[1],))
    world.answer_usage(wrong, releases[1])
    right = world.state(offer)
    world.answer_usage(right)
    status, lines, events = asked(world, tmp_path, capsys)
    assert [line.rpartition("; ")[2].partition(",")[0] for line in lines[:2]] == ["REFUTED", "as the entries give it"]
    assert f"replaced by entry {right}; REFUTED, the entries give amounts 3 for 3" in lines[0]
    assert lines[1] == (
        f"{right:>8}  bank.example to app.example, 2026-10, tariff {offer}: 3 entries, 3 EUR; agreed; as the entries give it"
    )
    assert (status, events[-1]["code"], events[-1]["findings"] > 0) == (0, "VALID", True)
    bundle = ["usage", str(tmp_path / str(len(world.entries))), "--policy", str(tmp_path / "policy"), "--lang", "zh"]
    assert main(bundle) == 0
    shown = capsys.readouterr().out
    assert "已获认可；与条目所得一致" in shown
    assert "用量单与条目所得不符" in shown


def test_one_statement_decides_when_it_is_asked_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world, offer, releases = life()
    wrong = world.state(offer, twice=(releases[1],))
    right = world.state(offer)
    status, lines, events = asked(world, tmp_path, capsys, "--statement", wrong)
    assert (status, events[-1]["code"], len(lines)) == (1, "DISPUTED", 2)
    assert asked(world, tmp_path, capsys, "--statement", right)[0] == 0
    status, _, events = asked(world, tmp_path, capsys, "--statement", offer)
    assert (status, f"entry {offer} is no statement of usage" in events[-1]["reason"]) == (2, True)
    status, _, events = asked(world, tmp_path, capsys, "--statement", right, withheld=frozenset({releases[0]}))
    assert (status, "could not be read" in events[-1]["reason"]) == (2, True)


LISTS: list[tuple[str, Callable[[Billed, list[int]], list[int]], str]] = [
    ("twice", lambda _, r: [*r, r[1]], "{1}: twice in the list"),
    ("another month's", lambda w, r: [*r, w.given[0]["index"]], "{first}: of another month"),
    ("another recipient's", lambda w, r: [*r, w.given[-1]["index"]], "{last}: between other parties"),
    ("a refused access", lambda w, r: [*r, w.given[-1]["index"] + 1], "{refused}: a refused access"),
    ("missing", lambda _, r: r[:2], "{2}: missing in the list"),
    ("no consent's", lambda _, r: [*r, 0], "0: no release"),
    ("beyond the log", lambda _, r: [*r, 10**9], "1000000000: no release"),
    ("an access", lambda _, r: [*r, r[0] - 1], "{access}: no release"),
]


@pytest.mark.parametrize(("name", "wrong", "line"), LISTS, ids=[row[0] for row in LISTS])
def test_a_list_that_is_not_what_was_stated_is_refuted_with_the_index(
    name: str,
    wrong: Callable[[Billed, list[int]], list[int]],
    line: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world, offer, releases = life()
    statement = world.state(offer)
    handed = tmp_path / "list"
    handed.write_text("".join(f"{index}\n" for index in releases))
    status, lines, _ = asked(world, tmp_path, capsys, "--statement", statement, "--list", handed)
    assert (status, lines[2:]) == (0, ["The list of 3 entries has the root that was stated."])
    handed.write_text("\r\n".join(map(str, wrong(world, releases))) + "\r\n")
    status, lines, events = asked(world, tmp_path, capsys, "--statement", statement, "--list", handed)
    assert (status, events[-1]["code"]) == (1, "DISPUTED")
    [told] = [text.strip().replace("  ", ": ") for text in lines[3:]]
    last = world.given[-1]["index"]
    expected = line.format(
        *releases, first=world.given[0]["index"], last=last, refused=last + 1, access=releases[0] - 1
    )
    assert told == expected, name
    assert "does NOT have the root" in lines[2]


def test_a_release_under_a_refused_access_that_a_list_names_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, offer, _ = life()
    refused = world.release(world.given[-1]["index"] + 1)
    world.given.pop()
    world.next_month()
    statement = world.state(offer)
    (tmp_path / "list").write_text(f"{refused}\n")
    status, lines, events = asked(world, tmp_path, capsys, "--statement", statement, "--list", tmp_path / "list")
    assert [one["code"] for one in events if one["event"] == "defect"] == ["UNMATCHED"]
    assert (status, lines[3].strip()) == (
        1,
        f"{refused}  a release that is not the first of an allowed access",
    )


def test_a_statement_that_counts_one_twice_is_refuted_with_its_index_by_its_own_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, offer, releases = life()
    statement = world.state(offer, twice=(releases[1],), left_out=(releases[0],))
    (tmp_path / "list").write_text("".join(f"{index}\n" for index in (*releases, releases[1])))
    status, lines, _ = asked(world, tmp_path, capsys, "--statement", statement, "--list", tmp_path / "list")
    assert status == 1
    assert [text.strip() for text in lines[3:]] == [
        f"{releases[0]}  left out by the statement itself",
        f"{releases[1]}  twice in the list",
    ]
    (tmp_path / "list").write_text("".join(f"{index}\n" for index in (*releases[1:], releases[1])))
    status, lines, _ = asked(world, tmp_path, capsys, "--statement", statement, "--list", tmp_path / "list")
    assert (status, "has the root that was stated" in lines[2]) == (1, True)  # proof that it was counted twice
    assert [text.strip() for text in lines[3:]] == [f"{releases[1]}  twice in the list"]


@pytest.mark.parametrize(
    ("text", "words", "reason"),
    [
        ("5\nfive\n", ["--statement", "9"], "line 2 of the list"),
        ("-5\n", ["--statement", "9"], "line 1 of the list"),
        ("", [], "name it with --statement"),
    ],
)
def test_a_list_that_cannot_be_read_is_exit_status_2(
    text: str, words: list[str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "list").write_text(text)
    status, _, events = asked(life()[0], tmp_path, capsys, "--list", tmp_path / "list", *words)
    assert (status, reason in events[-1]["reason"]) == (2, True)


def test_a_bundle_without_statements_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(billed(), tmp_path, capsys)[:2] == (0, ["The bundle shows no statement of usage."])


def test_without_evidence_nothing_is_said_of_statements_or_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, offer, _ = life()
    world.state(offer)
    status, lines, events = asked(world, tmp_path, capsys, "--no-evidence")
    assert (status, lines, "--no-evidence" in events[-1]["reason"]) == (2, [], True)
    bundle = str(tmp_path / str(len(world.entries)))
    assert main(["scores", bundle, "--policy", str(tmp_path / "policy"), "--no-evidence"]) == 2
    capsys.readouterr()


def test_a_resumed_audit_recounts_months_that_began_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, offer, releases = life()
    first = world.state(offer, left_out=(releases[2],), total=9)
    assert asked(world, tmp_path, capsys, "--keep", tmp_path / "state")[0] == 0
    world.state(offer)
    lie = world.state(offer, twice=(releases[2],))
    status, lines, events = asked(world, tmp_path, capsys, "--since", tmp_path / "state")
    wrong = [one["index"] for one in events if one["event"] == "finding" and "statement" in one["sentence"]]
    assert (status, wrong, len(lines)) == (0, [lie], 3)
    status, _, events = asked(world, tmp_path, capsys, "--since", tmp_path / "state", "--statement", first)
    assert (status, "an earlier run" in events[-1]["reason"]) == (2, True)


def test_a_resumed_audit_knows_what_was_withheld_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world, offer, releases = life()
    held = world.offer(name="more")
    gone = frozenset({releases[0], held})
    assert asked(world, tmp_path, capsys, "--keep", tmp_path / "state", withheld=gone)[0] == 0
    world.accept(held)
    statement = world.state(offer)
    status, _, events = asked(world, tmp_path, capsys, "--since", tmp_path / "state", withheld=gone)
    unchecked = {one["what"] for one in events if one["event"] == "unchecked"}
    assert status == 0
    assert "statements of usage that rest on entries which were withheld, erased or unreadable" in unchecked
    assert "declarations about what another participant declared that could not be read" in unchecked
    assert (
        asked(world, tmp_path, capsys, "--since", tmp_path / "state", "--statement", statement, withheld=gone)[0] == 2
    )
