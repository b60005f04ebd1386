"""Evidence packs: a selection of entries of which each may be withheld, bound together by the log (docs/spec/packs.md).

The tree over the items is checked here from position and count alone: a proof says nothing about its own shape, so it can
neither shorten nor lengthen itself, take a node for an item, or move an item to another place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from verifier.audit.histories import Histories
from verifier.audit.pack_items import (
    HEAD,
    ISSUED,
    ITEM_FILE,
    ITEMS,
    MAX_HEAD,
    MAX_ITEM_FILE,
    PackHead,
    parse_head,
    parse_item,
    verify_item,
)
from verifier.audit.receipt import MAX_RECEIPT, Checked, check_receipt
from verifier.bytes.archive import Archive, Unreadable
from verifier.bytes.encoding import (
    check_members,
    get_bytes,
    get_integer,
)
from verifier.crypto.backend import Backend
from verifier.crypto.keys import PublicKey
from verifier.errors import CannotCheck, Code, NotFound, Refuted, located, refuted
from verifier.records.commitment import chain_of
from verifier.records.facts import Facts
from verifier.records.history_acts import SHEET, number, rows_of
from verifier.records.leaf import text_of
from verifier.rules.findings import Findings
from verifier.rules.histories import Attested, attested_in, check_within
from verifier.rules.participants import LEDGER_CHAIN
from verifier.rules.sheets import NO_HISTORY
from verifier.tlog.policy import PolicyHead
from verifier.tlog.trust import Trust


@dataclass(slots=True)
class CheckedPack:
    """`witnessed` only if the receipt of the pack and of each item that is present are."""

    head: PackHead
    findings: Findings = field(default_factory=Findings)
    log_head: PolicyHead | None = None
    present: int = 0
    witnessed: bool = True
    left_open: str = ""
    """The first reason why something in it could not be checked, in one sentence."""
    attested: int = 0
    """Rows of attested history, which are their holder's word."""

    @property
    def absent(self) -> int:
        """Items that the pack binds and that were not handed over."""
        return self.head.items_count - self.present


# --- reading ---------------------------------------------------------------------------------------------------


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
        self.attests: dict[int, Attested] = {}
        """The histories among the items, which stand before their sheets."""

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
            if ITEM_FILE.fullmatch(name):
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
        if checked.facts is not None:
            self._hold_to_history(item.index, checked.facts)

    def _hold_to_history(self, index: int, facts: Facts) -> None:
        """A sheet of attested history, held against its `history.attest` where the pack has that (docs/spec/history.md, 6)."""
        if facts.act == "history.attest":
            self.attests[index] = attested_in(facts.content, facts.party, index)
        elif facts.act == SHEET:
            sheet = facts.content["sheet"]
            self.checked.attested += len(rows_of(sheet)) if isinstance(sheet, dict) else 0
            attested = self.attests.get(number(facts.content["history"]))
            if attested is None or attested.party != facts.party:
                self.findings.unchecked[NO_HISTORY] += 1
                return
            with located(index=index):
                check_within(attested, facts)
            self.findings.checked["sheets of attested histories"] += 1

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
