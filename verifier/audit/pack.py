"""Evidence packs: a selection of entries of which each may be withheld, bound together by the log (docs/spec/packs.md).

The tree over the items is checked here from position and count alone: a proof says nothing about its own shape, so it can
neither shorten nor lengthen itself, take a node for an item, or move an item to another place.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from verifier.audit.histories import Histories
from verifier.audit.receipt import MAX_RECEIPT, Checked, check_receipt
from verifier.bytes import tags
from verifier.bytes.archive import Archive, Unreadable
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
from verifier.crypto.backend import Backend
from verifier.crypto.keys import PublicKey
from verifier.errors import CannotCheck, Code, NotFound, Refuted, located, refuted
from verifier.records.commitment import chain_of
from verifier.records.leaf import text_of
from verifier.rules.findings import Findings
from verifier.rules.participants import LEDGER_CHAIN
from verifier.tlog.policy import PolicyHead
from verifier.tlog.trust import Trust

FORMAT = "consent-ledger-pack/1"
SCOPES = frozenset({"all", "customer", "participant", "period"})
HEAD, ISSUED, ITEMS = "pack.json", "pack.receipt.json", "items/"
MAX_HEAD = 4_096
MAX_ITEM_FILE = 1_000_000
MAX_ITEMS = 2**32 - 1
"""Items of one pack; so a path has at most 32 steps."""

_LEAF_TAG = hashlib.sha256(tags.PACK_LEAF).digest()
_ROOT_TAG = hashlib.sha256(tags.PACK_ROOT).digest()
_ITEM_FILE = re.compile(r"items/([0-9]{6,10})\.json", re.ASCII)
_NAME = re.compile(r"entry/(0|[1-9][0-9]{0,15})", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PackHead:
    """What `pack.json` says. `created` in ms; `size` the log's size when the entries were selected."""

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


@dataclass(slots=True)
class CheckedPack:
    """`witnessed` only if the receipt of the pack and of each item that is present are."""

    head: PackHead
    findings: Findings = field(default_factory=Findings)
    log_head: PolicyHead | None = None
    present: int = 0
    witnessed: bool = True
    left_open: str = ""
    """Why something in it could not be checked: the first reason, in one sentence."""

    @property
    def absent(self) -> int:
        """Items that the pack binds and that were not handed over."""
        return self.head.items_count - self.present


# --- reading ---------------------------------------------------------------------------------------------------


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
    """The leaf of an item, computed from what it says: never taken from anybody."""
    name = item.name.encode("utf-8")
    return hashlib.sha256(
        b"\x00" + _LEAF_TAG + pack_id + item.salt + struct.pack(">I", len(name)) + name
        + struct.pack(">Q", len(item.value)) + item.value
    ).digest()  # fmt: skip


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


def check_pack(
    archive: Archive, trust: Trust, backend: Backend, keys: Mapping[str, PublicKey] | None = None
) -> CheckedPack:
    """Check a pack, or the part of one that was handed on, and collect every defect. `keys` as in `check_receipt`.

    Raises CannotCheck when it is not a pack (no `pack.json`, no receipt, an unknown format), Refuted when
    `pack.json` cannot be read: then nothing can be said of its items.
    """
    with located(file=HEAD):
        checked = CheckedPack(parse_head(_read(archive, HEAD, MAX_HEAD)))
    return _Check(archive, trust, backend, keys, checked).run()


class _Check:
    """One run of `check_pack`. `histories`: what the log signed, as far as the receipts show."""

    def __init__(
        self,
        archive: Archive,
        trust: Trust,
        backend: Backend,
        keys: Mapping[str, PublicKey] | None,
        checked: CheckedPack,
    ) -> None:
        self.archive, self.trust, self.backend, self.keys, self.checked = archive, trust, backend, keys, checked
        self.head, self.findings = checked.head, checked.findings
        self.histories = Histories(trust.policy, checked.findings)
        self.last_index = -1

    def run(self) -> CheckedPack:
        files = self._files()
        try:
            self._check_issued()
        except Refuted as refusal:
            self.findings.refuse(refusal, file=ISSUED)
        for path in files:
            self.checked.present += 1
            try:
                self._check_item(path)
            except Refuted as refusal:
                self.findings.refuse(refusal, file=path)
            except CannotCheck as error:
                self.checked.left_open = self.checked.left_open or f"{path}: {error.sentence}"
        self.histories.finish()
        if self.checked.absent > 0:
            self.findings.unchecked["items withheld from this copy of the pack"] += self.checked.absent
        return self.checked

    def _files(self) -> list[str]:
        """The items' files in the order of their positions."""
        items = []
        for name, sentence in self.archive.oddities():
            self._file(name, sentence)
        for name in self.archive.names():
            if _ITEM_FILE.fullmatch(name):
                items.append(name)
            elif name not in (HEAD, ISSUED):
                self._file(name, "a file that does not belong to a pack")
        return sorted(items, key=lambda name: (len(name), name))

    def _file(self, name: str, sentence: str) -> None:
        self.findings.refuse(refuted(Code.BAD_ENCODING, sentence, found=name, file=name))

    def _check_issued(self) -> None:
        """The log recorded this pack, after the entries it was selected from."""
        head, data = self.head, _read(self.archive, ISSUED, MAX_RECEIPT)
        checked = self._receipt(data, ISSUED)
        leaf = checked.leaf
        if leaf is None:
            return  # its defects are told
        self.checked.log_head = checked.head
        document = leaf.document
        if document is None or document.get("type") != "pack.issued" or leaf.chain != text_of(chain_of(LEDGER_CHAIN)):
            raise refuted(
                Code.BAD_PROOF,
                "the receipt is not of an entry that records a pack",
                index=leaf.number,
                expected="pack.issued in operator:ledger",
                found=leaf.kind,
            )
        check_members(document, {"commitment", "items_count", "scope", "type", "v"})
        get_integer(document, "v", 1, 1)
        said = (
            get_bytes(document, "commitment", 32),
            get_integer(document, "items_count"),
            document["scope"],
            leaf.time,
        )
        wanted = (head.commitment, head.items_count, head.scope, head.created)
        for name, expected, found in zip(("commitment", "items_count", "scope", "created"), said, wanted, strict=True):
            if expected != found:
                raise refuted(
                    Code.BAD_PROOF,
                    "the log recorded another pack",
                    index=leaf.number,
                    field=name,
                    expected=expected,
                    found=found,
                )
        if leaf.number < head.size:
            raise refuted(
                Code.BAD_PROOF,
                "the pack was recorded before its entries were selected",
                field="size",
                index=leaf.number,
                expected=f"at most {leaf.number}",
                found=head.size,
            )
        self.findings.checked["record of the pack in the log"] += 1

    def _check_item(self, path: str) -> None:
        head, item = self.head, parse_item(_read(self.archive, path, MAX_ITEM_FILE))
        if path != f"{ITEMS}{item.position:06d}.json":
            raise refuted(
                Code.BAD_ENCODING,
                "the item lies under another position than its own",
                expected=f"{ITEMS}{item.position:06d}.json",
                found=path,
            )
        verify_item(head, item)
        self.findings.checked["items in the pack's tree"] += 1
        checked = self._receipt(item.value, path)
        if checked.leaf is not None and checked.leaf.number != item.index:
            raise refuted(
                Code.BAD_PROOF,
                "the item's receipt is of another entry than its name says",
                index=checked.leaf.number,
                expected=item.name,
                found=checked.leaf.number,
            )
        if not self.last_index < item.index < head.size:
            raise refuted(
                Code.BAD_PROOF,
                "the item's entry is out of order, or younger than the selection",
                index=item.index,
                expected=f"above {self.last_index}, below {head.size}",
                found=item.index,
            )
        self.last_index = item.index

    def _receipt(self, data: bytes, path: str) -> Checked:
        """A receipt in the pack; its defects are taken over. It must be of the pack's log, and of one history of it."""
        checked = check_receipt(data, self.trust, self.backend, self.keys)
        for defect in checked.findings.defects:
            self.findings.refuse(Refuted(defect), file=path)
        self.findings.checked.update(checked.findings.checked)
        self.findings.unchecked.update(checked.findings.unchecked)
        if checked.facts is not None:
            self.findings.acts[checked.facts.act] += 1
        if checked.leaf is not None:
            self.findings.kinds[checked.leaf.kind] += 1
        self.checked.witnessed &= checked.head is not None and checked.head.witnessed
        if checked.head is None:
            return checked
        checkpoint = checked.head.head.checkpoint
        if checkpoint.origin != self.head.origin:
            raise refuted(
                Code.BAD_PROOF, "a receipt of another log", expected=self.head.origin, found=checkpoint.origin
            )
        self.histories.see_head(checked.head, path)
        if checked.leaf is not None and not checked.findings.count:
            self.histories.see_leaf(checked.leaf, hashlib.sha256(b"\0" + checked.receipt.leaf).digest(), path)
        return checked


def _read(archive: Archive, path: str, limit: int) -> bytes:
    try:
        return archive.read(path, limit)
    except NotFound:
        raise CannotCheck(f"{archive.name} has no {path}: not a pack") from None
    except Unreadable as error:
        raise refuted(Code.BAD_ENCODING, str(error), file=path) from None
