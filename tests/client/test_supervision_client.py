"""Every declaration of supervision can be made with the client, and its effect is the ledger's."""

from __future__ import annotations

import asyncio
import hmac
from pathlib import Path

import pytest

from api.client import BadStatement, KeptText, RefusedByLedger, SupervisionClient
from ledger.canonical import b64u
from ledger.clock import SystemClock
from ledger.documents import activation
from tests.client.service import Service, running_service

DAY = 86_400
HASH = b64u(bytes(32))
OFFICER = "o" * 22


def test_each_declaration_is_made_and_answered_with_a_verified_receipt(engine_url: str, tmp_path: Path) -> None:
    async def story(service: Service) -> None:
        ledger, now = service.node.ledger, SystemClock().now() // 1000
        async with service.client("fca") as theirs, service.client("bank-a") as own:
            order, hold = SupervisionClient(theirs), SupervisionClient(own)
            frozen = await order.freeze("f-1", {"recipient": "app-x"}, until=now + DAY, reason="scraping")
            assert frozen.act == "freeze.order"
            assert ledger.registry.supervision.freezing
            await order.lift("f-1", reason="over")
            assert not ledger.registry.supervision.freezing
            await order.require_assessment("r-1", {"purpose": "budgeting"}, reason="pipl-55")
            await hold.record_assessment(
                "a-1",
                {"purpose": "budgeting"},
                document_hash=HASH,
                outcome="acceptable",
                method="pia",
                next_due=now + 90 * DAY,
            )
            await order.waive_assessment("r-1", reason="done")
            await hold.block("rate", about="recipient", level=500, seconds=3_600)
            await hold.unblock("rate", reason="calm")
            words = KeptText.of("Keys were lost")
            assert words.hash == b64u(hmac.digest(words.key, b"Keys were lost", "sha256"))
            await hold.open_incident(
                "i-1",
                {"holder": "bank-a"},
                kind="key-compromise",
                severity=4,
                detected_at=now,
                affected_consents=3,
                text=words,
            )
            incident = ledger.registry.supervision.incidents["bank-a", "i-1"]
            assert [clock.due - now for clock in incident.says.clocks] == [4 * 3_600, 24 * 3_600, 72 * 3_600]
            assert incident.says.text_hash == words.hash
            await hold.update_incident("i-1", text=words, told_customers=3, told_participants=1, clock="initial")
            await hold.close_incident("i-1", text=words, reason="resolved")
            await order.define_purpose("budgeting", ["ReadBalances", "ReadAccountsBasic"], max_days=90)
            assert ledger.registry.purposes["budgeting"].max_days == 90
            with pytest.raises(RefusedByLedger):
                await hold.freeze("f-2", {}, until=now + DAY, reason="scraping")
            with pytest.raises(BadStatement):
                await order.freeze("f-3", {"colour": "red"}, until=now + DAY, reason="scraping")
            with pytest.raises(RefusedByLedger):
                await order.decide(1, "cleared", officer=OFFICER, proposal="confirmed", proposal_reasons=["many"])

    with running_service(engine_url, tmp_path / "state") as service:
        if service.node.ledger.registry.ruleset < 3:
            service.node.ledger.record_documents(activation(3))
        service.join("fca", "regulator")
        asyncio.run(story(service))
