"""Who may sign what, for whom, and while what stands against them (docs/spec/statements.md, «Signer rules»)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verifier.forge import Signer
from tests.verifier.states import HOLDER, OTHER, RECIPIENT, operator, registry
from verifier.errors import Code
from verifier.records.acts import HOLDER_ACTS, MEMBERS, RECIPIENT_ACTS, REDUCING
from verifier.records.declarations import DECLARED
from verifier.records.facts import Facts
from verifier.rules.participants import Registry
from verifier.rules.signers import later_defects, role_of, signer_defects

HELPER = "helper.example"
INDEX = 40
STATEMENTS = [act for act in MEMBERS if act not in DECLARED]
"""Who makes the declarations of ruleset 3: test_declarers."""
OWNERS = (HOLDER, RECIPIENT, OTHER, HELPER)


def rules(*documents: dict[str, Any], ruleset: int = 2) -> Registry:
    """A key of each participant, called after its owner, and a delegation of both parties."""
    opening = [
        operator("key.added", participant=who, kid=who, alg="EdDSA", use="statement", jwk=Signer(who, who).jwk)
        for who in OWNERS
    ]
    if ruleset >= 2:
        opening += [
            operator("delegation.granted", participant=RECIPIENT, delegate=HELPER, acts=["access.request"]),
            operator(
                "delegation.granted", participant=HOLDER, delegate=HELPER, acts=["consent.pause", "subject.enrol"]
            ),
        ]
    return registry(*opening, *documents, ruleset=ruleset)


def signed(
    act: str, iss: str, *, kid: str = "", behalf: str = "", position: int = -1, relayed: bool = False, **content: Any
) -> Facts:
    return Facts(act, iss, kid or iss, 0, b"", b"", position, relayed, content, None, None, behalf)


def defects(facts: Facts, known: Registry, index: int = INDEX, flagged: bool = False) -> list[tuple[str, str]]:
    """Code and place of each."""
    return [(row[0], row[2]) for row in signer_defects(known, facts, index, flagged)]


SIGNATURE, POLICY, INVALID = str(Code.BAD_SIGNATURE), str(Code.POLICY_REJECTED), str(Code.CONSENT_INVALID)
REQUEST = signed("consent.request", RECIPIENT)


def test_a_key_signs_from_the_entry_after_its_own_on() -> None:
    known = rules()
    added = known.keys[RECIPIENT].added
    assert defects(REQUEST, known, added + 1) == []
    for index in (added, added - 1):
        assert defects(REQUEST, known, index) == [(SIGNATURE, "kid")]
        assert defects(REQUEST, known, index, flagged=True) == []
    stranger = signed("consent.request", RECIPIENT, kid="nobody's")
    assert defects(stranger, known) == [(SIGNATURE, "kid")]
    assert defects(stranger, known, flagged=True) == []  # said already


def test_a_key_is_its_owners_in_force_and_one_for_statements() -> None:
    assert defects(signed("consent.request", RECIPIENT, kid=OTHER), rules()) == [(SIGNATURE, "kid")]
    revoked = rules(operator("key.revoked", participant=RECIPIENT, kid=RECIPIENT, reason="lost"))
    assert defects(REQUEST, revoked) == [(POLICY, "kid")]
    client = operator(
        "key.added", participant=RECIPIENT, kid="tls", alg="EdDSA", use="client", jwk=Signer("tls", RECIPIENT).jwk
    )
    assert defects(signed("consent.request", RECIPIENT, kid="tls"), rules(client)) == [(POLICY, "kid")]


@pytest.mark.parametrize("act", STATEMENTS)
@pytest.mark.parametrize("relayed", [False, True])
def test_each_act_is_of_the_role_that_the_specification_says(act: str, relayed: bool) -> None:
    asks = act == "access.request"
    wanted = (
        {HOLDER}
        if act in HOLDER_ACTS or (asks and relayed)
        else {RECIPIENT}
        if act in RECIPIENT_ACTS or asks
        else set()
    )
    for who in (HOLDER, RECIPIENT):
        facts = signed(act, who, relayed=relayed)
        assert defects(facts, rules()) == ([(INVALID, "iss")] if wanted and who not in wanted else [])
    assert role_of(signed(act, HOLDER, relayed=relayed)) == {HOLDER: "holder", RECIPIENT: "recipient"}.get(
        next(iter(wanted), ""), ""
    )


def test_only_a_provider_with_a_delegation_of_the_act_acts_for_another() -> None:
    known = rules()
    assert defects(signed("access.request", HELPER, behalf=RECIPIENT), known) == []
    for facts in (
        signed("consent.request", HELPER, behalf=RECIPIENT),
        signed("access.request", HELPER, behalf=RECIPIENT, position=0),  # of a batch, which is not delegated
        signed("access.request", HELPER, behalf=OTHER),
        signed("subject.consent", HELPER, behalf=HOLDER),
    ):
        assert defects(facts, known) == [(INVALID, "on_behalf_of")]
    no_provider = signed("access.request", OTHER, behalf=RECIPIENT)
    assert defects(no_provider, known) == [(INVALID, "iss"), (INVALID, "on_behalf_of")]
    # It is the party that must have the role, not who signs for it.
    assert defects(signed("access.request", HELPER, behalf=HOLDER), known)[0] == (INVALID, "iss")
    ended = rules(operator("delegation.ended", participant=RECIPIENT, delegate=HELPER, reason="over"))
    assert defects(signed("access.request", HELPER, behalf=RECIPIENT), ended) == [(INVALID, "on_behalf_of")]


@pytest.mark.parametrize("act", STATEMENTS)
def test_a_suspended_participant_may_only_reduce_and_ask(act: str) -> None:
    fine = act in REDUCING or act == "access.request"
    owner = HOLDER if role_of(signed(act, HOLDER)) == "holder" else RECIPIENT
    suspended = rules(operator("participant.suspended", participant=owner, reason="case"))
    assert defects(signed(act, owner), suspended) == ([] if fine else [(POLICY, "iss")])
    # So it stays when somebody else was removed, and rules about removal are asked too.
    removed = operator("participant.removed", participant=OTHER, reason="left")
    both = rules(removed, operator("participant.suspended", participant=owner, reason="case"))
    assert defects(signed(act, owner), both) == ([] if fine else [(POLICY, "iss")])
    assert defects(signed(act, owner), rules(removed)) == []


@pytest.mark.parametrize("act", STATEMENTS)
def test_a_removed_participant_does_nothing_any_more(act: str) -> None:
    owner = HOLDER if role_of(signed(act, HOLDER)) == "holder" else RECIPIENT
    assert defects(signed(act, owner), rules(operator("participant.removed", participant=owner, reason="left"))) == [
        (POLICY, "iss")
    ]


@pytest.mark.parametrize("kind", ["suspended", "removed"])
@pytest.mark.parametrize("who", [HELPER, HOLDER])
def test_it_counts_for_the_one_who_signs_and_for_the_one_it_is_done_for(kind: str, who: str) -> None:
    known = rules(operator(f"participant.{kind}", participant=who, reason="case"))
    assert defects(signed("subject.enrol", HELPER, behalf=HOLDER), known) == [(POLICY, "iss")]
    reduces = defects(signed("consent.pause", HELPER, behalf=HOLDER), known)
    assert reduces == ([] if kind == "suspended" else [(POLICY, "iss")])
    assert defects(signed("access.request", RECIPIENT), known) == []


def test_under_ruleset_1_what_exists_from_ruleset_2_on_is_refused() -> None:
    first, second = rules(ruleset=1), rules()
    for facts in (
        signed("consent.reconfirm", RECIPIENT),
        signed("consent.authorise", HOLDER, joint_accounts=[]),
        signed("access.request", HELPER, behalf=RECIPIENT),
    ):
        assert [(row[0], row[2]) for row in later_defects(first, facts)] == [(INVALID, "act")]
        assert [*later_defects(second, facts)] == []
    assert [*later_defects(first, REQUEST)] == []
