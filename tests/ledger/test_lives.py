"""Random lives of consents on a real log, step by step against a model of a few lines."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ledger.errors import Refused
from ledger.planning.commands import Recorded
from ledger.receipts import check_receipt, receipt_bytes
from tests.ledger.auditing import audit
from tests.ledger.consents import ACTORS, TABLE, lawful
from tests.ledger.random_lives import LIMITS, on_postgresql
from tests.world import BANK, FINTECH, Node, running

LIVING = ("AWAITING", "PARTIAL", "ACTIVE", "PAUSED", "SUSPENDED")


class Lives(RuleBasedStateMachine):
    """The model: per consent its status, expiry, version, whether it is for once, and what was used today."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp())
        self.model: dict[str, dict[str, Any]] = {}
        self.told: list[Recorded] = []

    @initialize()
    def begin(self) -> None:
        self.node: Node = self.stack.enter_context(running(self.url or f"sqlite:///{self.folder / 'log'}", self.folder))

    def teardown(self) -> None:
        try:
            if self.model:
                audit(self.node.config.database_url, self.node.ledger)
                for recorded in self.told:
                    check_receipt(receipt_bytes(recorded), self.node.ledger.vkey)
                indexes = [recorded.index for recorded in self.told]
                assert indexes == sorted(set(indexes))
        finally:
            self.stack.close()
            shutil.rmtree(self.folder)

    def status(self, consent_id: str) -> str:
        known = self.model[consent_id]
        over = known["expires"] and self.node.clock.now() >= known["expires"] * 1000
        return "EXPIRED" if over and known["status"] in LIVING else str(known["status"])

    def pick(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.model)))

    @rule(once=st.booleans(), limit=st.integers(0, 2), lifetime=st.sampled_from([0, 40, 4_000]))
    def request(self, once: bool, limit: int, lifetime: int) -> None:
        expires = self.node.clock.now() // 1000 + lifetime if lifetime else 0
        consent_id = self.node.request(once=once, frequency_per_day=limit, expires_at=expires)
        self.model[consent_id] = {"status": "AWAITING", "expires": expires, "once": once, "limit": limit, "used": {}}

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def authorise(self, data: st.DataObject) -> None:
        consent_id = self.pick(data)
        before = self.status(consent_id)
        try:
            self.told += self.node.authorise(consent_id)
        except Refused:
            assert before != "AWAITING"
        else:
            assert before == "AWAITING"
            self.model[consent_id]["status"] = "ACTIVE"

    @precondition(lambda self: self.model)
    @rule(
        data=st.data(),
        act=st.sampled_from([*TABLE, "consent.resume"]),
        who=st.sampled_from([BANK, FINTECH]),
        by=st.sampled_from(ACTORS),
    )
    def step(self, data: st.DataObject, act: str, who: str, by: str) -> None:
        consent_id = self.pick(data)
        wanted = lawful(self.status(consent_id), act, who, by)
        signer = self.node.bank if who == BANK else self.node.fintech
        try:
            self.told.append(self.node.step(act, consent_id, by=by, signer=signer))
        except Refused:
            assert wanted is None
        else:
            assert self.told[-1].outcome.status == wanted  # type: ignore[union-attr]
            self.model[consent_id]["status"] = wanted

    @precondition(lambda self: self.model)
    @rule(data=st.data(), present=st.booleans())
    def access(self, data: st.DataObject, present: bool) -> None:
        consent_id = self.pick(data)
        known, day = self.model[consent_id], self.node.clock.now() // 86_400_000
        reasons = []
        if self.status(consent_id) != "ACTIVE":
            reasons.append("CONSENT_" + self.status(consent_id))
        if not present and known["limit"] and known["used"].get(day, 0) >= known["limit"]:
            reasons.append("FREQUENCY_EXCEEDED")
        self.told.append(self.node.access(consent_id, customer_present=present))
        assert list(self.told[-1].outcome.reasons) == reasons  # type: ignore[union-attr]
        if not reasons:
            known["status"] = "CONSUMED" if known["once"] else known["status"]
            known["used"][day] = known["used"].get(day, 0) + (not present)

    @rule(seconds=st.sampled_from([1, 50, 5_000, 90_000]))
    def wait(self, seconds: int) -> None:
        self.node.clock.advance(seconds=seconds)

    @rule()
    def restart(self) -> None:
        self.node.restart()

    @invariant()
    def the_node_writes(self) -> None:
        assert not hasattr(self, "node") or self.node.ledger.stopped_because is None


def test_random_lives_on_sqlite() -> None:
    run_state_machine_as_test(Lives, settings=LIMITS)


@pytest.mark.postgres
def test_random_lives_on_postgresql(postgres_server: Any) -> None:
    on_postgresql(Lives, postgres_server, "lives")
