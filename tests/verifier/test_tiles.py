"""Tiles, bundles and map proofs at their edges: a file is as long as its tree says, a number is in its shortest form."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verifier.making import Signer, entries_of, put, refusal, write_log
from tests.verifier.trees import root_of
from verifier.bytes import merkle, patricia
from verifier.bytes.growing_tree import Growth
from verifier.errors import Code, NotFound, Refuted
from verifier.tlog import ct, tiles
from verifier.tlog.source import Directory
from verifier.tlog.tiles import (
    MAX_BUNDLE,
    TileReader,
    leading_entries,
    parse_tile_path,
    split_entries,
    split_hashes,
    tile_path,
)

LOG = Signer("ledger.example/test")


def reader_of(root: Path, entries: list[bytes]) -> TileReader:
    write_log(root, LOG, entries)
    return TileReader(Directory(root), len(entries), root_of([merkle.hash_leaf(entry) for entry in entries]))


@pytest.mark.parametrize("size", [1, 255, 256, 257, 513])
def test_nothing_outside_of_the_tree_is_read(size: int, tmp_path: Path) -> None:
    reader = reader_of(tmp_path, entries_of(size))
    for outside in (-1, size):
        with pytest.raises(Refuted, match="the index is not within the tree"):
            reader.leaf(outside)
        with pytest.raises(Refuted, match="the index is not within the tree"):
            reader.entry(outside)
    for n in (-1, -(-size // 256), size):
        with pytest.raises(Refuted, match="the tile is not within level 0"):
            reader.tile(0, n)
    assert reader.entry(size - 1) == b"a-%d" % (size - 1)


def test_a_bundle_of_too_few_or_too_many_entries_is_refused_by_its_name(tmp_path: Path) -> None:
    reader = reader_of(tmp_path, entries_of(300))
    for path, n in (("tile/entries/000", 0), ("tile/entries/001.p/44", 1)):
        honest = (tmp_path / path).read_bytes()
        entries = split_entries(honest)
        for wrong in (entries[:-1], [*entries, b"more"], []):
            put(tmp_path, path, b"".join(len(entry).to_bytes(2) + entry for entry in wrong))
            with pytest.raises(Refuted) as caught:
                reader.bundle(n)
            assert (caught.value.defect.code, caught.value.defect.place.file) == (Code.BAD_ENCODING, path)
        put(tmp_path, path, honest)
        assert reader.bundle(n) == entries


def test_a_forged_entry_is_told_with_its_index(tmp_path: Path) -> None:
    reader = reader_of(tmp_path, entries_of(300))
    path = "tile/entries/001.p/44"
    put(tmp_path, path, (tmp_path / path).read_bytes().replace(b"a-261", b"b-261"))
    with pytest.raises(Refuted) as caught:
        reader.bundle(1)
    assert (caught.value.defect.code, caught.value.defect.place.index) == (Code.BAD_PROOF, 261)


def test_entries_have_at_most_65_535_bytes_and_bundles_256_of_them() -> None:
    assert MAX_BUNDLE == 256 * (2 + 65_535)
    largest = b"\xff\xff" + b"x" * 65_535
    assert split_entries(largest * 2, 2) == [b"x" * 65_535] * 2
    for data in (largest * 3, largest[:-1], b"\xff", largest + b"\0"):
        with refusal(Code.BAD_ENCODING):
            split_entries(data, 2)
    assert len(split_entries(b"\0\1x" * 256)) == 256
    with refusal(Code.BAD_ENCODING):
        split_entries(b"\0\1x" * 257)


@pytest.mark.parametrize("length", [0, 31, 33, 63, 65, 96])
def test_a_tile_is_as_long_as_its_hashes(length: int) -> None:
    assert split_hashes(b"x" * 32 + b"y" * 32, 2) == [b"x" * 32, b"y" * 32]
    with refusal(Code.BAD_ENCODING):
        split_hashes(b"x" * length, 2)


def test_a_damaged_bundle_is_read_up_to_the_first_entry_with_a_wrong_hash() -> None:
    entries = [b"", b"one", b"x" * 300]
    data = b"".join(len(entry).to_bytes(2) + entry for entry in entries)
    known = [merkle.hash_leaf(entry) for entry in entries]
    assert leading_entries(data, known) == entries
    assert leading_entries(data, known[:2]) == entries[:2]
    assert leading_entries(data, [known[0], known[2], known[1]]) == entries[:1]
    assert leading_entries(data[:-1], known) == entries[:2]
    assert leading_entries(data.replace(b"one", b"two"), known) == entries[:1]  # and not what stands behind it
    assert leading_entries(b"", [merkle.hash_leaf(b"")]) == []
    assert leading_entries(b"\0", [merkle.hash_leaf(b"")]) == []
    assert leading_entries(b"\0\2x", [merkle.hash_leaf(b"x")]) == []


def test_tile_paths_reach_to_level_63_number_2_63_minus_1_and_60_characters() -> None:
    for level, n, width in ((63, 2**63 - 1, 256), ("entries", 2**63 - 1, 255), (0, 0, 1)):
        path = tile_path(level, n, width)
        assert parse_tile_path(path) == (level, n, width)
    others = (tile_path(0, 0, 255).replace("255", other) for other in ("0", "000", "256", "257", "999"))
    for path in (tile_path(64, 0), tile_path(0, 2**63), *others, f"tile/0/{'x001/' * 2_000}001"):
        with refusal(Code.BAD_ENCODING):
            parse_tile_path(path)


@pytest.mark.parametrize("size", [1, 256, 300])
def test_a_reader_opens_only_on_tiles_that_give_the_root(size: int, tmp_path: Path) -> None:
    reader = reader_of(tmp_path, entries_of(size))
    for other in (bytes(32), merkle.hash_node(reader.root, reader.root), merkle.EMPTY_ROOT):
        with pytest.raises(Refuted) as caught:
            TileReader(Directory(tmp_path), size, other)
        assert caught.value.defect.code is Code.BAD_PROOF
    with refusal(Code.BAD_PROOF):
        TileReader(Directory(tmp_path), 0, reader.root)
    assert TileReader(Directory(tmp_path), 0, merkle.EMPTY_ROOT).edge == {}


def test_a_full_tile_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    reader = reader_of(tmp_path, entries_of(600))
    (tmp_path / "tile/0/001").unlink()
    with pytest.raises(NotFound, match="tile/0/001"):
        reader.tile(0, 1)


class Counted:
    """A directory's files, and what was asked for of them."""

    def __init__(self, root: Path) -> None:
        self._files, self.name = Directory(root), str(root)
        self.asked: list[str] = []

    def read(self, path: str, limit: int) -> bytes:
        self.asked.append(path)
        return self._files.read(path, limit)


def test_the_tiles_used_last_are_kept_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "CACHED_TILES", 2)
    entries = entries_of(5 * 256)
    write_log(tmp_path, LOG, entries)
    source = Counted(tmp_path)
    reader = TileReader(source, len(entries), root_of([merkle.hash_leaf(entry) for entry in entries]))
    source.asked.clear()
    for n in (0, 1, 0, 2, 0, 1, 2, 2):
        reader.tile(0, n)
    assert source.asked == [tile_path(0, n) for n in (0, 1, 2, 1, 2)]


@pytest.mark.parametrize(("more", "told"), [(0, "more than 1 entries"), (1, "the file is too long")])
def test_a_data_tile_of_a_ct_log_has_at_most_64_mib(more: int, told: str, tmp_path: Path) -> None:
    hashes = [bytes(32)]
    put(tmp_path, "tile/0/000.p/1", hashes[0])
    data = tmp_path / "tile/data/000.p/1"
    data.parent.mkdir(parents=True)
    with data.open("wb") as file:
        file.truncate(64 * 1024 * 1024 + more)  # of zeros, and no blocks on the disk
    reader = TileReader(Directory(tmp_path), 1, hashes[0], tiles.STATIC_CT)
    with pytest.raises(Refuted) as caught:
        reader.bundle(0)
    assert told in caught.value.defect.sentence


# --- growth ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [1, 2, 257])
def test_a_tree_that_grows_by_whole_tiles_is_that_of_its_entries(whole: int) -> None:
    leaves = [merkle.hash_leaf(b"%d" % number) for number in range(256)]
    by_tile, by_leaf = Growth(), Growth()
    for _ in range(whole):
        tiles = by_tile.extend(list(leaves))
        assert tiles == [tile for leaf in leaves for tile in by_leaf.append(leaf)]
        assert [len(tile.hashes) for tile in tiles] == [256] * len(tiles)
    assert (by_tile.size, by_tile.root()) == (256 * whole, by_leaf.root())
    assert list(by_tile.partial_tiles()) == list(by_leaf.partial_tiles())


# --- maps -----------------------------------------------------------------------------------------------------

KEY, OTHER = b"\0" * 32, b"\1" * 32


def absence(other: bytes, value: bytes, steps: bytes = b"") -> bytes:
    return patricia.uvarint(len(other)) + other + patricia.uvarint(len(value)) + value + steps


def test_a_map_proof_has_at_most_65_536_bytes_and_keys_and_values_4_096() -> None:
    for length in (4_096, 4_097):
        value, accepted = b"v" * length, length == 4_096
        root = patricia.hash_leaf(OTHER, value)
        for other, held in ((OTHER, value), (value, b"v")):
            root = patricia.hash_leaf(other, held)
            if accepted:
                patricia.verify_absent(root, KEY, absence(other, held))
            else:
                with pytest.raises(Refuted, match="too long"):
                    patricia.verify_absent(root, KEY, absence(other, held))
    for length in (65_536, 65_537):
        with pytest.raises(Refuted, match="decrease" if length == 65_536 else "proof is too long"):
            patricia.verify_present(b"", KEY, b"v", b"\x05".ljust(length, b"\x05"))


def test_the_map_of_one_key_and_the_empty_map() -> None:
    assert patricia.EMPTY.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    root = patricia.hash_leaf(OTHER, b"v")
    patricia.verify_absent(patricia.EMPTY, KEY, b"")
    patricia.verify_absent(root, KEY, absence(OTHER, b"v"))
    for wrong_root, key, proof in (
        (root, OTHER, absence(OTHER, b"v")),
        (root, KEY, b""),
        (root, KEY, absence(OTHER, b"w")),
        (patricia.EMPTY, KEY, absence(OTHER, b"v")),
    ):
        with refusal(Code.INCOMPLETE):
            patricia.verify_absent(wrong_root, key, proof)


def test_numbers_of_a_map_proof_have_at_most_ten_bytes() -> None:
    """Beside a key that is long enough for the bit: what is refused is the spelling."""
    assert [patricia.uvarint(number).hex() for number in (0, 127, 128, 2**63)] == [
        "00",
        "7f",
        "8001",
        "80808080808080808001",
    ]
    for spelled, told in (
        (b"\x80" * 9 + b"\x01", "decrease"),
        (b"\x80" * 10 + b"\x01", "more than 10 bytes"),
        (b"\x80\x00", "not minimal"),
        (b"\x80", "ends too early"),
        (b"\x05" + bytes(31), "ends too early"),
    ):
        with pytest.raises(Refuted, match=told):
            patricia.verify_present(b"", KEY, b"v", spelled)


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33])
def test_a_branching_tests_a_bit_that_keys_of_this_length_may_differ_in(length: int) -> None:
    key = b"\x55" * length
    most = 256 if length == 32 else 8 * (length + 2)
    for bit in (most - 1, most):
        sides = (OTHER, patricia.hash_leaf(key, b"v"))
        root = patricia.hash_inner(bit, *(sides if patricia.bit_of(key, bit) else sides[::-1]))
        proof = patricia.uvarint(bit) + OTHER
        if bit < most:
            patricia.verify_present(root, key, b"v", proof)
        else:
            with pytest.raises(Refuted, match="decrease"):
                patricia.verify_present(root, key, b"v", proof)


@pytest.mark.parametrize("bit", [126, 127, 128, 129])
def test_numbers_of_a_map_proof_are_read_around_127(bit: int) -> None:
    root = patricia.hash_inner(bit, patricia.hash_leaf(KEY, b"v"), OTHER)
    patricia.verify_present(root, KEY, b"v", patricia.uvarint(bit) + OTHER)


def test_all_keys_of_a_prefix_are_below_one_node() -> None:
    subtree, prefix = b"\7" * 32, b"\x80"
    root = patricia.hash_inner(0, OTHER, subtree)
    patricia.verify_prefix(root, prefix, subtree, b"\0" + OTHER)
    deeper = patricia.hash_inner(7, subtree, OTHER)
    patricia.verify_prefix(deeper, prefix, subtree, b"\7" + OTHER)
    below = patricia.hash_inner(8, subtree, OTHER)
    with pytest.raises(Refuted, match="decrease"):  # this node holds only a part of the keys
        patricia.verify_prefix(below, prefix, subtree, b"\x08" + OTHER)


# --- tiles of Certificate Transparency ------------------------------------------------------------------------


def leaf(kind: int = 0, chain: int = 64, tail: bytes = b"") -> bytes:
    """A TileLeaf: time, type, certificate, extensions, for precertificates the one submitted, fingerprints."""
    head = (1_767_225_600_000).to_bytes(8) + kind.to_bytes(2)
    body = (bytes(32) if kind == 1 else b"") + b"\0\0\4cert" + b"\0\0"
    return head + body + (b"\0\0\3pre" if kind == 1 else b"") + chain.to_bytes(2) + bytes(chain) + tail


def test_entries_of_a_ct_log_are_certificates_or_precertificates() -> None:
    good = [leaf(0), leaf(1), leaf(0, 0)]
    assert ct.split_leaves(b"".join(good), 3) == good
    assert len({ct.hash_tile_leaf(entry) for entry in good}) == 2  # the chain is not hashed
    with pytest.raises(Refuted, match="more than 2"):
        ct.split_leaves(b"".join(good), 2)
    for bad in (leaf(2), leaf(0, 31), leaf(0, 33), leaf(0, 1), leaf(0)[:-1], leaf(0)[:-32], leaf(1)[:40], b"\0"):
        with refusal(Code.BAD_ENCODING):
            ct.split_leaves(bad, 3)
    for kind in (2, 256):
        with pytest.raises(Refuted, match="unknown type"):
            ct.split_leaves(leaf(kind), 3)
    with pytest.raises(Refuted, match="bytes behind"):
        ct.hash_tile_leaf(leaf(0, tail=b"\0"))


@pytest.mark.parametrize("blob", [b"\x04\x01", b"\x05\x03", b"\x04\x03", b""])
def test_a_signature_of_a_ct_log_is_ecdsa_with_sha_256_of_its_own_length(blob: bytes) -> None:
    der = bytes.fromhex("3006020101020101")
    assert ct.raw_signature(b"\x04\x03\x00\x08" + der) == (bytes(31) + b"\1") * 2
    for more in (1, 256) if blob == b"\x04\x03" else (0,):
        with pytest.raises(Refuted, match="ECDSA signature with SHA-256"):
            ct.raw_signature(blob + (len(der) + more).to_bytes(2) + der)
