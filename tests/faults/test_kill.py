"""Processes that write and are killed: what was acknowledged stays, once, and the log stays whole (F01, F03)."""

from __future__ import annotations

import random
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.assembly import open_ledger
from tests.faults.killed import Writer, jti_of, prepared, whole
from tests.world import item


@pytest.mark.parametrize("seed", [1])
def test_f01_nothing_acknowledged_is_lost_and_nothing_is_there_twice(
    engine_url: str, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    with prepared(tmp_path, engine_url) as (node, consent_id):
        statements = [node.fintech.sign("access.request", **item(consent_id)) for _ in range(150)]
        names = {jti_of(statement): statement for statement in statements}
        acknowledged: dict[str, int] = {}
        for _ in range(3):
            writer = Writer(node.config)
            writer.read(1)
            missing = [statement for name, statement in names.items() if name not in acknowledged]
            known = chance.sample(sorted(acknowledged), min(5, len(acknowledged)))
            writer.submit([*(names[name] for name in known), *missing[:50]])
            writer.read(chance.randrange(5, 50))
            writer.kill()
            assert writer.failed == []
            for name, index in writer.repeated.items():
                assert acknowledged.setdefault(name, index) == index
            for name, (index, decision) in writer.acknowledged.items():
                assert name not in acknowledged
                assert decision == "allow"
                acknowledged[name] = index
        assert acknowledged
        last = Writer(node.config)
        last.submit(statements)
        last.end()
        assert last.process.returncode == 0
        told = {**last.repeated, **{name: index for name, (index, _) in last.acknowledged.items()}}
        assert told.keys() == names.keys()
        assert {name: told[name] for name in acknowledged} == acknowledged
        in_log = whole(node)
        assert {name: in_log[name] for name in names} == told
        assert len(in_log) == len(names) + 1  # and the request of the consent


def test_f03_no_access_is_allowed_after_a_revocation_whoever_wrote_it(engine_url: str, tmp_path: Path) -> None:
    with prepared(tmp_path, engine_url) as (node, consent_id):
        writers = [
            Writer(replace(node.config, highwater_file=tmp_path / f"highwater-{number}", max_batch=8))
            for number in range(3)
        ]
        for writer in writers:
            writer.read(1)
        for writer in writers:
            writer.submit([node.fintech.sign("access.request", **item(consent_id)) for _ in range(40)])
        for writer in writers:
            writer.read(5)  # all are writing
        revocation = node.bank.sign("consent.revoke", consent_id=consent_id, reason="asked", by="customer")
        writers[0].submit([revocation])
        for writer in writers[1:]:
            writer.submit([node.fintech.sign("access.request", **item(consent_id)) for _ in range(20)])
        writers[2].kill()
        for writer in writers[:2]:
            writer.end()
            assert writer.process.returncode == 0
        told = {name: where for writer in writers for name, where in writer.acknowledged.items()}
        revoked = told.pop(jti_of(revocation))[0]
        assert all((decision == "allow") == (index < revoked) for index, decision in told.values())
        indexes = [index for index, _ in told.values()]
        assert min(indexes) < revoked
        assert len(set(indexes)) == len(indexes)
        in_log = whole(node)
        assert all(in_log[name] == index for name, (index, _) in told.items())


def test_a_killed_writer_leaves_no_lock_behind(engine_url: str, tmp_path: Path) -> None:
    with prepared(tmp_path, engine_url) as (node, consent_id):
        writer = Writer(node.config)
        writer.read(1)
        writer.submit([node.fintech.sign("access.request", **item(consent_id)) for _ in range(100)])
        writer.read(1)
        writer.kill()
        assert writer.process.returncode == -signal.SIGKILL
        node.ledger = open_ledger(node.config)
        node.ledger.start()
        assert node.access(consent_id).outcome.decision == "allow"  # type: ignore[union-attr]
