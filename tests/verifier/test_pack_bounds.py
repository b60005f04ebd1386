"""Packs at their bounds: heads, items, paths and the order of what the log recorded."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.verifier.forge import ORIGIN, b64u, encode
from tests.verifier.making import accepts, refusal
from tests.verifier.packing import commitment_of, item_hash, path_of, rows_of
from verifier.audit.pack_items import PackHead, PackItem, hash_item, parse_head, parse_item, sides_of, verify_item
from verifier.errors import CannotCheck, Code, Refuted


def head(**changes: Any) -> bytes:
    members = {
        "commitment": b64u(bytes(32)),
        "created": 1,
        "format": "consent-ledger-pack/1",
        "items_count": 1,
        "origin": ORIGIN,
        "pack_id": b64u(bytes(32)),
        "scope": "all",
        "size": 1,
        "v": 1,
    }
    return encode({name: value for name, value in {**members, **changes}.items() if value is not None})


def item(**changes: Any) -> bytes:
    return encode({"name": "entry/7", "path": [], "position": 0, "salt": b64u(bytes(32)), "value": "x", **changes})


STEP = {"left": "00" * 32}


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ({"created": 0}, {"created": -1}),
        ({"items_count": 1}, {"items_count": 0}),
        ({"items_count": 2**32 - 1}, {"items_count": 2**32}),
        ({"origin": "x" * 255}, {"origin": "x" * 256}),
        ({"size": 1}, {"size": 0}),
        ({"scope": "customer"}, {"scope": "customers"}),
        ({"scope": "participant"}, {"scope": "x" * 16}),
        ({"scope": "period"}, {"scope": "x" * 17}),
        ({"v": 1}, {"v": 0}),
        ({}, {"commitment": b64u(bytes(31))}),
        ({}, {"commitment": b64u(bytes(33))}),
        ({}, {"pack_id": b64u(bytes(31))}),
        ({}, {"pack_id": b64u(bytes(33))}),
        ({}, {"format": "x" * 65}),
        ({}, {"size": None}),
    ],
)
def test_the_head_of_a_pack_is_bounded(good: dict[str, Any], bad: dict[str, Any]) -> None:
    parse_head(head(**good))
    with refusal(Code.BAD_ENCODING):
        parse_head(head(**bad))


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ({"name": "entry/0"}, {"name": "entry/00"}),
        ({"name": f"entry/{2**53 - 1}"}, {"name": f"entry/{2**53}"}),
        ({}, {"name": "entry/12345678901234567"}),
        ({"path": [STEP] * 32}, {"path": [STEP] * 33}),
        ({"path": [{"right": "ff" * 32}]}, {"path": [{"middle": "ff" * 32}]}),
        ({}, {"path": [{"left": 1}]}),
        ({}, {"path": ["left"]}),
        ({}, {"path": ["l"]}),
        ({}, {"path": 7}),
        ({}, {"path": {"left": "00" * 32}}),
        ({}, {"path": [{"left": "00" * 31}]}),
        ({"position": 2**32 - 2}, {"position": 2**32 - 1}),
        ({}, {"position": -1}),
        ({}, {"salt": b64u(bytes(33))}),
        ({}, {"value": ""}),
        ({"value": "x" * (1_000_000 - len(item()) + 1)}, {"value": "x" * (1_000_000 - len(item()) + 2)}),
    ],
)
def test_an_item_of_a_pack_is_bounded(good: dict[str, Any], bad: dict[str, Any]) -> None:
    parse_item(item(**good))
    with refusal(Code.BAD_ENCODING):
        parse_item(item(**bad))


def test_a_format_that_is_not_known_is_not_judged() -> None:
    with pytest.raises(CannotCheck):
        parse_head(head(format="x" * 64))
    with pytest.raises(CannotCheck, match="version 2"):
        parse_head(head(v=2))


def test_a_head_has_at_most_4_096_bytes() -> None:
    for length, told in ((4_096, "members are missing or unknown"), (4_097, "too long")):
        with pytest.raises(Refuted, match=told):
            parse_head(head(x="x" * (length - len(head(x="")))))


@pytest.mark.parametrize("count", range(1, 18))
def test_every_item_of_a_small_pack_stands_at_its_place_only(count: int) -> None:
    pack_id = bytes(32)
    items = [PackItem(at, f"entry/{at}", (), at, bytes([at] * 32), b"value") for at in range(count)]
    hashes = [hash_item(pack_id, one) for one in items]
    assert hashes == [item_hash(pack_id, one.salt, one.name, "value") for one in items]
    rows = rows_of(hashes)
    known = PackHead(commitment_of(count, rows[-1][0]), 1, count, ORIGIN, pack_id, "all", 1)
    for one in items:
        path = [*(next(iter(step.items())) for step in path_of(one.position, rows))]
        siblings = tuple((side, bytes.fromhex(sibling)) for side, sibling in path)
        assert sides_of(one.position, count) == [side for side, _ in path]
        for position in range(count + 2):
            shown = PackItem(one.index, one.name, siblings, position, one.salt, one.value)
            assert accepts(verify_item, known, shown) is (position == one.position)
    with pytest.raises(Refuted, match="outside the pack"):
        verify_item(known, PackItem(0, "entry/0", (), count, bytes(32), b"value"))


def test_an_item_is_hashed_with_the_lengths_of_its_name_and_value() -> None:
    tag = hashlib.sha256(b"consent-ledger/v1/pack-leaf\0").digest()
    said = b"\0" + tag + b"p" * 32 + b"s" * 32 + b"\0\0\0\7entry/7" + b"\0" * 7 + b"\1x"
    one = PackItem(7, "entry/7", (), 0, b"s" * 32, b"x")
    assert hash_item(b"p" * 32, one) == hashlib.sha256(said).digest()
