"""Operator documents at the edges of their forms and of the steps the rules give (docs/spec/leaves.md)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.verifier.forge import Signer, b64u, named
from tests.verifier.making import refusal
from tests.verifier.states import HOLDER, OTHER, RECIPIENT, operator, registry
from verifier.errors import Code, OtherVersion
from verifier.records.acts import MEMBERS, SINCE_3
from verifier.rules.catalogue import KNOWN_RULESETS
from verifier.rules.participants import ROLES, Registry

HELPER, LONG = "helper.example", "p" * 63
"""Two technology providers: one of `registry`, one with the longest name."""
PROVIDER = operator("participant.registered", participant=LONG, name="long", roles=["technology-provider"])
JWK = Signer("a key", HOLDER).jwk
CHAINS = sorted(b64u(bytes([number]) * 32) for number in range(9))
LIMITS = ("max_days", "max_frequency_per_day", "max_history_days", "max_retention_days")
KEY = operator("key.added", participant=HOLDER, kid="k" * 64, alg="EdDSA", use="statement", jwk=JWK)

PLAIN: dict[str, dict[str, Any]] = {
    "participant.registered": {"participant": "new.example", "name": "New", "roles": ["auditor"]},
    "key.added": {"participant": HOLDER, "kid": "another", "alg": "EdDSA", "use": "statement", "jwk": JWK},
    "key.revoked": {"participant": HOLDER, "kid": "k" * 64, "reason": "lost"},
    "participant.suspended": {"participant": HOLDER, "reason": "case"},
    "participant.reinstated": {"participant": OTHER, "reason": "case"},
    "participant.removed": {"participant": HOLDER, "reason": "left"},
    "delegation.granted": {"participant": HOLDER, "delegate": HELPER, "acts": ["access.release", "consent.authorise"]},
    "delegation.ended": {"participant": RECIPIENT, "delegate": LONG, "reason": "over"},
    "purpose.defined": {"code": "AIS", "permissions": ["ReadBalances"], **dict.fromkeys(LIMITS, 0)},
    "reconciliation.reported": {
        "from_index": 0, "to_index": 4, "accesses": 3, "releases": 2, "receipts": 1, "findings": 1,
        "findings_hash": b64u(bytes(32)),
    },
    "ruleset.activated": named(3),
    "disclosure": {"participant": HOLDER, "case": "case-1", "from_index": 0, "to_index": 4},
    "evidence.opened": {"by": "operator", "case": "case-1", "from_index": 0, "to_index": 4},
    "pack.issued": {"commitment": b64u(bytes(32)), "items_count": 2, "scope": "all"},
    "erasure": {"chains": CHAINS[:1], "basis": "request", "approved_by": ["a1", "b2"]},
}  # fmt: skip
"""One document of each kind that `begun` takes."""
SINCE_2 = [kind for kind in PLAIN if kind.split(".")[0] in ("delegation", "purpose", "reconciliation")]
SINCE_2.append("participant.removed")


def begun(*documents: dict[str, Any], ruleset: int = 2) -> Registry:
    """A key, a suspension and, from ruleset 2 onwards, a delegation are in force."""
    opening = [PROVIDER, KEY, operator("participant.suspended", participant=OTHER, reason="case")]
    if ruleset >= 2:
        opening.append(operator("delegation.granted", participant=RECIPIENT, delegate=LONG, acts=["access.request"]))
    return registry(*opening, *documents, ruleset=ruleset)


def document(kind: str, **changes: Any) -> dict[str, Any]:
    return operator(kind) | PLAIN[kind] | changes


def folded(made: dict[str, Any], rules: Registry | None = None) -> Registry:
    rules = rules or begun()
    rules.fold(made, len(rules.history))
    return rules


def refused(code: Code, made: dict[str, Any], rules: Registry | None = None) -> None:
    """It must be refused. What has a wrong form says nothing; what is illegal is taken over (`CLAIMS`)."""
    rules = rules or begun()
    before = copy.deepcopy(rules)
    with refusal(code):
        rules.fold(made, len(rules.history))
    if code is not Code.CONSENT_INVALID:
        assert rules == before


ACTS = sorted(MEMBERS.keys() - SINCE_3)
REASON = ["r", "r" * 64], ["", "r" * 65, "a b", 1]
INTEGER = [0, 2**53 - 1], [-1, True, "1", 2**53]
HASH = [b64u(bytes(32))], [b64u(bytes(31)), b64u(bytes(33)), "", 0]
DAYS = [0, 1, 36_500], [-1, 36_501]
EDGES: list[tuple[str, str, list[Any], list[Any]]] = [
    *((kind, "v", [1], [0, 2, True, "1"]) for kind in PLAIN if kind != "ruleset.activated"),
    ("ruleset.activated", "v", [2], [0, 1, True, "2"]),
    *((kind, "more", [], [1]) for kind in PLAIN),
    ("participant.registered", "participant", ["nn", "n" * 63], ["n", "n" * 64, "New", ""]),
    ("participant.registered", "name", ["n", "n" * 200], ["", "n" * 201, 7]),
    (
        "participant.registered",
        "roles",
        [["auditor"], sorted(ROLES)],
        [[], ["auditor", "auditor"], ["recipient", "holder"], ["king"], ["holder", "king"]],
    ),
    ("key.added", "participant", [LONG], ["p" * 64, "", 1]),
    ("key.added", "kid", ["n", "n" * 64], ["n" * 65, "n/1", ""]),
    ("key.added", "use", ["statement", "client"], ["signing", "", 1]),
    ("key.added", "alg", ["EdDSA"], ["ES256", "", 1]),
    ("key.added", "jwk", [], ["x", None]),
    ("key.revoked", "kid", [], ["k" * 65, "k/1", ""]),
    ("key.revoked", "reason", *REASON),
    ("participant.suspended", "reason", *REASON),
    ("participant.reinstated", "reason", *REASON),
    ("participant.removed", "reason", *REASON),
    ("delegation.ended", "reason", *REASON),
    ("delegation.granted", "delegate", [LONG], ["p" * 64, "?", ""]),
    (
        "delegation.granted",
        "acts",
        [["access.batch"], ["consent.withdraw_accounts"], ACTS],
        [[], ACTS[1::-1], ACTS[:1] * 2, ["access"], ["access.batch", "consent.nothing"], [["access.batch"]]],
    ),
    ("purpose.defined", "code", *REASON),
    ("purpose.defined", "permissions", [["ReadAccountsBasic", "ReadBalances"]], [[], ["ReadBalances"] * 2, ["a b"]]),
    ("purpose.defined", "max_days", *DAYS),
    ("purpose.defined", "max_history_days", *DAYS),
    ("purpose.defined", "max_retention_days", *DAYS),
    ("purpose.defined", "max_frequency_per_day", [0, 1, 10_000], [-1, 10_001]),
    *(("reconciliation.reported", name, *INTEGER) for name in ("accesses", "releases", "receipts", "findings")),
    ("reconciliation.reported", "findings_hash", *HASH),
    ("reconciliation.reported", "from_index", [], [-1, False, "0"]),
    ("reconciliation.reported", "to_index", [], [-1, True, "4"]),
    ("ruleset.activated", "ruleset", [3, 2**53 - 1], [0, -1, True, 1, 2, 2**53]),
    ("ruleset.activated", "catalogue", *HASH),
    ("disclosure", "case", *REASON),
    ("disclosure", "from_index", [1], [-1, False]),
    ("disclosure", "to_index", [5], [-1, True]),
    ("pack.issued", "commitment", *HASH),
    ("pack.issued", "items_count", *INTEGER),
    ("pack.issued", "scope", *REASON),
    ("erasure", "chains", [CHAINS[:1], CHAINS[:8]], [[], CHAINS, ["A" * 42], [CHAINS[0], "?" * 43], "A" * 43]),
    ("erasure", "basis", *REASON),
    ("erasure", "approved_by", [["b2", "a1"]], [["a1"], ["a1", "b2", "c3"], ["a 1", "b2"], ["a1", ""], []]),
]


@pytest.mark.parametrize("kind", PLAIN)
def test_a_document_of_each_kind_is_taken_and_remembered(kind: str) -> None:
    rules = folded(document(kind))
    assert rules.history[-1] == (len(rules.history) - 1, 0, "", document(kind))


@pytest.mark.parametrize(("kind", "member", "fine", "wrong"), EDGES, ids=lambda part: part if type(part) is str else "")
def test_members_of_documents_are_bounded(kind: str, member: str, fine: list[Any], wrong: list[Any]) -> None:
    for value in fine:
        folded(document(kind, **{member: value}))
    for value in wrong:
        refused(Code.BAD_ENCODING, document(kind, **{member: value}))


def test_a_purpose_names_at_most_64_permissions() -> None:
    codes = [f"Read{number:02}" for number in range(65)]  # a later ruleset may know that many
    folded(document("purpose.defined", permissions=codes[:64]), begun(ruleset=4))
    refused(Code.BAD_ENCODING, document("purpose.defined", permissions=codes), begun(ruleset=4))
    for surplus in (["ReadNothingKnown"], ["ReadBalances", "ReadNothingKnown"]):
        refused(Code.CONSENT_INVALID, document("purpose.defined", permissions=surplus))


def test_a_delegation_names_at_most_32_acts() -> None:
    every = sorted(MEMBERS)
    assert len(every) > 32
    folded(document("delegation.granted", acts=every[:32]), begun(ruleset=3))
    refused(Code.BAD_ENCODING, document("delegation.granted", acts=every[:33]), begun(ruleset=3))


def test_an_illegal_purpose_of_a_regulator_leaves_what_there_was_before_it() -> None:
    rules = begun(document("ruleset.activated"))

    def define(code: str, permission: str) -> None:
        says = document("purpose.defined", code=code, permissions=[permission])
        rules.declare("purpose.define", OTHER, says, len(rules.history), 0)

    define("AIS", "ReadBalances")
    before = dict(rules.purposes)
    for code in ("AIS", "NEW"):
        with refusal(Code.CONSENT_INVALID):
            define(code, "ReadNothingKnown")
        assert rules.purposes == before


def test_a_document_of_a_later_version_may_say_anything() -> None:
    for kind, version in (("participant.suspended", 2), ("ruleset.activated", 3)):
        with pytest.raises(OtherVersion):
            folded(document(kind, v=version))


def opened(**changes: Any) -> dict[str, Any]:
    return operator("ledger.opened", **{"origin": "ledger.example/1", "ruleset": 1, **changes})


def test_the_log_opens_once_with_an_origin_and_a_ruleset() -> None:
    assert Registry().ruleset not in KNOWN_RULESETS  # before that there are no rules
    for members in ({"origin": "o"}, {"origin": "o" * 255}, {"ruleset": 1}, {"ruleset": 2**53 - 1}):
        rules = folded(opened(**members), Registry())
        assert (rules.origin, rules.ruleset) == tuple(opened(**members)[name] for name in ("origin", "ruleset"))
    for members in ({"origin": ""}, {"origin": "o" * 256}, {"ruleset": 0}, {"ruleset": True}, {"v": 2}):
        refused(Code.BAD_ENCODING, opened(**members), Registry())
    refused(Code.BAD_ENCODING, operator("log.opened"), Registry())
    refused(Code.CONSENT_INVALID, opened())
    refused(Code.CONSENT_INVALID, document("participant.registered"), Registry())


def test_the_ruleset_rises() -> None:
    assert folded(operator("ruleset.activated", ruleset=2), begun(ruleset=1)).ruleset == 2
    for ruleset in (1, 2):
        refused(Code.CONSENT_INVALID, operator("ruleset.activated", ruleset=ruleset))


def test_a_ruleset_from_3_on_is_known_by_its_catalogue() -> None:
    """Else it is one that nobody knows (docs/spec/leaves.md): by its number alone, beside another catalogue, a later one."""
    assert folded(document("ruleset.activated")).is_judged
    assert folded(operator("ruleset.activated", ruleset=2), begun(ruleset=1)).is_judged
    nobodys = (
        operator("ruleset.activated", ruleset=3),
        document("ruleset.activated", catalogue=b64u(bytes(32))),
        document("ruleset.activated", ruleset=4),
    )
    for each in nobodys:
        assert folded(each).ruleset == each["ruleset"]
        assert not folded(each).is_judged
    refused(Code.BAD_ENCODING, operator("ruleset.activated", ruleset=3, catalogue=b64u(bytes(32))))
    refused(Code.BAD_ENCODING, operator("ruleset.activated", v=2, ruleset=3))


@pytest.mark.parametrize("kind", PLAIN)
def test_features_of_ruleset_2_do_not_exist_before_it(kind: str) -> None:
    if kind in SINCE_2:
        refused(Code.CONSENT_INVALID, document(kind), begun(ruleset=1))
    else:
        folded(document(kind), begun(ruleset=1))


def removed(who: str) -> dict[str, Any]:
    return operator("participant.removed", participant=who, reason="left")


@pytest.mark.parametrize(
    ("made", "before"),
    [
        (document("participant.registered", participant=HOLDER), []),
        *(
            (document(kind, participant="nobody.example"), [])
            for kind in PLAIN
            if "participant" in PLAIN[kind] and kind != "participant.registered"
        ),
        (document("key.added"), [removed(HOLDER)]),
        (document("key.added", kid="k" * 64), []),
        (document("key.added", kid="k" * 64, participant=OTHER), []),
        (document("key.revoked", kid="never"), []),
        (document("key.revoked", participant=OTHER), []),
        (document("key.revoked"), [document("key.revoked")]),
        (document("participant.suspended"), [document("participant.suspended")]),
        (document("participant.suspended"), [removed(HOLDER)]),
        (document("participant.reinstated", participant=HOLDER), []),
        (document("participant.reinstated"), [document("participant.reinstated")]),
        (document("participant.reinstated"), [removed(OTHER)]),
        (document("participant.removed"), [removed(HOLDER)]),
        (document("delegation.granted", participant=HELPER), []),
        (document("delegation.granted", delegate=OTHER), []),
        (document("delegation.granted", delegate="nobody.example"), []),
        (document("delegation.ended"), [document("delegation.ended")]),
        (document("delegation.ended", participant=HOLDER), []),
        (document("erasure", approved_by=["a1", "a1"]), []),
    ],
    ids=lambda part: part["type"] if isinstance(part, dict) else "",
)
def test_a_step_that_the_rules_do_not_give_is_refused(made: dict[str, Any], before: list[dict[str, Any]]) -> None:
    refused(Code.CONSENT_INVALID, made, begun(*before))


CLAIMS: list[tuple[str, dict[str, Any], list[dict[str, Any]], Callable[[Registry], object], object]] = [
    ("a second registration gives other roles, and no other standing",
     document("participant.registered", participant=OTHER, roles=["auditor"]), [],
     lambda rules: (rules.has_role(OTHER, "auditor"), rules.is_suspended(OTHER)), (True, True)),
    ("a key of nobody is a key", document("key.added", participant="nobody.example"), [],
     lambda rules: rules.keys["another"].owner, "nobody.example"),
    ("a removed participant's key is a key", document("key.added"), [removed(HOLDER)],
     lambda rules: rules.keys["another"].owner, HOLDER),
    ("a kid that was used keeps its first key", document("key.added", kid="k" * 64, participant=OTHER), [],
     lambda rules: rules.keys["k" * 64].owner, HOLDER),
    ("a key is revoked by another", document("key.revoked", participant=OTHER), [],
     lambda rules: rules.keys["k" * 64].revoked is None, False),
    ("a removed participant is suspended", document("participant.suspended"), [removed(HOLDER)],
     lambda rules: (rules.is_suspended(HOLDER), rules.suspensions), (True, 2)),
    ("a delegation to one that is not a provider holds", document("delegation.granted", delegate=OTHER), [],
     lambda rules: rules.may_act_for(OTHER, HOLDER, "access.release"), True),
    ("a delegation of a removed participant holds", document("delegation.granted"), [removed(HOLDER)],
     lambda rules: rules.may_act_for(HELPER, HOLDER, "access.release"), True),
    ("a purpose beyond the catalogue holds", document("purpose.defined", permissions=["ReadNothingKnown"]), [],
     lambda rules: rules.purposes["AIS"].permissions, frozenset({"ReadNothingKnown"})),
    ("an erasure that one person approved happened", document("erasure", approved_by=["a1", "a1"]), [],
     lambda rules: CHAINS[0] in rules.erased, True),
    ("the ruleset falls", operator("ruleset.activated", ruleset=1), [], lambda rules: rules.ruleset, 1),
]  # fmt: skip
"""docs/spec/verdicts.md, «After a defect»."""


@pytest.mark.parametrize(
    ("made", "before", "ask", "answer"), [row[1:] for row in CLAIMS], ids=[row[0] for row in CLAIMS]
)
def test_an_illegal_documents_claims_are_taken_over(
    made: dict[str, Any], before: list[dict[str, Any]], ask: Callable[[Registry], object], answer: object
) -> None:
    rules = begun(*before)
    with refusal(Code.CONSENT_INVALID):
        rules.fold(made, len(rules.history))
    assert ask(rules) == answer


@pytest.mark.parametrize("who", [HOLDER, HELPER])
def test_a_removed_participant_grants_and_gets_no_delegation(who: str) -> None:
    refused(Code.CONSENT_INVALID, document("delegation.granted"), begun(removed(who)))


def test_a_report_continues_where_the_one_before_it_ended_even_if_that_was_wrong() -> None:
    def report(first: int, last: int) -> dict[str, Any]:
        return document("reconciliation.reported", from_index=first, to_index=last)

    assert begun().about_entries.reported == -1
    size = len(begun().history)
    for first, last in ((0, 0), (0, size - 1)):
        assert folded(report(first, last)).about_entries.reported == last
        again = begun(report(first, last))
        assert folded(report(last + 1, last + 1), again).about_entries.reported == last + 1
        for wrong in (last, last + 2):
            refused(Code.CONSENT_INVALID, report(wrong, size), begun(report(first, last)))
    for first, last in ((1, 2), (0, size), (0, size + 1)):
        refused(Code.CONSENT_INVALID, report(first, last))
    refused(Code.CONSENT_INVALID, report(4, 3), begun(report(0, 3)))
    rules = begun()
    refused(Code.CONSENT_INVALID, report(1, 2), rules)
    assert folded(report(3, 3), rules).about_entries.reported == 3


def test_a_disclosure_is_of_entries_below_it() -> None:
    size = len(begun().history)
    for first, last in ((0, 0), (size - 1, size - 1), (0, size - 1)):
        folded(document("disclosure", from_index=first, to_index=last))
    for first, last in ((1, 0), (0, size), (size, size)):
        refused(Code.CONSENT_INVALID, document("disclosure", from_index=first, to_index=last))


def test_each_suspension_and_each_removal_is_counted_and_lifted_alone() -> None:
    rules = begun(document("participant.suspended"))
    assert (rules.suspensions, rules.is_suspended(HOLDER), rules.is_suspended(OTHER)) == (2, True, True)
    assert not rules.is_suspended(RECIPIENT)
    assert not rules.is_suspended("nobody.example")
    folded(document("participant.reinstated"), rules)
    assert (rules.suspensions, rules.is_suspended(HOLDER), rules.is_suspended(OTHER)) == (1, True, False)
    folded(document("participant.reinstated", participant=HOLDER), rules)
    assert (rules.suspensions, rules.is_suspended(HOLDER), rules.is_removed(HOLDER)) == (0, False, False)
    folded(removed(HOLDER), rules)
    folded(removed(LONG), rules)
    assert (rules.removals, rules.is_removed(HOLDER), rules.is_removed(LONG)) == (2, True, True)
    assert not rules.is_removed(OTHER)
    assert not rules.is_removed("nobody.example")
    assert rules.has_role(HOLDER, "holder")  # what it signed before stays what it was
    assert not rules.has_role(HOLDER, "recipient")
    assert not rules.has_role("nobody.example", "holder")


def test_keys_delegations_purposes_and_erasures_stand_as_they_were_said() -> None:
    rules = begun(document("key.revoked"), document("key.added"), document("erasure", chains=CHAINS[:2]))
    first, second = rules.keys["k" * 64], rules.keys["another"]
    assert (first.owner, first.use, first.added, first.revoked) == (HOLDER, "statement", 6, 9)
    assert (second.kid, second.added, second.revoked) == ("another", 10, None)
    folded(document("erasure", chains=CHAINS[1:3]), rules)
    assert rules.erased == {CHAINS[0]: 11, CHAINS[1]: 11, CHAINS[2]: 12}
    assert rules.may_act_for(LONG, RECIPIENT, "access.request")
    for delegate, party, act in (
        (LONG, RECIPIENT, "access.batch"),
        (RECIPIENT, LONG, "access.request"),
        (LONG, HOLDER, "access.request"),
        (HELPER, RECIPIENT, "access.request"),
    ):
        assert not rules.may_act_for(delegate, party, act)
    folded(document("delegation.ended"), rules)
    assert not rules.may_act_for(LONG, RECIPIENT, "access.request")
    limits = dict(zip(LIMITS, (1, 2, 3, 4), strict=True))
    purpose = folded(document("purpose.defined", **limits), rules).purposes["AIS"]
    assert purpose.permissions == {"ReadBalances"}
    assert [getattr(purpose, name) for name in LIMITS] == [1, 2, 3, 4]
