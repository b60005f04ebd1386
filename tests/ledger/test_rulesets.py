"""A log that was opened under ruleset 1 goes on, and is activated to ruleset 2, on both engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import create_engine, select, update

from ledger.consent.state import Approval, Consent
from ledger.entries.leaf import consent_chain
from ledger.errors import Corrupt, IllegalTransition
from ledger.storage.reseal import reseal
from ledger.storage.tables import consents
from ledger.vault.cipher import consent_place
from tests.ledger.auditing import audit
from tests.world import Node, reference, running, separately

ACTIVATE = {"type": "ruleset.activated", "v": 1, "ruleset": 2}
TWO = {"authorisers_required": 2, "separate_consents": []}


def state(node: Node, consent_id: str) -> Consent:
    return node.ledger.records.consent(node.bank.id, consent_id)


def approve(node: Node, consent_id: str, who: str, *accounts: str, **members: Any) -> None:
    node.authorise(
        consent_id,
        authoriser=reference(who),
        accounts=sorted(map(reference, accounts)),
        **{"separate_consents": None, **members},
    )


def as_ruleset_1_wrote_it(node: Node, consent_id: str) -> None:
    """Put back the row of a consent's state as the code before ruleset 2 encoded it."""
    chain = consent_chain(consent_id)
    cipher = node.ledger.keystore.existing([chain])[chain]
    known = state(node, consent_id)
    pending = known.pending and {
        "terms": known.pending.terms,
        "authorisers": known.pending.authorisers,
        "accounts": known.pending.accounts,
    }
    body = (
        known.consent_id,
        known.version,
        known.terms,
        pending,
        known.authorisers,
        known.accounts,
        known.subject,
    )
    sealed = cipher.seal(msgspec.msgpack.encode(body), consent_place(chain))
    engine = create_engine(node.config.database_url)
    with engine.begin() as connection:
        assert connection.execute(select(consents.c.sealed).where(consents.c.chain == chain)).scalar_one() != sealed
        connection.execute(update(consents).where(consents.c.chain == chain).values(sealed=sealed))
    engine.dispose()


def test_a_row_of_ruleset_1_is_completed_from_its_chain(engine_url: str, tmp_path: Path) -> None:
    with running(engine_url, tmp_path, ruleset=1) as node:
        consent_id = node.request(**TWO)
        approve(node, consent_id, "first", "a", "b")
        node.clock.advance(seconds=10)
        approve(node, consent_id, "second", "b", "c")
        node.access(consent_id)
        node.terms_of[consent_id] = {**node.terms_of[consent_id], "retention_days": 7}
        amended = {"consent_id": consent_id, "previous_version": 1, "terms": node.terms_of[consent_id]}
        node.fintech.record("consent.amend", **amended)
        approve(node, consent_id, "third", "d", version=2)
        exact = state(node, consent_id)
        as_ruleset_1_wrote_it(node, consent_id)
        with pytest.raises(Corrupt, match="consent-ledger migrate"):
            state(node, consent_id)
        assert reseal(node.ledger.store, node.ledger.keystore) == 1
        assert reseal(node.ledger.store, node.ledger.keystore) == 0
        assert state(node, consent_id) == exact
        node.restart()
        node.ledger.record_documents(ACTIVATE)
        less = {"consent_id": consent_id, "accounts": [reference("b")], "by": "customer", "reason": "less"}
        node.bank.record("consent.withdraw_accounts", **less)
        after = state(node, consent_id)
        assert after.approvals == (
            Approval(reference("first"), (reference("a"),)),
            Approval(reference("second"), (reference("c"),)),
        )
        assert (after.authenticated_at, after.confirmed_at) == (exact.authenticated_at, exact.confirmed_at)
        assert after.authenticated_at == node.clock.now() // 1000
        assert after.pending is not None
        assert after.pending.approvals == (Approval(reference("third"), (reference("d"),)),)
        audit(engine_url, node.ledger)


def test_a_log_of_ruleset_1_continues_and_is_activated(engine_url: str, tmp_path: Path) -> None:
    with running(engine_url, tmp_path, ruleset=1) as node:
        old = node.request(separate_consents=[])
        node.authorise(old)
        assert node.access(old).outcome.ruleset == 1  # type: ignore[union-attr]
        node.ledger.record_documents(ACTIVATE)
        with pytest.raises(IllegalTransition):
            node.ledger.record_documents(ACTIVATE)
        told = node.access(old).outcome
        assert (told.decision, told.ruleset, "transaction-text" in told.obligations.masks) == ("allow", 2, False)  # type: ignore[union-attr]
        with pytest.raises(IllegalTransition):
            node.request(separate_consents=[])
        new = node.grant()
        assert state(node, new).separate == ("provision", "sensitive")
        node.restart()
        assert node.access(new).outcome.decision == "allow"  # type: ignore[union-attr]
        audit(engine_url, node.ledger)


def test_the_whole_state_of_ruleset_2_survives_the_database(engine_url: str, tmp_path: Path) -> None:
    with running(engine_url, tmp_path) as node:
        consent_id = node.request(authorisers_required=2, utc_offset=60, reauthenticate_days=5, reconfirm_days=6)
        given = {"separate_consents": separately(["provision"], node.clock.now())}
        approve(node, consent_id, "first", "a", "b", joint_accounts=[reference("a")], **given)
        approve(node, consent_id, "second", "b", "c", separate_consents=separately(["sensitive"], node.clock.now()))
        less = {"consent_id": consent_id, "accounts": [reference("c")], "by": "customer", "reason": "less"}
        node.bank.record("consent.withdraw_accounts", **less)
        before = state(node, consent_id)
        assert (before.joint, before.withdrawn, before.waiting) == ((reference("a"),), (reference("c"),), before.joint)
        node.restart()
        asked = node.access(consent_id, accounts=sorted(map(reference, "abc"))).outcome
        assert asked.reasons == ("ACCOUNT_APPROVAL_PENDING", "ACCOUNT_APPROVAL_WITHDRAWN")  # type: ignore[union-attr]
        assert state(node, consent_id) == before


def test_a_status_change_takes_effect_in_the_commit_that_records_it(engine_url: str, tmp_path: Path) -> None:
    with running(engine_url, tmp_path) as node:
        consent_id = node.grant()
        gone = {
            "type": "participant.removed",
            "v": 1,
            "participant": node.bank.id,
            "reason": "licence-withdrawn",
        }
        node.ledger.record_documents(gone)
        assert node.access(consent_id).outcome.reasons == ("CONSENT_TERMINATED",)  # type: ignore[union-attr]
        assert state(node, consent_id).status_at(node.clock.now(), node.ledger.registry.removed) == "TERMINATED"
