"""Zips, several files of one log, audits that go on, tall trees: verifier and ledger give what the vectors say."""

from __future__ import annotations

import base64
from collections import defaultdict
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ledger.merkle.edge import Edge
from tests.vectors.reading import bundle, materialised, named, policy, read
from tests.verifier.forge import write
from tests.verifier.running import places, run, verdict
from verifier.bytes.growing_tree import Growth
from verifier.tlog.tiles import tile_path

Json = dict[str, Any]


@pytest.mark.parametrize("row", read("containers")["cases"], ids=named(read("containers")["cases"]))
def test_a_zip_gets_its_verdict(row: Json, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "bundle.zip"
    place.write_bytes(base64.b64decode(row["zip"]))
    (tmp_path / "policy").write_bytes(policy(read("containers")["policy"]))
    status, events = run(capsys, "bundle", str(place), "--policy", f"{tmp_path}/policy", "--jobs", "1")
    assert "internal error" not in str(events[-1]["reason"])
    wanted = {(defect["code"], defect["file"] or str(place)) for defect in row["defects"]}
    assert (status, places(events, "defect")) == (row["exit"], wanted)


def put(named_bundle: str, place: Path) -> Path:
    """A bundle by the name that it has below docs/spec/vectors."""
    kind, name = named_bundle.split("/")
    files = bundle(name) if kind == "bundles" else materialised(read(named_bundle))
    return write(files, place)


@pytest.mark.parametrize("row", read("compared")["cases"], ids=named(read("compared")["cases"]))
def test_files_held_against_each_other_get_their_verdict(
    row: Json, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy").write_bytes(policy(row["policy"]))
    paths = []
    for n, file in enumerate(row["files"]):
        place = tmp_path / f"file{n}"
        put(file["bundle"], place) if "bundle" in file else place.write_text(file["text"])
        paths.append(str(place))
    said = verdict(capsys, "compare", *paths, "--policy", f"{tmp_path}/policy")
    assert said == (row["exit"], row["code"])


@pytest.mark.parametrize("row", read("continued")["cases"], ids=named(read("continued")["cases"]))
def test_a_resumed_audit_reaches_its_verdict(row: Json, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "policy").write_bytes(policy(read("continued")["policy"]))
    words = ("--policy", f"{tmp_path}/policy", "--jobs", "1")
    kept = f"{tmp_path}/kept"
    assert verdict(capsys, "bundle", str(put(row["first"], tmp_path / "first")), *words, "--keep", kept)[0] == 0
    said = verdict(capsys, "bundle", str(put(row["then"], tmp_path / "then")), *words, "--since", kept)
    assert said == (row["exit"], row["code"])


def leaf(n: int) -> bytes:
    return sha256(b"\0" + n.to_bytes(8)).digest()


@dataclass
class Told:
    """Of one level: how many full tiles there are, and the hash of them."""

    full: int = 0
    content: Any = field(default_factory=sha256)

    def row(self, level: int, partial: bytes) -> Json:
        """As the vectors tell it."""
        content = self.content.copy()
        content.update(partial)
        number, width = (self.full, len(partial) // 32) if partial else (self.full - 1, 256)
        last = tile_path(level, number, width).removeprefix("tile/")
        return {"count": self.full + bool(partial), "last": last, "sha256": content.hexdigest()}


def test_tall_trees_have_these_roots_and_tiles_in_ledger_and_verifier() -> None:
    """As the ledger's sequencer writes them, a batch at a time, and as the verifier's pass over a bundle grows them."""
    edge, growing = Edge(), Growth()
    ours: defaultdict[int, Told] = defaultdict(Told)
    theirs: defaultdict[int, Told] = defaultdict(Told)
    for row in read("tiles")["trees"]:
        fresh = [leaf(n) for n in range(edge.size, row["size"])]
        for tile in edge.extend(fresh):
            ours[tile.level].full += 1
            ours[tile.level].content.update(tile.content)
        for one in fresh:
            for full in growing.append(one):
                theirs[full.level].full += 1
                theirs[full.level].content.update(b"".join(full.hashes))
        assert edge.root().hex() == growing.root().hex() == row["root"], row["size"]
        unfinished = {tile.level: b"".join(tile.hashes) for tile in growing.partial_tiles()}
        for level, wanted in enumerate(row["levels"]):
            assert ours[level].row(level, edge.partial(level)) == wanted, row["size"]
            assert theirs[level].row(level, unfinished.get(level, b"")) == wanted, row["size"]
