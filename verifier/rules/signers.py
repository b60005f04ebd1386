"""Checks that a statement's signer could make it: key, role, delegation, standing (docs/spec/statements.md, «Signer
rules»)."""

from __future__ import annotations

from collections.abc import Iterator

from verifier.errors import Code
from verifier.records.acts import HOLDER_ACTS, RECIPIENT_ACTS, REDUCING, SINCE_2, SINCE_3
from verifier.records.declarations import DECLARED, ROLES
from verifier.records.facts import DefectRow, Facts
from verifier.rules.participants import Registry

PROVIDER = "technology-provider"


def signer_defects(registry: Registry, facts: Facts, index: int, flagged: bool) -> Iterator[DefectRow]:
    """The fault of the signer, for an entry at `index`; `registry` holds what lower indexes say. `flagged`: the bad
    signature was reported already."""
    key = registry.keys.get(facts.kid)
    if key is None or key.added >= index:
        if not flagged:
            yield _row(
                Code.BAD_SIGNATURE,
                "the key of the statement is not registered at a lower index",
                "kid",
                "a key added before",
                facts.kid,
            )
        return
    if key.owner != facts.iss:
        yield _row(Code.BAD_SIGNATURE, "the key belongs to another participant", "kid", facts.iss, key.owner)
    if key.revoked is not None:
        found = f"{facts.kid}, revoked at entry {key.revoked}"
        yield _row(Code.POLICY_REJECTED, "the key was revoked before", "kid", "a key in force", found)
    if key.use != "statement":
        yield _row(Code.POLICY_REJECTED, "the key is not one for statements", "kid", "statement", key.use)
    if facts.act in DECLARED:
        yield from _declarer(registry, facts)
    role = role_of(facts)
    if role and not registry.has_role(facts.party, role):
        yield _row(Code.CONSENT_INVALID, f"{facts.act} needs the role {role}", "iss", role, facts.party)
    if facts.behalf:
        yield from _delegation(registry, facts)
    if registry.removals or facts.act not in REDUCING:
        yield from _standing(registry, facts)


def later_defects(registry: Registry, facts: Facts) -> Iterator[DefectRow]:
    """Under rulesets 1 and 2: acts and members that exist from a later one onwards."""
    if registry.ruleset >= 3:
        return
    key = registry.keys.get(facts.kid)
    names = [facts.act, *facts.content, *(["on_behalf_of"] if facts.behalf else []), "" if key is None else key.key.alg]
    for since, known in ((2, SINCE_2), (3, SINCE_3)):
        later = sorted(known.intersection(names))
        if registry.ruleset < since and later:
            yield _row(
                Code.CONSENT_INVALID,
                f"the statement uses what exists from ruleset {since} onwards",
                "act",
                f"nothing beyond ruleset {registry.ruleset}",
                ", ".join(later),
            )
            return


def _declarer(registry: Registry, facts: Facts) -> Iterator[DefectRow]:
    """Who may declare this (docs/spec/ruleset-3.md, 1)."""
    wanted, party = ROLES.get(facts.act, ()), facts.party
    fits = not wanted or any(registry.has_role(party, role) for role in wanted)
    if facts.act == "freeze.order":
        scope = facts.content["scope"]
        own = [role for role in ("holder", "recipient") if isinstance(scope, dict) and scope.get(role) == party]
        wanted = ("regulator", "holder of its own scope", "recipient of its own scope")
        fits = any(registry.has_role(party, role) for role in ("regulator", *own))
    if not fits:
        sentence = f"{facts.act} needs the role {wanted[0]}" if len(wanted) == 1 else f"{facts.act} needs another role"
        yield _row(Code.CONSENT_INVALID, sentence, "iss", " or ".join(wanted), party)


def _delegation(registry: Registry, facts: Facts) -> Iterator[DefectRow]:
    if not registry.has_role(facts.iss, PROVIDER):
        yield _row(Code.CONSENT_INVALID, "only a technology provider acts for another", "iss", PROVIDER, facts.iss)
    if not registry.may_act_for(facts.iss, facts.behalf, facts.signed_act):
        yield _row(
            Code.CONSENT_INVALID,
            "no delegation in force lets the signer do this for another",
            "on_behalf_of",
            f"a delegation of {facts.signed_act} by {facts.behalf}",
            f"none to {facts.iss}",
        )


def _standing(registry: Registry, facts: Facts) -> Iterator[DefectRow]:
    parties = (facts.iss, facts.behalf) if facts.behalf else (facts.iss,)
    for party in parties:
        if registry.is_removed(party):
            yield _row(Code.POLICY_REJECTED, "the signer was removed", "iss", "a participant in the log", party)
        elif facts.act not in REDUCING and facts.act != "access.request" and registry.is_suspended(party):
            yield _row(Code.POLICY_REJECTED, "the signer is suspended", "iss", "an active participant", party)


def role_of(facts: Facts) -> str:
    """The role that the act asks of the party it is made for; empty: that of either party of the consent."""
    if facts.act in HOLDER_ACTS or (facts.act == "access.request" and facts.relayed):
        return "holder"
    return "recipient" if facts.act in RECIPIENT_ACTS or facts.act == "access.request" else ""


def _row(code: Code, sentence: str, field: str, expected: str, found: str) -> DefectRow:
    return (str(code), sentence, field, expected, found)
