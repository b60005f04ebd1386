"""Several logs as one: what a head log may say, and how a set is judged (docs/spec/sets.md)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.verifier.forge import b64u, leaf_hash, signing_key, write
from tests.verifier.historical import Historical, usual
from tests.verifier.set_forge import FIRST, HEAD, LATER_BANK, SECOND, ForgedSet, Member, head_of
from verifier.cli import main

Event = dict[str, Any]
Judge = Callable[..., tuple[int, list[Event]]]
OTHER_ROOT = b64u(b"r" * 32)


@pytest.fixture
def judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Judge:
    """Exit status and events of `set`, or of another command, over what stands in the folder."""

    def run(place: Path, *more: str, command: str = "set", policy: str = "policy") -> tuple[int, list[Event]]:
        status = main([command, str(place), "--policy", str(tmp_path / policy), "--jobs", "1", "--json", *more])
        return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


class HistoricalMember(Member, Historical):
    """A log of a set whose holder brings its past."""


def defects(events: list[Event]) -> list[tuple[str, str | None, int | None]]:
    return [(one["code"], one["log"], one["index"]) for one in events if one["event"] == "defect"]


def unchecked(events: list[Event]) -> dict[tuple[str, str], int]:
    """By the log and the first words."""
    return {(one["log"], one["what"][:30]): one["count"] for one in events if one["event"] == "unchecked"}


def checked(events: list[Event], what: str) -> dict[str, int]:
    return {one["log"]: one["count"] for one in events if one["event"] == "checked" and one["what"] == what}


# --- documents of a head log ----------------------------------------------------------------------------------


def test_a_head_log_is_a_log_like_any_other(tmp_path: Path, judge: Judge) -> None:
    forged = ForgedSet()
    forged.commit()
    forged.write(tmp_path)
    status, events = judge(tmp_path / "set/heads", command="bundle")
    assert (status, events[-1]["code"]) == (0, "VALID")
    acts = {one["what"]: one["count"] for one in events if one["event"] == "count" and one["of"] == "act"}
    assert acts == {"ledger.opened": 1, "shard.added": 2, "holder.placed": 2, "heads.committed": 1}


ILLEGAL: dict[str, tuple[str, Callable[[ForgedSet], object]]] = {
    "a shard of the head log's own name": (
        "CONSENT_INVALID",
        lambda one: one.add(Member("ledger.example/x"), origin=HEAD),
    ),
    "a shard for the second time": ("CONSENT_INVALID", lambda one: one.add(one.first, key=b64u(Member("new").raw_key))),
    "a key of another shard": ("CONSENT_INVALID", lambda one: one.add(one.first, origin="ledger.example/x")),
    "a key that is no point": (
        "BAD_SIGNATURE",
        lambda one: one.add(one.first, origin="ledger.example/x", key=b64u(bytes(32))),
    ),
    "a key of another length": (
        "BAD_ENCODING",
        lambda one: one.add(one.first, origin="ledger.example/x", key=b64u(bytes(31))),
    ),
    "an origin that no key can bear": ("BAD_ENCODING", lambda one: one.add(Member("ledger.example/x"), origin="a+b")),
    "an origin with a blank": ("BAD_ENCODING", lambda one: one.add(Member("ledger.example/x"), origin="a b")),
    "a member too many": ("BAD_ENCODING", lambda one: one.add(Member("ledger.example/x"), name="x")),
    "an earlier version": (
        "BAD_ENCODING",
        lambda one: one.document("holder.placed", v=1, holder="new.example", origin=FIRST),
    ),
    "a holder in a log that nobody added": (
        "CONSENT_INVALID",
        lambda one: one.place("new.example", "ledger.example/x"),
    ),
    "a holder for the second time": ("CONSENT_INVALID", lambda one: one.place(LATER_BANK, FIRST)),
    "a holder that is no participant's id": ("BAD_ENCODING", lambda one: one.place("NEW", FIRST)),
    "the head of a log that nobody added": (
        "CONSENT_INVALID",
        lambda one: one.commit(Member("ledger.example/x").opened()),
    ),
    "a head that is smaller": ("CONSENT_INVALID", lambda one: one.commit_to(head_of(one.first, 3))),
    "another root for one size": ("CONSENT_INVALID", lambda one: one.commit_to(head_of(one.first, root=OTHER_ROOT))),
    "no head": ("BAD_ENCODING", lambda one: one.commit_to()),
    "one shard twice": ("BAD_ENCODING", lambda one: one.commit(one.first, one.first)),
    "heads in another order": ("BAD_ENCODING", lambda one: one.commit(one.second, one.first)),
    "an empty shard": ("BAD_ENCODING", lambda one: one.commit_to(head_of(one.second, size=0))),
    "a root of another length": ("BAD_ENCODING", lambda one: one.commit_to(head_of(one.first, root="AA"))),
    "a head with a member too many": ("BAD_ENCODING", lambda one: one.commit_to(head_of(one.first, time=1))),
    "heads that are no list": ("BAD_ENCODING", lambda one: one.document("heads.committed", heads=head_of(one.first))),
    "another chain": (
        "BAD_CHAIN",
        lambda one: one.head.operator({"v": 2, "type": "holder.placed", "holder": "new.example", "origin": FIRST}),
    ),
}


@pytest.mark.parametrize("what", ILLEGAL)
def test_an_illegal_document_is_told_once_at_its_place(what: str, tmp_path: Path, judge: Judge) -> None:
    code, lie = ILLEGAL[what]
    forged = ForgedSet()
    forged.commit()
    index = len(forged.head.entries)
    lie(forged)
    for shard in (forged.first, forged.second):
        shard.index_head()
    forged.commit()
    forged.write(tmp_path)
    status, events = judge(tmp_path / "set/heads", command="bundle")
    told = [(one["code"], one["index"]) for one in events if one["event"] == "defect"]
    assert (status, told) == (1, [(code, index)])


def test_seven_heads_are_one_too_many(tmp_path: Path, judge: Judge) -> None:
    forged = ForgedSet()
    others = [Member(f"ledger.example/{n}", n) for n in range(7)]
    for other in others:
        forged.add(other.opened())
    forged.commit(*others[:6])
    index = forged.commit_to(*({**head_of(other), "origin": str(n)} for n, other in enumerate(others)))
    forged.write(tmp_path)
    _, events = judge(tmp_path / "set/heads", command="bundle")
    assert [(one["code"], one["index"]) for one in events if one["event"] == "defect"] == [("BAD_ENCODING", index)]


def test_a_key_that_the_head_log_has_itself_is_no_shards_key(tmp_path: Path, judge: Judge) -> None:
    forged = ForgedSet()
    later = signing_key("later key of the head log")
    added = {"v": 2, "type": "log.key_added", "key": b64u(bytes(later.verify_key))}
    forged.head.operator({**added, "previous": b64u(forged.head.raw_key)})
    indexes = [
        forged.add(Member(f"ledger.example/{n}"), key=b64u(raw))
        for n, raw in enumerate((bytes(later.verify_key), forged.head.raw_key))
    ]
    forged.write(tmp_path)
    _, events = judge(tmp_path / "set/heads", command="bundle")
    assert [(one["code"], one["index"]) for one in events if one["event"] == "defect"] == [
        ("CONSENT_INVALID", index) for index in indexes
    ]


def test_an_audit_that_goes_on_remembers_the_heads(tmp_path: Path, judge: Judge) -> None:
    forged = ForgedSet()
    forged.commit()
    forged.write(tmp_path)
    state = str(tmp_path / "state")
    status, _ = judge(tmp_path / "set/heads", "--keep", state, command="bundle")
    index = forged.commit_to(head_of(forged.first, 3))
    shutil.rmtree(tmp_path / "set")
    forged.write(tmp_path)
    later, events = judge(tmp_path / "set/heads", "--since", state, command="bundle")
    assert (status, later, [one["index"] for one in events if one["event"] == "defect"]) == (0, 1, [index])


# --- a set ----------------------------------------------------------------------------------------------------


def test_an_honest_set_is_valid_and_all_of_it_is_counted_by_log(tmp_path: Path, judge: Judge) -> None:
    forged = ForgedSet()
    forged.commit()
    status, events = judge(forged.write(tmp_path))
    assert (status, events[-1]["code"], defects(events), unchecked(events)) == (0, "VALID", [], {})
    sizes = {one.origin: len(one.entries) for one in (forged.head, forged.first, forged.second)}
    assert checked(events, "entries") == sizes
    assert [(one["log"], one["code"], one["status"]) for one in events if one["event"] == "part"] == [
        (HEAD, "VALID", 0),
        (FIRST, "VALID", 0),
        (SECOND, "VALID", 0),
    ]


def test_attested_history_of_a_shard_is_told_apart_in_the_verdict_on_the_set(tmp_path: Path, judge: Judge) -> None:
    forged = ForgedSet()
    forged.second = shard = HistoricalMember(SECOND, 3)
    shard.opened()
    shard.register(LATER_BANK, ["holder"])
    shard.attest(usual(), LATER_BANK)
    for position in range(3):
        shard.sheet(position, LATER_BANK)
    forged.commit()
    status, events = judge(forged.write(tmp_path))
    assert (status, defects(events)) == (0, [])
    assert [(one["holder"], one["rows"]) for one in events if one["event"] == "history"] == [(LATER_BANK, 5)]


def test_every_committed_head_is_compared_wherever_in_a_tile_it_ends(tmp_path: Path, judge: Judge) -> None:
    forged = ForgedSet(accesses=560)
    sizes = [1, 7, 255, 256, 257, 300, 511, 512, 513, len(forged.first.entries)]
    for size in sizes:
        forged.commit_to(head_of(forged.first, size))
    wrong = forged.commit_to(head_of(forged.second, root=OTHER_ROOT))
    status, events = judge(forged.write(tmp_path))
    assert (status, defects(events)) == (1, [("EQUIVOCATION", HEAD, wrong)])
    assert checked(events, "heads of shards that the head log committed") == {HEAD: len(sizes) + 1}


@pytest.mark.parametrize("size", [7, 255, 256, 300, 512])
def test_another_history_than_the_one_committed_is_equivocation_at_the_document(
    size: int, tmp_path: Path, judge: Judge
) -> None:
    forged = ForgedSet(accesses=560)
    index = forged.commit_to(head_of(forged.first, size, root=OTHER_ROOT))
    forged.commit_to(head_of(forged.first))
    status, events = judge(forged.write(tmp_path))
    assert (status, events[-1]["code"], defects(events)) == (1, "EQUIVOCATION", [("EQUIVOCATION", HEAD, index)])
    [told] = [one for one in events if one["event"] == "defect"]
    assert told["expected"].startswith(f"{FIRST}: {size}, ")


def test_a_bundle_that_was_tampered_with_is_no_proof_of_another_history(tmp_path: Path, judge: Judge) -> None:
    """An entry and its tile changed together: the shard has not signed that."""
    forged = ForgedSet()
    forged.commit()
    place = forged.write(tmp_path)
    first = forged.first
    index = len(first.entries) - 1
    first.entries[index] = first.entries[index].replace(b'"time":', b'"time":1', 1)
    first.hashes[index] = leaf_hash(first.entries[index])
    changed = first.files()
    for name in [name for name in changed if name.startswith("tile/")]:
        (place / "shards/first" / name).write_bytes(changed[name])
    status, events = judge(place)
    assert status == 1
    assert ("BAD_PROOF", FIRST, None) in defects(events)
    assert "EQUIVOCATION" not in {code for code, _, _ in defects(events)}
    assert unchecked(events)[HEAD, "committed heads of shards over"] == 1


def test_a_shard_that_is_smaller_than_committed_is_a_rollback(tmp_path: Path, judge: Judge) -> None:
    forged = ForgedSet()
    forged.commit()
    place = forged.write(tmp_path)
    shutil.rmtree(place / "shards/second")
    write(forged.second.files(size=2), place / "shards/second")
    status, events = judge(place)
    assert (status, defects(events)) == (1, [("ROLLBACK", SECOND, None)])
    assert unchecked(events)[HEAD, "committed heads of shards over"] == 1


def test_entries_that_nobody_committed_are_counted(tmp_path: Path, judge: Judge) -> None:
    forged = ForgedSet()
    forged.commit_to(head_of(forged.first, 5))
    status, events = judge(forged.write(tmp_path))
    what = "entries of a shard that the he"
    assert status == 0
    assert unchecked(events) == {
        (FIRST, what): len(forged.first.entries) - 5,
        (SECOND, what): len(forged.second.entries),
    }


def test_a_holder_is_registered_where_the_head_log_places_it(tmp_path: Path, judge: Judge) -> None:
    forged = ForgedSet()
    elsewhere, nowhere = len(forged.second.entries), len(forged.second.entries) + 2
    forged.second.register("bank.example", ["holder"])
    forged.second.register("new.example", ["holder"])
    forged.second.register("app.example", ["recipient"])
    forged.commit()
    status, events = judge(forged.write(tmp_path))
    assert (status, defects(events)) == (
        1,
        [("CONSENT_INVALID", SECOND, elsewhere), ("CONSENT_INVALID", SECOND, nowhere)],
    )


def test_a_leaf_of_the_head_log_that_cannot_be_read_may_have_placed_a_holder(tmp_path: Path, judge: Judge) -> None:
    forged = ForgedSet()
    forged.second.register("new.example", ["holder"])
    lost = forged.place("new.example", SECOND)
    forged.commit()
    place = forged.write(tmp_path)
    entry = forged.head.entries[lost]
    [bundle] = [path for path in (place / "heads/tile/entries").rglob("*") if path.is_file()]
    bundle.write_bytes(bundle.read_bytes().replace(entry, entry[:-1] + b" "))
    status, events = judge(place)
    assert (status, {(log, index) for _, log, index in defects(events)}) == (1, {(HEAD, lost), (HEAD, None)})
    assert unchecked(events)[SECOND, "registrations of holders whose"] == 1


def test_a_shard_is_judged_under_the_key_that_the_head_log_names(tmp_path: Path, judge: Judge) -> None:
    forged = ForgedSet()
    forged.commit()
    forged.second.log_key = signing_key("stolen name")
    status, events = judge(forged.write(tmp_path))
    assert (status, defects(events)) == (1, [("BAD_SIGNATURE", SECOND, None)])


def test_a_missing_shard_leaves_the_question_open_and_all_else_is_judged(tmp_path: Path, judge: Judge) -> None:
    forged = ForgedSet()
    forged.commit()
    place = forged.write(tmp_path)
    shutil.rmtree(place / "shards/second")
    status, events = judge(place)
    assert (status, events[-1]["code"]) == (2, None)
    assert SECOND in events[-1]["reason"]
    assert checked(events, "entries")[FIRST] == len(forged.first.entries)
    forged.second.log_key = signing_key("stolen name")
    write(forged.second.files(), place / "shards/second")
    shutil.rmtree(place / "shards/first")
    assert judge(place)[0] == 1


@pytest.mark.parametrize("what", ["file", "link", "second", "stranger", "heads"])
def test_shards_holds_nothing_but_one_bundle_of_each_shard(what: str, tmp_path: Path, judge: Judge) -> None:
    forged = ForgedSet()
    forged.commit()
    place = forged.write(tmp_path)
    odd = place / "shards/zz"
    if what == "file":
        odd.write_bytes(b"notes")
    elif what == "link":
        odd.symlink_to(place / "heads")
    elif what == "second":
        shutil.copytree(place / "shards/first", odd)
    elif what == "heads":
        shutil.copytree(place / "heads", odd)
    else:
        write(Member("ledger.example/x").opened().files(), odd)
    status, events = judge(place)
    assert (status, defects(events)) == (1, [("BAD_ENCODING", None, None)])
    assert [one["file"] for one in events if one["event"] == "defect"] == ["shards/zz"]


def test_names_in_shards_say_nothing_and_a_zip_is_as_good(tmp_path: Path, judge: Judge) -> None:
    forged = ForgedSet()
    forged.commit()
    place = forged.write(tmp_path)
    shutil.make_archive(str(place / "shards/any"), "zip", place / "shards/first")
    shutil.rmtree(place / "shards/first")
    (place / "shards/second").rename(place / "shards/first")
    assert judge(place)[0] == 0


def test_a_log_without_shards_is_no_head_log(tmp_path: Path, judge: Judge) -> None:
    forged = ForgedSet()
    forged.head = Member(HEAD, 1).opened()
    status, events = judge(forged.write(tmp_path))
    assert (status, events[-1]["code"]) == (2, None)
    assert "no head log" in events[-1]["reason"]


def test_the_quorum_is_asked_of_the_head_log_and_of_nobody_else(tmp_path: Path, judge: Judge) -> None:
    forged = ForgedSet()
    forged.commit()
    place = forged.write(tmp_path, quorum=True)
    assert judge(place)[0] == 3
    shutil.rmtree(place)
    assert judge(forged.write(tmp_path, quorum=True, cosign=True))[0] == 0


def test_a_policy_out_of_the_set_itself_says_only_that_the_set_agrees_with_itself(tmp_path: Path, judge: Judge) -> None:
    forged = ForgedSet()
    forged.commit()
    place = forged.write(tmp_path)
    status, events = judge(place, policy="set/heads/policy")
    assert (status, unchecked(events)) == (0, {(HEAD, "whose log this is: the policy "): 1})
    assert events[-1]["unchecked"] == 1


def test_after_an_illegal_commitment_the_other_heads_are_compared(tmp_path: Path, judge: Judge) -> None:
    forged = ForgedSet()
    stranger = Member("ledger.example/aa").opened()
    index = forged.commit_to(head_of(stranger), head_of(forged.first, root=OTHER_ROOT), head_of(forged.second))
    status, events = judge(forged.write(tmp_path))
    assert (status, defects(events)) == (1, [("CONSENT_INVALID", HEAD, index), ("EQUIVOCATION", HEAD, index)])


@pytest.mark.parametrize(("language", "said"), [("en", "First bad entry: "), ("zh", "首个有问题的条目\uff1a")])
def test_people_are_told_the_verdict_of_each_log_and_where_the_first_defect_is(
    language: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = ForgedSet()
    forged.second.register("new.example", ["holder"])
    forged.commit()
    place = forged.write(tmp_path)
    assert main(["set", str(place), "--policy", str(tmp_path / "policy"), "--jobs", "1", "--lang", language]) == 1
    told = capsys.readouterr().out
    assert f"{said}{SECOND}" in told
    assert all(f"\n  {origin}" in told for origin in (HEAD, FIRST, SECOND))
