"""Evidence packs: an honest one and every part of it verifies; nothing that the log did not bind does."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.verifier.forge import ORIGIN, World, b64u, encode, leaf_hash, sha, write
from tests.verifier.making import BACKEND, refusal
from tests.verifier.packing import Packing, commitment_of, item_hash, pack
from verifier.audit.pack import CheckedPack, check_pack
from verifier.audit.pack_items import parse_head, parse_item, sides_of, verify_item
from verifier.bytes.archive import open_archive
from verifier.cli import main
from verifier.errors import CannotCheck, Code
from verifier.tlog.trust import parse_trust

Files = dict[str, bytes]
COUNT = 7
ALONE = "items/000003.json"


def world_with(count: int = COUNT) -> tuple[World, list[int]]:
    """A log, and the indexes of one customer's entries in it."""
    world = World(3)
    world.open()
    consent = world.grant()
    world.index_head()
    world.tick()
    return world, [world.access(consent) for _ in range(count)]


def genuine(how: Packing | None = None, count: int = COUNT) -> tuple[Files, World]:
    world, indexes = world_with(count)
    return pack(world, indexes, how), world


def checked(files: Files, world: World, root: Path, *, quorum: bool = False) -> CheckedPack:
    return check_pack(open_archive(write(files, root)), parse_trust(world.policy(quorum).encode()), BACKEND)


def change(files: Files, name: str, edit: Callable[[dict[str, Any]], object]) -> Files:
    members = json.loads(files[name])
    edit(members)
    return files | {name: encode(members)}


# --- what verifies ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 9])
def test_an_honest_pack_verifies_and_says_what_was_checked(count: int, tmp_path: Path) -> None:
    found = checked(*genuine(count=count), tmp_path)
    assert [str(defect) for defect in found.findings.defects] == []
    assert (found.present, found.absent, found.witnessed) == (count, 0, True)
    assert found.findings.checked["items in the pack's tree"] == count
    assert found.findings.checked["inclusion proof"] == count + 1
    assert found.findings.checked["record of the pack in the log"] == 1


@pytest.mark.parametrize("position", range(COUNT))
def test_one_item_handed_on_alone_verifies_and_the_rest_is_counted(position: int, tmp_path: Path) -> None:
    files, world = genuine()
    kept = {
        name: data for name, data in files.items() if name.startswith("pack") or name == f"items/{position:06d}.json"
    }
    found = checked(kept, world, tmp_path)
    assert found.findings.count == 0
    assert (found.present, found.absent) == (1, COUNT - 1)
    assert found.findings.unchecked["items withheld from this copy of the pack"] == COUNT - 1


def test_a_zip_is_read_like_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files, world = genuine()
    (tmp_path / "policy").write_text(world.policy())
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as target:
        for name, data in files.items():
            if name != ALONE:
                target.writestr(name, data)
    for language, word in (("en", "Items withheld"), ("zh", "未提供的项")):
        assert main(["pack", str(tmp_path / "pack.zip"), "--policy", str(tmp_path / "policy"), "--lang", language]) == 0
        assert word in capsys.readouterr().out


def test_a_pack_below_the_quorum_says_so(tmp_path: Path) -> None:
    files, world = genuine()
    assert checked(files, world, tmp_path / "1", quorum=True).witnessed is False
    files, world = genuine(Packing(cosign=True))
    assert checked(files, world, tmp_path / "2", quorum=True).witnessed is True


def test_the_shape_of_a_path_follows_from_position_and_count() -> None:
    assert sides_of(0, 1) == []
    assert sides_of(2, 3) == ["left"]
    assert sides_of(4, 7) == ["right", "right", "left"]
    assert sides_of(6, 7) == ["left", "left"]


# --- what does not ---------------------------------------------------------------------------------------------


def set_item(**members: Any) -> Callable[[Files, World], Files]:
    return lambda files, _: change(files, ALONE, lambda item: item.update(members))


def set_head(**members: Any) -> Callable[[Files, World], Files]:
    return lambda files, _: change(files, "pack.json", lambda head: head.update(members))


def edit_path(edit: Callable[[list[dict[str, str]]], object]) -> Callable[[Files, World], Files]:
    return lambda files, _: change(files, ALONE, lambda item: edit(item["path"]))


def value_of(files: Files, name: str) -> str:
    return str(json.loads(files[name])["value"])


def other_value(files: Files, _: World) -> Files:
    """A genuine receipt of the log, but not the one that was packed at this place."""
    return change(files, ALONE, lambda item: item.update(value=value_of(files, "items/000004.json")))


def moved(files: Files, _: World) -> Files:
    return {name: data for name, data in files.items() if name != ALONE} | {"items/000099.json": files[ALONE]}


def swapped_places(files: Files, _: World) -> Files:
    a, b = "items/000000.json", "items/000001.json"
    one, other = json.loads(files[a]), json.loads(files[b])
    one["position"], other["position"] = 1, 0
    return files | {a: encode(other), b: encode(one)}


def other_pack(files: Files, world: World) -> Files:
    """An item of another genuine pack of the same entries: its salt and pack id differ."""
    return files | {ALONE: pack(world, [7, 8, 9, 10, 11, 12, 13])[ALONE]}


def other_receipt(files: Files, world: World) -> Files:
    """The receipt of another pack's record."""
    return files | {"pack.receipt.json": pack(world, [7, 8])["pack.receipt.json"]}


def root_as_item(files: Files, world: World) -> Files:
    """The root shown as the single item of a pack of one: the commitment binds the count."""
    return change(
        change(files, "pack.json", lambda head: head.update(items_count=1)),
        "items/000000.json",
        lambda item: item.update(path=[]),
    )


def suffix(files: Files, _: World) -> Files:
    """The suffix forgery: a sibling of another length swallows what stands beside it."""
    return change(files, ALONE, lambda item: item["path"][0].update({"left": item["path"][0]["left"] + "00" * 32}))


HOSTILE: dict[str, tuple[Callable[[Files, World], Files], Code, str]] = {
    "another genuine receipt": (other_value, Code.BAD_PROOF, ALONE),
    "another name": (set_item(name="entry/9"), Code.BAD_PROOF, ALONE),
    "another salt": (set_item(salt=b64u(bytes(32))), Code.BAD_PROOF, ALONE),
    "a short salt": (set_item(salt=b64u(bytes(31))), Code.BAD_ENCODING, ALONE),
    "another position": (set_item(position=4), Code.BAD_ENCODING, ALONE),
    "a position outside": (moved, Code.BAD_ENCODING, "items/000099.json"),
    "two items that change places": (swapped_places, Code.BAD_PROOF, "items/000000.json"),
    "a name with a leading zero": (set_item(name="entry/010"), Code.BAD_ENCODING, ALONE),
    "a name of something else": (set_item(name="entries/10"), Code.BAD_ENCODING, ALONE),
    "an unknown member": (set_item(note="hello"), Code.BAD_ENCODING, ALONE),
    "a truncated path": (edit_path(lambda path: path.pop()), Code.BAD_PROOF, ALONE),
    "a longer path": (edit_path(lambda path: path.append({"left": "00" * 32})), Code.BAD_PROOF, ALONE),
    "an empty path": (edit_path(lambda path: path.clear()), Code.BAD_PROOF, ALONE),
    "a swapped side": (
        edit_path(lambda path: path.insert(0, {"right": path.pop(0)["left"]})), Code.BAD_PROOF, ALONE),
    "two sides in a step": (edit_path(lambda path: path[0].update({"right": "00" * 32})), Code.BAD_ENCODING, ALONE),
    "a step with no side": (edit_path(lambda path: path[0].clear()), Code.BAD_ENCODING, ALONE),
    "a sibling of 64 bytes": (suffix, Code.BAD_ENCODING, ALONE),
    "an empty sibling": (edit_path(lambda path: path[0].update({"left": ""})), Code.BAD_ENCODING, ALONE),
    "a sibling in capitals": (
        edit_path(lambda path: path[0].update({"left": path[0]["left"].upper()})), Code.BAD_ENCODING, ALONE),
    "a sibling with spaces": (
        edit_path(lambda path: path[0].update({"left": " " + path[0]["left"]})), Code.BAD_ENCODING, ALONE),
    "33 steps": (edit_path(lambda path: path.extend([{"left": "00" * 32}] * 33)), Code.BAD_ENCODING, ALONE),
    "a path that is a text": (set_item(path="left"), Code.BAD_ENCODING, ALONE),
    "an item of another pack": (other_pack, Code.BAD_PROOF, ALONE),
    "the record of another pack": (other_receipt, Code.BAD_PROOF, "pack.receipt.json"),
    "an item as the whole pack": (root_as_item, Code.BAD_PROOF, "pack.receipt.json"),
    "another count": (set_head(items_count=8), Code.BAD_PROOF, "pack.receipt.json"),
    "another scope": (set_head(scope="all"), Code.BAD_PROOF, "pack.receipt.json"),
    "an unknown scope": (set_head(scope="some"), Code.BAD_ENCODING, "pack.json"),
    "another time": (set_head(created=1), Code.BAD_PROOF, "pack.receipt.json"),
    "another commitment": (set_head(commitment=b64u(bytes(32))), Code.BAD_PROOF, "pack.receipt.json"),
    "another origin": (set_head(origin="ledger.example/other"), Code.BAD_PROOF, "pack.receipt.json"),
    "another pack id": (set_head(pack_id=b64u(bytes(32))), Code.BAD_PROOF, ALONE),
    "a size above the record": (set_head(size=1000), Code.BAD_PROOF, "pack.receipt.json"),
    "a size below the entries": (set_head(size=9), Code.BAD_PROOF, ALONE),
    "a version of none": (set_head(v=0), Code.BAD_ENCODING, "pack.json"),
    "no items": (set_head(items_count=0), Code.BAD_ENCODING, "pack.json"),
    "the receipt of no pack": (
        lambda files, _: files | {"pack.receipt.json": value_of(files, ALONE).encode()}, Code.BAD_PROOF,
        "pack.receipt.json"),
    "a file beside": (lambda files, _: files | {"items/note.txt": b"read me"}, Code.BAD_ENCODING, "items/note.txt"),
    "a name of five digits": (
        lambda files, _: files | {"items/00003.json": files[ALONE]}, Code.BAD_ENCODING, "items/00003.json"),
    "a name of seven digits": (
        lambda files, _: files | {"items/0000003.json": files[ALONE]}, Code.BAD_ENCODING, "items/0000003.json"),
    "another spelling": (lambda files, _: files | {ALONE: b" " + files[ALONE]}, Code.BAD_ENCODING, ALONE),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_changed_pack_is_refuted_where_it_was_changed(kind: str, tmp_path: Path) -> None:
    make, code, file = HOSTILE[kind]
    files, world = genuine()
    files = make(files, world)
    if file == "pack.json":
        with refusal(code):
            checked(files, world, tmp_path)
        return
    found = checked(files, world, tmp_path)
    told = [(defect.code, defect.place.file) for defect in found.findings.defects]
    assert (code, file) in told, [str(defect) for defect in found.findings.defects]


def lying(document: dict[str, Any]) -> None:
    document["items_count"] += 1


FORGED: dict[str, tuple[Packing, Code, str]] = {
    "the log recorded another count": (Packing(record=lying), Code.BAD_PROOF, "pack.receipt.json"),
    "the record stands in another chain": (Packing(chain="operator:elsewhere"), Code.BAD_PROOF, "pack.receipt.json"),
    "the record has a member too many": (
        Packing(record=lambda document: document.update(note="x")),
        Code.BAD_ENCODING,
        "pack.receipt.json",
    ),
    "a bound text that is not a receipt": (Packing(values={3: "{}"}), Code.BAD_ENCODING, ALONE),
    "a bound name of another entry": (Packing(names={3: "entry/9"}), Code.BAD_PROOF, ALONE),
}


@pytest.mark.parametrize("kind", FORGED)
def test_a_wrong_binding_by_the_log_itself_is_refuted(kind: str, tmp_path: Path) -> None:
    how, code, file = FORGED[kind]
    found = checked(*genuine(how), tmp_path)
    assert (code, file) in [(defect.code, defect.place.file) for defect in found.findings.defects]


def test_items_out_of_order_or_twice_are_refuted(tmp_path: Path) -> None:
    for number, order in enumerate(([9, 8], [9, 9])):
        world, _ = world_with()
        found = checked(pack(world, order), world, tmp_path / str(number))
        assert [defect.place.file for defect in found.findings.defects] == ["items/000001.json"]


def test_an_entry_as_young_as_the_selection_is_refuted(tmp_path: Path) -> None:
    world, indexes = world_with()
    found = checked(pack(world, indexes, Packing(size=indexes[-1])), world, tmp_path)
    assert [defect.place.index for defect in found.findings.defects] == [indexes[-1]]


def test_two_histories_in_one_pack_are_equivocation(tmp_path: Path) -> None:
    world, indexes = world_with()
    forked, _ = world_with()
    at = indexes[3]  # the last entry of a log of 11, which the log key signed twice
    for one, time in ((world, 1), (forked, 2)):
        one.entries, one.hashes = one.entries[: at + 1], one.hashes[: at + 1]
        one.entries[at] = one.entries[at].replace(b'"time":', b'"time":%d' % time, 1)
        one.hashes[at] = leaf_hash(one.entries[at])
    value = json.dumps(forked.receipt(at - 1), ensure_ascii=False)
    files = pack(world, [at - 2, at - 1], Packing(values={1: value}))
    found = checked(files, world, tmp_path)
    assert Code.EQUIVOCATION in {defect.code for defect in found.findings.defects}


def test_a_receipt_of_another_log_is_refuted(tmp_path: Path) -> None:
    files, world = genuine()
    policy = world.policy().replace(ORIGIN, "ledger.example/else").encode()
    with pytest.raises(CannotCheck):  # the key id no longer fits its name
        parse_trust(policy)
    other = World(4)
    other.log_key, other.witness_key = world.witness_key, world.log_key
    found = check_pack(open_archive(write(files, tmp_path)), parse_trust(other.policy().encode()), BACKEND)
    assert found.findings.count
    assert found.log_head is None


def test_a_name_that_occurs_twice_in_a_zip_is_refuted(tmp_path: Path) -> None:
    files, world = genuine()
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as target:
        for name, data in files.items():
            target.writestr(name, data)
        with pytest.warns(UserWarning, match="Duplicate"):
            target.writestr(ALONE, files[ALONE])
    found = check_pack(open_archive(tmp_path / "pack.zip"), parse_trust(world.policy().encode()), BACKEND)
    assert [defect.sentence for defect in found.findings.defects] == ["a name occurs twice in the zip"]


@pytest.mark.parametrize("missing", ["pack.json", "pack.receipt.json"])
def test_without_head_or_record_it_is_not_a_pack(missing: str, tmp_path: Path) -> None:
    files, world = genuine()
    del files[missing]
    with pytest.raises(CannotCheck, match="not a pack"):
        checked(files, world, tmp_path)
    (tmp_path / "policy").write_text(world.policy())
    assert main(["pack", str(tmp_path), "--policy", str(tmp_path / "policy")]) == 2


def test_a_format_of_later_is_not_judged() -> None:
    files, _ = genuine()
    with pytest.raises(CannotCheck, match="format"):
        parse_head(change(files, "pack.json", lambda head: head.update(format="consent-ledger-pack/2"))["pack.json"])


def test_an_inner_node_is_not_an_item() -> None:
    """64 bytes of two hashes, taken for an item's value, hash to no node: leaf and node preimages begin differently."""
    files, _ = genuine(count=2)
    head = parse_head(files["pack.json"])
    items = [parse_item(files[f"items/00000{at}.json"]) for at in (0, 1)]
    left, right = (item_hash(head.pack_id, item.salt, item.name, item.value.decode()) for item in items)
    root = sha(b"\1" + left + right)
    assert commitment_of(2, root) == head.commitment != commitment_of(1, root)
    assert hashlib.sha256(b"\1" + left + right).digest() != hashlib.sha256(b"\0" + left + right).digest()
    for item in items:
        verify_item(head, item)
