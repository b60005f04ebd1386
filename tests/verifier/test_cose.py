"""COSE receipts and their CBOR at the edges: what is not the one spelling, or not protected, or not a proof, is refused."""

from __future__ import annotations

from typing import TypeAlias

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.verifier.making import BACKEND, Signer, accepts, refusal
from tests.verifier.trees import inclusion_path, root_of, subtree_path
from verifier.bytes import cbor, merkle
from verifier.crypto.keys import P256Key
from verifier.crypto.p256 import raw_from_der
from verifier.errors import Code, Refuted
from verifier.tlog import cose

LOG = Signer("ledger.example/test")
KEY = LOG.key.key
LEAVES = [merkle.hash_leaf(bytes([n])) for n in range(7)]
ROOTS = [root_of(LEAVES[:size]) for size in range(8)]
ALG, CRIT, VDS, VDP = 1, 2, 395, 396

Item: TypeAlias = "bool | int | bytes | str | list[Item] | dict[Item, Item] | None"


def write(item: Item) -> bytes:
    """CBOR, written here a second time."""
    match item:
        case None | True | False:
            return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[item]
        case int():
            return cbor.encode_head(0, item) if item >= 0 else cbor.encode_head(1, -1 - item)
        case bytes():
            return cbor.encode_head(2, len(item)) + item
        case str():
            return cbor.encode_head(3, len(item.encode())) + item.encode()
        case list():
            return cbor.encode_head(4, len(item)) + b"".join(map(write, item))
        case dict():
            return cbor.encode_head(5, len(item)) + b"".join(write(k) + write(v) for k, v in item.items())


INCLUSION: Item = write([7, 3, list(inclusion_path(3, LEAVES))])


def receipt(
    protected: Item = None,
    unprotected: Item = None,
    root: bytes = ROOTS[7],
    *,
    tag: bytes = b"\xd2",
    payload: Item = None,
) -> bytes:
    """A receipt that our log signed: by default of entry 3 of 7."""
    header = write({ALG: -8, VDS: 1} if protected is None else protected)
    signed = LOG.private.sign(write(["Signature1", header, b"", root]))
    proofs: Item = {VDP: {-1: [INCLUSION]}} if unprotected is None else unprotected
    return tag + b"\x84" + write(header) + write(proofs) + write(payload) + write(signed)


def includes(data: bytes) -> bool:
    return accepts(lambda: cose.parse_receipt(data).verify_inclusion(b"\x03", KEY, BACKEND))


def parses(data: bytes) -> bool:
    return accepts(cose.parse_receipt, data)


# --- consistency ----------------------------------------------------------------------------------------------


def grown(old: int, new: int = 7, path: list[bytes] | None = None) -> cose.CoseReceipt:
    hashes_ = subtree_path(0, old, LEAVES[:new]) if path is None else path
    return cose.parse_receipt(receipt(unprotected={VDP: {-2: [write([old, new, list(hashes_)])]}}, root=ROOTS[new]))


@pytest.mark.parametrize("old", range(1, 7))
def test_a_receipt_of_consistency_shows_that_the_old_tree_begins_the_new_one(old: int) -> None:
    assert grown(old).verify_consistency(ROOTS[old], KEY, BACKEND) == ROOTS[7]
    with refusal(Code.BAD_PROOF, Code.BAD_SIGNATURE):
        grown(old).verify_consistency(ROOTS[old - 1], KEY, BACKEND)
    with refusal(Code.BAD_SIGNATURE):  # another log's key
        grown(old).verify_consistency(ROOTS[old], Signer("other.example").key.key, BACKEND)
    with refusal(Code.BAD_PROOF):
        grown(old).verify_inclusion(b"\x03", KEY, BACKEND)


def test_no_growth_is_shown_by_sizes_out_of_order_or_by_two_proofs_or_none() -> None:
    for old, new in ((0, 7), (7, 7), (7, 6)):
        with pytest.raises(Refuted, match="not in order"):
            grown(old, new, [ROOTS[7]]).verify_consistency(ROOTS[old], KEY, BACKEND)
    proof = write([3, 7, list(subtree_path(0, 3, LEAVES))])
    several: list[Item] = [{-2: [proof, proof]}, {-1: [INCLUSION]}]
    for proofs in several:
        with pytest.raises(Refuted, match="one consistency proof"):
            cose.parse_receipt(receipt(unprotected={VDP: proofs})).verify_consistency(ROOTS[3], KEY, BACKEND)
    with pytest.raises(Refuted, match="old root"):
        grown(3).verify_consistency(ROOTS[2], KEY, BACKEND)


# --- what a receipt is ----------------------------------------------------------------------------------------


def test_two_proofs_of_inclusion_in_one_receipt_are_refused() -> None:
    assert includes(receipt())
    two = cose.parse_receipt(receipt(unprotected={VDP: {-1: [INCLUSION, INCLUSION]}}))
    with pytest.raises(Refuted, match="one inclusion proof"):
        two.verify_inclusion(b"\x03", KEY, BACKEND)


def test_a_receipt_may_hold_a_proof_of_either_kind() -> None:
    both = receipt(unprotected={VDP: {-1: [INCLUSION], -2: [write([3, 7, list(subtree_path(0, 3, LEAVES))])]}})
    assert includes(both)
    assert cose.parse_receipt(both).verify_consistency(ROOTS[3], KEY, BACKEND) == ROOTS[7]


@pytest.mark.parametrize("alg", [-7, -9])
def test_es256_and_its_fully_specified_spelling_are_one_algorithm(alg: int) -> None:
    private = ec.derive_private_key(7, ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    header = write({ALG: alg, VDS: 1})
    der = private.sign(write(["Signature1", header, b"", ROOTS[7]]), ec.ECDSA(hashes.SHA256()))
    data = b"\xd2\x84" + write(header) + write({VDP: {-1: [INCLUSION]}}) + b"\xf6" + write(raw_from_der(der))
    assert cose.parse_receipt(data).verify_inclusion(b"\x03", P256Key(numbers.x, numbers.y), BACKEND) == ROOTS[7]
    with refusal(Code.BAD_SIGNATURE):
        cose.parse_receipt(data).verify_inclusion(b"\x03", KEY, BACKEND)


@pytest.mark.parametrize(
    ("protected", "accepted"),
    [
        ({ALG: -8, CRIT: [4], 4: b"kid", VDS: 1}, True),
        ({ALG: -8, CRIT: [15], 15: {1: "iss"}, VDS: 1}, True),
        ({ALG: -8, CRIT: [ALG, VDS], VDS: 1}, True),
        ({ALG: -8, CRIT: [4], VDS: 1}, False),  # not there
        ({ALG: -8, CRIT: [4, 16], 4: b"kid", 16: "x", VDS: 1}, False),
        ({ALG: -8, CRIT: [3], 3: "x", VDS: 1}, False),
        ({ALG: -8, CRIT: [5], 5: "x", VDS: 1}, False),
        ({ALG: -8, CRIT: [14], 14: "x", VDS: 1}, False),
        ({ALG: -8, CRIT: [[ALG]], VDS: 1}, False),
        ({ALG: -8, CRIT: [], VDS: 1}, False),
        ({ALG: -8, CRIT: ALG, VDS: 1}, False),
        ({ALG: [-8], VDS: 1}, False),
        ({ALG: "EdDSA", VDS: 1}, False),
        ({ALG: -8, VDS: 0}, False),
        ({ALG: -8, VDS: 2}, False),
        ({ALG: -8, 394: 1}, False),
        ({VDS: 1}, False),
        ([ALG, VDS], False),
    ],
)
def test_headers_that_are_not_understood_are_refused_though_they_are_signed(protected: Item, accepted: bool) -> None:
    assert includes(receipt(protected)) is accepted


@pytest.mark.parametrize(
    "data",
    [
        receipt(tag=b"\xd1"),
        receipt(tag=b"\xd3"),
        receipt(tag=b""),
        receipt(payload=ROOTS[7]),
        receipt(unprotected={}),
        receipt(unprotected={VDP: {}}),
        receipt(unprotected={VDP: [INCLUSION]}),
        receipt(unprotected={VDP - 1: {-1: [INCLUSION]}}),
        receipt(unprotected={VDP: {-1: [INCLUSION], -3: [INCLUSION]}}),
        receipt(unprotected={VDP: {0: [INCLUSION]}}),
        receipt(unprotected={VDP: {-1: [INCLUSION]}, ALG: -8}),
        receipt(unprotected={VDP: {-1: INCLUSION}}),
        receipt(unprotected={VDP: {-1: []}}),
        receipt(unprotected={VDP: {-1: 5}}),
        receipt(unprotected={VDP: {-1: [[7, 3, []]]}}),
        receipt()[:-1],
        receipt() + b"\0",
    ],
)
def test_anything_but_a_receipt_of_a_proof_is_refused(data: bytes) -> None:
    with refusal(Code.BAD_ENCODING):
        cose.parse_receipt(data)


@pytest.mark.parametrize(
    ("proof", "accepted"),
    [
        ([2**63 - 1, 0, [bytes(32)] * 64], True),
        ([2**63, 0, []], False),
        ([0, 2**63, []], False),
        ([0, 2**63 - 1, []], True),
        ([-1, 0, []], False),
        ([0, -1, []], False),
        ([7, 3, [bytes(32)] * 65], False),
        ([7, 3, [bytes(31)]], False),
        ([7, 3, [bytes(33)]], False),
        ([7, 3, ["x" * 32]], False),
        ([True, 0, []], False),
        ([1, False, []], False),
        ([7, 3], False),
        ([7, 3, b""], False),
        ([7, "3", []], False),
    ],
)
def test_a_proof_in_a_receipt_is_two_sizes_and_at_most_64_hashes(proof: Item, accepted: bool) -> None:
    for kind in (-1, -2):
        assert parses(receipt(unprotected={VDP: {kind: [write(proof)]}})) is accepted


def test_a_receipt_has_at_most_65_536_bytes() -> None:
    room = 65_536 - len(receipt(unprotected={VDP: {-1: [INCLUSION]}, 4: b"x" * 60_000})) + 60_000
    for more, accepted in ((0, True), (1, False)):
        data = receipt(unprotected={VDP: {-1: [INCLUSION]}, 4: b"x" * (room + more)})
        assert len(data) == 65_536 + more
        assert includes(data) is accepted


# --- CBOR -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opened", ["81", "a100", "c1"])
def test_items_are_nested_eight_deep_at_most(opened: str) -> None:
    assert accepts(cbor.decode_cbor, bytes.fromhex(opened * 8 + "00"))
    with refusal(Code.BAD_ENCODING):
        cbor.decode_cbor(bytes.fromhex(opened * 9 + "00"))


@pytest.mark.parametrize("opened", ["81", "a1", "a100", "c1"])
def test_no_depth_ends_the_reader_otherwise_than_by_refusing(opened: str) -> None:
    with refusal(Code.BAD_ENCODING):
        cbor.decode_cbor(bytes.fromhex(opened * 50_000))


@pytest.mark.parametrize("head", ["1817", "18ff", "1900ff", "190100", "1a0000ffff", "1a00010000", "1b00000000ffffffff"])
def test_a_number_has_its_shortest_form(head: str) -> None:
    assert accepts(cbor.decode_cbor, bytes.fromhex(head)) is (head in ("18ff", "190100", "1a00010000"))


@pytest.mark.parametrize("data", ["f3", "f7", "fc", "f818", "f9", "a1f600", "a1f400", "a1800000", "a2000100"])
def test_other_values_and_keys_are_refused(data: str) -> None:
    with refusal(Code.BAD_ENCODING):
        cbor.decode_cbor(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("42ff", "string ends behind"),
        ("62", "string ends behind"),
        ("18", "ends too early"),
        ("1b" + "ff" * 7, "ends too early"),
        ("8201", "ends too early"),
        ("1c" + "ff" * 16, "reserved length"),
        ("1f" + "ff" * 128, "reserved length"),
        ("5f4101ff", "reserved length"),
    ],
)
def test_an_item_that_ends_too_early_or_never_is_told_as_such(data: str, told: str) -> None:
    with pytest.raises(Refuted, match=told):
        cbor.decode_cbor(bytes.fromhex(data))
