"""A small world around a real ledger: participants who sign, consents they ask for, accesses they make.

    with running_world(engine_url, tmp_path) as world:
        bank, app = world.holder("bank-a"), world.recipient("tpp-1")
        consent = world.active_consent(app, bank)
        [access] = world.record(app.access(consent))
        world.record(bank.step("revoke", consent))

An action of a participant is a `Submission`: recorded directly (`world.record`), or sent over HTTP (`path`, `body`).
Tests of the core begin with a `Node`: a world of four participants on a clock that stands still, whose consents go by
their ids.

    with running(engine_url, tmp_path) as node:
        consent_id = node.grant()
        access = node.access(consent_id)
        node.revoke(consent_id)
        node.bank.record("consent.reauthenticate", consent_id=consent_id, sca=sca)

Nothing here replaces a part of the ledger but the clock.
"""

from __future__ import annotations

from tests.world.parties import ConsentInWorld, Party, Signer, Submission, passkey
from tests.world.saying import (
    BANK,
    DAY,
    FINTECH,
    ORIGIN,
    OTHER_BANK,
    STRANGER,
    Document,
    about,
    item,
    new_consent_id,
    payload,
    reference,
    registered,
    separately,
    terms,
    terms_hash,
)
from tests.world.worlds import (
    Node,
    World,
    found,
    node_config,
    record_index_head,
    running,
    running_ledger,
    running_world,
)

__all__ = [
    "BANK",
    "DAY",
    "FINTECH",
    "ORIGIN",
    "OTHER_BANK",
    "STRANGER",
    "ConsentInWorld",
    "Document",
    "Node",
    "Party",
    "Signer",
    "Submission",
    "World",
    "about",
    "found",
    "item",
    "new_consent_id",
    "node_config",
    "passkey",
    "payload",
    "record_index_head",
    "reference",
    "registered",
    "running",
    "running_ledger",
    "running_world",
    "separately",
    "terms",
    "terms_hash",
]
