"""The legs of accesses, matched once the whole log was read, and the ledger's own reports about them held against that
(docs/spec/reconciliation.md). All of it lies in spools on disk while the log is read; see `spool`.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections import Counter
from hashlib import sha256
from typing import NamedTuple

from verifier.encoding import Object, encode_base64url
from verifier.errors import Code, Defect, Place
from verifier.findings import Findings
from verifier.spool import BUCKETS, Spool
from verifier.tags import FINDINGS

DAY_MS = 86_400_000
ACCESS, RELEASE, RECEIVE = 0, 1, 2
_NAMES = ("access.request", "access.release", "access.receive")
_LEG = struct.Struct(">QBQ12s8sQQ22sQ")
_FOUND = struct.Struct(">QB")
CODES = ("release-missing", "receipt-missing", "rows-differ", "bytes-differ", "digest-differ")
UNREAD = "reconciliation reports over evidence that was withheld, erased or unreadable"
DIFFERENT = "the reconciliation report is not what the entries give"


class Leg(NamedTuple):
    """One leg, which is entry `number`. 72, 64 and 132 bits stand for chain, interaction and digest: equal ones have
    equal bits."""

    basis: int
    kind: int
    number: int
    chain: bytes
    interaction: bytes
    rows: int
    bytes_: int
    digest: bytes
    time: int


class Report(NamedTuple):
    """A `reconciliation.reported`, which is entry `number`; `known`: no evidence that it rests on is missing."""

    number: int
    first: int
    last: int
    accesses: int
    releases: int
    receipts: int
    findings: int
    findings_hash: str
    known: bool


class Legs:
    """`put`, `miss` and `report` while reading; `finish` compares."""

    def __init__(self) -> None:
        self.spool = Spool(_LEG.size)
        self._found = Spool(_FOUND.size)
        self.reports: list[Report] = []
        self.last_missing = -1

    def put(self, basis: int, kind: int, index: int, chain: bytes, content: Object, time: int) -> None:
        """One leg of the access decided at entry `basis`."""
        interaction = sha256(str(content["interaction_id"]).encode()).digest()
        rows, size, digest = (content["rows"], content["bytes"], str(content["digest"])) if kind else (0, 0, "")
        # The record cuts chain, interaction and digest to what `Leg` says of them.
        self.spool.put(
            basis & 0xFF, _LEG.pack(basis, kind, index, chain, interaction, rows, size, digest.encode("ascii"), time)
        )

    def miss(self, index: int) -> None:
        """The evidence of this entry is not there, or cannot be read: a report over it cannot be checked."""
        self.last_missing = index

    def report(self, index: int, document: Object) -> None:
        """A report of the ledger whose form and range were checked."""
        members = {name: value for name, value in document.items() if isinstance(value, int)}
        first = members["from_index"]
        self.reports.append(
            Report(
                index, first, members["to_index"], members["accesses"], members["releases"], members["receipts"],
                members["findings"], str(document["findings_hash"]), self.last_missing < first,
            )
        )  # fmt: skip

    def finish(self, findings: Findings, time: int, unknown: bool) -> None:
        """`time`: the log's last; `unknown`: some entries' evidence is not known."""
        counts: Counter[tuple[int, int]] = Counter()
        ends = [report.last for report in self.reports]
        for records in self.spool.buckets():
            groups: dict[int, list[Leg]] = {}
            for record in records:
                leg = Leg._make(_LEG.unpack(record))
                groups.setdefault(leg.basis, []).append(leg)
            for basis, legs in groups.items():
                access = next((leg for leg in legs if leg.kind == ACCESS), None)
                if access is None or len(legs) > 1:
                    _match(findings, basis, access, legs, time, unknown)
                ordinal = bisect_left(ends, basis) if ends else 0
                if access is not None and ordinal < len(ends) and self.reports[ordinal].first <= basis:
                    self._account(counts, ordinal, access, legs)
        self._compare(findings, counts)

    def _account(self, counts: Counter[tuple[int, int]], ordinal: int, access: Leg, legs: list[Leg]) -> None:
        """What the report of this ordinal had to say about this access."""
        end = self.reports[ordinal].number
        place = (access.chain, access.interaction)
        sides: dict[int, Leg] = {}
        for leg in legs:
            if leg.kind != ACCESS and access.number < leg.number < end and (leg.chain, leg.interaction) == place:
                sides.setdefault(leg.kind, leg)
        counts.update([(ordinal, ACCESS), *((ordinal, kind) for kind in sides)])
        release, receipt = sides.get(RELEASE), sides.get(RECEIVE)
        if release is not None and receipt is not None:
            differ = release.rows != receipt.rows, release.bytes_ != receipt.bytes_, release.digest != receipt.digest
            codes = [code for code, differs in enumerate(differ, 2) if differs]
        else:
            codes = [0] * (release is None and receipt is not None) + [1] * (receipt is None and release is not None)
        # Findings are hashed in the order of the log: a bucket holds a stretch of it.
        bucket = access.number * BUCKETS // (self.reports[-1].last + 1)
        for code in codes:
            self._found.put(bucket, _FOUND.pack(access.number, code))

    def _compare(self, findings: Findings, counts: Counter[tuple[int, int]]) -> None:
        ends = [report.last for report in self.reports]
        ordinals: Counter[int] = Counter()
        hashes = [sha256(FINDINGS) for _ in ends]
        for records in self._found.buckets():
            for record in sorted(records):
                index, code = _FOUND.unpack(record)
                ordinal = bisect_left(ends, index)
                ordinals[ordinal] += 1
                hashes[ordinal].update(b'{"access":%d,"finding":"%b"}\n' % (index, CODES[code].encode()))
        for ordinal, report in enumerate(self.reports):
            if not report.known:
                findings.unchecked[UNREAD] += 1
                continue
            findings.checked["reconciliation reports"] += 1
            wanted = {
                "accesses": counts[ordinal, ACCESS],
                "releases": counts[ordinal, RELEASE],
                "receipts": counts[ordinal, RECEIVE],
                "findings": ordinals[ordinal],
                "findings_hash": encode_base64url(hashes[ordinal].digest()),
            }
            told = report._asdict()
            names = [name for name, value in wanted.items() if told[name] != value]
            if names:
                expected, found = (", ".join(f"{name} {side[name]}" for name in names) for side in (wanted, told))
                findings.add(Defect(Code.UNMATCHED, DIFFERENT, Place(report.number, field="document"), expected, found))

    def close(self) -> None:
        """Give the temporary files back."""
        self.spool.close()
        self._found.close()


def _match(findings: Findings, basis: int, access: Leg | None, legs: list[Leg], time: int, unknown: bool) -> None:
    """The legs that name entry `basis`: each belongs to an allowed access, once, with the figures of the other side."""
    seen: dict[int, Leg] = {}
    for leg in legs:
        name = _NAMES[leg.kind]
        if leg.kind == ACCESS:
            continue
        if access is None and unknown:
            findings.unchecked["legs of accesses that may be withheld"] += 1
            continue
        if access is None or (leg.chain, leg.interaction) != (access.chain, access.interaction) or leg.number <= basis:
            sentence = f"{name} without an allowed access of this consent and interaction"
            findings.add(_unmatched(leg.number, sentence, f"an allowed access at entry {basis}", "none"))
            continue
        if leg.kind in seen:
            found = f"entries {seen[leg.kind].number} and {leg.number}"
            findings.add(_unmatched(leg.number, f"a second {name} for one access", "one", found))
        other = seen.get(3 - leg.kind)
        if other is not None and other[5:8] != leg[5:8]:
            sentence = "release and receipt differ in rows, bytes or digest"
            findings.add(_unmatched(leg.number, sentence, f"the figures of entry {other.number}", "others"))
        seen.setdefault(leg.kind, leg)
        findings.checked["legs of accesses"] += 1
    if len(seen) == 1:
        [leg] = seen.values()
        if time - leg.time > DAY_MS:
            other_name = _NAMES[3 - leg.kind]
            sentence = f"{_NAMES[leg.kind]} without {other_name} within 24 hours"
            findings.notice(_unmatched(leg.number, sentence, other_name, "none"))


def _unmatched(index: int, sentence: str, expected: str, found: str) -> Defect:
    return Defect(Code.UNMATCHED, sentence, Place(index), expected, found)
