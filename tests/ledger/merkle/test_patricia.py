"""The completeness map: hash rules as published, proofs of presence and absence, and forgeries of both."""

from __future__ import annotations

import random
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidInput
from ledger.merkle.hashing import EMPTY_ROOT
from tests.conformance import files
from tests.ledger.merkle.patricia import PatriciaMap, verify_absent, verify_present

KEYS = st.binary(min_size=32, max_size=32)
SHORT_KEYS = st.binary(max_size=3)
VALUES = st.binary(max_size=40)
STEP = 33  # one byte of bit number below 128, 32 bytes of sibling


def _uv(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128, number >> 7])


def _bit(key: bytes, at: int) -> int:
    byte = (key + b"\x00" + b"\xff" * 40)[at // 8]
    return byte >> (7 - at % 8) & 1


def _naive_root(content: dict[bytes, bytes]) -> bytes:
    """The definition, recursively over the whole set."""
    if not content:
        return sha256(b"").digest()
    if len(content) == 1:
        [(key, value)] = content.items()
        return sha256(b"\x00" + _uv(len(key)) + key + _uv(len(value)) + value).digest()
    bit = 0
    while len({_bit(key, bit) for key in content}) == 1:
        bit += 1
    left = _naive_root({k: v for k, v in content.items() if _bit(k, bit) == 0})
    right = _naive_root({k: v for k, v in content.items() if _bit(k, bit) == 1})
    return sha256(b"\x01" + _uv(bit) + left + right).digest()


@given(st.lists(st.tuples(st.one_of(KEYS, SHORT_KEYS), VALUES), max_size=40))
def test_the_incremental_root_is_that_of_the_definition_after_every_change(
    items: list[tuple[bytes, bytes]],
) -> None:
    tree, content = PatriciaMap(), dict[bytes, bytes]()
    for key, value in items:
        tree.set(key, value)
        content[key] = value
        assert tree.root() == _naive_root(content)
        assert len(tree) == len(content)
        assert tree.get(key) == value
    assert PatriciaMap(reversed(list(content.items()))).root() == tree.root(), "order does not matter"


@given(st.dictionaries(st.one_of(KEYS, SHORT_KEYS), VALUES, max_size=30), st.one_of(KEYS, SHORT_KEYS))
def test_every_key_is_proved_and_its_opposite_refused(content: dict[bytes, bytes], stranger: bytes) -> None:
    tree = PatriciaMap(content.items())
    root = tree.root()
    for key, value in content.items():
        proof = tree.prove(key)
        verify_present(root, key, value, proof)
        for refused in (
            lambda k=key, p=proof: verify_absent(root, k, p),
            lambda k=key, v=value, p=proof: verify_present(root, k, v + b"\0", p),
            lambda k=key, v=value, p=proof: verify_present(EMPTY_ROOT, k, v, p),
        ):
            with pytest.raises(InvalidInput):
                refused()
    if stranger not in content:
        assert tree.get(stranger) is None
        proof = tree.prove(stranger)
        verify_absent(root, stranger, proof)
        with pytest.raises(InvalidInput):
            verify_present(root, stranger, b"", proof)


def test_no_proof_of_another_key_shows_a_present_key_as_absent() -> None:
    draw = random.Random(60)
    content = {draw.randbytes(32): draw.randbytes(40) for _ in range(60)}
    tree = PatriciaMap(content.items())
    for key in content:
        for other, value in content.items():  # another's leaf folds to the root, but not on the path of `key`
            forged = b"\x20" + other + b"\x28" + value + tree.prove(other)
            with pytest.raises(InvalidInput):
                verify_absent(tree.root(), key, forged)


def test_absence_is_refused_when_a_misbuilt_map_holds_the_shown_leaf_on_the_wrong_side() -> None:
    searched, shown, sibling = bytes(32), b"\x80" + bytes(31), sha256(b"s").digest()
    leaf = b"\x20" + shown + b"\x01v"
    root = sha256(b"\x01\x00" + _naive_root({shown: b"v"}) + sibling).digest()  # bit 0 is set, yet on the left
    with pytest.raises(InvalidInput, match="leaves the searched key's path"):
        verify_absent(root, searched, leaf + b"\x00" + sibling)


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=20), KEYS, st.data())
def test_no_single_change_of_a_map_proof_verifies(
    content: dict[bytes, bytes], stranger: bytes, data: st.DataObject
) -> None:
    tree = PatriciaMap(content.items())
    key = data.draw(st.sampled_from(sorted(content)))
    for wanted, proof in ((key, tree.prove(key)), (stranger, tree.prove(stranger))):
        value = content.get(wanted)
        at = data.draw(st.integers(0, max(0, len(proof) - 1)))
        flipped = bytearray(proof)
        if flipped:
            flipped[at] ^= data.draw(st.integers(1, 255))
        for changed in {bytes(flipped), proof[:at], proof + b"\0", proof + bytes(33), proof[:at] + proof} - {proof}:
            with pytest.raises(InvalidInput):
                _verify(tree.root(), wanted, value, changed)


def _verify(root: bytes, key: bytes, value: bytes | None, proof: bytes) -> None:
    if value is None:
        verify_absent(root, key, proof)
    else:
        verify_present(root, key, value, proof)


def test_bits_of_a_proof_must_fall_strictly() -> None:
    key, value, sibling = bytes(32), b"v", sha256(b"s").digest()
    leaf = _naive_root({key: value})

    def inner(bit: int, left: bytes, right: bytes) -> bytes:
        return sha256(b"\x01" + _uv(bit) + left + right).digest()

    for first, second in ((3, 3), (3, 4), (0, 255)):  # hashes fold to the root given, only the order is wrong
        root = inner(second, inner(first, leaf, sibling), sibling)
        with pytest.raises(InvalidInput):
            verify_present(root, key, value, _uv(first) + sibling + _uv(second) + sibling)
    verify_present(inner(3, inner(4, leaf, sibling), sibling), key, value, b"\x04" + sibling + b"\x03" + sibling)


@pytest.mark.parametrize(
    ("number", "meant"),
    [
        (b"\x80\x00", b"\x00"),
        (b"\x83\x00", b"\x03"),
        (b"\x83\x80\x00", b"\x03"),
        (b"\x80\x80\x80\x80\x80", b"\x00"),
        (b"\x80", b"\x00"),
        (b"\x88\x02", b"\x88\x02"),
        (b"\xff\xff\x01", b"\xff\xff\x01"),
    ],
)
def test_numbers_not_in_their_shortest_form_or_out_of_bounds_are_refused(number: bytes, meant: bytes) -> None:
    key, value, sibling = bytes(32), b"v", sha256(b"s").digest()
    root = sha256(b"\x01" + meant + _naive_root({key: value}) + sibling).digest()
    with pytest.raises(InvalidInput):
        verify_present(root, key, value, number + sibling)


def test_a_copy_is_not_changed_by_its_original() -> None:
    tree = PatriciaMap([(bytes([i]) * 32, b"1") for i in range(50)])
    twin, root = tree.copy(), tree.root()
    tree.set(bytes([7]) * 32, b"2")
    tree.set(bytes([99]) * 32, b"3")
    assert (twin.root(), len(twin), twin.get(bytes([7]) * 32)) == (root, 50, b"1")
    assert tree.root() != root


def test_keys_and_values_beyond_their_bounds_are_refused() -> None:
    for key, value in ((bytes(33), b""), (b"", bytes(1025))):
        with pytest.raises(InvalidInput):
            PatriciaMap([(key, value)])


def test_keys_that_differ_in_the_last_bit_only_make_the_deepest_branching() -> None:
    chain = [bytes(32)] + [(1 << bit).to_bytes(32, "big") for bit in range(256)]  # one branching at each of 256 bits
    tree = PatriciaMap((key, b"v") for key in chain)
    assert tree.root() == _naive_root(dict.fromkeys(chain, b"v"))
    proof = tree.prove(bytes(32))
    assert len(proof) == 128 * STEP + 128 * (STEP + 1)
    verify_present(tree.root(), bytes(32), b"v", proof)


# Published scripts


def _commands(name: str) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for path in files("vectors/mpt/*.txt"):
        text = path.read_text().replace("\\\n", " ")
        lines = [line.split() for line in text.split("\n") if line.strip() and not line.startswith("#")]
        if any(line[0] == name for line in lines):
            found += [(line[0], line[1:]) for line in lines]
    return found


def _unhex(parts: list[str]) -> bytes:
    return bytes.fromhex("".join(part for part in parts if part != "''"))


@pytest.mark.conformance
def test_published_tree_hashes_come_out() -> None:
    tree, checked = PatriciaMap(), 0
    for command, arguments in _commands("kv"):
        if command == "kv":
            tree.set(_unhex(arguments[:1]), _unhex(arguments[1:]))
        else:
            assert command == "hash"
            assert tree.root() == _unhex(arguments)
            tree, checked = PatriciaMap(), checked + 1
    assert checked


@pytest.mark.conformance
def test_published_lookup_proofs_have_their_verdicts() -> None:
    state: dict[str, list[str]] = {}
    checked = 0
    for command, arguments in _commands("verify"):
        if command != "verify":
            state[command] = arguments
            continue
        root, key, proof = (_unhex(state[name]) for name in ("snap", "key", "proof"))
        try:
            _verify(root, key, None if state["val"] == ["-"] else _unhex(state["val"]), proof)
            verdict = "true"
        except InvalidInput:
            verdict = "false"
        assert [verdict] == arguments, state
        checked += 1
    assert checked
