"""The order of a log, leaf by leaf: what breaks it, where that is said, and that what follows is judged on its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.verifier.forge import DAY, START, Json, World, b64u
from verifier.audit.log_order import Links
from verifier.errors import Code
from verifier.records.leaf import parse_leaf, read_columns, text_of
from verifier.rules.chain_store import Shelf
from verifier.rules.findings import Findings

BEGUN = 7
"""Entries of an open log; all that follow, but for index-heads, are consents' and customers'."""


def world(bend: Callable[[Json], object] | None = None, *, start: int = START, heads: bool = True) -> World:
    """One consent (entries 7, 8, 10, 12 …), its customer (9), another consent (11); index-heads at 14 and at the end."""
    made = World(5)
    made.time = start
    made.open()
    made.bend = None if bend is None else lambda leaf: bend(leaf) and None
    consent = made.grant()
    made.access(consent)
    made.request()
    for number in range(4):
        if number == 2 and heads:
            made.index_head()
        made.tick(number and DAY)
        made.access(consent)
    if heads:
        made.index_head()
    return made


def bent(at: int, *, upto: int = 0, **changes: Any) -> World:
    """The ledger writes other members into leaf `at`, or into those until `upto`, and goes on from there. A number is
    added to what should stand there."""

    return world(lambda leaf: change_at(leaf, at, changes, upto))


def change_at(leaf: Json, at: int, changes: Json, upto: int = 0) -> None:
    if at <= leaf["index"] < max(upto, at + 1):
        for name, change in changes.items():
            leaf[name] = leaf[name] + change if isinstance(change, int) else change


Shown = tuple[Findings, Links, Shelf]


def walked(
    entries: Sequence[bytes | None], tiles: Sequence[bytes | None] | None = None, *, latest: int | None = None
) -> Shown:
    """All entries one by one; None for a missing one. `tiles`: the hashes that tiles name; `latest`: the time (ms) that the
    witnesses allow."""
    findings, shelf = Findings(), Shelf()
    links = Links(findings, shelf)
    links.latest = latest
    for position, entry in enumerate(entries):
        tile = None if tiles is None else tiles[position]
        if entry is None:
            links.skip(position, tile)
        else:
            links.add(position, entry, tile)
    return findings, links, shelf


def told(shown: Shown) -> list[tuple[Code, int | None, str | None]]:
    return [(defect.code, defect.place.index, defect.place.field) for defect in shown[0].defects]


@pytest.mark.parametrize("start", [0, START])
def test_an_honest_log_is_in_order_and_counted(start: int) -> None:
    made = world(start=start)
    shown = findings, links, shelf = walked(made.entries, made.hashes)
    assert told(shown) == []
    assert findings.checked == {"completeness maps": 2}
    assert findings.kinds == {"operator": 7, "consent": 8, "subject": 1, "index-head": 2}
    assert findings.days == Counter(time // DAY for time in made.times)
    assert (links.lost, links.time, links.previous) == (0, made.time, (text_of(made.hashes[-1]),))
    for name, (seq, head) in made.chains.items():
        chain = shelf.get(text_of(name))
        assert chain is not None
        assert (chain.seq, chain.head, chain.known) == (seq, text_of(head), True)


ELSEWHERE = b64u(bytes(31) + b"\1")


@pytest.mark.parametrize(
    ("code", "at", "changes"),
    [
        (Code.BAD_CHAIN, 12, {"index": 1}),
        (Code.BAD_CHAIN, 12, {"index": -1}),
        (Code.BAD_CHAIN, 12, {"prev": ELSEWHERE}),
        (Code.BAD_CHAIN, 0, {"prev": ELSEWHERE}),
        (Code.TIME_INVALID, 12, {"time": -1}),
        (Code.BAD_CHAIN, 12, {"seq": 1}),
        (Code.BAD_CHAIN, 12, {"seq": -1}),
        (Code.BAD_CHAIN, 12, {"prev_in_chain": ELSEWHERE}),
        (Code.BAD_CHAIN, 7, {"prev_in_chain": ELSEWHERE}),
        (Code.BAD_CHAIN, 7, {"seq": 1}),
        (Code.INCOMPLETE, 14, {"map_size": 1}),
        (Code.INCOMPLETE, 14, {"map_size": -1}),
        (Code.BAD_PROOF, 14, {"map_root": ELSEWHERE}),
    ],
)
def test_one_member_that_breaks_the_order_is_named_once(code: Code, at: int, changes: Json) -> None:
    if at == 0:
        made = World(5)
        made.bend = lambda leaf: leaf.update(changes) if leaf["index"] == 0 else None
        made.open()
    else:
        made = bent(at, **changes)
    shown = walked(made.entries, made.hashes)
    [(member, _)] = changes.items()
    found = [row for row in told(shown) if row[1] == at]
    assert found == [(code, at, member)]
    follows = [row for row in told(shown) if row[1] != at]
    # The leaf's own number is believed afterwards: the next one of the chain is a gap, seen from there.
    assert [row[2] for row in follows] in ([], ["seq"])


@pytest.mark.parametrize("shift", [1, 2])
def test_a_log_that_is_shifted_from_its_first_leaf_on_says_so_there(shift: int) -> None:
    made = World(5)
    made.bend = lambda leaf: leaf.update(index=leaf["index"] + shift)
    made.open()
    assert [row for row in told(walked(made.entries, made.hashes)) if row[2] == "index"] == [
        (Code.BAD_CHAIN, 0, "index")
    ]


def test_a_log_whose_rest_is_numbered_otherwise_is_told_so_once() -> None:
    for shift in (1, -1, 2):
        made = bent(12, upto=99, index=shift)
        assert [row for row in told(walked(made.entries)) if row[2] == "index"] == [(Code.BAD_CHAIN, 12, "index")]
    made = world(lambda leaf: change_at(leaf, 12, {"index": -1 if leaf["index"] == 16 else 1}, 99))
    assert [row[1] for row in told(walked(made.entries)) if row[2] == "index"] == [12, 16]
    back = bent(12, upto=14, index=1)  # two, and then as it should be
    assert [row for row in told(walked(back.entries)) if row[2] == "index"] == [(Code.BAD_CHAIN, 12, "index")]


def test_leaves_that_stand_alone_with_a_wrong_number_are_told_one_by_one() -> None:
    for wrong in ([12, 14], [12, 14, 16], [10, 11, 13]):
        made = world(lambda leaf, wrong=wrong: change_at(leaf, 0, {"index": 1}, 99 if leaf["index"] in wrong else 0))
        seen = [row for row in told(walked(made.entries)) if row[2] == "index"]
        told_of = [
            at for at in wrong if at - 1 not in wrong
        ]  # the second in a row is the rest of the log, until it is not
        assert seen == [(Code.BAD_CHAIN, at, "index") for at in told_of]


def test_a_chain_that_does_not_begin_at_0_has_a_state_that_nobody_knows() -> None:
    made = bent(7, seq=1)
    _, _, shelf = walked(made.entries)
    chain = shelf.get(parse_leaf(made.entries[7]).chain)
    assert chain is not None
    assert not chain.known


def test_each_map_that_does_not_fit_is_told() -> None:
    made = world()
    made.bend = lambda leaf: leaf.update(map_root=ELSEWHERE) if leaf["kind"] == "index-head" else None
    first, second = made.index_head(), made.index_head()
    made.bend = None
    made.index_head()
    made.bend = lambda leaf: leaf.update(map_root=ELSEWHERE) if leaf["kind"] == "index-head" else None
    last = made.index_head()
    shown = walked(made.entries)
    assert told(shown) == [(Code.BAD_PROOF, at, "map_root") for at in (first, second, last)]
    assert shown[0].unchecked == {}
    assert shown[0].checked == {"completeness maps": 3}


# --- damage ---------------------------------------------------------------------------------------------------


def damaged(made: World, at: int, entry: bytes | None) -> list[bytes | None]:
    return [*made.entries[:at], entry, *made.entries[at + 1 :]]


@pytest.mark.parametrize(("at", "heads"), [(8, 0), (12, 0), (13, 1), (11, 2)])
def test_a_leaf_with_another_commitment_than_its_tile_names_breaks_nothing_else(at: int, heads: int) -> None:
    """`heads`: how many index-heads name it as the last of its chain."""
    made = world()
    leaf = parse_leaf(made.entries[at])
    entry = made.entries[at].replace(leaf.commitment, ELSEWHERE.encode())
    shown = walked(damaged(made, at, entry), made.hashes)
    assert told(shown) == [(Code.BAD_PROOF, at, None)]
    assert shown[0].unchecked["index-heads after a damaged entry"] == heads
    chain = shown[2].get(leaf.chain)
    assert chain is not None
    assert chain.known
    # Without a tile nobody knows its other name, and the next leaf and the next of its chain are told.
    alone = walked(damaged(made, at, entry))
    assert [row[2] for row in told(alone)][:1] == ["prev"]
    assert [row[2] for row in told(alone)][1:] == (["map_root"] * 2 if at == 11 else ["prev_in_chain"]) * (at != 13) + [
        "map_root",
        "prev_in_chain",
    ] * (at == 13)


def test_a_leaf_that_neither_its_tile_nor_its_neighbours_know_counts_for_nothing() -> None:
    made = world()
    leaf = parse_leaf(made.entries[12])
    entry = made.entries[12].replace(leaf.prev, ELSEWHERE.encode())
    shown = walked(damaged(made, 12, entry), made.hashes)
    assert told(shown) == [(Code.BAD_PROOF, 12, None)]
    assert shown[1].lost == 1
    assert shown[0].kinds.total() == len(made.entries) - 1
    assert shown[1].breaks == {13}  # what it said is not known, from the next of its chain on


@pytest.mark.parametrize("tiles", [True, False])
@pytest.mark.parametrize("entry", [b"{}", None])
def test_an_unreadable_entry_makes_no_defects_of_the_entries_after_it(entry: bytes | None, tiles: bool) -> None:
    made = world()
    shown = walked(damaged(made, 12, entry), made.hashes if tiles else None)
    codes = [] if entry is None else [Code.BAD_PROOF, Code.BAD_ENCODING] if tiles else [Code.BAD_ENCODING]
    found = [row[0] for row in told(shown) if row[1] == 12]
    assert found == codes
    after = [row[1:] for row in told(shown) if row[1] != 12]
    if tiles:
        assert after == []
    elif entry is None:
        assert after == [(13, "seq")]  # nobody says what the missing one's hash was
    else:
        assert after == [(13, "prev"), (13, "seq")]
    assert shown[1].lost == 1
    assert shown[1].breaks == ({13} if tiles else set())
    assert shown[0].checked == {"completeness maps": 2}
    for at, heads in ((13, 1), (11, 2)):  # the last of its chain, as so many index-heads say
        shown = walked(damaged(made, at, entry), made.hashes if tiles else None)
        assert shown[0].unchecked == {"index-heads after a damaged entry": heads}


def test_a_damaged_entry_excuses_no_map_root_above_the_next_entry_of_its_chain() -> None:
    """As soon as the next leaf of its chain is there, the map is known again: a root that is wrong then is a lie."""
    for entry in (b"{}", None):
        made = world()
        made.index_head()
        made.bend = lambda leaf: leaf.update(map_root=ELSEWHERE) if leaf["kind"] == "index-head" else None
        lie = made.index_head()
        shown = walked(damaged(made, 12, entry), made.hashes)
        assert [row for row in told(shown) if row[1] != 12] == [(Code.BAD_PROOF, lie, "map_root")]


# --- whole bundles --------------------------------------------------------------------------------------------


def together(
    made: World, first: int = BEGUN, last: int | None = None, *, latest: int | None = None
) -> tuple[Shown, bool]:
    """The entries before `first` one by one, those until `last` in one piece, the others one by one."""
    last = len(made.entries) if last is None else last
    findings, shelf = Findings(), Shelf()
    links = Links(findings, shelf)
    links.latest = latest
    for position in range(first):
        links.add(position, made.entries[position], None)
    part = made.entries[first:last]
    columns = read_columns(b"".join(len(entry).to_bytes(2) + entry for entry in part), first, len(part))
    done = columns is not None and links.add_all(first, columns)
    for position in range(last if done else first, len(made.entries)):
        links.add(position, made.entries[position], None)
    return (findings, links, shelf), done


def same(one: Shown, other: Shown) -> None:
    assert told(one) == told(other)
    assert (one[0].kinds, one[0].days) == (other[0].kinds, other[0].days)
    assert (one[1].previous, one[1].time) == (other[1].previous, other[1].time)
    assert dict(one[2].records()) == dict(other[2].records())
    assert one[0].checked == other[0].checked


def test_leaves_of_one_bundle_are_added_together_as_they_would_be_alone() -> None:
    made = world(heads=False)
    made.index_head()
    plain = world(heads=False)
    shown, done = together(plain)
    assert done
    same(shown, walked(plain.entries))
    for first, last in ((BEGUN, len(made.entries) - 1), (9, 13), (12, 13)):
        shown, done = together(made, first, last)
        assert done
        assert told(shown) == []
        same(shown, walked(made.entries))


AGAIN = {"seq": -3, "prev_in_chain": b64u(bytes(32))}
"""Makes entry 12 the beginning of a chain that has begun."""


@pytest.mark.parametrize(
    ("at", "changes"),
    [
        *((at, {"seq": 1}) for at in (9, 11, 12)),
        *((at, {"prev_in_chain": ELSEWHERE}) for at in (9, 11, 12)),
        *((12, {"seq": less}) for less in (-1, -2, -3)),
        (12, AGAIN),
    ],
)
def test_a_broken_chain_within_a_bundle_is_named_where_it_is(at: int, changes: Json) -> None:
    made = world(lambda leaf: change_at(leaf, at, changes), heads=False)
    made.index_head()
    shown, done = together(made, BEGUN, len(made.entries) - 1)
    assert done
    assert told(shown)[0] == (Code.BAD_CHAIN, at, next(iter(changes)))
    same(shown, walked(made.entries))


@pytest.mark.parametrize("at", [BEGUN, 9, 12])
@pytest.mark.parametrize("changes", [{"prev": ELSEWHERE}, {"time": -1}])
def test_a_bundle_out_of_order_is_not_added_together(at: int, changes: Json) -> None:
    made = world(lambda leaf: change_at(leaf, at, changes), heads=False)
    shown, done = together(made)
    assert not done
    assert told(shown) == [(Code.BAD_CHAIN if "prev" in changes else Code.TIME_INVALID, at, next(iter(changes)))]


@pytest.mark.parametrize("young", [0, 1])
def test_a_leaf_that_is_younger_than_its_witnesses_allow_is_found_at_the_end_of_a_bundle_too(young: int) -> None:
    made = world(heads=False)
    last = len(made.entries) - 1
    latest = parse_leaf(made.entries[last]).time - young
    shown, done = together(made, latest=latest)
    assert (done, told(shown)) == ((False, [(Code.TIME_INVALID, last, "time")]) if young else (True, []))
    same(shown, walked(made.entries, latest=latest))


def test_a_log_numbered_otherwise_is_read_leaf_by_leaf() -> None:
    made = bent(2, upto=9, index=1)
    shown, done = together(made, 9, 13)
    assert not done
    same(shown, walked(made.entries))


def test_a_resumed_run_knows_the_map_of_the_one_before_it() -> None:
    made = world()
    findings, links, shelf = walked(made.entries[:-1])
    later = Findings()
    resumed = Links(later, shelf)
    resumed.previous, resumed.time = links.previous, links.time
    resumed.restore_map(shelf.records())
    resumed.add(len(made.entries) - 1, made.entries[-1], None)
    assert later.defects == []
    assert later.checked == {"completeness maps": 1}
    assert findings.checked == {"completeness maps": 1}
