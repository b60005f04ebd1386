"""Bundles made by chance, and judged: `check(seed)` makes one, says what must be said of it, and asks the verifier."""

from __future__ import annotations

import io
import random
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.scratch import MEMORY
from tests.verifier.generated import rules  # noqa: F401 - keeps its lies in LIES
from tests.verifier.generated.containers import CONTAINERS, ITSELF, Container
from tests.verifier.generated.damage import DAMAGES, Damage
from tests.verifier.generated.lies import LIES, Lie
from tests.verifier.generated.lives import Life
from verifier.audit.bundle import Auditor, Options
from verifier.bytes.archive import Archive, open_archive
from verifier.errors import CannotCheck, NotFound
from verifier.inputs import conclude, fresh
from verifier.telling import jsonlines, terminal
from verifier.telling.messages import LANGUAGES
from verifier.telling.parties import parties
from verifier.telling.report import render
from verifier.telling.result import Result
from verifier.tlog.trust import parse_trust

Files = dict[str, bytes]


class Shelf(Archive):
    """The files of a bundle in memory."""

    def __init__(self, files: Files) -> None:
        self.files, self.name = files, "memory"

    def read(self, path: str, limit: int) -> bytes:
        with self.open(path) as file:
            return file.read(limit + 1)

    def open(self, path: str) -> IO[bytes]:
        if path not in self.files:
            raise NotFound(f"{path} is not here")
        return io.BytesIO(self.files[path])

    def names(self) -> Iterator[str]:
        yield from self.files

    def oddities(self) -> Iterator[tuple[str, str]]:
        yield from ()

    def close(self) -> None:
        """Nothing is held open."""


@dataclass
class Made:
    """A bundle and what must be said of it: the exit status, and of each defect the code and the index or file."""

    kind: str
    files: Files
    policy: str
    exit: int = 0
    told: set[tuple[str, int | str]] = field(default_factory=set)
    exactly: bool = True
    zipped: bytes | None = None
    """What holds the files, if not a folder."""


@contextmanager
def handed_over(made: Made) -> Iterator[Archive]:
    """As the verifier gets it. A zip is a file in memory, where the system has such."""
    if made.zipped is None:
        yield Shelf(made.files)
        return
    with tempfile.NamedTemporaryFile(suffix=".zip", dir=MEMORY if MEMORY.is_dir() else None) as place:
        place.write(made.zipped)
        place.flush()
        with closing(open_archive(Path(place.name))) as archive:
            yield archive


def judged(made: Made) -> Result:
    """What `consent-verify bundle` ends in."""
    result = fresh("bundle")
    try:
        with (
            handed_over(made) as archive,
            closing(Auditor(archive, parse_trust(made.policy.encode()), Options(jobs=1))) as auditor,
        ):
            result.findings = auditor.findings
            audit = auditor.run()
            result.parties = parties(auditor.replay.registry)
    except CannotCheck as error:
        result.reason = error.sentence
        return result
    return conclude(result, audit.head is not None and audit.head.witnessed)


def places(result: Result) -> set[tuple[str, int | str]]:
    """Code and index, else file, of each defect."""
    found = result.findings.defects
    return {
        (str(defect.code), _file(defect.place.file or "") if defect.place.index is None else defect.place.index)
        for defect in found
    }


def _file(name: str) -> str:
    return ITSELF if name.startswith("/") and name.endswith(".zip") else name


def legal(dice: random.Random) -> Made:
    """A life without a lie, of which anything may be withheld, erased or cut off between two batches."""
    life = Life(dice)
    life.go_on(dice.randrange(4, 24))
    gone: frozenset[int] = frozenset()
    if life.busy and dice.random() < 0.3:
        gone = life.erase(sorted(dice.sample(life.busy, min(len(life.busy), 2))))
        life.go_on(dice.randrange(4))
    level = dice.choice(("full", "full", "partial", "partial", "none"))
    if level == "partial":
        share = dice.random()
        gone |= {index for index in life.evidence if dice.random() < share}
    witnessed, cosign = dice.random() < 0.2, dice.random() < 0.5
    files = life.files(level, gone, cosign=cosign)
    return Made(f"legal, {level}", files, life.policy(witnessed), 3 if witnessed and not cosign else 0)


def lying(dice: random.Random, lie: Lie | None = None) -> Made:
    """One lie in an otherwise legal life; bodies that have nothing to do with it are withheld."""
    lie = lie or dice.choice(LIES)
    life = Life(dice, lie.ruleset)
    life.go_on(dice.randrange(9))
    first = len(life.entries)
    told = lie.tell(life, dice)
    last = len(life.entries)
    if lie.heads:
        life.go_on(dice.randrange(6))
    withheld: set[int] = set()
    level = "full"
    if dice.random() < 0.5 and lie.step not in ("9.7", "9.13"):  # a report rests on every entry
        level = "partial"
        touched = {
            life.chain_at(index)
            for index in range(first, last)
            if index in life.evidence and index not in life_lost(life)
        }
        # Of participants' chains nothing is withheld: a declaration may have spoken about anything.
        withheld = {
            index
            for index in life.evidence
            if not first - 1 <= index <= last
            and life.chain_at(index) not in touched
            and b'"kind":"participant"' not in life.entries[index]
            and dice.random() < 0.4
        }
    policy = life.policy()
    return Made(f"lie {lie.step}: {lie.name}", life.files(level, frozenset(withheld)), policy, lie.exit, set(told))


def damaged(dice: random.Random, hurt: Damage | None = None) -> Made:
    """A legal life in a bundle that was damaged on its way."""
    hurt = hurt or dice.choice(DAMAGES)
    life = Life(dice)
    life.grant()
    life.go_on(dice.randrange(2, 20))
    policy, files = life.policy(), life.files()
    told = hurt.do(life, files, dice)
    return Made(f"damage {hurt.step}: {hurt.name}", files, policy, hurt.exit, told, hurt.exactly)


def contained(dice: random.Random, how: Container | None = None) -> Made:
    """A legal life in a zip, which is packed as it should be, or is not."""
    how = how or dice.choice(CONTAINERS)
    life = Life(dice)
    life.go_on(dice.randrange(2, 12))
    policy, files = life.policy(), life.files()
    zipped, told = how.pack(files, dice)
    return Made(f"zip: {how.name}", files, policy, how.exit, told, how.exactly, zipped)


def life_lost(life: Life) -> set[int]:
    """Entries whose leaves have no chain that could be read."""
    return {index for index, entry in enumerate(life.entries) if b'"chain":"' not in entry}


def check(seed: int) -> str:
    """Make and judge one; its kind. Raises AssertionError with the seed."""
    dice = random.Random(seed)
    made = dice.choices((legal, lying, damaged, contained), (6, 10, 4, 3))[0](dice)
    result = judged(made)
    found = places(result)
    for language in LANGUAGES:  # nothing that was said of it ends the telling either
        assert [*terminal.lines(result, language, False), *jsonlines.lines(result), render(result, language)]
    assert int(result.status) == made.exit, (seed, made.kind, int(result.status), found, made.told, result.reason)
    assert found == made.told if made.exactly else made.told <= found, (seed, made.kind, found, made.told)
    return made.kind
