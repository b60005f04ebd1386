"""The completeness map: present and absent are proved, and no false absence passes."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from tests.verifier.making import accepts, refusal
from tests.verifier.trees import Prover
from verifier.bytes import patricia
from verifier.errors import Code

keys32 = st.binary(min_size=32, max_size=32)


@given(st.dictionaries(keys32, st.binary(max_size=40), max_size=30), keys32)
def test_the_replayed_map_is_that_of_the_definition_and_its_proofs_verify(
    pairs: dict[bytes, bytes], other: bytes
) -> None:
    prover, tree, keys = Prover(pairs), patricia.Map(), list(pairs)
    for key, value in pairs.items():
        tree.put(key, b"older")
        tree.root()
        tree.put(key, value)
    root = prover.root(keys)
    assert tree.root() == root
    for key in keys:
        end, steps = prover.walk(key, keys)
        assert end == key
        patricia.verify_present(root, key, pairs[key], steps)
        with refusal(Code.INCOMPLETE):
            patricia.verify_present(root, key, pairs[key] + b"x", steps)
    if other not in pairs:
        proof = prover.absence(other, *prover.walk(other, keys)) if keys else b""
        patricia.verify_absent(root, other, proof)
        with refusal(Code.INCOMPLETE):
            patricia.verify_absent(root, other, proof + b"\0")


@given(st.dictionaries(st.binary(min_size=30, max_size=40), st.just(b"v"), max_size=12))
def test_keys_longer_than_a_hash_stand_in_the_map_by_their_whole_length(pairs: dict[bytes, bytes]) -> None:
    for key in list(pairs)[:4]:  # and some that differ beyond a hash alone
        pairs |= {key[:30].ljust(35, b"?") + end: b"w" for end in (b"", b"a", b"b")}
    tree = patricia.Map()
    for key, value in pairs.items():
        tree.put(key, value)
    assert tree.root() == Prover(pairs).root(list(pairs))


def test_no_present_key_can_be_called_absent_by_any_leaf_of_the_map() -> None:
    """The trap: a walk that does not follow every branching of the key reaches the root all the same."""
    seeded = random.Random(1)
    pairs = {seeded.randbytes(32): seeded.randbytes(40) for _ in range(60)}
    prover, keys = Prover(pairs), list(pairs)
    root = prover.root(keys)
    for key in keys:
        for end in keys:
            proof = prover.absence(key, *prover.walk(end, keys))
            assert not accepts(lambda k=key, p=proof: patricia.verify_absent(root, k, p))
        assert not accepts(lambda k=key: patricia.verify_absent(root, k, b""))


@given(st.binary(max_size=120), st.integers(0, 10_000))
def test_a_changed_proof_is_refused(junk: bytes, where: int) -> None:
    seeded = random.Random(2)
    pairs = {seeded.randbytes(32): seeded.randbytes(40) for _ in range(20)}
    prover, keys = Prover(pairs), list(pairs)
    key = keys[where % 20]
    _, steps = prover.walk(key, keys)
    changed = bytearray(steps)
    changed[where % len(steps)] ^= 1 << where % 8
    root = prover.root(keys)
    for proof in (bytes(changed), steps + junk, steps[: where % len(steps)], junk):
        if proof != steps:
            assert not accepts(lambda p=proof: patricia.verify_present(root, key, pairs[key], p))
            assert not accepts(lambda p=proof: patricia.verify_absent(root, key, p))


def folded(key: bytes, value: bytes, *steps: tuple[int, bytes]) -> bytes:
    """The root that these steps lead to, so that nothing but the form of a proof can be wrong."""
    node = patricia.hash_leaf(key, value)
    for bit, sibling in steps:
        node = patricia.hash_inner(bit, *((sibling, node) if patricia.bit_of(key, bit) else (node, sibling)))
    return node


def test_c05_numbers_in_a_proof_are_minimal_and_fall_within_the_key() -> None:
    key, sibling, other = b"\0" * 32, b"\1" * 32, b"\2" * 32
    patricia.verify_present(folded(key, b"v", (9, sibling), (2, other)), key, b"v", b"\x09" + sibling + b"\x02" + other)
    patricia.verify_present(folded(key, b"v", (255, sibling)), key, b"v", b"\xff\x01" + sibling)
    for bits, spelled in (
        ((2, 9), (b"\x02", b"\x09")),
        ((2, 2), (b"\x02", b"\x02")),
        ((9, 2), (b"\x89\x00", b"\x02")),
        ((256, 2), (b"\x80\x02", b"\x02")),
        ((9, 2), (b"\x89" + b"\x80" * 9 + b"\x00", b"\x02")),
    ):
        root = folded(key, b"v", (bits[0], sibling), (bits[1], other))
        with refusal(Code.INCOMPLETE):
            patricia.verify_present(root, key, b"v", spelled[0] + sibling + spelled[1] + other)
