"""The three legs of an access, compared (docs/spec/reconciliation.md). Pure: entries come in, a report comes out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from ledger.canonical import b64u, encode
from ledger.documents import ReconciliationReported, document_of
from ledger.errors import InvalidInput
from ledger.tags import FINDINGS

CODES: Final = ("release-missing", "receipt-missing", "rows-differ", "bytes-differ", "digest-differ", "mask-skipped")
"""What can be found, in the order of the specification; the last from ruleset 3 on."""

DELAY_MS: Final = 3_600_000
"""How long both sides have to record their legs before an access is looked at."""

LegKind = Literal["access.release", "access.receive"]


class Place(NamedTuple):
    """What ties a leg to its access."""

    consent: bytes
    """The consent's chain."""
    interaction_id: str


class LegFigures(NamedTuple):
    """What a leg says of the answer."""

    rows: int
    bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class Leg:
    """A recorded release or receipt."""

    index: int
    kind: LegKind
    basis: int
    place: Place
    figures: LegFigures
    masks: tuple[str, ...] | None = None
    """Those that were applied, where a release says so."""


class Finding(NamedTuple):
    """One thing that does not fit: the access's index and one of CODES."""

    access: int
    code: str


class ReconciliationReport(NamedTuple):
    """What was found among the accesses `from_index` … `to_index`."""

    from_index: int
    to_index: int
    accesses: int
    releases: int
    receipts: int
    findings: tuple[Finding, ...]

    def document(self) -> dict[str, Any]:
        """The operator document `reconciliation.reported`."""
        return document_of(
            ReconciliationReported,
            from_index=self.from_index,
            to_index=self.to_index,
            accesses=self.accesses,
            releases=self.releases,
            receipts=self.receipts,
            findings=len(self.findings),
            findings_hash=findings_hash(self.findings),
        )


def findings_hash(findings: tuple[Finding, ...]) -> str:
    """b64u of the hash that a report commits its findings with."""
    digest = hashlib.sha256(FINDINGS)
    for finding in findings:
        digest.update(encode({"access": finding.access, "finding": finding.code}) + b"\n")
    return b64u(digest.digest())


class Comparison:
    """Takes allowed accesses and legs in order of their indexes, and reports on any range that begins at `first`."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.late: list[Leg] = []
        """Legs of accesses below `first`, which an earlier report may have missed."""
        self._accesses: dict[int, Place] = {}
        self._legs: dict[LegKind, dict[int, LegFigures]] = {"access.release": {}, "access.receive": {}}
        self._masks: dict[int, frozenset[str]] = {}
        """What must be masked, by access: only where a release may have to be held against it."""
        self._skipped: set[int] = set()

    def allowed(self, index: int, place: Place, masks: tuple[str, ...] = ()) -> None:
        """An access that was allowed, with the masks that its release must have applied."""
        self._accesses[index] = place
        if masks:
            self._masks[index] = frozenset(masks)

    def leg(self, leg: Leg) -> None:
        """A release or receipt. One without an access of that place is a defect of the log, not a finding."""
        if leg.basis < self.first:
            self.late.append(leg)
        elif self._accesses.get(leg.basis) == leg.place:
            if leg.kind == "access.release" and leg.basis not in self._legs[leg.kind]:
                owed = self._masks.pop(leg.basis, frozenset())
                if leg.masks is not None and not owed <= {*leg.masks}:
                    self._skipped.add(leg.basis)
            self._legs[leg.kind].setdefault(leg.basis, leg.figures)

    def report(self, to_index: int, *, masks: bool = False) -> ReconciliationReport:
        """The report on the accesses up to `to_index`; `masks`: also of those that were skipped (ruleset 3).

        Raises InvalidInput for an empty range.
        """
        if to_index < self.first:
            raise InvalidInput(f"there is nothing to reconcile: the range would be {self.first} to {to_index}")
        releases, receipts = self._legs["access.release"], self._legs["access.receive"]
        covered = [index for index in self._accesses if index <= to_index]
        findings = (
            Finding(index, code)
            for index in covered
            for code in (
                *_compare(releases.get(index), receipts.get(index)),
                *(("mask-skipped",) if masks and index in self._skipped else ()),
            )
        )
        return ReconciliationReport(
            self.first,
            to_index,
            len(covered),
            sum(index in releases for index in covered),
            sum(index in receipts for index in covered),
            tuple(findings),
        )


def _compare(release: LegFigures | None, receipt: LegFigures | None) -> Iterator[str]:
    if release is None or receipt is None:
        if receipt is not None:
            yield "release-missing"
        if release is not None:
            yield "receipt-missing"
        return
    for code, given, got in zip(CODES[2:5], release, receipt, strict=True):
        if given != got:
            yield code
