"""The entries of a bundle against its tiles: each damage is told once, at its file and entry, and the rest is still checked."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.verifier.forge import Forge, tree, write
from verifier.audit.log_order import Links
from verifier.audit.tree import Tree
from verifier.bytes.archive import open_archive
from verifier.bytes.growing_tree import Growth
from verifier.bytes.merkle import HASH
from verifier.rules.chain_store import Shelf
from verifier.rules.findings import Findings
from verifier.tlog.tiles import split_hashes

SIZE = 600


@cache
def forge() -> Forge:
    made = Forge(5)
    for number in range(SIZE):
        made.record("consent", f"consent-{number % 7}", {"act": "x"})
        made.tick()
    return made


Files = dict[str, bytes]


class Read:
    """One pass over a bundle of the forge's entries."""

    def __init__(self, files: Files, root: Path, size: int = SIZE, *, wanted: bool = True) -> None:
        write(files, root)
        self.findings = Findings()
        made = Tree(open_archive(root), self.findings, Links(self.findings, Shelf()), Growth(), 0, size)
        self.bundles = list(made.bundles(wanted))
        self.root = made.finish()

    @property
    def told(self) -> list[tuple[str, str | None, int | None]]:
        return [(str(one.code), one.place.file, one.place.index) for one in self.findings.defects]


def files(size: int = SIZE) -> Files:
    return forge().files("none", size=size)


@pytest.mark.parametrize(
    ("size", "tiles"), [(1, 1), (255, 1), (256, 2), (257, 3), (512, 3), (SIZE, 4)]
)  # of level 0: one for each 256 entries begun; of level 1: one from 256 entries on
def test_an_honest_tree_is_read_whole_and_every_tile_is_counted(size: int, tiles: int, tmp_path: Path) -> None:
    found = Read(files(size), tmp_path / "1", size)
    assert (found.told, found.root) == ([], tree(forge().hashes[:size]))
    assert [(first, len(leaves)) for first, leaves in found.bundles] == [
        (first, min(256, size - first)) for first in range(0, size, 256)
    ]
    assert [leaf.number for _, leaves in found.bundles for leaf in leaves if leaf] == list(range(size))
    assert found.findings.checked["tiles"] == tiles
    quick = Read(files(size), tmp_path / "2", size, wanted=False)
    assert (quick.told, quick.root, quick.findings.checked["tiles"]) == ([], found.root, tiles)
    assert [len(leaves) for _, leaves in quick.bundles] == [0] * (size // 256) + [size % 256] * (size % 256 > 0)


@pytest.mark.parametrize("start", [1, 255, 256, 300, 511, 512, 513, SIZE - 1])
def test_a_tree_continues_where_an_earlier_audit_ended(start: int, tmp_path: Path) -> None:
    write(files(), tmp_path)
    growth, findings = Growth(), Findings()
    for raw in forge().hashes[:start]:
        growth.append(raw)
    links = Links(Findings(), Shelf())
    for position in range(start):
        links.add(position, forge().entries[position], None)
    links.findings = findings
    made = Tree(open_archive(tmp_path), findings, links, growth, start, SIZE)
    bundles = list(made.bundles(True))
    assert bundles[0][0] == start
    assert [leaf.number for _, leaves in bundles for leaf in leaves if leaf] == list(range(start, SIZE))
    assert (findings.defects, made.finish()) == ([], tree(forge().hashes))


@pytest.mark.parametrize(
    ("path", "code", "indexes"),
    [
        ("tile/0/000", "BAD_PROOF", [None]),
        ("tile/0/002.p/88", "BAD_PROOF", [None]),
        ("tile/1/000.p/2", "BAD_PROOF", [None]),
        ("tile/entries/001", "BAD_ENCODING", [256]),
        ("tile/entries/002.p/88", "BAD_ENCODING", [512]),
    ],
)
def test_a_missing_file_is_told_once_and_its_hashes_come_from_elsewhere(
    path: str, code: str, indexes: list[int | None], tmp_path: Path
) -> None:
    kept = files()
    del kept[path]
    found = Read(kept, tmp_path)
    assert found.told == [(code, path, index) for index in indexes]
    assert found.root == tree(forge().hashes)


@pytest.mark.parametrize("path", ["tile/0/000", "tile/1/000.p/2"])
def test_a_tile_of_another_length_is_refused(path: str, tmp_path: Path) -> None:
    kept = files()
    for number, data in enumerate((kept[path] + b"\0", kept[path][:-1], b"")):
        found = Read({**kept, path: data}, tmp_path / str(number))
        assert (found.told, found.root) == ([("BAD_ENCODING", path, None)], tree(forge().hashes))


@pytest.mark.parametrize("position", [0, 1])
def test_a_wrong_hash_of_a_higher_tile_is_told_with_its_place(position: int, tmp_path: Path) -> None:
    kept, path = files(), "tile/1/000.p/2"
    hashes = split_hashes(kept[path], 2)
    hashes[position] = bytes(HASH)
    found = Read({**kept, path: b"".join(hashes)}, tmp_path)
    assert found.told == [("BAD_PROOF", path, None)]
    [defect] = found.findings.defects
    assert defect.sentence.startswith(f"hash {position} of the tile")
    assert (defect.expected, defect.found) == (split_hashes(kept[path], 2)[position].hex(), bytes(HASH).hex())


def test_hashes_above_a_wrong_one_are_not_told_again(tmp_path: Path) -> None:
    """The tile names other entries, and the tile above it names that tile: one defect, at the entry."""
    kept = files()
    hashes = split_hashes(kept["tile/0/001"], 256)
    hashes[3] = bytes(HASH)
    above = split_hashes(kept["tile/1/000.p/2"], 2)
    above[1] = tree(hashes)
    found = Read({**kept, "tile/0/001": b"".join(hashes), "tile/1/000.p/2": b"".join(above)}, tmp_path)
    assert {index for _, _, index in found.told} == {259}
    assert found.findings.first_bad == 259


def test_hashes_above_a_wrong_one_are_not_told_again_beyond_65_536_entries(tmp_path: Path) -> None:
    """As above, in the second tile of level 1; what lies before is taken as audited."""
    before = 65_536
    made, growth, findings = Forge(6), Growth.resume(before, {2: [bytes(HASH)]}), Findings()
    made.entries, made.hashes = [b""] * before, [bytes(HASH)] * before
    for _ in range(256):
        made.record("consent", "consent", {"act": "x"})
    hashes = made.hashes[before:]
    hashes[3] = b"x" * HASH
    entries = b"".join(len(entry).to_bytes(2) + entry for entry in made.entries[before:])
    kept = {"tile/0/256": b"".join(hashes), "tile/entries/256": entries, "tile/1/001.p/1": tree(hashes)}
    write({**kept, "tile/2/000.p/1": bytes(HASH)}, tmp_path)
    found = Tree(open_archive(tmp_path), findings, Links(findings, Shelf()), growth, before, before + 256)
    assert [(first, len(leaves)) for first, leaves in found.bundles(True)] == [(before, 256)]
    found.finish()
    assert {(one.place.file, one.place.index) for one in findings.defects if "tile" in one.sentence} == set()
    assert findings.first_bad in (before, before + 3)


def test_where_entries_and_tile_are_missing_nothing_is_known_and_the_rest_is_read(tmp_path: Path) -> None:
    kept = files()
    del kept["tile/entries/001"], kept["tile/0/001"]
    found = Read(kept, tmp_path)
    assert {(code, file) for code, file, _ in found.told} >= {
        ("BAD_PROOF", "tile/0/001"),
        ("BAD_ENCODING", "tile/entries/001"),
    }
    assert [sum(leaf is not None for leaf in leaves) for _, leaves in found.bundles] == [256, 0, 88]


def test_a_bundle_that_breaks_off_beside_a_missing_tile_is_lost(tmp_path: Path) -> None:
    kept, path = files(), "tile/entries/001"
    del kept["tile/0/001"]
    found = Read({**kept, path: kept[path][:-1]}, tmp_path)
    assert ("BAD_ENCODING", path, 256) in found.told
    assert [sum(leaf is not None for leaf in leaves) for _, leaves in found.bundles] == [256, 0, 88]


def test_a_gap_in_a_chain_is_told_at_its_entry_though_all_tiles_agree(tmp_path: Path) -> None:
    liar = Forge(5)
    liar.bend = lambda leaf: leaf.update(seq=leaf["seq"] + 1) if leaf["index"] == 300 else None
    for number in range(512):
        liar.record("consent", f"consent-{number % 7}", {"act": "x"})
    found = Read(liar.files("none"), tmp_path, 512)
    assert found.told[0][0::2] == ("BAD_CHAIN", 300)
    assert found.findings.first_bad == 300


@pytest.mark.parametrize("path", ["tile/entries/001", "tile/entries/002.p/88"])
def test_a_bundle_that_breaks_off_is_read_as_far_as_its_tile_agrees(path: str, tmp_path: Path) -> None:
    kept = files()
    first, width = (256, 256) if path.endswith("001") else (512, 88)
    found = Read({**kept, path: kept[path][:-1]}, tmp_path / "cut")
    assert found.told == [("BAD_ENCODING", path, first + width - 1)]
    assert found.root == tree(forge().hashes)
    whole = forge().entries[first : first + width]
    short = b"".join(len(entry).to_bytes(2) + entry for entry in whole[:5])
    found = Read({**kept, path: short}, tmp_path / "short")
    assert found.told == [("BAD_ENCODING", path, first + 5)]
    assert [len(leaves) for _, leaves in found.bundles] == [256, 256, 88]
    assert sum(leaf is None for _, leaves in found.bundles for leaf in leaves) == width - 5
    found = Read({**kept, path: kept[path] + b"\0\1x"}, tmp_path / "long")
    assert found.told == [("BAD_ENCODING", path, first + width - 1)]
    assert found.root == tree(forge().hashes)


def test_files_longer_than_they_can_be_are_not_read(tmp_path: Path) -> None:
    kept = files()
    for number, (path, index) in enumerate((("tile/0/000", None), ("tile/1/000.p/2", None))):
        found = Read({**kept, path: bytes(256 * HASH + 1)}, tmp_path / str(number))
        assert found.told == [("BAD_ENCODING", path, index)]
    path = "tile/entries/001"
    found = Read({**kept, path: bytes(256 * 65_537 + 1)}, tmp_path / "entries")
    assert found.told == [("BAD_ENCODING", path, 256)]
