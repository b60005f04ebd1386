"""Completeness files of a forged log: how many leaves a chain has is what the log signed, whatever is shown of them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.verifier.forge import World, b64u, chain_of, encode, leaf_hash
from tests.verifier.making import BACKEND, refusal
from tests.verifier.trees import Prover
from verifier.audit.completeness import Complete, check_completeness
from verifier.errors import Code
from verifier.tlog.trust import parse_trust

Json = dict[str, Any]


class Shown:
    """A log with one consent and an index-head, and the completeness file of that consent."""

    def __init__(
        self, make: Callable[[World], str] = World.grant, last: Callable[[bytes], bytes] = bytes, **head: Any
    ) -> None:
        """`make`: the consent. `last`: its last leaf as the log's map has it. `head`: what the log lies about in its
        index-head."""
        self.world = World(3).open()
        self.chain = chain_of(make(self.world))
        leaves = [entry for entry in self.world.entries if b64u(self.chain).encode() in entry]
        leaves[-1] = last(leaves[-1])
        self.leaves = [leaf.decode() for leaf in leaves]
        self.world.chains[self.chain] = len(leaves) - 1, leaf_hash(leaves[-1])
        self.pairs = {chain: (seq + 1).to_bytes(8) + last for chain, (seq, last) in self.world.chains.items()}
        self.world.bend = lambda leaf: leaf.update(head) if leaf["kind"] == "index-head" else None
        self.index = self.world.index_head()
        self.world.bend = None

    def members(self, chain: bytes | None = None) -> Json:
        """Of the consent's chain, or of one that the log does not have."""
        chain = chain or self.chain
        prover = Prover(self.pairs)
        end, steps = prover.walk(chain, list(self.pairs))
        members: Json = {"v": 1, "chain": b64u(chain), "index_head": json.dumps(self.world.receipt(self.index))}
        if chain in self.pairs:
            value = self.pairs[chain]
            shown = self.leaves if chain == self.chain else []
            return {
                **members,
                "count": int.from_bytes(value[:8]),
                "last": b64u(value[8:]),
                "map_proof": b64u(steps),
                "leaves": shown,
            }
        return {**members, "count": 0, "map_proof": b64u(prover.absence(chain, end, steps)), "leaves": []}

    def check(self, members: Json, *shown: bytes) -> Complete:
        receipts = {f"receipt-{number}": data for number, data in enumerate(shown)}
        return check_completeness(encode(members), parse_trust(self.world.policy().encode()), BACKEND, receipts)

    def receipt(self, seq: int) -> bytes:
        """The receipt of an entry of the chain."""
        return encode(self.world.receipt(self.world.entries.index(self.leaves[seq].encode())))

    def told(self, members: Json, *shown: bytes) -> list[tuple[str, str]]:
        return [(str(one.code), one.sentence) for one in self.check(members, *shown).findings.defects]


SHOWN = Shown()
NOBODY = chain_of("a consent that never was")


def test_all_leaves_of_a_chain_up_to_an_index_head() -> None:
    found = SHOWN.check(SHOWN.members())
    assert found.findings.defects == []
    assert sorted(found.leaves) == list(range(found.count))
    assert (found.count, found.index_head is not None) == (len(SHOWN.leaves), True)
    assert found.findings.checked["leaves of the chain"] == found.count
    assert found.findings.checked["map proofs"] == 1


def test_leaves_count_wherever_they_come_from() -> None:
    members = {**SHOWN.members(), "leaves": ["not a leaf", *SHOWN.leaves[1:]]}
    assert [code for code, _ in SHOWN.told(members)] == ["INCOMPLETE"]
    assert SHOWN.told(members, SHOWN.receipt(0)) == []
    assert SHOWN.told(members, SHOWN.receipt(1), SHOWN.receipt(0), SHOWN.receipt(0)) == []


def test_a_receipt_that_does_not_hold_counts_for_nothing_and_is_told() -> None:
    members = {**SHOWN.members(), "leaves": SHOWN.leaves[1:]}
    assert SHOWN.check(members, SHOWN.receipt(0)).findings.checked["receipts shown beside the file"] == 1
    for bad, code in (
        (b"nor this", "BAD_ENCODING"),
        (SHOWN.receipt(0).replace(b'"seq\\":0', b'"seq\\":1'), "BAD_PROOF"),
        (SHOWN.receipt(0).replace(b"index ", b"index 1"), "BAD_PROOF"),
    ):
        defects = SHOWN.check(members, bad).findings.defects
        assert [str(one.code) for one in defects if one.place.file == "receipt-0"][:1] == [code]
        assert "INCOMPLETE" in [str(one.code) for one in defects]


def test_two_entries_at_one_place_of_a_chain_are_both_named() -> None:
    """The review's case: each has its genuine receipt, and the map counts one of them."""
    world = SHOWN.world
    original = json.loads(SHOWN.leaves[1])
    twin = encode(original | {"index": len(world.entries), "prev": b64u(world.hashes[-1]), "time": world.time})
    forked = copy.deepcopy(world)
    forked.entries.append(twin)
    forked.hashes.append(leaf_hash(twin))
    receipt = encode({"v": 1, "leaf": twin.decode(), "proof": forked.proof(len(forked.entries) - 1).decode()})
    trust, members = parse_trust(world.policy().encode()), encode(SHOWN.members())
    for shown in ({"b": receipt}, {"a": SHOWN.receipt(1), "b": receipt}):
        found = check_completeness(members, trust, BACKEND, shown).findings
        [defect] = found.defects  # the chain may go on above the index-head, but not with a place that it has already
        assert (str(defect.code), defect.place.index) == ("BAD_CHAIN", len(world.entries))
        assert f"entry {original['index']}" in defect.expected


def test_the_check_tells_how_much_of_the_log_is_not_covered() -> None:
    grown = copy.deepcopy(SHOWN.world)
    for _ in range(3):
        grown.tick()
        grown.request()
    members = SHOWN.members() | {"index_head": json.dumps(grown.receipt(SHOWN.index))}
    found = SHOWN.check(members).findings
    assert found.defects == []
    [notice] = found.notices
    assert (notice.code, notice.found) == ("INCOMPLETE", f"{len(grown.entries) - SHOWN.index - 1} entries")
    assert SHOWN.check(SHOWN.members()).findings.notices == []


def test_nothing_is_known_of_a_chain_that_the_log_does_not_have() -> None:
    found = SHOWN.check(SHOWN.members(NOBODY))
    assert (found.findings.defects, found.count, found.leaves) == ([], 0, {})
    lie = {**SHOWN.members(NOBODY), "chain": b64u(SHOWN.chain)}
    assert [code for code, _ in SHOWN.told(lie)] == ["INCOMPLETE"]


def test_a_log_that_has_nothing_yet_has_an_empty_map() -> None:
    world = World(3)
    index = world.index_head()
    members: Json = {
        "v": 1,
        "chain": b64u(NOBODY),
        "count": 0,
        "map_proof": "",
        "leaves": [],
        "index_head": json.dumps(world.receipt(index)),
    }
    trust = parse_trust(world.policy().encode())
    assert check_completeness(encode(members), trust, BACKEND).findings.defects == []
    for proof in (b64u(b"\0"), SHOWN.members(NOBODY)["map_proof"]):
        found = check_completeness(encode({**members, "map_proof": proof}), trust, BACKEND)
        assert [str(one.code) for one in found.findings.defects] == ["INCOMPLETE"]


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 0},
        {"count": 0},
        {"count": -1},
        {"last": None},
        {"chain": b64u(bytes(31))},
        {"chain": b64u(bytes(33))},
        {"more": 1},
        {"index_head": ""},
    ],
)
def test_anything_but_a_completeness_file_is_refused(changes: Json) -> None:
    members = {name: value for name, value in {**SHOWN.members(), **changes}.items() if value is not None}
    with refusal(Code.BAD_ENCODING):
        SHOWN.check(members)


def test_a_chain_without_leaves_has_no_last_one() -> None:
    with refusal(Code.BAD_ENCODING):
        SHOWN.check({**SHOWN.members(NOBODY), "last": b64u(bytes(32))})


def test_a_completeness_file_has_at_most_four_million_bytes_and_a_thousand_leaves() -> None:
    trust, members = parse_trust(SHOWN.world.policy().encode()), SHOWN.members()
    assert check_completeness(encode(members).ljust(4_000_000), trust, BACKEND).findings.defects == []
    with refusal(Code.BAD_ENCODING):
        check_completeness(encode(members).ljust(4_000_001), trust, BACKEND)
    fill = 1_000 - len(SHOWN.leaves)
    assert SHOWN.told({**members, "leaves": [*SHOWN.leaves, *["x"] * fill]}) == []
    with refusal(Code.BAD_ENCODING):
        SHOWN.check({**members, "leaves": [*SHOWN.leaves, *["x"] * (fill + 1)]})


def test_a_map_proof_has_at_most_65_536_bytes() -> None:
    for length, code in ((65_536, "INCOMPLETE"), (65_537, "BAD_ENCODING")):
        assert [found for found, _ in SHOWN.told({**SHOWN.members(), "map_proof": b64u(bytes(length))})] == [code]


def test_an_index_head_covers_all_leaves_before_it_and_nothing_else_is_one() -> None:
    short = Shown(map_size=len(SHOWN.world.entries) - 2)
    assert [told for _, told in short.told(short.members())] == ["the index-head does not cover all leaves before it"]
    other = {**SHOWN.members(), "index_head": json.dumps(SHOWN.world.receipt(SHOWN.index - 1))}
    assert ("INCOMPLETE", "the receipt is not that of an index-head") in SHOWN.told(other)


def test_missing_leaves_are_told_from_leaves_that_contradict() -> None:
    members, last = SHOWN.members(), SHOWN.leaves[-1]
    assert SHOWN.told({**members, "leaves": SHOWN.leaves[:-2]}) == [
        ("INCOMPLETE", "leaves of the chain are not shown: give their receipts too")
    ]
    found = SHOWN.check({**members, "leaves": [last]}).findings.defects
    assert [(one.expected, one.found) for one in found] == [(f"{len(SHOWN.leaves)} leaves", "1 leaves")]
    changed = json.loads(last)
    changed["time"] += 1
    assert SHOWN.told({**members, "leaves": [*SHOWN.leaves[:-1], encode(changed).decode()]}) == [
        ("INCOMPLETE", "a leaf that is shown is not the one that the chain names")
    ]


def test_silence_about_a_missing_leaf_is_not_a_contradiction() -> None:
    """A leaf of another chain with the same number, one of no chain, and what is not a leaf at all."""
    members, world = SHOWN.members(), SHOWN.world
    another = next(
        entry for entry in world.entries if '"seq":0' in entry.decode() and entry.decode() not in SHOWN.leaves
    )
    for beside in (another.decode(), world.entries[SHOWN.index].decode(), "not a leaf"):
        assert SHOWN.told({**members, "leaves": [*SHOWN.leaves[1:], beside]}) == [
            ("INCOMPLETE", "leaves of the chain are not shown: give their receipts too")
        ]


def test_a_chain_of_one_leaf_has_a_last_one() -> None:
    made = Shown(World.request)
    members = made.members()
    found = made.check(members)
    assert (found.findings.defects, found.count, [*found.leaves]) == ([], 1, [0])
    del members["last"]
    with refusal(Code.BAD_ENCODING):
        made.check(members)


def test_below_an_index_head_that_is_refused_nothing_counts_as_checked() -> None:
    members, receipt = SHOWN.members(), SHOWN.world.receipt(SHOWN.index)
    earlier = SHOWN.world.receipt(SHOWN.index - 1)["proof"]
    for wrong, code in (({"proof": earlier}, Code.BAD_PROOF), ({"leaf": "not a leaf"}, Code.BAD_ENCODING)):
        found = SHOWN.check({**members, "index_head": json.dumps(receipt | wrong)})
        assert code in {one.code for one in found.findings.defects}
        assert (found.leaves, found.findings.checked["map proofs"]) == ({}, 0)


def changed(**members: Any) -> Callable[[bytes], bytes]:
    return lambda leaf: encode(json.loads(leaf) | members)


@pytest.mark.parametrize(
    ("make", "last", "told"),
    [
        (World.grant, changed(seq=7), "the chain has a gap or a repetition"),
        (World.grant, changed(chain=b64u(NOBODY)), "the chain has a gap or a repetition"),
        (World.request, lambda _: SHOWN.world.entries[SHOWN.index], "the chain has a gap or a repetition"),
        (World.grant, lambda _: b"not a leaf", "not JSON"),
    ],
)
def test_a_linked_leaf_of_another_chain_or_place_ends_the_chain(
    make: Callable[[World], str], last: Callable[[bytes], bytes], told: str
) -> None:
    """The log's own key signed it: the map names a last leaf that says it is another's, or at another place, or nothing."""
    made = Shown(make, last)
    found = made.check(made.members())
    code = Code.BAD_ENCODING if told == "not JSON" else Code.BAD_CHAIN
    assert [(one.code, one.sentence) for one in found.findings.defects] == [(code, told)]
    assert found.leaves == {}
