"""What the record of a pack and the receipts in it must say, and what is counted of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.verifier.forge import World, write
from tests.verifier.making import BACKEND
from tests.verifier.packing import Packing, pack
from verifier.audit.pack import check_pack
from verifier.bytes.archive import open_archive
from verifier.errors import Code
from verifier.rules.findings import Findings
from verifier.tlog.trust import parse_trust

RECORD, SECOND = "pack.receipt.json", "items/000001.json"
WITHHELD = "items withheld from this copy of the pack"


def world_with(count: int) -> tuple[World, list[int]]:
    world = World(5)
    world.open()
    consent = world.grant()
    return world, [world.access(consent) for _ in range(count)]


def found_in(files: dict[str, bytes], world: World, root: Path) -> Findings:
    return check_pack(open_archive(write(files, root)), parse_trust(world.policy().encode()), BACKEND).findings


def told(findings: Findings) -> list[tuple[Code, str | None, str]]:
    return [(defect.code, defect.place.file, defect.sentence) for defect in findings.defects]


def test_acts_and_kinds_are_counted_once_for_each_receipt(tmp_path: Path) -> None:
    world, indexes = world_with(3)
    found = found_in(pack(world, indexes), world, tmp_path)
    assert told(found) == []
    assert found.acts == {"access.request": 3}
    assert found.kinds == {"consent": 3, "operator": 1}


def test_a_pack_too_reports_what_a_receipt_alone_cannot_show(tmp_path: Path) -> None:
    world, indexes = world_with(2)
    trust = parse_trust(world.policy().encode())
    found = check_pack(open_archive(write(pack(world, indexes), tmp_path)), trust, BACKEND, keys=None).findings
    assert found.unchecked["the participant's signature (give --bundle to learn the participants' keys)"] == 2


@pytest.mark.parametrize("withheld", range(3))
def test_withheld_items_are_told_and_a_whole_pack_withholds_none(withheld: int, tmp_path: Path) -> None:
    world, indexes = world_with(3)
    files = pack(world, indexes)
    for at in range(withheld):
        del files[f"items/{at:06d}.json"]
    found = found_in(files, world, tmp_path)
    assert told(found) == []
    assert {what: count for what, count in found.unchecked.items() if what == WITHHELD} == (
        {WITHHELD: withheld} if withheld else {}
    )


def test_a_pack_may_begin_with_the_first_entry_of_the_log(tmp_path: Path) -> None:
    world, indexes = world_with(1)
    assert told(found_in(pack(world, [0, *indexes]), world, tmp_path)) == []


def test_a_name_between_its_neighbours_that_is_not_that_of_its_receipt_is_refuted(tmp_path: Path) -> None:
    world, indexes = world_with(5)
    first, second, third = indexes[0], indexes[2], indexes[4]
    files = pack(world, [first, second, third], Packing(names={1: f"entry/{second - 1}"}))
    assert told(found_in(files, world, tmp_path)) == [
        (Code.BAD_PROOF, SECOND, "the item's receipt is of another entry than its name says")
    ]


def test_a_receipt_whose_leaf_cannot_be_read_is_told_in_its_place(tmp_path: Path) -> None:
    world, indexes = world_with(3)
    receipt = world.receipt(indexes[1])
    value = json.dumps(receipt | {"leaf": "e30"}, ensure_ascii=False, separators=(",", ":"))
    found = found_in(pack(world, indexes, Packing(values={1: value})), world, tmp_path)
    assert {(code, file) for code, file, _ in told(found)} >= {(Code.BAD_ENCODING, SECOND)}
    assert {file for _, file, _ in told(found)} == {SECOND}


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"type": "pack.withdrawn"}, Code.BAD_PROOF), ({"v": 0}, Code.BAD_ENCODING), ({"v": 2}, Code.BAD_ENCODING)],
    ids=str,
)
def test_a_record_of_another_type_or_version_records_no_pack(
    changes: dict[str, Any], code: Code, tmp_path: Path
) -> None:
    world, indexes = world_with(2)
    files = pack(world, indexes, Packing(record=lambda document: document.update(changes)))
    assert {(seen, file) for seen, file, _ in told(found_in(files, world, tmp_path))} == {(code, RECORD)}


def test_a_file_that_is_too_large_is_refused_by_name(tmp_path: Path) -> None:
    world, indexes = world_with(2)
    files = pack(world, indexes) | {SECOND: b"x" * 1_000_001}
    found = found_in(files, world, tmp_path)
    assert [(code, file) for code, file, _ in told(found)] == [(Code.BAD_ENCODING, SECOND)]
