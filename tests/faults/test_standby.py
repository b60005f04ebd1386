"""A synchronous standby that is away: nothing that a failover could take back is acknowledged, and none of it is shown."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ledger.app import Ledger
from ledger.errors import Unavailable
from ledger.notes.checkpoint import open_checkpoint
from ledger.planning.commands import Recorded, SubmitStatement
from ledger.sequencer.answers import Repeated
from tests.faults.pair import PATIENCE, Pair, made_pair, until
from tests.ledger.auditing import audit
from tests.world import Node, item, running


@pytest.fixture
def pair() -> Iterator[Pair]:
    with made_pair() as made:
        yield made


def shown(ledger: Ledger) -> tuple[int, bytes]:
    checkpoint = open_checkpoint(ledger.tree.checkpoint(), ledger.vkey)
    return checkpoint.size, checkpoint.root


@contextmanager
def node_on(pair: Pair, folder: Path) -> Iterator[Node]:
    with running(pair.url, folder) as node:
        try:
            yield node
        except BaseException:
            pair.down(pair.primary)  # a commit that waits for ever would keep the failure from being told
            raise


def submitted_again(node: Node, command: SubmitStatement) -> Recorded:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return node.ledger.submit_and_wait(command)[0]
        except Unavailable:
            assert time.monotonic() < end


def access(node: Node, consent_id: str) -> SubmitStatement:
    return node.ledger.prepare(node.fintech.sign("access.request", **item(consent_id)))


@pytest.mark.postgres
def test_a_size_that_recovery_made_visible_is_not_shown_and_the_standby_continues_another_way(
    pair: Pair, tmp_path: Path
) -> None:
    with node_on(pair, tmp_path) as node:
        consent_id = node.grant()
        node.access(consent_id)
        seen = shown(node.ledger)
        pair.down(pair.standby)
        command = access(node, consent_id)
        lost = node.ledger.submit_soon(command)
        until(pair.waiting)
        assert shown(node.ledger) == seen
        pair.down(pair.primary)
        pair.up(pair.primary)
        with pair.primary.connect("ledger") as outside:
            assert outside.execute("SELECT size FROM log_head").fetchone() == (seen[0] + 1,), (
                "recovery shows the commit"
            )
        assert shown(node.ledger) == seen, "and this node shows it to nobody"
        assert not lost.done() or isinstance(lost.exception(), Unavailable)
        pair.down(pair.primary)
        pair.up(pair.standby)
        pair.promote()
        recorded = submitted_again(node, command)
        size, _ = shown(node.ledger)
        assert size > seen[0]
        assert recorded.index >= seen[0]
        node.ledger.tree.consistency(seen[0], size)
        audit(pair.url, node.ledger)


@pytest.mark.postgres
def test_a_wait_for_the_standby_that_somebody_cancels_is_not_an_acknowledgement(pair: Pair, tmp_path: Path) -> None:
    with node_on(pair, tmp_path) as node:
        consent_id = node.grant()
        seen = shown(node.ledger)
        pair.down(pair.standby)
        waiting = node.ledger.submit_soon(access(node, consent_id))
        until(pair.waiting)
        with pair.primary.connect() as admin:
            admin.execute("SELECT pg_cancel_backend(%s)", (pair.waiting()[0],))
        until(pair.waiting)  # it looks again for what it may have written, and that look waits too
        assert not waiting.done()
        assert shown(node.ledger) == seen
        pair.up(pair.standby)
        answer = waiting.result(PATIENCE)
        assert not isinstance(answer, Repeated)
        pair.down(pair.primary)
        pair.promote()
        audit(pair.url, node.ledger)
        assert shown(node.ledger)[0] > answer[0].index


@pytest.mark.postgres
def test_a_former_primary_that_does_not_know_it_acknowledges_nothing_and_its_successor_goes_on(
    pair: Pair, tmp_path: Path
) -> None:
    """It was paused or cut off while its standby was promoted. The node's connections still lead to it."""
    with node_on(pair, tmp_path) as node:
        consent_id = node.grant()
        before = node.access(consent_id)
        seen = shown(node.ledger)
        pair.promote()
        command = access(node, consent_id)
        waiting = node.ledger.submit_soon(command)
        until(pair.waiting)
        assert not waiting.done()
        assert shown(node.ledger) == seen, "what only a former primary has is shown to nobody"

        pair.demote(pair.primary)  # the commit that waits is there, and was never replicated

        recorded = submitted_again(node, command)
        size, _ = shown(node.ledger)
        assert before.index < recorded.index < size
        node.ledger.tree.consistency(seen[0], size)
        leaves = audit(pair.url, node.ledger)
        assert len(leaves) == size
        with pair.standby.connect("ledger") as successor:
            known = successor.execute("SELECT leaf FROM entries WHERE idx = %s", (recorded.index,)).fetchone()
        assert known == (recorded.leaf,), "the acknowledged entry is the successor's"
