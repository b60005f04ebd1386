"""The parts of an evidence pack: its head, its items, and the path from an item to the head's root (docs/spec/packs.md)."""

from __future__ import annotations

import hashlib
import hmac
import re
import struct
from dataclasses import dataclass

from verifier.audit.receipt import MAX_RECEIPT
from verifier.bytes import tags
from verifier.bytes.encoding import (
    Json,
    Object,
    check_members,
    check_version,
    decode_canonical,
    decode_decimal,
    get_bytes,
    get_integer,
    get_text,
)
from verifier.errors import CannotCheck, Code, refuted

FORMAT = "consent-ledger-pack/1"
SCOPES = frozenset({"all", "customer", "participant", "period"})
HEAD, ISSUED, ITEMS = "pack.json", "pack.receipt.json", "items/"
MAX_HEAD = 4_096
MAX_ITEM_FILE = 1_000_000
MAX_ITEMS = 2**32 - 1
"""Items of one pack; so a path has at most 32 steps."""

_LEAF_TAG = hashlib.sha256(tags.PACK_LEAF).digest()
_ROOT_TAG = hashlib.sha256(tags.PACK_ROOT).digest()
ITEM_FILE = re.compile(r"items/([0-9]{6,10})\.json", re.ASCII)
_NAME = re.compile(r"entry/(0|[1-9][0-9]{0,15})", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PackHead:
    """The members of `pack.json`. `created` in ms; `size` the log's size when the entries were selected."""

    commitment: bytes
    created: int
    items_count: int
    origin: str
    pack_id: bytes
    scope: str
    size: int


@dataclass(frozen=True, slots=True)
class PackItem:
    """One item as read: `value` the bytes of a receipt, `path` the siblings from the item upwards."""

    index: int
    name: str
    path: tuple[tuple[str, bytes], ...]
    position: int
    salt: bytes
    value: bytes


def parse_head(data: bytes) -> PackHead:
    """Read `pack.json`. Raises Refuted(BAD_ENCODING), and CannotCheck for a format that is not known."""
    members = decode_canonical(data, MAX_HEAD)
    check_version(members, "the pack")
    if get_text(members, "format", 64) != FORMAT:
        raise CannotCheck("a pack of a format that this verifier does not know")
    check_members(
        members, {"commitment", "created", "format", "items_count", "origin", "pack_id", "scope", "size", "v"}
    )
    return PackHead(
        get_bytes(members, "commitment", 32),
        get_integer(members, "created"),
        get_integer(members, "items_count", 1, MAX_ITEMS),
        get_text(members, "origin", 255),
        get_bytes(members, "pack_id", 32),
        _scope(members),
        get_integer(members, "size", 1),
    )


def _scope(members: Object) -> str:
    scope = get_text(members, "scope", 16)
    if scope not in SCOPES:
        raise refuted(
            Code.BAD_ENCODING,
            "a scope that packs do not have",
            field="scope",
            expected=", ".join(sorted(SCOPES)),
            found=scope,
        )
    return scope


def parse_item(data: bytes) -> PackItem:
    """Read an item's file; nothing is verified yet. Raises Refuted(BAD_ENCODING)."""
    members = decode_canonical(data, MAX_ITEM_FILE)
    check_members(members, {"name", "path", "position", "salt", "value"})
    name = get_text(members, "name", 22, _NAME)
    return PackItem(
        decode_decimal(name.removeprefix("entry/"), 2**53 - 1),
        name,
        _path(members["path"]),
        get_integer(members, "position", 0, MAX_ITEMS - 1),
        get_bytes(members, "salt", 32),
        get_text(members, "value", MAX_RECEIPT).encode("utf-8"),
    )


def _path(steps: Json) -> tuple[tuple[str, bytes], ...]:
    if not isinstance(steps, list) or len(steps) > 32:
        raise refuted(Code.BAD_ENCODING, "not a path of at most 32 steps", field="path")
    path = []
    for step in steps:
        [(side, sibling)] = step.items() if isinstance(step, dict) and len(step) == 1 else [("", "")]
        if side not in ("left", "right") or not isinstance(sibling, str) or not _HEX.fullmatch(sibling):
            raise refuted(
                Code.BAD_ENCODING,
                "a step of a path is not one sibling of 32 bytes on one side",
                field="path",
                found=step,
            )
        path.append((side, bytes.fromhex(sibling)))
    return tuple(path)


# --- the tree --------------------------------------------------------------------------------------------------


def hash_item(pack_id: bytes, item: PackItem) -> bytes:
    """The leaf of an item, always computed from its contents."""
    name = item.name.encode("utf-8")
    return hashlib.sha256(
        b"\x00"
        + _LEAF_TAG
        + pack_id
        + item.salt
        + struct.pack(">I", len(name))
        + name
        + struct.pack(">Q", len(item.value))
        + item.value
    ).digest()


def sides_of(position: int, count: int) -> list[str]:
    """On which side each sibling of item `position` of `count` stands, the item's own first."""
    sides = []
    while count > 1:
        if position % 2:
            sides.append("left")
        elif position < count - 1:
            sides.append("right")
        position, count = position // 2, (count + 1) // 2
    return sides


def verify_item(head: PackHead, item: PackItem) -> None:
    """The item stands at its position in the tree that `head.commitment` binds; else Refuted(BAD_PROOF)."""
    if not item.position < head.items_count:
        raise refuted(
            Code.BAD_PROOF,
            "the item's position lies outside the pack",
            field="position",
            expected=f"below {head.items_count}",
            found=item.position,
        )
    sides, given = sides_of(item.position, head.items_count), [side for side, _ in item.path]
    if sides != given:
        raise refuted(
            Code.BAD_PROOF,
            "the path has another shape than position and count give",
            field="path",
            expected=" ".join(sides),
            found=" ".join(given),
        )
    node = hash_item(head.pack_id, item)
    for side, sibling in item.path:
        node = hashlib.sha256(b"\x01" + (sibling + node if side == "left" else node + sibling)).digest()
    found = hashlib.sha256(b"\x02" + _ROOT_TAG + struct.pack(">Q", head.items_count) + node).digest()
    if not hmac.compare_digest(found, head.commitment):
        raise refuted(
            Code.BAD_PROOF,
            "the item is not the one that the pack binds",
            field="commitment",
            expected=head.commitment,
            found=found,
        )


# --- a whole pack ----------------------------------------------------------------------------------------------
