"""Several logs as one: the head log, then each shard under the key that the head log names (docs/spec/sets.md, 4)."""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from verifier.audit.bundle import Auditor, Options
from verifier.audit.contents import claimed_origin
from verifier.audit.marks import Mark, Marks
from verifier.audit.succession import note_key
from verifier.bytes.archive import NOT_A_FILE, open_archive
from verifier.bytes.scratch import Records
from verifier.errors import CannotCheck, Code, Defect, Place, printable
from verifier.rules.findings import Findings
from verifier.rules.sets import ShardHead
from verifier.rules.sheets import TotalsOf
from verifier.tlog.policy import NONE, Policy, PolicyHead
from verifier.tlog.trust import Trust

UNVOUCHED = "entries of a shard that the head log has not committed: no witness vouches for them"
UNKNOWN_SIZE = "sizes of shards whose checkpoint was refused"
UNKNOWN_PLACES = "registrations of holders whose place may stand in an entry of the head log that could not be read"
UNKNOWN_SHARDS = "bundles of logs that the head log may have added in entries that could not be read"
_HOT = 4_096
"""Committed heads of a shard that are kept in memory; the others lie in a temporary file."""
_NUMBER = 8


@dataclass(slots=True)
class Judged:
    """What was found about one log of a set; `head` is None if its checkpoint was refused, `size` 0 if nothing was read."""

    origin: str
    findings: Findings = field(default_factory=Findings)
    size: int = 0
    head: PolicyHead | None = None
    attested: list[TotalsOf] = field(default_factory=list)


class _Commitments:
    """The heads that were committed for one shard, by rising size."""

    def __init__(self) -> None:
        self._records, self._count = Records(2 * _NUMBER + 32, _HOT), 0
        self._last = Mark(0, 0, b"")
        self._fallen: list[Mark] = []
        """Those of a lying head log that are smaller than one before them."""

    def add(self, mark: Mark) -> None:
        if mark.size < self._last.size:
            self._fallen.append(mark)
        elif (mark.size, mark.root) != (self._last.size, self._last.root):
            self._records.add(mark.size.to_bytes(_NUMBER) + mark.by.to_bytes(_NUMBER) + mark.root)
            self._count, self._last = self._count + 1, mark

    def __iter__(self) -> Iterator[Mark]:
        return heapq.merge(self._rising(), sorted(self._fallen))

    def _rising(self) -> Iterator[Mark]:
        for number in range(self._count):
            record = self._records.get(number)
            size, index = (int.from_bytes(record[at : at + _NUMBER]) for at in (0, _NUMBER))
            yield Mark(size, index, record[2 * _NUMBER :])

    def close(self) -> None:
        self._records.close()


class SetAudit:
    """One run over one set: `run`, then `head` and `shards` (in the order in which they were added) hold what was found, and
    `names` what is wrong in the folder itself. `newest`: the newest time (ms) that an entry of the head log names."""

    def __init__(self, folder: Path, trust: Trust, options: Options) -> None:
        self._folder, self._trust, self._options = folder, trust, options
        self.head = Judged("")
        self.shards: list[Judged] = []
        self.names = Findings()
        self.newest = 0
        self._committed: dict[str, _Commitments] = {}

    def run(self) -> None:
        """Judge everything. Raises CannotCheck where nothing can be said of the head log."""
        try:
            self._run()
        finally:
            for commitments in self._committed.values():
                commitments.close()

    def _run(self) -> None:
        # Step S2.
        archive = open_archive(self._folder / "heads")
        try:
            auditor = Auditor(archive, self._trust, self._options)
            self.head.findings = auditor.findings
            said = auditor.replay.registry.shards
            said.watch = self._commit
            _judge(auditor, self.head)
        finally:
            archive.close()
        self.newest = auditor.links.time
        beyond = auditor.replay.unknown_rules
        unread = beyond or auditor.replay.matching.legs.last_lost >= 0
        if not said.added:
            sentence = f"{self.head.origin} is no head log: it adds no shard; judge it by «consent-verify bundle»"
            self.head.findings.open = self.head.findings.open or sentence
            return
        places = self._bundles(said.added.keys(), beyond)
        for origin, key in said.added.items():
            shard = Judged(origin)
            self.shards.append(shard)
            if origin not in places:
                shard.findings.open = f"the set has no bundle of {origin}, which the head log added"
                continue
            try:
                registered = self._shard(shard, places[origin], key, said.heads.get(origin))
            except CannotCheck as error:
                shard.findings.open = shard.findings.open or f"{origin}: {error}"
                continue
            _check_places(shard, registered, said.placed, unread)

    def _commit(self, index: int, head: ShardHead) -> None:
        self._committed.setdefault(head.origin, _Commitments()).add(Mark(head.size, index, head.root))

    def _bundles(self, added: Container[str], beyond: bool) -> dict[str, Path]:
        """The first bundle of each shard. `beyond`: the head log may have added others that nobody here can read of."""
        found: dict[str, Path] = {}
        for name in _names_in(self._folder / "shards"):
            place = self._folder / "shards" / name
            # Step S3.
            if place.is_symlink() or not (place.is_dir() or place.is_file()):
                self._bad_name(name, NOT_A_FILE)
                continue
            try:
                archive = open_archive(place)
            except CannotCheck:
                self._bad_name(name, "neither a directory nor a zip")
                continue
            try:
                origin = claimed_origin(archive)
            except CannotCheck as error:
                self.names.open = self.names.open or str(error)
                continue
            finally:
                archive.close()
            if origin in found:
                self._bad_name(
                    name, "a second bundle of a shard", f"one bundle of {origin}", f"also {found[origin].name}"
                )
            elif origin in added:
                found[origin] = place
            elif beyond:
                self.names.unchecked[UNKNOWN_SHARDS] += 1
            else:
                self._bad_name(name, "a bundle of a log that the head log did not add", "a shard of this set", origin)
        return found

    def _bad_name(self, name: str, sentence: str, expected: str = "", found: str = "") -> None:
        place = Place(file=printable(f"shards/{name}"))
        self.names.add(Defect(Code.BAD_ENCODING, sentence, place, printable(expected), printable(found)))

    def _shard(self, shard: Judged, place: Path, key: bytes, last: ShardHead | None) -> list[tuple[int, str]]:
        """Judge a shard by itself, and against what was committed; index and participant of the holders it registers."""
        marks = Marks(shard.origin, iter(self._committed.get(shard.origin, ())))
        archive = open_archive(place)
        try:
            # Step S4.
            auditor = Auditor(archive, _trust_in(shard.origin, key, self._trust), replace(self._options, marks=marks))
            shard.findings = auditor.findings
            _judge(auditor, shard)
            self.head.findings.take(marks.finish(auditor.sound))
        finally:
            archive.close()
        size = 0 if last is None else last.size
        # Step S5.
        if shard.head is None:
            shard.findings.unchecked[UNKNOWN_SIZE] += 1
        elif shard.size < size:
            sentence = "the shard is smaller than the head log has committed"
            expected = f"at least {size} entries"
            shard.findings.add(
                Defect(Code.ROLLBACK, sentence, Place(file="checkpoint"), expected, printable(shard.size))
            )
        # Step S7.
        if shard.size > size:
            shard.findings.unchecked[UNVOUCHED] += shard.size - size
        return auditor.replay.registry.holders


def _judge(auditor: Auditor, judged: Judged) -> None:
    judged.origin, judged.size, judged.head = auditor.origin, auditor.size, auditor.head
    judged.attested = auditor.replay.sheets.told
    try:
        auditor.run()
    finally:
        auditor.close()


def _trust_in(origin: str, key: bytes, trust: Trust) -> Trust:
    """Whom a reader of a shard trusts: the key that the head log names, and no witness. Places of passkeys are the reader's."""
    policy = Policy((note_key(origin, key),), {}, {}, NONE)
    return replace(trust, policy=policy, intervals={}, compromised={})


def _check_places(shard: Judged, registered: list[tuple[int, str]], placed: dict[str, str], unread: bool) -> None:
    for index, holder in registered:
        # Step S8.
        if placed.get(holder) == shard.origin:
            shard.findings.checked["places of holders"] += 1
        elif unread:
            shard.findings.unchecked[UNKNOWN_PLACES] += 1
        else:
            found = f"{holder} is placed in {placed.get(holder, 'none')}"
            place = Place(index, field="document.participant")
            sentence = "a holder is registered in another log than the one where the head log places it"
            shard.findings.add(Defect(Code.CONSENT_INVALID, sentence, place, shard.origin, printable(found)))


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(place.name for place in folder.iterdir())
    except FileNotFoundError:
        return []  # then each shard lacks its bundle
    except OSError as error:
        raise CannotCheck(f"{folder} cannot be listed: {error.strerror}") from None
