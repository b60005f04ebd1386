"""Vectors of several files of one log (receipts.md), of an audit that goes on (verdicts.md, ROLLBACK), and of tall trees."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from tests.vectors.cases import case
from tests.vectors.hashing import Json, encode, leaf_hash, root, sha
from tests.vectors.log import hash_tiles
from tests.vectors.signing import Ed25519
from tests.vectors.story import FIRST, HOLDER, Story, ruleset_1

COMMON, REVOKED = 12, 13
"""How many entries all histories share; where ruleset-1 has the revocation."""


def other(heads: int) -> Story:
    """Another history: after the common entries, so many index-heads."""
    log = ruleset_1(COMMON)
    log.until = None
    for _ in range(heads):
        log.tick().head()
    return log


@case(base="ruleset-1", at=COMMON, exit=0)
def _another_history_of_the_same_size(log: Story) -> Any:
    """By itself nothing is wrong with it: only beside the other one of 17 entries, or after it."""
    return other(17 - COMMON).files()


@case(base="ruleset-1", at=COMMON, exit=0)
def _another_history_of_one_entry_more(log: Story) -> Any:
    """By itself nothing is wrong with it: only beside the other one of 17 entries, or after it."""
    return other(18 - COMMON).files()


BEGINNING, WHOLE = "cases/a-log-of-a-while-ago", "bundles/ruleset-1"
SAME_SIZE, LONGER = "cases/another-history-of-the-same-size", "cases/another-history-of-one-entry-more"


def continued() -> Json:
    rows = [
        ("the log has grown", BEGINNING, WHOLE, 0, "VALID"),
        ("the log is as it was", WHOLE, WHOLE, 0, "VALID"),
        ("the log is smaller", WHOLE, BEGINNING, 1, "ROLLBACK"),
        ("another history of the same size", WHOLE, SAME_SIZE, 1, "EQUIVOCATION"),
        ("another history that is longer", WHOLE, LONGER, 1, "EQUIVOCATION"),
        ("a history that parts after what was kept", BEGINNING, LONGER, 0, "VALID"),
    ]
    names = ("name", "first", "then", "exit", "code")
    return {
        "about": "A reader has audited `first` without a defect, kept its place, and is handed `then`",
        "cases": [dict(zip(names, row, strict=True)) for row in rows],
        "policy": "policy",
    }


def compared() -> Json:
    rows: list[Json] = []
    log, same, longer = ruleset_1(), other(17 - COMMON), other(18 - COMMON)
    later = other(2)
    later.tick().step(HOLDER, "consent.revoke", FIRST, later.state("REVOKED"))
    for _ in range(4):
        later.tick().head()

    def add(name: str, *files: bytes | Json | str, exit: int = 0, code: str = "VALID", policy: str = "policy") -> None:
        """A text is a file; a string names a bundle."""
        given = [
            {"bundle": one}
            if isinstance(one, str)
            else {"text": (one if isinstance(one, bytes) else encode(one)).decode()}
            for one in files
        ]
        rows.append({"code": code, "exit": exit, "files": given, "name": name, "policy": policy})

    fork, time = {"exit": 1, "code": "EQUIVOCATION"}, {"exit": 1, "code": "TIME_INVALID"}
    add("one checkpoint twice", log.checkpoint(), log.checkpoint())
    add("a checkpoint and a receipt under it", log.checkpoint(), log.receipt(REVOKED))
    add("two sizes of one log, which no bundle connects", log.checkpoint(COMMON), log.checkpoint())
    add("two roots for one size", log.checkpoint(), same.checkpoint(), **fork)
    add("two entries of one index", log.receipt(REVOKED), longer.receipt(REVOKED), **fork)
    add("two entries at one place of a chain", log.receipt(REVOKED), later.receipt(14), exit=1, code="BAD_CHAIN")
    add("a bundle and its own beginning", WHOLE, log.checkpoint(COMMON), log.receipt(REVOKED))
    add("two bundles of one log", WHOLE, BEGINNING)
    add("a bundle and the tree of another history", LONGER, log.checkpoint(), **fork)
    add("a bundle and an entry of another history", LONGER, log.receipt(REVOKED), **fork)
    add("two bundles of two histories", WHOLE, LONGER, **fork)
    stranger = log.copy()
    stranger.note_key = Ed25519("stranger")
    add("a checkpoint of a stranger's key", log.checkpoint(), stranger.checkpoint(), exit=1, code="BAD_SIGNATURE")
    add("not enough witnesses", log.checkpoint(), exit=3, code="VALID_UNWITNESSED", policy="quorum")
    young = int(_member(log, "time"))
    for name, ahead, said in (("as young as may be", 300, {}), ("younger than that", 301, time)):
        add(
            f"an entry {name}",
            cosigned(log, young - 1_000 * ahead).receipt(REVOKED, cosign=True),
            policy="quorum",
            **said,
        )
    for name, behind, said in (("as old as may be", 3_600, {}), ("older than that", 3_601, time)):
        before = cosigned(log, young + 1_000 * behind).checkpoint(COMMON, cosign=True)
        add(f"an entry {name}", before, log.receipt(REVOKED, cosign=True), policy="quorum", **said)
    beyond = cosigned(log, young + 3_601_000).checkpoint(REVOKED, cosign=True)
    add("the next entry, older than that", beyond, log.receipt(REVOKED, cosign=True), policy="quorum", **time)
    early = cosigned(log, young - 301_000).checkpoint(REVOKED, cosign=True)
    add("the next entry, younger than an earlier tree", early, log.receipt(REVOKED, cosign=True), policy="quorum")
    return {"about": "Files that are held against each other: exit status and headline", "cases": rows}


def _member(log: Story, name: str) -> str:
    """A number in the leaf of the revocation, as it stands there."""
    return log.entries[REVOKED].decode().split(f'"{name}":')[1].split(",")[0]


def cosigned(log: Story, time: int) -> Story:
    """The log, whose witness signs at this time (ms)."""
    changed = log.copy()
    changed.time = time
    return changed


def tiles() -> Json:
    """Trees too tall to be written down: entry n is be64(n)."""
    hashes = [leaf_hash(n.to_bytes(8)) for n in range(65_793)]
    rows: list[Json] = []
    for size in (1, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 65_792, 65_793):
        levels = [
            {"count": len(told), "last": told[-1][0], "sha256": sha(*(content for _, content in told)).hex()}
            for _, group in groupby(hash_tiles(hashes[:size]), lambda tile: tile[0].split("/")[0])
            for told in [list(group)]
        ]
        rows.append({"levels": levels, "root": root(hashes[:size]).hex(), "size": size})
    return {
        "about": "Trees whose entry n is the 8 bytes be64(n): root, and by level from 0 up the hash tiles: how many, the path of "
        "the last one below tile/, and SHA-256 of all their bytes in order",
        "trees": rows,
    }


FILES = {"compared": compared, "continued": continued, "tiles": tiles}
