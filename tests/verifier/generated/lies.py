"""What a lying ledger may write into an otherwise honest log, one lie at a time: the step that finds it, and what it says.

Each lie appends entries of consents and customers of its own, so that everything else in the log stays as it was.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.verifier.forge import (
    HOLDER,
    RECIPIENT,
    Json,
    Signer,
    b64u,
)
from tests.verifier.generated.lives import Life
from tests.verifier.gestures import Passkey

Told = set[tuple[str, int]]
"""Code and index of every defect."""


@dataclass(frozen=True)
class Lie:
    """`tell` appends the lie and says what must be told. `exit`: 1, or 2 where nobody can know; `heads`: a life may follow."""

    name: str
    step: str
    tell: Callable[[Life, random.Random], Told]
    exit: int = 1
    heads: bool = True
    ruleset: int | None = None


LIES: list[Lie] = []


def lie(step: str, *, exit: int = 1, heads: bool = True, ruleset: int | None = None) -> Callable[..., Any]:
    def keep(tell: Callable[[Life, random.Random], Told]) -> Callable[[Life, random.Random], Told]:
        LIES.append(Lie(tell.__name__.strip("_").replace("_", " "), step, tell, exit, heads, ruleset))
        return tell

    return keep


def wrong(value: Any, dice: random.Random) -> Any:
    """A value of another type, or of none that is allowed here."""
    if isinstance(value, bool):
        return dice.choice([None, 0, 1, "true", [], {}, [True]])
    if isinstance(value, int):
        return dice.choice([None, True, "1", [], {}, -2, 2**53, [value]])
    if isinstance(value, str):
        return dice.choice([None, True, 3, [], {}, "", [value], {"a": value}])
    if isinstance(value, list):
        return dice.choice([None, True, 1, "x", {}, [1], [[]], [None], [{}]])
    return dice.choice([None, True, 1, "x", [], [value]])


# --- 5.4, 6: leaves -------------------------------------------------------------------------------------------


def bent(life: Life, **members: Any) -> int:
    """A release whose leaf says something else; a callable changes what should stand there."""
    consent, interaction = life.grant(), b64u(life.random.randbytes(9))
    basis = life.access(consent, interaction_id=interaction)

    def bend(leaf: Json) -> None:
        for name, change in members.items():
            leaf[name] = change(leaf[name]) if callable(change) else change

    life.bend = bend
    index = life.leg("access.release", consent, basis, interaction)
    life.bend = None
    return index


@lie("5.4", heads=False)
def _a_leaf_holds_nonsense(life: Life, dice: random.Random) -> Told:
    """Its hash is the tree's: only what it says is wrong. A leaf that cannot be read has no companion and no leg."""
    consent = life.grant()
    name = dice.choice(["chain", "commitment", "index", "kind", "prev", "prev_in_chain", "seq", "time"])
    life.bend = lambda leaf: leaf.update({name: wrong(leaf[name], dice)})
    index = life.access(consent)
    life.bend = None
    return {("BAD_ENCODING", index)}


@lie("6.1")
def _a_leaf_has_another_index(life: Life, dice: random.Random) -> Told:
    return {("BAD_CHAIN", bent(life, index=lambda index: index + dice.choice((-2, 1, 7))))}


@lie("6.2")
def _a_leaf_names_another_before_it(life: Life, _: random.Random) -> Told:
    return {("BAD_CHAIN", bent(life, prev=b64u(bytes(32))))}


@lie("6.3")
def _a_leaf_is_older_than_the_one_before_it(life: Life, _: random.Random) -> Told:
    return {("TIME_INVALID", bent(life, time=lambda time: time - 1))}


@lie("6.4", heads=False)
def _a_chain_has_a_gap(life: Life, dice: random.Random) -> Told:
    return {("BAD_CHAIN", bent(life, seq=lambda seq: seq + dice.choice((-1, 1, 5))))}


@lie("6.4")
def _a_leaf_names_another_in_its_chain(life: Life, _: random.Random) -> Told:
    return {("BAD_CHAIN", bent(life, prev_in_chain=b64u(bytes(32))))}


@lie("6.5")
def _a_map_covers_less(life: Life, _: random.Random) -> Told:
    life.bend = lambda leaf: leaf.update(map_size=leaf["map_size"] - 1)
    index = life.index_head()
    life.bend = None
    return {("INCOMPLETE", index)}


@lie("6.6")
def _two_map_roots_are_invented(life: Life, _: random.Random) -> Told:
    life.bend = lambda leaf: leaf.update(map_root=b64u(bytes(32))) if leaf["kind"] == "index-head" else None
    first = life.index_head()
    life.grant()
    second = life.index_head()
    life.bend = None
    return {("BAD_PROOF", first), ("BAD_PROOF", second)}


# --- 7: one entry's evidence ----------------------------------------------------------------------------------


@lie("7.3")
def _a_leaf_commits_to_something_else(life: Life, _: random.Random) -> Told:
    consent = life.grant()
    life.bend = lambda leaf: leaf.update(commitment=b64u(bytes(32)))
    index = life.access(consent)
    life.bend = None
    return {("BAD_COMMITMENT", index)}


@lie("7.4")
def _evidence_holds_nonsense(life: Life, dice: random.Random) -> Told:
    consent = life.grant()

    def bend(_: int, evidence: Json) -> None:
        if dice.random() < 0.5:
            name = dice.choice(["act", "statements", "outcome"])
            evidence[name] = wrong(evidence[name], dice)
        elif dice.random() < 0.2:
            evidence[dice.choice(["more", "item", "v"])] = dice.choice([None, [], "1"])
        else:
            name = dice.choice(sorted(evidence["outcome"]))
            evidence["outcome"][name] = wrong(evidence["outcome"][name], dice)

    life.bend_evidence = bend
    index = life.access(consent) if dice.random() < 0.5 else life.revoke(consent)
    life.bend_evidence = None
    return {("BAD_ENCODING", index)}


@lie("7.5")
def _a_statement_is_no_jws(life: Life, dice: random.Random) -> Told:
    consent = life.grant()
    payload = life.payload(RECIPIENT, "access.request", **life.item(consent))
    jws = life.signers[RECIPIENT].sign(payload)
    jws = dice.choice(
        [jws + "=", jws.replace(".", ":", 1), "." + jws, jws[:-1] + "!", "x", jws + "." + jws, "", " " + jws]
    )
    life.bend_evidence = lambda _, evidence: evidence.update(statements=[jws])
    index = life.submit(payload, life.decide(RECIPIENT, payload))
    life.bend_evidence = None
    return {("BAD_ENCODING", index)}


@lie("7.6")
def _a_header_holds_nonsense(life: Life, dice: random.Random) -> Told:
    consent = life.grant()
    payload = life.payload(RECIPIENT, "access.request", **life.item(consent))
    header: Json = {"alg": "EdDSA", "kid": f"{RECIPIENT}.1", "typ": "consent-statement+jwt"}
    values = [None, True, 7, [], {}, ["EdDSA"], {"a": []}, "", "none", [["x"]], {"kid": {}}]
    if dice.random() < 0.3:
        header[dice.choice(["crit", "jwk", "x5c", "b64"])] = dice.choice(values)
    else:
        name = dice.choice(sorted(header))
        header[name] = dice.choice([value for value in values if name != "kid" or value != "none"])
    jws = life.signers[RECIPIENT].sign(payload, header)
    index = life.submit(payload, life.decide(RECIPIENT, payload), jws=jws)
    return {("BAD_SIGNATURE", index)}


@lie("7.7")
def _a_signature_is_a_strangers(life: Life, dice: random.Random) -> Told:
    consent, signer = life.grant(), Signer(f"{RECIPIENT}.1" if dice.random() < 0.5 else "nobody.1", RECIPIENT)
    signer.key = Signer("a stranger", RECIPIENT).key
    payload = life.payload(RECIPIENT, "access.request", **life.item(consent))
    index = life.submit(payload, life.decide(RECIPIENT, payload), jws=signer.sign(payload))
    return {("BAD_SIGNATURE", index)}


def said(life: Life, dice: random.Random) -> tuple[Json, Json | None, str, str]:
    """Some honest statement: payload, outcome, kind and name of its chain."""
    consent = life.grant()
    ending = {"consent_id": consent, "reason": "asked", "by": "customer"}
    chosen = dice.choice(["access", "revoke", "pause", "leg", "request", "enrol"])
    if chosen == "access":
        item = life.item(consent)
        return life.payload(RECIPIENT, "access.request", **item), life.decide(RECIPIENT, item), "consent", consent
    if chosen in ("revoke", "pause"):
        status = {"revoke": "REVOKED", "pause": "PAUSED"}[chosen]
        outcome = {"consent_version": 1, "ruleset": life.ruleset, "status": status}
        return life.payload(HOLDER, f"consent.{chosen}", **ending), outcome, "consent", consent
    if chosen == "leg":
        basis = life.access(consent, interaction_id="interaction-9")
        members = {"interaction_id": "interaction-9", "basis": basis, "rows": 1, "bytes": 2, "digest": b64u(bytes(32))}
        return life.payload(HOLDER, "access.release", consent_id=consent, **members), None, "consent", consent
    if chosen == "request":
        consent = life.consent_id()
        outcome = {"consent_version": 1, "ruleset": life.ruleset, "status": "AWAITING"}
        payload = life.payload(RECIPIENT, "consent.request", consent_id=consent, terms=life.terms())
        return payload, outcome, "consent", consent
    device, subject = Passkey(b64u(life.random.randbytes(9))), life.reference()
    members = {
        "credential_id": device.id,
        "subject": subject,
        "public_key": device.cose,
        "rp_id": "bank.example",
        "sca": {"acr": "sca", "amr": ["otp"], "at": life.time // 1000},
    }
    return life.payload(HOLDER, "subject.enrol", **members), None, "subject", f"subject:{HOLDER}:{subject}"


def record(life: Life, payload: Json, outcome: Json | None, kind: str, name: str, iss: str, act: str) -> int:
    evidence: Json = {"act": act, "statements": [life.signers[iss].sign(payload)]}
    if outcome is not None:
        evidence["outcome"] = outcome
    return life.record(kind, name, evidence)


@lie("7.8")
def _a_statement_holds_nonsense(life: Life, dice: random.Random) -> Told:
    payload, outcome, kind, name = said(life, dice)
    iss, act = payload["iss"], payload["act"]
    member = dice.choice([name for name in sorted(payload) if name not in ("aud", "act")])
    if dice.random() < 0.2:
        payload[dice.choice(["more", "joint_accounts", "relayed"])] = dice.choice([None, 1, "x", {}])
    elif dice.random() < 0.2:
        del payload[member]
    elif isinstance(payload[member], dict):
        inner = dice.choice(sorted(payload[member]))
        payload[member] = {**payload[member], inner: wrong(payload[member][inner], dice)}
    else:
        payload[member] = wrong(payload[member], dice)
    return {("BAD_ENCODING", record(life, payload, outcome, kind, name, iss, act))}


@lie("7.9")
def _a_customer_is_authenticated_later(life: Life, _: random.Random) -> Told:
    sca = {"acr": "sca", "amr": ["otp"], "at": life.time // 1000 + 301}
    return {("TIME_INVALID", life.enrol(Passkey(b64u(life.random.randbytes(9))), subject=life.reference(), sca=sca))}


@lie("7.10")
def _a_passkeys_key_is_none(life: Life, dice: random.Random) -> Told:
    device = Passkey(b64u(life.random.randbytes(9)))
    raw = dice.choice([device.cose + "AA", device.cose[:-4], b64u(bytes(77)), "AA", b64u(b"\xa0")])
    return {("BAD_ENCODING", life.enrol(device, subject=life.reference(), public_key=raw))}


@lie("7.11")
def _a_statement_is_for_another_log(life: Life, dice: random.Random) -> Told:
    payload, outcome, kind, name = said(life, dice)
    payload["aud"] = dice.choice(["other.example/1", "", None, [], 7])
    return {("BAD_SIGNATURE", record(life, payload, outcome, kind, name, payload["iss"], payload["act"]))}


@lie("7.12")
def _evidence_is_of_another_act(life: Life, _: random.Random) -> Told:
    consent = life.grant()
    outcome = {"consent_version": 1, "ruleset": life.ruleset, "status": "REVOKED"}
    payload = life.payload(HOLDER, "consent.pause", consent_id=consent, reason="asked", by="customer")
    return {("CONSENT_INVALID", record(life, payload, outcome, "consent", consent, HOLDER, "consent.revoke"))}


@lie("7.13")
def _a_batch_item_takes_another_place(life: Life, _: random.Random) -> Told:
    consents = [life.grant(), life.grant()]

    def bend(index: int, evidence: Json) -> None:
        if evidence.get("item", {}).get("position") == 1:
            evidence["item"]["position"] = 0

    life.bend_evidence = bend
    _, index = life.batch(consents)
    life.bend_evidence = None
    return {("BAD_PROOF", index)}


@lie("7.14")
def _a_statement_is_late(life: Life, dice: random.Random) -> Told:
    consent = life.grant()
    payload = life.payload(RECIPIENT, "access.request", **life.item(consent))
    payload["iat"] += dice.choice((-302, 302, -9_999))
    return {("TIME_INVALID", life.submit(payload, life.decide(RECIPIENT, payload)))}


@lie("7.15")
def _an_entry_stands_in_another_chain(life: Life, dice: random.Random) -> Told:
    payload, outcome, kind, _ = said(life, dice)
    index = record(life, payload, outcome, kind, "somebody else's", payload["iss"], payload["act"])
    return {("BAD_CHAIN", index)}
