"""`compare`: do several files show one and the same log? (docs/spec/receipts.md, «Several files of one log»)

Receipts, checkpoints, completeness files, `.tlog-proof` files, bundles. Each is verified by itself; then they are
compared with each other. Where a bundle is among them, its tiles say whether every smaller tree and every leaf is one
of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from verifier.audit.completeness import check_completeness
from verifier.audit.histories import Histories
from verifier.audit.receipt import check_receipt
from verifier.audit.succession import BundleTiles, verify_head
from verifier.bytes.archive import Archive, Unreadable, open_archive
from verifier.bytes.encoding import decode_json
from verifier.crypto.backend import Backend
from verifier.errors import CannotCheck, Code, NotFound, Refuted, refuted
from verifier.records.leaf import Leaf
from verifier.rules.findings import Findings
from verifier.tlog.note import MAX_NOTE
from verifier.tlog.policy import PolicyHead
from verifier.tlog.proof import HEADER, parse_proof
from verifier.tlog.tiles import TileReader
from verifier.tlog.trust import Trust

MAX_FILE = 4_000_000
UNCONNECTED = "checkpoints of different sizes that no bundle among the files connects"


@dataclass(slots=True)
class Compared:
    """What the files showed: `heads` by file; `witnessed` if every one of them meets the quorum."""

    findings: Findings
    heads: dict[str, PolicyHead] = field(default_factory=dict)

    @property
    def witnessed(self) -> bool:
        """Whether the policy's quorum is met by all."""
        return bool(self.heads) and all(head.witnessed for head in self.heads.values())


class Comparison:
    """`add` the files, then `finish`. `Compared.findings` hold the contradictions."""

    def __init__(self, trust: Trust, backend: Backend) -> None:
        self._trust, self._backend = trust, backend
        self.compared = Compared(Findings())
        self._histories = Histories(trust.policy, self.compared.findings)
        self._readers: dict[str, TileReader] = {}
        self._leaves: list[tuple[str, Leaf, bytes]] = []
        self._archives: list[Archive] = []

    def add_bundle(self, place: Path) -> None:
        """A bundle: its checkpoint, and its tiles as far as they are asked for. Raises CannotCheck."""
        archive = open_archive(place)
        self._archives.append(archive)
        try:
            note = archive.read("checkpoint", MAX_NOTE)
            head, self._trust = verify_head(archive, note, self._trust, self._backend)
            self._head(str(place), head)
            self._readers[str(place)] = TileReader(BundleTiles(archive), head.head.size, head.head.root)
        except Refuted as refusal:
            self.compared.findings.refuse(refusal, file=str(place))
        except (NotFound, Unreadable) as error:
            raise CannotCheck(f"{place}: {error}") from None

    def add(self, path: str, data: bytes) -> None:
        """A receipt, completeness file, proof or checkpoint; its first bytes tell which. Raises CannotCheck."""
        try:
            if data.startswith(HEADER.encode()):
                self._head(path, self._trust.verify(parse_proof(data).checkpoint, self._backend))
            elif data.lstrip(b" \t\r\n").startswith(b"{"):
                self._object(path, data)
            else:
                self._head(path, self._trust.verify(data, self._backend))
        except Refuted as refusal:
            self.compared.findings.refuse(refusal, file=path)

    def _object(self, path: str, data: bytes) -> None:
        members = decode_json(data, MAX_FILE)
        if "index_head" in members:
            complete = check_completeness(data, self._trust, self._backend)
            head, leaf, defects = complete.head, complete.index_head, complete.findings.defects
            shown = decode_json(str(members["index_head"]).encode("utf-8"), MAX_FILE)["leaf"]
            raw = sha256(b"\0" + str(shown).encode("utf-8")).digest()
        else:
            checked = check_receipt(data, self._trust, self._backend, None)
            head, leaf, defects = checked.head, checked.leaf, checked.findings.defects
            raw = sha256(b"\0" + checked.receipt.leaf).digest()
        for defect in defects:
            self.compared.findings.refuse(Refuted(defect), file=path)
        if head is not None:
            self._head(path, head)
        if head is not None and leaf is not None and not defects:
            self._histories.see_leaf(leaf, raw, path)
            self._leaves.append((path, leaf, raw))

    def _head(self, path: str, head: PolicyHead) -> None:
        origins = {known.head.checkpoint.origin for known in self.compared.heads.values()}
        if origins and head.head.checkpoint.origin not in origins:
            raise CannotCheck(f"{path} is of another log, {head.head.checkpoint.origin}: nothing can be compared")
        self.compared.heads[path] = head
        self._histories.see_head(head, path)
        self.compared.findings.checked["checkpoint signatures"] += len(head.head.log) + len(head.head.cosignatures)

    @property
    def newest(self) -> int:
        """The newest time (ms) that an entry names; 0 if no file shows one."""
        return max((leaf.time for _, leaf, _ in self._leaves), default=0)

    def finish(self) -> Compared:
        """Compare all with all."""
        self._histories.finish()
        for place, reader in self._readers.items():
            for path, head in self.compared.heads.items():
                if path != place and head.head.size <= reader.size:
                    with self._told(path):
                        self._tree(head, reader)
            for path, leaf, raw in self._leaves:
                if leaf.number < reader.size:
                    with self._told(path):
                        self._leaf(leaf, raw, reader)
        largest = max((reader.size for reader in self._readers.values()), default=0)
        apart = len({head.head.size for head in self.compared.heads.values() if head.head.size > largest})
        if apart > (0 if self._readers else 1):
            self.compared.findings.unchecked[UNCONNECTED] += apart if self._readers else apart - 1
        return self.compared

    def close(self) -> None:
        """Close the bundles."""
        for archive in self._archives:
            archive.close()

    @contextmanager
    def _told(self, path: str) -> Iterator[None]:
        try:
            yield
        except Refuted as refusal:
            self.compared.findings.refuse(refusal, file=path)

    def _tree(self, head: PolicyHead, reader: TileReader) -> None:
        found = reader.range_root(0, head.head.size)
        self.compared.findings.checked["smaller trees within the bundle"] += 1
        if found != head.head.root:
            sentence = "the log signed two histories: this tree does not begin the other one"
            raise refuted(Code.EQUIVOCATION, sentence, expected=found, found=head.head.root)

    def _leaf(self, leaf: Leaf, raw: bytes, reader: TileReader) -> None:
        found = reader.leaf(leaf.number)
        self.compared.findings.checked["entries within the bundle"] += 1
        if found != raw:
            sentence = "the log has two different entries of one index"
            raise refuted(Code.EQUIVOCATION, sentence, index=leaf.number, expected=found, found=raw)
