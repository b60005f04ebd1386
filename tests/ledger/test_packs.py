"""Evidence packs and Chainpoint exports, recomputed here from the text of the specification alone."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import sys
from typing import Any

import pytest

from ledger.canonical import b64
from ledger.entries.leaf import Kind
from ledger.errors import Corrupt, InvalidInput
from ledger.merkle.edge import Edge
from ledger.merkle.hashing import leaf_hash
from ledger.packs import bind_pack, chainpoint_proof
from ledger.planning.commands import Recorded


def entries(count: int) -> list[Recorded]:
    leaves = [f'{{"index":{index}}}'.encode() for index in range(count)]
    growth = Edge().grow([leaf_hash(leaf) for leaf in leaves])
    note = f"ledger.example\n{count}\n{b64(growth.root)}\n\n— ledger.example AAAA\n"
    return [
        Recorded(index, 7, Kind.CONSENT, leaf, b"{}", bytes(32), "access.request", None, None, tuple(proof), note)
        for index, (leaf, proof) in enumerate(zip(leaves, growth.proofs(), strict=True))
    ]


def unb64u(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def commitment_by_the_text(head: dict[str, Any], item: dict[str, Any]) -> str:
    """docs/spec/packs.md, The tree, followed word by word."""
    name, value = item["name"].encode(), item["value"].encode()
    tag = hashlib.sha256(b"consent-ledger/v1/pack-leaf\0").digest()
    node = hashlib.sha256(
        b"\x00"
        + tag
        + unb64u(head["pack_id"])
        + unb64u(item["salt"])
        + struct.pack(">I", len(name))
        + name
        + struct.pack(">Q", len(value))
        + value
    ).digest()
    at, row, path = item["position"], head["items_count"], list(item["path"])
    while row > 1:
        if not (at == row - 1 and row % 2):
            side = "left" if at % 2 else "right"
            sibling = bytes.fromhex(path.pop(0)[side])
            node = hashlib.sha256(b"\x01" + (sibling + node if at % 2 else node + sibling)).digest()
        at, row = at // 2, (row + 1) // 2
    assert not path
    root_tag = hashlib.sha256(b"consent-ledger/v1/pack-root\0").digest()
    bound = hashlib.sha256(b"\x02" + root_tag + struct.pack(">Q", head["items_count"]) + node).digest()
    return base64.urlsafe_b64encode(bound).rstrip(b"=").decode()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 33, 64, 65])
def test_every_item_leads_to_the_commitment_that_the_log_records(count: int) -> None:
    recorded = entries(count)
    pack = bind_pack(recorded, scope="period", size=count)
    files = dict(pack.files("ledger.example", recorded[0]))
    head = json.loads(files["pack.json"])
    assert pack.document()["commitment"] == head["commitment"]
    items = [json.loads(content) for path, content in files.items() if path.startswith("items/")]
    assert [item["name"] for item in items] == [f"entry/{index}" for index in range(count)]
    assert {commitment_by_the_text(head, item) for item in items} == {head["commitment"]}


def test_an_item_with_another_value_leads_elsewhere() -> None:
    recorded = entries(5)
    files = dict(bind_pack(recorded, scope="all", size=5).files("ledger.example", recorded[0]))
    head, item = json.loads(files["pack.json"]), json.loads(files["items/000002.json"])
    item["value"] = item["value"].replace("7", "8") + " "
    assert commitment_by_the_text(head, item) != head["commitment"]


def test_an_empty_selection_makes_no_pack() -> None:
    with pytest.raises(InvalidInput, match="empty"):
        bind_pack([], scope="all", size=1)


@pytest.mark.parametrize("count", [*range(1, 40), 255, 256, 257])
def test_merkletools_builds_the_tree_that_we_build(count: int) -> None:
    pytest.importorskip("merkletools")
    assert bind_pack(entries(count), scope="all", size=count).compared


def test_a_pack_on_which_merkletools_disagrees_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    merkletools = pytest.importorskip("merkletools")
    monkeypatch.setattr(merkletools.MerkleTools, "get_merkle_root", lambda _: "00" * 32)
    with pytest.raises(Corrupt, match="another tree"):
        bind_pack(entries(3), scope="all", size=3)


def test_a_pack_with_one_path_that_merkletools_does_not_have_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    merkletools = pytest.importorskip("merkletools")
    true = merkletools.MerkleTools.get_proof
    monkeypatch.setattr(
        merkletools.MerkleTools, "get_proof", lambda tree, at: true(tree, at) if at != 1 else true(tree, at)[1:]
    )
    with pytest.raises(Corrupt, match="item 1"):
        bind_pack(entries(3), scope="all", size=3)


def test_packs_are_made_without_merkletools_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "merkletools", None)  # as where it is not installed
    recorded = entries(5)
    pack = bind_pack(recorded, scope="all", size=5)
    assert not pack.compared
    head, *items = (json.loads(c) for p, c in pack.files("ledger.example", recorded[0]) if p != "pack.receipt.json")
    assert {commitment_by_the_text(head, item) for item in items} == {head["commitment"]}


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13, 70])
def test_a_chainpoint_export_leads_to_the_root_of_the_signed_checkpoint(count: int) -> None:
    for entry in entries(count):
        node = leaf_hash(entry.leaf)
        operations = chainpoint_proof(entry, node)["branches"][0]["ops"]
        for step in operations[:-1]:
            if "l" in step:
                node = bytes.fromhex(step["l"]) + node
            elif "r" in step:
                node += bytes.fromhex(step["r"])
            else:
                node = hashlib.sha256(node).digest()
        note = operations[-1]["anchors"][0]["checkpoint"]
        assert b64(node) == note.split("\n")[2]
