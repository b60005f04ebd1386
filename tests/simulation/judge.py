"""What must hold after a run, by two who do not share code with the ledger's way of writing: an oracle that has kept all that
left a node, and the verifier, on an export of what survived."""

from __future__ import annotations

import contextlib
import hashlib
import io
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, TypeVar

from ledger.bundle import Disclose, export_bundle
from ledger.entries.evidence import AccessOutcome
from ledger.entries.leaf import consent_chain
from ledger.errors import Unavailable
from ledger.planning.commands import Recorded
from ledger.vault.cipher import Cipher
from tests.ledger.merkle.reference import ReferenceTree
from tests.simulation.clients import Statement
from tests.simulation.hub import Hub
from tests.simulation.node import EPOCH, Machine
from verifier.audit.bundle import Auditor, Options
from verifier.bytes.archive import Oddity
from verifier.errors import Code, NotFound
from verifier.tlog.trust import parse_trust

T = TypeVar("T")
LEAD_MS: Final = 31_000
"""The bound on a clock that leads, and a second in which an entry may wait."""


class Shelf:
    """A bundle in memory: what an export writes to, and what the verifier reads from."""

    name = "the export"

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def write(self, path: str, content: bytes) -> None:
        self.files[path] = content

    def write_parts(self, path: str, parts: Iterable[bytes]) -> None:
        self.files[path] = b"".join(parts)

    def read(self, path: str, limit: int) -> bytes:
        if path not in self.files:
            raise NotFound(f"{path} is not in {self.name}")
        assert len(self.files[path]) <= limit
        return self.files[path]

    def open(self, path: str) -> IO[bytes]:
        return io.BytesIO(self.read(path, 2**40))

    def names(self) -> Iterator[str]:
        return iter(sorted(self.files))

    def oddities(self) -> Iterator[Oddity]:
        return iter(())

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Acknowledged:
    """A receipt that somebody got."""

    statement: Statement
    begun: float
    at: float
    recorded: tuple[Recorded, ...]


@dataclass
class Oracle:
    """Remembers what left a node."""

    hub: Hub
    receipts: list[Acknowledged] = field(default_factory=list)
    roots: dict[int, dict[bytes, str]] = field(default_factory=dict)
    """By size: each root that was shown, and where first."""
    erasures: list[str] = field(default_factory=list)

    def acknowledged(self, statement: Statement, recorded: Sequence[Recorded]) -> None:
        """A receipt came back."""
        self.receipts.append(Acknowledged(statement, statement.begun, self.hub.now, tuple(recorded)))
        where = ", ".join(f"{one.index} {hashlib.sha256(one.leaf).hexdigest()[:12]}" for one in recorded)
        self.hub.say(f"= {statement.act} of {statement.consent_id[:8]} at {where}")
        for one in recorded:
            self.shown(one.checkpoint, f"the receipt of entry {one.index}")

    def shown(self, note: str, where: str) -> None:
        """A checkpoint left a node."""
        _, size, root = note.split("\n")[:3]
        known = self.roots.setdefault(int(size), {})
        if root.encode() not in known:
            known[root.encode()] = where
            self.hub.say(f"~ size {size} root {root[:12]} by {where}")

    def erased(self, consent_id: str) -> None:
        """An erasure was acknowledged."""
        self.erasures.append(consent_id)
        self.hub.say(f"= erasure of {consent_id[:8]}")

    # -- judging --------------------------------------------------------------------------------------------------------

    def complaints(self, rows: list[tuple[int, bytes, str | None, bytes | None, int | None]]) -> Iterator[str]:
        """What does not hold, given the entries that survived: (index, leaf, iss, jti, position)."""
        leaves = {index: leaf for index, leaf, *_ in rows}
        for receipt in self.receipts:
            for one in receipt.recorded:
                if leaves.get(one.index) != one.leaf:
                    yield f"LOST: entry {one.index} ({receipt.statement.act}) was acknowledged, and the log has another"
                if one.time > EPOCH + receipt.at * 1000 + LEAD_MS:
                    yield f"CLOCK: entry {one.index} is of {one.time}, which is to come"
        doubled = [key for key, count in Counter(row[2:] for row in rows if row[2] is not None).items() if count > 1]
        if doubled:
            yield f"DOUBLED: {len(doubled)} statements"
        yield from self._roots(leaves)
        yield from self._decisions()

    def _roots(self, leaves: dict[int, bytes]) -> Iterator[str]:
        from base64 import b64encode

        hashes = [hashlib.sha256(b"\0" + leaves[index]).digest() for index in sorted(leaves)]
        tree = ReferenceTree(hashes)
        for size, roots in sorted(self.roots.items()):
            if len(roots) > 1:
                yield f"EQUIVOCATION: roots at {size}: by " + ", and by ".join(roots.values())
            if size > len(leaves) or b64encode(tree.root(size)) not in roots:
                yield f"EQUIVOCATION: what was shown at {size} by {next(iter(roots.values()))} is not of this log"

    def _decisions(self) -> Iterator[str]:
        """An access that was asked for when a revocation was acknowledged is not allowed; nor one after it in the log."""
        revoked: dict[str, tuple[float, int]] = {}
        for receipt in self.receipts:
            if receipt.statement.act == "consent.revoke":
                known = revoked.get(receipt.statement.consent_id, (receipt.at, receipt.recorded[0].index))
                revoked[receipt.statement.consent_id] = min(known, (receipt.at, receipt.recorded[0].index))
        for receipt in self.receipts:
            at, index = revoked.get(receipt.statement.consent_id, (float("inf"), 2**62))
            for one in receipt.recorded:
                allowed = isinstance(one.outcome, AccessOutcome) and one.outcome.decision == "allow"
                if allowed and (receipt.begun > at or one.index > index):
                    yield f"DECISION: entry {one.index} allows an access after the revocation at {index}"


def rows_of(path: Path) -> list[tuple[int, bytes, str | None, bytes | None, int | None]]:
    """The entries of a database."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT idx, leaf, iss, jti, position FROM entries ORDER BY idx").fetchall()


def _patiently(oracle: Oracle, ask: Callable[[], T]) -> T:
    """Ask again when a session from before the last crash was taken from a pool, as any client would."""
    for tries_left in (2, 1, 0):
        try:
            return ask()
        except Unavailable:
            if not tries_left:
                raise
            oracle.hub.pause(1)
    raise AssertionError


def survived(machine: Machine, oracle: Oracle) -> tuple[str, list[str]]:
    """(hash of the export, complaints): by the oracle, and by the verifier. Runs as a task of the machine."""
    ledger = machine.ledger
    assert ledger is not None
    shelf = Shelf()

    def export() -> None:
        export_bundle(ledger.store, ledger.keystore, ledger.vkey, shelf, disclose=Disclose.full(), created=EPOCH)

    def read() -> Mapping[bytes, Cipher]:
        return ledger.keystore.existing(consent_chain(consent_id) for consent_id in oracle.erasures)

    _patiently(oracle, export)
    complaints = list(oracle.complaints(rows_of(machine.cluster.path("log"))))
    readable = _patiently(oracle, read)
    if readable:
        complaints.append(f"ERASURE: {len(readable)} erased chains can be read")
    complaints += verdict(shelf)
    digest = hashlib.sha256(repr(sorted(shelf.files.items())).encode()).hexdigest()
    return digest, complaints


def verdict(shelf: Shelf) -> list[str]:
    """What the verifier finds wrong with an export."""
    trust = parse_trust(shelf.files["policy"])
    with closing(Auditor(shelf, trust, Options(jobs=1))) as auditor:
        audit = auditor.run()
    found = audit.findings
    complaints = [f"VERIFIER: {defect}" for defect in found.defects[:3]]
    if audit.verdict not in (Code.VALID, Code.VALID_UNWITNESSED, Code.ERASED) or found.open:
        complaints.append(f"VERIFIER: {audit.verdict} {found.open}")
    return complaints
