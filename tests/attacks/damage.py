"""Random single changes of an honest bundle, in memory: each must be refuted at the entry or in the file where it was made."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import IO

from tests.verifier.forge import OTHER, World
from verifier.audit.bundle import Audit, Auditor, Options
from verifier.errors import CannotCheck, Code, Defect, NotFound
from verifier.tlog.trust import parse_trust

Files = dict[str, bytes]


@dataclass
class Bundle:
    """A bundle in memory, read as the verifier reads a folder."""

    files: Files
    name: str = "bundle"

    def read(self, path: str, limit: int) -> bytes:
        return self.open(path).read(limit + 1)

    def open(self, path: str) -> IO[bytes]:
        if path not in self.files:
            raise NotFound(f"{path} is not there")
        return io.BytesIO(self.files[path])

    def names(self) -> Iterator[str]:
        return iter(self.files)

    def oddities(self) -> Iterator[tuple[str, str]]:
        """In memory there is no link, no pipe, and no second member of a name."""
        return iter(())

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Change:
    """What was changed: the file, and the entry and the line of the file where it is known."""

    file: str
    index: int | None = None
    line: int | None = None


class Missed(AssertionError):
    """A change that the verifier did not find, or found elsewhere."""


@cache
def small() -> tuple[Files, World]:
    """Every act once or twice, in a log of some forty entries: an audit takes milliseconds."""
    world = World(11).open()
    first = world.grant(frequency_per_day=2)
    basis = world.access(first, customer_present=True, interaction_id="interaction-legs")
    world.leg("access.release", first, basis, "interaction-legs")
    world.leg("access.receive", first, basis, "interaction-legs")
    world.access(first, OTHER)
    world.batch([first, world.consent_id()])
    world.index_head()
    world.amend(first, permissions=["ReadBalances"])
    world.authorise(first)
    world.end(first, "consent.pause", "PAUSED")
    world.access(first)
    world.end(first, "consent.resume", "ACTIVE")
    world.revoke(first)
    world.access(first)
    short = world.grant(expires_at=world.time // 1000 + 60)
    world.tick(61_000)
    world.expire(short)
    world.index_head()
    return world.files(cosign=True), world


def changed(dice: random.Random) -> tuple[Files, Change]:
    """One byte of one file, one bit or all of it; of evidence inside the compression; in leaves, every member alike."""
    files, world = small()
    files = dict(files)
    name = dice.choice(sorted(set(files) - {"policy"}))
    content = bytearray(gzip.decompress(files[name]) if name.endswith(".gz") else files[name])
    at, change = _place(dice, name, bytes(content), world)
    content[at] = (
        content[at] ^ 1 << dice.randrange(8) if dice.random() < 0.5 else (content[at] + dice.randrange(1, 256)) % 256
    )
    files[name] = gzip.compress(bytes(content), 1) if name.endswith(".gz") else bytes(content)
    return files, change


def _place(dice: random.Random, name: str, content: bytes, world: World) -> tuple[int, Change]:
    if name.startswith("tile/entries/"):
        index = dice.randrange(len(world.entries))
        start = sum(2 + len(entry) for entry in world.entries[:index])
        return start + _within(dice, world.entries[index], 2), Change(name, index)
    if name.startswith("tile/0/"):
        at = dice.randrange(len(content))
        return at, Change(name, at // 32)
    if name.endswith(".gz"):
        rows = content.splitlines(keepends=True)
        line = dice.randrange(len(rows))
        start = sum(map(len, rows[:line]))
        return start + dice.randrange(len(rows[line])), Change(name, sorted(world.evidence)[line], line + 1)
    if name == "manifest.json":  # when it was made is nobody's signed word: any number is a number
        start = content.index(b"evidence")
        return dice.randrange(start, len(content)), Change(name)
    return dice.randrange(len(content)), Change(name)


def _within(dice: random.Random, entry: bytes, prefix: int) -> int:
    """A place in the length prefix, or in a member that is drawn first: columns are even, not bytes."""
    members = json.loads(entry)
    name = dice.choice(["", *members])
    if name == "":
        return dice.randrange(prefix)
    start = entry.index(f'"{name}":'.encode())
    end = start + len(name) + 3 + len(json.dumps(members[name], separators=(",", ":"), ensure_ascii=False).encode())
    return prefix + dice.randrange(start, end)


def audit(files: Files) -> Audit:
    """The verifier's audit under a policy that asks for the witness."""
    _, world = small()
    auditor = Auditor(Bundle(files), parse_trust(world.policy(quorum=True).encode()), Options(jobs=1))
    try:
        return auditor.run()
    finally:
        auditor.close()


def attempt(seed: int) -> str:
    """One change: the file's kind, if it was found in its place. Raises Missed otherwise."""
    files, change = changed(random.Random(f"damage {seed}"))
    try:
        found = audit(files)
    except CannotCheck:
        if change.file != "manifest.json":  # a format it does not know: exit status 2, never 0
            raise Missed(f"seed {seed}: {change}: could not check") from None
        return change.file
    if change.file == "checkpoint" and found.verdict is Code.VALID_UNWITNESSED:
        return change.file  # the witness's line is no longer the witness's: exit status 3
    defects = found.findings.defects
    if not any(_names(defect, change) for defect in defects):
        raise Missed(f"seed {seed}: {change}: found {[str(defect) for defect in defects[:4]]}")
    return change.file


def _names(defect: Defect, change: Change) -> bool:
    place = defect.place
    if change.index is None:
        return place.file == change.file
    return place.index == change.index or (change.line is not None and place.line == change.line)
