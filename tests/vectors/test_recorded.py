"""A ledger that is told what the annotated logs tell records what stands in them, to the byte of every body.

And what a case of ruleset 3 tells besides, it refuses, or records otherwise.
"""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import migrations
from ledger.app import Ledger
from ledger.assembly import create_log, make_keys, open_ledger
from ledger.entries.leaf import NO_HASH
from ledger.entries.statement import Statement, parse_statement
from ledger.errors import LedgerError
from ledger.participants import Registry
from ledger.planning.commands import Command, RecordDocuments, RecordIndexHead, SubmitStatement
from ledger.planning.plan import plan_batch
from ledger.planning.world import Entry, World
from tests.clocks import HandClock
from tests.vectors.hashing import unb64u
from tests.vectors.log import ORIGIN, SHARD
from tests.vectors.reading import cases, materialised
from tests.vectors.story import Story, ruleset_1, ruleset_2
from tests.vectors.story_3 import MARKS, ruleset_3
from tests.world import node_config

HIDDEN = 34
"""In the log of ruleset 2: a request beyond its purpose's frequency. Its body was erased, so no reader sees it; a ledger does."""


def said(log: Story, index: int) -> dict[str, Any]:
    evidence: dict[str, Any] = json.loads(log.bodies[index][0])
    return evidence


@pytest.mark.parametrize("make", [ruleset_1, ruleset_2, ruleset_3], ids=["ruleset-1", "ruleset-2", "ruleset-3"])
def test_the_ledger_records_the_annotated_log(make: Callable[[], Story], sqlite_url: str, tmp_path: Path) -> None:
    log = make()
    clock = HandClock(json.loads(log.entries[0])["time"])
    config = node_config(sqlite_url, tmp_path)
    make_keys(config, ORIGIN)
    migrations.upgrade(sqlite_url)
    create_log(config, clock=clock, ruleset=log.ruleset)
    ledger = open_ledger(config, clock=clock)
    ledger.start()
    try:
        index = 1
        while index < len(log.entries) and not (log.ruleset == 2 and index == HIDDEN):
            clock.time = json.loads(log.entries[index])["time"]
            recorded = tell(ledger, log, index)
            for entry in recorded:
                told = json.loads(log.entries[entry.index])
                assert json.loads(entry.leaf)["kind"] == told["kind"]
                assert json.loads(entry.leaf).get("chain") == told.get("chain"), entry.index
                if entry.evidence is not None:
                    assert entry.evidence == log.bodies[entry.index][0], (entry.index, entry.evidence)
            assert [entry.index for entry in recorded] == [*range(index, index + len(recorded))]
            index += len(recorded)
    finally:
        ledger.stop()


def tell(ledger: Ledger, log: Story, index: int) -> Any:
    """Submit what makes the entry at this index, and those that come with it."""
    leaf = json.loads(log.entries[index])
    if leaf["kind"] == "index-head":
        return ledger.submit_and_wait(RecordIndexHead())
    if leaf["kind"] == "operator":
        return ledger.submit_and_wait(RecordDocuments((leaf["document"],)))
    evidence = said(log, index)
    if not evidence["statements"]:
        return [ledger.record_expiry(payload(said(log, index - 2))["consent_id"])]
    [statement] = evidence["statements"]
    companion = said(log, index + 1)["statements"][0] if evidence["act"] == "consent.authorise" else None
    assertion = (
        json.dumps(evidence["assertion"], sort_keys=True, separators=(",", ":")) if "assertion" in evidence else None
    )
    items = None
    if "item" in evidence:
        of_the_batch = itertools.takewhile(
            lambda at: log.bodies.get(at) and said(log, at)["statements"] == [statement], itertools.count(index)
        )
        items = [said(log, at)["item"]["body"] for at in of_the_batch]
    return ledger.record(statement, items=items, companion=companion, assertion=assertion)


def payload(evidence: dict[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(unb64u(evidence["statements"][0].split(".")[1]))
    return read


# --- the cases -----------------------------------------------------------------------------------------------


class Planned:
    """The rules of the ledger alone, over everything that was recorded so far."""

    def __init__(self) -> None:
        self.world = World(
            size=0,
            time=0,
            last_hash=NO_HASH,
            registry=Registry(),
            seen={},
            consents={},
            chains={},
            awaited=frozenset(range(500)),
        )

    def copy(self) -> Planned:
        """The same, to be gone on with in another way."""
        other, world = Planned(), self.world
        other.world = replace(
            world,
            seen=dict(world.seen),
            consents=dict(world.consents),
            chains=dict(world.chains),
            allowed=dict(world.allowed),
            legs=set(world.legs),
            moved=set(world.moved),
            alerts=set(world.alerts),
            feedback={chain: dict(numbers) for chain, numbers in world.feedback.items()},
            began=dict(world.began),
        )
        return other

    def take(self, entry: dict[str, Any], bodies: dict[int, dict[str, Any]]) -> list[Entry]:
        """The entries that this one's statement or document leads to now. Raises LedgerError."""
        self.world.time = entry["time"]
        plan = plan_batch(self.world, [self.command(entry, bodies)], iter(lambda: bytes(32), None), bytes(32))
        [result] = plan.results
        if isinstance(result, LedgerError):
            raise result
        return plan.entries

    def command(self, entry: dict[str, Any], bodies: dict[int, dict[str, Any]]) -> Command:
        if entry["kind"] == "index-head":
            return RecordIndexHead()
        if entry["kind"] == "operator":
            return RecordDocuments((entry["document"],))
        evidence, beside = bodies[entry["index"]], bodies.get(entry["index"] + 1)
        [statement] = [self.read(text) for text in evidence["statements"]]
        companion = None
        if evidence["act"] == "consent.authorise" and beside is not None:
            companion = self.read(beside["statements"][0])
        return SubmitStatement(statement, companion=companion)

    def read(self, text: str) -> Statement:
        return parse_statement(text, self.world.registry.check_signature)


def entries_of(files: dict[str, bytes]) -> tuple[list[dict[str, Any]], dict[int, dict[str, Any]]]:
    """The leaves of a bundle, and its bodies by index."""
    [name] = [name for name in files if name.startswith("tile/entries/")]
    content, leaves = files[name], []
    while content:
        size = 2 + int.from_bytes(content[:2])
        leaves.append(json.loads(content[2:size]))
        content = content[size:]
    lines = [json.loads(line) for line in gzip.decompress(files[SHARD]).splitlines()]
    return leaves, {line["index"]: json.loads(line["evidence"]) for line in lines}


REFUSED = {"7.8", "8.2", "8.3", "8.7", "8.8", "8.10", "8.11", "8.15"}
"""Steps about what the ledger itself lets in or decides."""
OF_RULESET_3 = [
    path
    for path in cases()
    if (case := json.loads(path.read_text()))["base"] == "ruleset-3"
    and case["expect"]["exit"] == 1
    and REFUSED & set(case["steps"])
    and path.stem != "a-companion-withheld-that-excuses-no-decision"
]


@cache
def honest_bodies() -> dict[int, dict[str, Any]]:
    """Those of the annotated log, the erased one too."""
    return {index: json.loads(body) for index, (body, _) in ruleset_3().bodies.items()}


@cache
def told_up_to(index: int) -> Planned:
    """The rules after the first entries of the annotated log."""
    before = max((mark for mark in MARKS.values() if mark < index), default=0)
    planned, at = told_up_to(before).copy() if before else Planned(), before
    leaves = [json.loads(entry) for entry in ruleset_3().entries]
    while at < index:
        made = planned.take(leaves[at], honest_bodies())
        at += len(made)
    return planned


@pytest.mark.parametrize("path", OF_RULESET_3, ids=[path.stem for path in OF_RULESET_3])
def test_the_ledger_does_not_record_an_entry_that_a_reader_must_call_wrong(path: Path) -> None:
    case = json.loads(path.read_text())
    [defect] = case["expect"]["defects"]
    leaves, bodies = entries_of(materialised(case))
    honest = [json.loads(entry) for entry in ruleset_3().entries]
    same = len([*itertools.takewhile(lambda both: both[0] == both[1], zip(leaves, honest, strict=False))])
    index = max(mark for mark in (0, *MARKS.values()) if mark <= min(same, defect["index"]))
    planned = told_up_to(index).copy()
    while index < defect["index"]:
        index += len(planned.take(leaves[index], bodies))
    try:
        made = planned.take(leaves[index], bodies)
    except LedgerError:
        return
    [entry] = made
    assert entry.evidence is not None
    assert json.loads(entry.evidence) != bodies[index]
