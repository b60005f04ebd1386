"""Matches the legs of accesses once the whole log was read, and compares the ledger's own reports with the result
(docs/spec/reconciliation.md; verdicts.md, step 9). All of it lies in spools on disk while the log is read; see `spool`.

An impossible leg is a defect of the ledger, which had to refuse it. Where two participants differ, or one of them says
nothing, that is a finding about them: the log records truly what each said.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from verifier.bytes.encoding import Json, Object, encode_base64url
from verifier.bytes.tags import FINDINGS
from verifier.errors import Code, Defect, Place
from verifier.rules.catalogue import CATALOGUES
from verifier.rules.deferred import BUCKETS, Spool
from verifier.rules.findings import Findings
from verifier.rules.tariffs import name_of, resources_of

DAY_MS = 86_400_000
ACCESS, RELEASE, RECEIVE, UNREAD_BODY, UNREAD_LEAF = range(5)
_NAMES = ("access.request", "access.release", "access.receive")
_LEG = struct.Struct(">QBQ12s8sQQ22sQIHQ")
_GAP = struct.Struct(">12sQ")
_SILENT = struct.Struct(">12sQBQI")
_FOUND = struct.Struct(">QBQ")
CODES = ("release-missing", "receipt-missing", "rows-differ", "bytes-differ", "digest-differ", "mask-skipped")
UNREAD = "reconciliation reports over evidence that was withheld, erased or unreadable"
MAY_BE_UNREAD = "legs of accesses that may be withheld"
MAY_BE_SILENT = "legs without the other side's, which may stand in an entry that could not be read"
NO_CHAIN = bytes(12)
MASKS = tuple(sorted(CATALOGUES[3].masks))
TOLD = 1 << 15
"""The masks were told."""
SKIPPED = "the release lacks a mask that the decision asks for"
DIFFER = "release and receipt differ in rows, bytes or digest"
DIFFERENT = "the reconciliation report is not what the entries give"


Given = Callable[["Leg | None", "Leg"], None]
"""Takes an allowed access (None: it may be one, but cannot be read) and its first release."""


class Leg(NamedTuple):
    """One leg, which is entry `number`. 72, 64 and 132 bits stand for chain, interaction and digest: equal ones have
    equal bits. An entry that could not be read stands here as if it were a leg of itself, so that whatever rests on it is
    found beside it; of an unreadable leaf nobody knows the chain. `party`: a number of `Legs.parties`. `masks`: those
    that the decision asks for, or that were applied, a bit each. `parties`: those of the consent, the upper 32 bits the holder,
    the lower ones the recipient, as places in `Legs.parties` plus 1; 0 if nobody knows them. Of an access `rows`, `bytes_` and
    `digest` are what `Deal` says of it."""

    basis: int
    kind: int
    number: int
    chain: bytes
    interaction: bytes
    rows: int
    bytes_: int
    digest: bytes
    time: int
    party: int
    masks: int
    parties: int


class Deal(NamedTuple):
    """What an access is about: resources as `tariffs.resources_of` gives them; `kind`: one byte, 1 with the customer present,
    and the purpose's name."""

    resources: int
    kind: bytes
    masks: int


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
    """`put`, `miss`, `lose` and `report` while reading; `finish` compares."""

    def __init__(self) -> None:
        self.spool = Spool(_LEG.size)
        self.gaps = Spool(_GAP.size)
        self._silent = Spool(_SILENT.size)
        self.given: Given | None = None
        self.parted: set[int] = set()
        """The reports whose findings are wanted by participant."""
        self._parted: dict[int, Counter[int]] = {}
        self._found = Spool(_FOUND.size)
        self.reports: list[Report] = []
        self.parties: list[str] = []
        self.last_missing = self.last_lost = -1
        self._numbers: dict[str, int] = {}

    def put(
        self,
        basis: int,
        kind: int,
        index: int,
        chain: bytes,
        content: Object,
        time: int,
        party: str,
        parties: int,
    ) -> None:
        """A release or a receipt of the access decided at entry `basis`, which `party` tells."""
        told = content["rows"], content["bytes"], str(content["digest"]).encode("ascii")
        masks = _bits(content["masks"]) | TOLD if "masks" in content else 0
        self._put((basis, kind, index, chain), content, told, (time, self.number(party), masks, parties))

    def allow(self, index: int, chain: bytes, content: Object, time: int, party: str, deal: Deal, parties: int) -> None:
        """An access that was allowed at entry `index`; `party` asked for it."""
        figures = 0, deal.resources, deal.kind
        self._put((index, ACCESS, index, chain), content, figures, (time, self.number(party), deal.masks, parties))

    def _put(
        self, place: tuple[object, ...], content: Object, figures: tuple[object, ...], rest: tuple[object, ...]
    ) -> None:
        interaction = sha256(str(content["interaction_id"]).encode()).digest()
        # The record cuts chain, interaction and digest to what `Leg` says of them.
        record = _LEG.pack(*place, interaction, *figures, *rest)
        self.spool.put(record[7], record)

    def between(self, holder: str, recipient: str) -> int:
        """`parties` of a leg."""
        return self.number(holder) + 1 << 32 | self.number(recipient) + 1

    @staticmethod
    def deal(content: Object, obligations: Json) -> Deal:
        """The deal of an access. `obligations`: of its decision."""
        asked = content["permissions"]
        resources = resources_of(tuple(map(str, asked))) if isinstance(asked, list) else 0
        kind = bytes([bool(content["customer_present"])]) + name_of(str(content["purpose"]))
        masks = obligations.get("masks", []) if isinstance(obligations, dict) else []
        return Deal(resources, kind, _bits(masks))

    def number(self, party: str) -> int:
        """The participant's place in `parties`."""
        number = self._numbers.get(party)
        if number is None:
            if len(self._numbers) < len(self.parties):  # taken up from an earlier run
                self._numbers = {name: at for at, name in enumerate(self.parties)}
                return self.number(party)
            number = self._numbers[party] = len(self.parties)
            self.parties.append(party)
        return number

    def miss(self, chain: bytes, index: int) -> None:
        """The evidence of this entry of a consent is missing or cannot be read."""
        self._unread(index, UNREAD_BODY, chain)
        self.gaps.put(chain[0], _GAP.pack(chain, index))

    def lose(self, index: int) -> None:
        """This entry cannot be read, its chain neither."""
        self._unread(index, UNREAD_LEAF, b"")
        self.last_lost = index

    def _unread(self, index: int, kind: int, chain: bytes) -> None:
        self.last_missing = index
        self.spool.put(index & 0xFF, _LEG.pack(index, kind, index, chain, b"", 0, 0, b"", 0, 0, 0, 0))

    def report(self, index: int, document: Object) -> None:
        """A report of the ledger whose form and range were checked."""
        members = {name: value for name, value in document.items() if isinstance(value, int)}
        first = members["from_index"]
        self.reports.append(
            Report(
                index,
                first,
                members["to_index"],
                members["accesses"],
                members["releases"],
                members["receipts"],
                members["findings"],
                str(document["findings_hash"]),
                self.last_missing < first,
            )
        )

    def finish(self, findings: Findings, time: int) -> None:
        """`time`: the log's last."""
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
                    self._match(findings, basis, access, legs, time)
                ordinal = bisect_left(ends, basis) if ends else 0
                if access is not None and ordinal < len(ends) and self.reports[ordinal].first <= basis:
                    self._account(counts, ordinal, access, legs)
                if self.given is not None and len(legs) > 1:
                    self._give(access, legs)
        self._compare(findings, counts)
        self._tell_silent(findings)

    def _give(self, access: Leg | None, legs: list[Leg]) -> None:
        """The first release of the access, if there is one: what a holder may bill."""
        for leg in legs:
            if leg.kind != RELEASE or self.given is None:
                continue
            if access is None:
                if any(_may_be(other, leg) for other in legs if other.kind in (UNREAD_BODY, UNREAD_LEAF)):
                    self.given(None, leg)
            elif (leg.chain, leg.interaction) == (access.chain, access.interaction) and leg.number > access.number:
                self.given(access, leg)
                return

    def _match(self, findings: Findings, basis: int, access: Leg | None, legs: list[Leg], time: int) -> None:
        """The legs that name entry `basis`: each belongs to an allowed access, once; then what both sides say."""
        unread = next((leg for leg in legs if leg.kind in (UNREAD_BODY, UNREAD_LEAF)), None)
        seen: dict[tuple[bytes, int], Leg] = {}
        for leg in legs:
            if leg.kind not in (RELEASE, RECEIVE):
                continue
            name = _NAMES[leg.kind]
            # Step 9.3. What is not known is what entry `basis` itself would say, and only if it can be of this consent.
            if access is None and _may_be(unread, leg):
                findings.unchecked[MAY_BE_UNREAD] += 1
            elif access is None or leg.chain != access.chain or leg.number <= basis:
                sentence = f"{name} without an allowed access of this consent and interaction"
                findings.add(_unmatched(leg.number, sentence, f"an allowed access at entry {basis}", "none"))
                continue
            elif leg.interaction != access.interaction:
                sentence = f"{name} names another interaction than its access"
                findings.add(_unmatched(leg.number, sentence, f"the interaction of entry {basis}", "another"))
                continue
            else:
                findings.checked["legs of accesses"] += 1
            first = seen.setdefault((leg.interaction, leg.kind), leg)
            if first is not leg:  # Step 9.4.
                found = f"entries {first.number} and {leg.number}"
                findings.add(_unmatched(leg.number, f"a second {name} for one access", "one", found))
        for (interaction, kind), leg in seen.items():
            if kind == RELEASE and access is not None and _skipped(access, leg):
                self._tell_skipped(findings, access, leg)
            other = seen.get((interaction, RECEIVE if kind == RELEASE else RELEASE))
            if other is None:
                if time - leg.time > DAY_MS:
                    record = _SILENT.pack(leg.chain, basis, leg.kind, leg.number, leg.party)
                    self._silent.put(leg.chain[0], record)
            elif kind == RELEASE and other[5:8] != leg[5:8]:
                self._tell_difference(findings, leg, other)

    def _tell_difference(self, findings: Findings, release: Leg, receipt: Leg) -> None:
        """Step 9.5: a finding about two participants."""
        names = [name for name, at in (("rows", 5), ("bytes", 6), ("digest", 7)) if release[at] != receipt[at]]
        place = Place(max(release.number, receipt.number), field=", ".join(names))
        sides = (
            f"{self.parties[leg.party]} (entry {leg.number}): rows {leg.rows}, bytes {leg.bytes_}"
            + f", digest {leg.digest.decode('ascii', 'replace')}…" * ("digest" in names)
            for leg in (release, receipt)
        )
        findings.dispute(Defect(Code.DISPUTED, DIFFER, place, *sides))

    def _tell_skipped(self, findings: Findings, access: Leg, release: Leg) -> None:
        """Step 9.5: a finding about the holder."""
        left = ", ".join(_spelled(_skipped(access, release)))
        told = f"{self.parties[release.party]} (entry {release.number}): without {left}"
        asked = f"masks {', '.join(_spelled(access.masks))}"
        findings.dispute(Defect(Code.DISPUTED, SKIPPED, Place(release.number, field="masks"), asked, told))

    def _tell_silent(self, findings: Findings) -> None:
        """Step 9.6: legs to which the other side said nothing for a day, unless an unreadable entry may hold it."""
        for bucket in range(BUCKETS):
            silent = self._silent.read(bucket)
            if not silent:
                continue
            gaps: dict[bytes, int] = {}
            for chain, index in _GAP.iter_unpack(self.gaps.read(bucket)):
                gaps[chain] = max(index, gaps.get(chain, -1))
            for chain, basis, kind, number, party in _SILENT.iter_unpack(silent):
                if max(gaps.get(chain, -1), self.last_lost) > basis:
                    findings.unchecked[MAY_BE_SILENT] += 1
                    continue
                sentence = f"{_NAMES[kind]} without {_NAMES[3 - kind]} within 24 hours"
                told = f"{self.parties[party]} (entry {number})"
                findings.dispute(Defect(Code.DISPUTED, sentence, Place(number), _NAMES[3 - kind], f"{told} alone"))

    def _account(self, counts: Counter[tuple[int, int]], ordinal: int, access: Leg, legs: list[Leg]) -> None:
        """The findings that the report of this ordinal had to name about this access."""
        end = self.reports[ordinal].number
        place = (access.chain, access.interaction)
        sides: dict[int, Leg] = {}
        for leg in legs:
            if (
                leg.kind in (RELEASE, RECEIVE)
                and access.number < leg.number < end
                and (leg.chain, leg.interaction) == place
            ):
                sides.setdefault(leg.kind, leg)
        counts.update([(ordinal, ACCESS), *((ordinal, kind) for kind in sides)])
        release, receipt = sides.get(RELEASE), sides.get(RECEIVE)
        if release is not None and receipt is not None:
            differ = release.rows != receipt.rows, release.bytes_ != receipt.bytes_, release.digest != receipt.digest
            codes = [code for code, differs in enumerate(differ, 2) if differs]
        else:
            codes = [0] * (release is None and receipt is not None) + [1] * (receipt is None and release is not None)
        codes += [5] * (release is not None and bool(_skipped(access, release)))
        # Findings are hashed in the order of the log: a bucket holds a stretch of it.
        bucket = access.number * BUCKETS // (self.reports[-1].last + 1)
        for code in codes:
            self._found.put(bucket, _FOUND.pack(access.number, code, access.parties))

    def _compare(self, findings: Findings, counts: Counter[tuple[int, int]]) -> None:
        ends = [report.last for report in self.reports]
        ordinals: Counter[int] = Counter()
        hashes = [sha256(FINDINGS) for _ in ends]
        for records in self._found.buckets():
            for record in sorted(records):
                index, code, parties = _FOUND.unpack(record)
                ordinal = bisect_left(ends, index)
                ordinals[ordinal] += 1
                if self.reports[ordinal].number in self.parted:
                    self._parted.setdefault(self.reports[ordinal].number, Counter())[parties] += 1
                hashes[ordinal].update(b'{"access":%d,"finding":"%b"}\n' % (index, CODES[code].encode()))
        for ordinal, report in enumerate(self.reports):
            if not report.known:
                findings.unchecked[UNREAD] += 1
                continue
            findings.checked["reconciliation reports"] += 1
            # Step 9.7.
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

    def findings_of(self, index: int) -> dict[tuple[str, str], int] | None:
        """How many findings the report at entry `index` has about each holder and recipient; None if that is not known."""
        known = next((report.known for report in self.reports if report.number == index), False)
        found = self._parted.get(index) or Counter()
        if not known or 0 in found:
            return None
        sides = ((parties >> 32, parties & 0xFFFFFFFF, count) for parties, count in found.items())
        return {(self.parties[holder - 1], self.parties[recipient - 1]): count for holder, recipient, count in sides}

    def close(self) -> None:
        """Give the temporary files back."""
        for spool in (self.spool, self.gaps, self._silent, self._found):
            spool.close()


def _may_be(unread: Leg | None, leg: Leg) -> bool:
    """Whether the unreadable entry may be the access that this leg names: at a lower index, and of the same consent."""
    return unread is not None and unread.number < leg.number and unread.chain in (leg.chain, NO_CHAIN)


def _unmatched(index: int, sentence: str, expected: str, found: str) -> Defect:
    return Defect(Code.UNMATCHED, sentence, Place(index), expected, found)


def _bits(masks: Json) -> int:
    """Those that the catalogue knows, a bit each."""
    return sum(1 << at for at, name in enumerate(MASKS) if name in masks) if isinstance(masks, list) else 0


def _spelled(bits: int) -> list[str]:
    return [name for at, name in enumerate(MASKS) if bits >> at & 1]


def _skipped(access: Leg, release: Leg) -> int:
    """The masks that the decision asks for and that the release, which names its own, lacks."""
    return access.masks & ~release.masks if release.masks & TOLD else 0
