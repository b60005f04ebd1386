"""What a negative case is: a bundle that is told from an annotated one by its edits, and what a reader must say of it."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.vectors.hashing import Json, b64, gzip_stored
from tests.vectors.log import SHARD, Files
from tests.vectors.story import Story, erased, ruleset_1, ruleset_2, two_levels
from tests.vectors.story_3 import ruleset_3

Told = tuple[str, int | str]
"""A code, and the index or the file."""
Lie = Callable[[Story], Files | None]


@dataclass(frozen=True)
class Case:
    """`defects`: all that must be told, and nothing else. `steps`: of verdicts.md. `codes`: the headline's, if it is not
    the first defect's. `policy`: the reader's, if it is not the base's own."""

    name: str
    steps: tuple[str, ...]
    why: str
    exit: int
    defects: tuple[Told, ...]
    findings: tuple[Told, ...]
    notices: tuple[Told, ...]
    unchecked: bool | None
    base: str
    files: Callable[[], Files]
    policy: str | None = field(default=None)

    def written(self) -> Json:
        """The case as it stands in its file."""
        expect: Json = {"exit": self.exit}
        if self.unchecked is not None:
            expect["unchecked"] = self.unchecked
        for name, told in (("defects", self.defects), ("findings", self.findings), ("notices", self.notices)):
            expect[name] = [
                {"code": code, "file" if isinstance(place, str) else "index": place} for code, place in told
            ]
        case: Json = {"base": self.base, "edit": edits(BASES[self.base][1](), self.files()), "expect": expect}
        case |= {"name": self.name, "steps": list(self.steps), "why": self.why}
        return case if self.policy is None else {**case, "policy": self.policy}


def _whole(log: Story) -> Files:
    return log.files("full", erased(log))


BASES: dict[str, tuple[Callable[[int | None], Story], Callable[[], Files]]] = {
    "ruleset-1": (ruleset_1, cache(lambda: _whole(ruleset_1()))),
    "ruleset-2": (ruleset_2, cache(lambda: _whole(ruleset_2()))),
    "ruleset-3": (ruleset_3, cache(lambda: _whole(ruleset_3()))),
    "two-levels": (two_levels, cache(lambda: _whole(two_levels()))),
}
CASES: list[Case] = []


def case(
    *steps: str,
    told: tuple[Told, ...] = (),
    exit: int = 1,
    findings: tuple[Told, ...] = (),
    notices: tuple[Told, ...] = (),
    unchecked: bool | None = None,
    base: str = "ruleset-2",
    at: int | None = 13,
    level: str = "full",
    gone: frozenset[int] = frozenset(),
    policy: str | None = None,
) -> Callable[[Lie], Lie]:
    """A lie that is appended to the first `at` entries of the base (None: all of them, and every erased body is absent).

    The function's name and docstring are the case's. If it returns files, they are the bundle's.
    """

    def keep(tell: Lie) -> Lie:
        def files() -> Files:
            log = BASES[base][0](at)
            log.until = None
            log.tick()
            return tell(log) or log.files(level, gone | erased(log))

        name = tell.__name__.strip("_").replace("_", "-")
        assert name not in {known.name for known in CASES}, name
        why = " ".join((tell.__doc__ or "").split())
        CASES.append(Case(name, steps, why, exit, told, findings, notices, unchecked, base, files, policy))
        return tell

    return keep


# --- edits ----------------------------------------------------------------------------------------------------


def plain(path: str, content: bytes) -> bytes | None:
    """What a shard decompresses to, if the plain one-member spelling gives it back; else None."""
    try:
        inside = gzip.decompress(content)
    except (OSError, EOFError):
        return None
    return inside if path.startswith("evidence/") and gzip_stored(inside) == content else None


def edits(base: Files, files: Files) -> list[Json]:
    """What `README.md` calls the edits: how `files` come out of the base."""
    found: list[Json] = [{"file": name, "remove": True} for name in sorted(base) if name not in files]
    for name in sorted(files):
        if base.get(name) == files[name]:
            continue
        inside = plain(name, files[name])
        content = files[name] if inside is None else inside
        old = _likest(name, base)
        basis = base[old] if old else b""
        if inside is not None and old:
            basis = plain(old, basis) or b""
        first = _common(basis, content)
        last = _common(basis[first:][::-1], content[first:][::-1])
        edit: Json = {"file": name}
        if first + last > 64:
            edit |= {"from": old, "keep_first": first, "keep_last": last}
            content = content[first : len(content) - last]
        if inside is not None:
            edit["gzip"] = True
        try:
            edit["text"] = content.decode("ascii")
        except UnicodeDecodeError:
            edit["base64"] = b64(content)
        found.append(edit)
    return found


def _likest(name: str, base: Files) -> str:
    """The file of the base that an edited one is told from."""
    if name in base:
        return name
    for start in ("tile/entries/", "tile/0/", "evidence/"):
        if name.startswith(start):
            return next((old for old in sorted(base) if old.startswith(start)), "")
    return ""


def _common(a: bytes, b: bytes) -> int:
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def apply(base: Files, changes: list[Json]) -> Files:
    """The reading side, as README.md describes it: the files of a case."""
    files = dict(base)
    for edit in changes:
        name: str = edit["file"]
        if edit.get("remove"):
            del files[name]
            continue
        content = edit["text"].encode() if "text" in edit else base64.b64decode(edit["base64"])
        if "from" in edit:
            old: bytes = base[edit["from"]]
            old = gzip.decompress(old) if edit.get("gzip") else old
            content = old[: edit["keep_first"]] + content + old[len(old) - edit["keep_last"] :]
        files[name] = gzip_stored(content) if edit.get("gzip") else content
    return files


def made(written: Json, base: Files) -> tuple[Files, Any]:
    """Files and expectation of a case that was read."""
    return apply(base, written["edit"]), written["expect"]


__all__ = ["BASES", "CASES", "SHARD", "Case", "apply", "case", "edits", "made"]
