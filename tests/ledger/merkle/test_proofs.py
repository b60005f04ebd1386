"""Frontier, planning of proofs and their verification, against the recursive definition and published vectors."""

from __future__ import annotations

import json
import random
from base64 import b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidInput
from ledger.merkle.hashing import EMPTY_ROOT, leaf_hash, node_hash
from ledger.merkle.proofs import (
    consistency_nodes,
    inclusion_nodes,
    prove_consistency,
    prove_inclusion,
    verify_consistency,
    verify_inclusion,
)
from tests.conformance import files
from tests.ledger.merkle.frontier import Frontier, tree_root
from tests.ledger.merkle.reference import ReferenceTree, leaves

TREE = ReferenceTree(leaves(600))


def test_the_frontier_has_the_recursive_root_at_every_size_up_to_600() -> None:
    frontier = Frontier()
    for size in range(601):
        assert frontier.size == size
        assert frontier.root() == TREE.root(size)
        assert Frontier(size, frontier.roots).root() == TREE.root(size)
        if size < 600:
            frontier.append(TREE.leaves[size])


def test_every_inclusion_proof_up_to_size_100_is_that_of_the_definition_and_verifies() -> None:
    for size in range(1, 101):
        for index in range(size):
            proof = prove_inclusion(index, size, TREE.read_hashes)
            assert proof == TREE.path(index, size)
            verify_inclusion(index, size, TREE.leaves[index], proof, TREE.root(size))


def test_every_consistency_proof_up_to_size_100_is_that_of_the_definition_and_verifies() -> None:
    for new in range(1, 101):
        for old in range(1, new + 1):
            proof = prove_consistency(old, new, TREE.read_hashes)
            assert proof == TREE.consistency(old, new)
            verify_consistency(old, new, proof, TREE.root(old), TREE.root(new))


def test_proofs_between_101_and_600_are_those_of_the_definition() -> None:
    draw = random.Random(6962)
    for size in range(101, 601):
        index, old = draw.randrange(size), draw.randint(1, size)
        proof = prove_inclusion(index, size, TREE.read_hashes)
        assert proof == TREE.path(index, size)
        verify_inclusion(index, size, TREE.leaves[index], proof, TREE.root(size))
        proof = prove_consistency(old, size, TREE.read_hashes)
        assert proof == TREE.consistency(old, size)
        verify_consistency(old, size, proof, TREE.root(old), TREE.root(size))


@given(st.data())
def test_plans_of_huge_trees_name_only_complete_subtrees_and_have_the_exact_length(
    data: st.DataObject,
) -> None:
    size = data.draw(st.integers(1, 2**63 - 1))
    index = data.draw(st.integers(0, size - 1))
    plan = inclusion_nodes(index, size)
    inner = (index ^ (size - 1)).bit_length()
    assert len(plan) == inner + (index >> inner).bit_count() <= 63
    old = data.draw(st.integers(1, size))
    for level, node in (node for span in plan + consistency_nodes(old, size) for node in span):
        assert (node + 1) << level <= size


def _flip(value: bytes, at: int = 0) -> bytes:
    return bytes([value[at] ^ 1]) + value[1:]


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))), st.randoms())
def test_no_single_change_of_an_inclusion_proof_verifies(case: tuple[int, int], draw: random.Random) -> None:
    index, size = case
    leaf, root, proof = TREE.leaves[index], TREE.root(size), TREE.path(index, size)
    changed: list[tuple[int, bytes, list[bytes], bytes]] = [
        (index, _flip(leaf), proof, root),
        (index, leaf, proof, _flip(root)),
        (index, leaf, [*proof, root], root),
        (index, leaf, [leaf, *proof], root),
        (index, leaf[:-1], proof, root),
        (index, leaf, proof, root + b"\0"),
        (-1, leaf, proof, root),
        (size, leaf, proof, root),
    ]
    if size > 1:
        other = draw.choice([i for i in range(size) if i != index])
        changed.append((other, leaf, proof, root))
    for at in range(len(proof)):
        changed.append((index, leaf, [*proof[:at], _flip(proof[at]), *proof[at + 1 :]], root))
        changed.append((index, leaf, [*proof[:at], proof[at][:31], *proof[at + 1 :]], root))
        changed.append((index, leaf, proof[:at] + proof[at + 1 :], root))
        changed.append((index, leaf, [*proof[:at], proof[at], *proof[at:]], root))
    for i, hash_, path, expected in changed:
        with pytest.raises(InvalidInput):
            verify_inclusion(i, size, hash_, path, expected)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n))))
def test_no_single_change_of_a_consistency_proof_verifies(case: tuple[int, int]) -> None:
    old, new = case
    old_root, new_root, proof = TREE.root(old), TREE.root(new), TREE.consistency(old, new)
    changed = [
        (proof, _flip(old_root), new_root),
        (proof, old_root, _flip(new_root)),
        ([*proof, new_root], old_root, new_root),
        (proof, old_root[:31], new_root),
    ]
    if old != new:
        changed.append((proof, new_root, old_root))
    for at in range(len(proof)):
        changed.append(([*proof[:at], _flip(proof[at]), *proof[at + 1 :]], old_root, new_root))
        changed.append((proof[:at] + proof[at + 1 :], old_root, new_root))
        changed.append(([*proof[:at], b"", *proof[at + 1 :]], old_root, new_root))
    for path, first, second in changed:
        with pytest.raises(InvalidInput):
            verify_consistency(old, new, path, first, second)


def test_a_proof_that_climbs_above_the_root_of_its_size_is_refused() -> None:
    extra = TREE.leaves[599]
    for size in range(1, 33):
        above = node_hash(extra, TREE.root(size))
        for index in range(size):
            with pytest.raises(InvalidInput):
                verify_inclusion(index, size, TREE.leaves[index], [*TREE.path(index, size), extra], above)
        for old in range(1, size):
            old_above = node_hash(extra, TREE.root(old))
            with pytest.raises(InvalidInput):
                verify_consistency(old, size, [*TREE.consistency(old, size), extra], old_above, above)


def test_consistency_from_the_empty_tree_or_backwards_is_refused() -> None:
    for old, new in ((0, 0), (0, 5), (6, 5), (-1, 5)):
        with pytest.raises(InvalidInput):
            verify_consistency(old, new, [], EMPTY_ROOT, EMPTY_ROOT)
        with pytest.raises(InvalidInput):
            consistency_nodes(old, new)


def test_sizes_above_63_bits_are_refused() -> None:
    for refused in (
        lambda: inclusion_nodes(0, 2**63),
        lambda: consistency_nodes(1, 2**63),
        lambda: Frontier(2**63, []),
    ):
        with pytest.raises(InvalidInput):
            refused()


def test_a_frontier_with_the_wrong_number_of_roots_is_refused() -> None:
    for size, roots in ((0, [EMPTY_ROOT]), (3, [EMPTY_ROOT]), (1, [b"short"])):
        with pytest.raises(InvalidInput):
            Frontier(size, roots)


# Published vectors


def _cases(pattern: str, member: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in files(pattern):
        content = json.loads(path.read_text())
        if isinstance(content, list):
            found += [c for c in content if isinstance(c, dict) and member in c and "start" not in c and "end" not in c]
    assert found, f"no case with {member} in {pattern}"
    return found


def _hashes(texts: list[str] | None) -> list[bytes]:
    return [b64decode(text) for text in texts or []]


@pytest.mark.conformance
def test_published_inclusion_cases_have_their_verdicts() -> None:
    for case in _cases("vectors/merkle/*.json", "leafIdx"):
        arguments = (
            case["leafIdx"],
            case["treeSize"],
            b64decode(case["leafHash"] or ""),
            _hashes(case["proof"]),
            b64decode(case["root"] or ""),
        )
        if case["wantErr"]:
            with pytest.raises(InvalidInput):
                verify_inclusion(*arguments)
        elif "note" not in case:
            verify_inclusion(*arguments)


@pytest.mark.conformance
def test_published_consistency_cases_have_their_verdicts() -> None:
    for case in _cases("vectors/merkle/*.json", "size1"):
        if "note" in case:  # a root of another length than 32 bytes: both verdicts are right
            continue
        arguments = (
            case["size1"],
            case["size2"],
            _hashes(case["proof"]),
            b64decode(case["root1"] or ""),
            b64decode(case["root2"] or ""),
        )
        if case["wantErr"]:
            with pytest.raises(InvalidInput):
                verify_consistency(*arguments)
        else:
            verify_consistency(*arguments)


def _objects(member: str) -> list[dict[str, Any]]:
    loaded = [json.loads(path.read_text()) for path in files("vectors/merkle/*.json")]
    found = [content for content in loaded if isinstance(content, dict) and member in content]
    assert found, f"no vectors with {member}"
    return found


@pytest.mark.conformance
def test_known_roots_and_nodes_come_out() -> None:
    for known in _objects("root_hashes_hex_by_size"):
        hashes = [leaf_hash(bytes.fromhex(text)) for text in known["leaf_inputs_hex"]]
        assert [value.hex() for value in hashes] == known["leaf_hashes_hex"]
        for size, root in enumerate(known["root_hashes_hex_by_size"]):
            assert tree_root(hashes[:size]).hex() == root
        for level, row in enumerate(known["node_hashes_hex_by_level"]):
            for index, expected in enumerate(row):
                assert tree_root(hashes[index << level : (index + 1) << level]).hex() == expected


@pytest.mark.conformance
def test_the_accumulators_over_all_subtrees_come_out() -> None:
    hashes = [leaf_hash(bytes([i])) for i in range(130)]
    roots, paths = sha256(), sha256()
    for end in range(131):
        for start in range(end + 1):
            if start not in (0, end) and start % (1 << (end - start - 1).bit_length()):
                continue
            subtree = ReferenceTree(hashes[start:end])
            roots.update(f"[{start}, {end}) {tree_root(hashes[start:end]).hex()}\n".encode())
            for index in range(start, end):
                proof = prove_inclusion(index - start, end - start, subtree.read_hashes)
                line = "".join(f" {value.hex()}" for value in proof)
                paths.update(f"{index} [{start}, {end}){line}\n".encode())
    for accumulated in _objects("subtree_hashes"):
        assert roots.hexdigest() == accumulated["subtree_hashes"]["sha256"]
        assert paths.hexdigest() == accumulated["subtree_inclusion_proofs"]["sha256"]


def test_vectors_are_looked_for_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vectors" / "merkle").mkdir(parents=True)
    (tmp_path / "vectors" / "merkle" / "other-name.json").write_text('[{"leafIdx": 0}]')
    monkeypatch.setenv("CONFORMANCE_DIR", str(tmp_path))
    assert _cases("vectors/merkle/*.json", "leafIdx") == [{"leafIdx": 0}]
