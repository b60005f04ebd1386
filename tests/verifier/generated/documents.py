"""Lies about operator documents: what no honest ledger records of participants, rulesets, reports and erasures."""

from __future__ import annotations

import random

from tests.verifier.forge import OTHER, PROVIDER, Json, b64u, chain_of
from tests.verifier.generated.lies import Told, lie, wrong
from tests.verifier.generated.lives import HOUR, Life

THIRD = "third.example"


def invented(life: Life) -> str:
    """A participant of this lie's own."""
    name = f"p{len(life.entries)}.example"
    life.register(name, ["holder", "recipient"])
    return name


# --- 8.1 to 8.6: documents ------------------------------------------------------------------------------------


@lie("8.0", exit=2)
def _a_ruleset_that_nobody_knows(life: Life, dice: random.Random) -> Told:
    life.operator({"type": "ruleset.activated", "ruleset": dice.choice((4, 5, 2**53 - 1))})
    return set()


@lie("8.1")
def _the_log_opens_again(life: Life, _: random.Random) -> Told:
    return {("CONSENT_INVALID", life.operator({"type": "ledger.opened", "origin": "ledger.example/1", "ruleset": 1}))}


def documents(life: Life, dice: random.Random) -> Json:
    """A legal one."""
    name = invented(life)
    return dice.choice(
        [
            {"type": "participant.suspended", "participant": name, "reason": "case"},
            {"type": "key.revoked", "participant": name, "kid": f"{name}.1", "reason": "lost"},
            {"type": "pack.issued", "commitment": b64u(bytes(32)), "items_count": 2, "scope": "all"},
            {"type": "participant.registered", "participant": f"q{name}", "name": "Q", "roles": ["auditor"]},
            {"type": "erasure", "chains": [b64u(bytes(32))], "basis": "request", "approved_by": ["a1", "b2"]},
            {"type": "disclosure", "participant": name, "case": "case-1", "from_index": 0, "to_index": 3},
            {
                "type": "key.added",
                "participant": name,
                "kid": f"{name}.2",
                "alg": "EdDSA",
                "use": "client",
                "jwk": life.signers[name].jwk,
            },
        ]
    )


@lie("8.2")
def _a_document_holds_nonsense(life: Life, dice: random.Random) -> Told:
    document = {"v": 1, **documents(life, dice)}
    member = dice.choice(sorted(document))
    if dice.random() < 0.2:
        document["more"] = 1
    elif dice.random() < 0.2 and member != "v":
        del document[member]
    else:
        document[member] = wrong(document[member], dice)
    return {("BAD_ENCODING", life.operator(document, "operator:ledger"))}


@lie("8.2", ruleset=2)
def _a_delegation_names_an_act_that_is_none(life: Life, dice: random.Random) -> Told:
    acts = dice.choice((["consent.nothing"], ["access", "access.request"], ["operator.erase"]))
    document = {"participant": invented(life), "delegate": PROVIDER, "acts": acts}
    return {("BAD_ENCODING", life.operator({"type": "delegation.granted", **document}))}


@lie("8.2")
def _a_key_of_small_order_is_registered(life: Life, _: random.Random) -> Told:
    name, jwk = invented(life), {"crv": "Ed25519", "kty": "OKP", "x": b64u(bytes(32))}
    key = {"kid": f"{name}.2", "alg": "EdDSA", "use": "statement", "jwk": jwk}
    return {("BAD_SIGNATURE", life.operator({"type": "key.added", "participant": name, **key}))}


@lie("8.3")
def _a_document_is_illegal(life: Life, dice: random.Random) -> Told:
    name = invented(life)
    illegal: list[Json] = [
        {"type": "participant.registered", "participant": name, "name": "again", "roles": ["recipient"]},
        {"type": "participant.reinstated", "participant": name, "reason": "never suspended"[:5]},
        {"type": "key.revoked", "participant": name, "kid": "never", "reason": "lost"},
        {
            "type": "key.added",
            "participant": name,
            "kid": f"{name}.1",
            "alg": "EdDSA",
            "use": "client",
            "jwk": life.signers[name].jwk,
        },
        {"type": "erasure", "chains": [b64u(bytes(32))], "basis": "request", "approved_by": ["a1", "a1"]},
        {"type": "disclosure", "participant": name, "case": "case-1", "from_index": 0, "to_index": 2**40},
        {"type": "delegation.ended", "participant": name, "delegate": PROVIDER, "reason": "over"},
        {"type": "delegation.granted", "participant": name, "delegate": OTHER, "acts": ["access.request"]},
        {
            "type": "purpose.defined",
            "code": f"p{len(life.entries)}",
            "permissions": ["ReadNothing"],
            "max_days": 0,
            "max_frequency_per_day": 0,
            "max_history_days": 0,
            "max_retention_days": 0,
        },
    ]
    document = dice.choice(illegal)
    chain = "operator:ledger" if document["type"] == "disclosure" else None
    return {("CONSENT_INVALID", life.operator(document, chain))}


@lie("8.3", ruleset=2)
def _who_was_removed_is_delegated_to(life: Life, dice: random.Random) -> Told:
    name, other = invented(life), f"helper{len(life.entries)}.example"
    life.register(other, ["technology-provider"])
    life.operator({"type": "participant.removed", "participant": dice.choice((name, other)), "reason": "left"})
    document = {"participant": name, "delegate": other, "acts": ["access.request"]}
    return {("CONSENT_INVALID", life.operator({"type": "delegation.granted", **document}))}


@lie("8.4")
def _a_document_stands_in_another_chain(life: Life, _: random.Random) -> Told:
    document = {"type": "participant.suspended", "participant": invented(life), "reason": "case"}
    return {("BAD_CHAIN", life.operator(document, "operator:ledger"))}


@lie("8.5", ruleset=2)
def _a_report_covers_other_entries(life: Life, dice: random.Random) -> Told:
    life.tick(HOUR + 1)
    life.tick(1)
    life.index_head()
    life.tick(HOUR + 1)
    return {("CONSENT_INVALID", life.reconcile(from_index=life.reported + dice.choice((2, 3))))}


@lie("8.6")
def _an_erased_chain_goes_on(life: Life, _: random.Random) -> Told:
    consent = life.grant()
    document = {"chains": [b64u(chain_of(consent))], "basis": "request", "approved_by": ["a1", "b2"]}
    life.operator({"type": "erasure", **document})
    return {("CONSENT_INVALID", life.access(consent))}
