"""The tamper matrix of ruleset 2: what a lying ledger may sign about joint accounts, withdrawals, due dates, separate
consents, those who act for others, those who are gone, and its own reports; and the honest logs beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.verifier.cases import ALLOW, Case, Files, lie, lying
from tests.verifier.forge import DAY, HOLDER, OTHER, PROVIDER, RECIPIENT, Json, World, b64u, chain_of

Make = Callable[[], tuple[Files, World]]
HOUR = 3_600_000
A, B, C = "a" * 22, "b" * 22, "c" * 22
FILTERS = [{"field": "amount", "op": "ge", "value": "10.00"}, {"field": "currency", "op": "eq", "value": "GBP"}]


# --- honest ---------------------------------------------------------------------------------------------------


def begin(world: World) -> str:
    """What both rulesets know."""
    consent = world.grant(frequency_per_day=2)
    both = world.request(authorisers_required=2)
    for _ in range(2):
        world.authorise(both)
    for _ in range(3):
        world.tick()
        world.access(consent)
    world.batch([consent, both])
    world.amend(both, permissions=["ReadBalances"])
    world.end(both, "consent.pause", "PAUSED")
    world.authorise(both)
    return both


def go_on(world: World) -> None:
    """What ruleset 2 adds, told honestly."""
    shared = joint_accounts(world)
    due = due_dates(world)
    customer = world.consents[due]["subject"]
    world.withdraw_separate(due, "sensitive", RECIPIENT)
    world.access(due)
    acting_for_others(world)
    fresh = world.request()
    world.consents[fresh]["subject"] = customer
    world.authorise(fresh)
    world.supersede(due, fresh)
    world.access(due)
    world.define_purpose(max_days=0, max_history_days=0, permissions=["ReadAccountsDetail", "ReadBalances"])
    world.access(shared, permissions=["ReadTransactionsBasic"])
    asserted(world, shared)
    legs(world, shared)
    world.operator(
        {"type": "disclosure", "participant": HOLDER, "case": "case-1", "from_index": 0, "to_index": 9},
        "operator:ledger",
    )
    pack = {"commitment": b64u(bytes(32)), "items_count": 2, "scope": "all"}
    world.operator({"type": "pack.issued", **pack})
    world.remove(RECIPIENT)
    world.register("third.example", ["recipient"])
    world.access(shared, HOLDER, relayed=True)
    world.index_head()


def joint_accounts(world: World) -> str:
    consent = world.request(utc_offset=-480, frequency_per_day=9, filters=FILTERS, retention_days=0)
    world.authorise(consent, [A, B], joint_accounts=[A], acting_role="owner")
    world.access(consent, accounts=[A, B])
    world.access(consent)
    world.authorise(consent, [A], joint_accounts=[A], acting_role="joint")
    world.access(consent, accounts=[A, B])
    world.tick(DAY // 3)
    world.access(consent)
    world.withdraw_accounts(consent, [B])
    world.access(consent, accounts=[A, B, C])
    first = next(iter(world.consents[consent]["given"]["approvals"]))
    world.withdraw_approval(consent, first)
    world.access(consent, accounts=[A])
    world.amend(consent, permissions=["ReadBalances", "ReadTransactionsDetail"], utc_offset=60)
    world.authorise(consent, [A, B, C])
    world.access(consent, accounts=[A, B, C])
    return consent


def due_dates(world: World) -> str:
    consent = world.grant(reauthenticate_days=90, reconfirm_days=30, details_hash=b64u(bytes(32)))
    world.tick(31 * DAY)
    world.access(consent)
    world.reconfirm(consent)
    world.access(consent)
    world.tick(60 * DAY)
    world.access(consent)
    world.reauthenticate(consent)
    world.reconfirm(consent)
    world.access(consent, customer_present=True)
    return consent


def acting_for_others(world: World) -> None:
    world.delegate(RECIPIENT, ["consent.request", "access.request", "access.batch", "access.receive"])
    world.delegate(HOLDER, ["consent.authorise", "subject.consent"])
    consent = world.request(PROVIDER, RECIPIENT)
    world.authorise(consent, iss=PROVIDER, on_behalf_of=HOLDER)
    world.access(consent, PROVIDER, behalf=RECIPIENT)
    world.batch([consent, consent], PROVIDER, RECIPIENT)
    world.undelegate(RECIPIENT)
    world.access(consent)


def asserted(world: World, consent: str) -> None:
    world.access(consent, word=("RATE_LIMITED", "RISK_BLOCKED"))
    world.access(
        consent, HOLDER, relayed=True, asserted=["TOKEN_EXPIRED", "ACCOUNT_CLOSED"], word=("HOLDER_UNAVAILABLE",)
    )
    world.access(consent, OTHER)


def legs(world: World, consent: str) -> None:
    for number, (release, receive) in enumerate([({}, {}), ({}, None), (None, {}), ({}, {"rows": 9, "bytes": 1})]):
        basis = world.access(consent, customer_present=True, interaction_id=f"interaction-{number}")
        if release is not None:
            world.leg("access.release", consent, basis, f"interaction-{number}", **release)
        if receive is not None and not receive:
            world.leg("access.receive", consent, basis, f"interaction-{number}")
    world.tick(HOUR)
    world.reconcile()
    world.access(consent, customer_present=True)
    world.tick(HOUR + 1)
    world.reconcile()


def honest_of_1() -> World:
    world = World(11, 1).open()
    begin(world)
    return world


def honest_of_2() -> World:
    world = World(12).open()
    begin(world)
    go_on(world)
    return world


def honest_of_both() -> World:
    """Consents of ruleset 1 live on under ruleset 2, but need the separate consents that their terms never named."""
    world = World(13, 1).open()
    both = begin(world)
    plain, named = world.grant(), world.grant(separate_consents=["provision"])
    world.activate()
    for consent in (plain, named, both):
        world.access(consent)
    world.amend(both)
    world.authorise(both, [A, B])
    world.withdraw_accounts(both, [A])
    go_on(world)
    return world


# --- lies -----------------------------------------------------------------------------------------------------


def told(prepare: Callable[[World], str], outcome: Json, **item: Any) -> Make:
    """One access whose outcome is another than the rules give."""
    return lying(lie(prepare, outcome, **item))


def allowed(prepare: Callable[[World], str], **access: Any) -> Make:
    """One access that is allowed against the rules, all else being as if they gave that."""

    def tell(world: World) -> None:
        consent = prepare(world)
        terms = world.consents[consent]["terms"]

        def claim(outcome: Json) -> None:
            outcome.pop("asserted", None)
            outcome |= {"decision": "allow", "reasons": [], "obligations": world.obligations(terms, 0, 0)}

        world.override = claim
        world.access(consent, **access)

    return lying(tell)


def without_separate(world: World) -> str:
    consent = world.request()
    world.authorise(consent, separate_consents=[])
    return consent


def separate_withdrawn(world: World) -> str:
    consent = world.grant()
    world.withdraw_separate(consent, "sensitive")
    return consent


def overdue(**terms: Any) -> Callable[[World], str]:
    def prepare(world: World) -> str:
        consent = world.grant(**terms)
        world.tick(8 * DAY)
        return consent

    return prepare


def account_withdrawn(world: World) -> str:
    consent = world.request()
    world.authorise(consent, [A, B])
    world.withdraw_accounts(consent, [A])
    return consent


def approval_pending(world: World) -> str:
    consent = world.request()
    world.authorise(consent, [A, B], joint_accounts=[A])
    return consent


def approval_withdrawn(world: World) -> str:
    consent = world.request()
    for _ in range(2):
        world.authorise(consent, [A], joint_accounts=[A])
        if not world.waiting(world.consents[consent]):
            world.withdraw_approval(consent, next(iter(world.consents[consent]["given"]["approvals"])))
    return consent


def superseded(world: World) -> str:
    consent, other = world.grant(), world.request()
    world.consents[other]["subject"] = world.consents[consent]["subject"]
    world.authorise(other)
    world.supersede(consent, other)
    return consent


def purpose_narrowed(world: World) -> str:
    consent = world.grant()
    world.define_purpose(permissions=["ReadAccountsDetail"])
    return consent


def holder_removed(world: World) -> str:
    consent = world.grant()
    world.remove(HOLDER)
    return consent


def by_provider(delegated: bool, ended: bool = False, batch: bool = False) -> Callable[[World], None]:
    def tell(world: World) -> None:
        consent = world.grant()
        world.delegate(RECIPIENT, ["access.request" if delegated else "access.receive"])
        if ended:
            world.undelegate(RECIPIENT)
        if batch:
            world.batch([consent], PROVIDER, RECIPIENT)
        else:
            world.access(consent, PROVIDER, behalf=RECIPIENT)

    return tell


def by_no_provider(world: World) -> None:
    consent = world.grant()
    world.access(consent, OTHER, behalf=RECIPIENT)


def provider_suspended(world: World) -> str:
    consent = world.grant()
    world.delegate(RECIPIENT, ["access.request"])
    world.suspend(PROVIDER)
    return consent


def companion_of_another(world: World) -> None:
    world.delegate(HOLDER, ["consent.authorise", "subject.consent"])
    consent = world.request()
    companion = world.companion
    world.companion = lambda consent_id, **_: companion(consent_id)  # type: ignore[method-assign]
    world.authorise(consent, iss=PROVIDER, on_behalf_of=HOLDER)


def removed_asks(world: World) -> None:
    consent = world.grant()
    world.remove(RECIPIENT)
    world.access(consent)


def removed_twice(world: World) -> None:
    world.remove(OTHER)
    world.remove(OTHER)


def key_of_removed(world: World) -> None:
    world.remove(OTHER)
    world.add_key(OTHER, "another")


def under_ruleset_1(tell: Callable[[World], object]) -> Make:
    def make() -> tuple[Files, World]:
        world = World(9, 1).open()
        tell(world)
        return world.files(), world

    return make


def back_to_1(world: World) -> None:
    world.operator({"type": "ruleset.activated", "ruleset": 1})


def early_rules(world: World) -> None:
    """The ledger goes on deciding by ruleset 1 after it activated ruleset 2."""
    consent = world.grant()
    world.activate()
    world.ruleset = 1
    world.access(consent)


def withdrawn(accounts: list[str]) -> Callable[[World], None]:
    def tell(world: World) -> None:
        consent = world.request()
        world.authorise(consent, [A, B])
        world.withdraw_accounts(consent, accounts)

    return tell


def last_approval(world: World) -> None:
    consent = world.grant()
    world.withdraw_approval(consent, next(iter(world.consents[consent]["given"]["approvals"])))


def stale_approval(world: World) -> None:
    """Two were needed, one went: the consent is PARTIAL, and the ledger says ACTIVE."""
    consent = world.request(authorisers_required=2)
    world.authorise(consent)
    world.authorise(consent)
    world.override = lambda given: given.update(status="ACTIVE")
    world.withdraw_approval(consent, next(iter(world.consents[consent]["given"]["approvals"])))


def superfluous_approval(world: World) -> None:
    world.authorise(world.grant(), present=True)


def version_nobody_asked_for(world: World) -> None:
    """No amendment waits, and the ledger says that one came into force."""
    consent = world.request()
    world.override = lambda given: given.update(consent_version=2)
    world.authorise(consent, version=2)


def unnamed_separate(world: World) -> None:
    kinds = [{"given_at": 1, "kind": "marketing", "text_hash": b64u(bytes(32))}]
    world.authorise(world.request(), separate_consents=kinds)


def reconfirmed_by_holder(world: World) -> None:
    world.end(world.grant(), "consent.reconfirm", "ACTIVE", HOLDER)


def superseded_by_nothing(world: World) -> None:
    world.supersede(world.grant(), "urn:forge:never-heard-of-it-before")


def superseded_by_strangers(world: World) -> None:
    world.supersede(world.grant(), world.grant())


def paused_amendment(world: World) -> None:
    consent = world.grant()
    world.amend(consent)
    world.end(consent, "consent.pause", "PAUSED")
    world.consents[consent]["status"] = "ACTIVE"
    world.authorise(consent)


def with_legs(world: World) -> None:
    consent = world.grant()
    for number in range(2):
        basis = world.access(consent, interaction_id=f"interaction-{number}")
        world.leg("access.release", consent, basis, f"interaction-{number}")
    world.tick(HOUR)


def report(**lies: Any) -> Callable[[World], None]:
    def tell(world: World) -> None:
        with_legs(world)
        world.reconcile(**lies)

    return tell


def report_too_early(world: World) -> None:
    with_legs(world)
    world.tick(-HOUR + 1)
    world.reported, world.times = -1, [0] * len(world.times)
    world.reconcile()


def report_gap(world: World) -> None:
    with_legs(world)
    world.reconcile()
    world.tick(HOUR)
    world.reconcile(from_index=0)


def erased_chain_goes_on(world: World) -> None:
    consent = world.grant()
    chains = [b64u(chain_of(consent))]
    world.operator({"type": "erasure", "chains": chains, "basis": "request", "approved_by": ["a1", "b2"]})
    world.access(consent)


def two(name: str, code: str, make: Make, index: int, expected: str = "") -> Case:
    return Case(f"ruleset 2: {name}", code, make, index, expected=expected)


BAD = "CONSENT_INVALID"
LIMITS = {"max_days": 90, "max_frequency_per_day": 4, "max_history_days": 365, "max_retention_days": 10}


def limited(**terms: Any) -> Make:
    def tell(world: World) -> None:
        world.define_purpose(**LIMITS)
        now = world.time // 1000
        fine = {"expires_at": now + 86_400, "frequency_per_day": 4, "history_from": now - 86_400, "retention_days": 10}
        world.request(**{**fine, **terms})

    return lying(tell)


CASES = [
    # decisions
    two("allowed without the separate consents", BAD, allowed(without_separate), 10, "SEPARATE_CONSENT_MISSING"),
    two("allowed after a separate consent was withdrawn", BAD, allowed(separate_withdrawn), 11, "SEPARATE_CONSENT_MISSING"),
    two("allowed after re-authentication fell due", BAD,
        allowed(overdue(reauthenticate_days=8)), 10, "REAUTHENTICATION_REQUIRED"),
    two("allowed after reconfirmation fell due", BAD, allowed(overdue(reconfirm_days=7)), 10, "RECONFIRMATION_OVERDUE"),
    two("allowed for a withdrawn account", BAD, allowed(account_withdrawn, accounts=[A]), 11, "ACCOUNT_APPROVAL_WITHDRAWN"),
    two("allowed for an account whose approval is pending", BAD,
        allowed(approval_pending, accounts=[A]), 10, "ACCOUNT_APPROVAL_PENDING"),
    two("allowed for an account whose approval was withdrawn", BAD,
        allowed(approval_withdrawn, accounts=[A]), 13, "ACCOUNT_APPROVAL_WITHDRAWN"),
    two("allowed under a superseded consent", BAD, allowed(superseded), 14, "CONSENT_SUPERSEDED"),
    two("allowed beyond the purpose as it is defined", BAD, allowed(purpose_narrowed), 11, "PURPOSE_MISMATCH"),
    two("allowed although the holder was removed", BAD, allowed(holder_removed), 11, "CONSENT_TERMINATED"),
    two("allowed to a suspended provider", BAD,
        allowed(provider_suspended, iss=PROVIDER, behalf=RECIPIENT), 14, "PARTICIPANT_SUSPENDED"),
    two("a reason is told by another name", BAD,
        told(approval_pending, {"reasons": ["ACCOUNT_NOT_IN_CONSENT"]}, accounts=[A]), 10),
    # obligations
    *(two(f"wrong {name} in the obligations", BAD, told(prepare, {"obligations": {**right, name: wrong}}), 10)
      for prepare, right in [(lambda world: world.grant(filters=FILTERS), {
          "directions": ["credit"], "filters": FILTERS, "from": 0, "keep_until": 1_792_592_000, "to": 0,
          "masks": ["beneficiary-account", "pan", "party-identity", "scheduled-payment-account", "standing-order-account",
                    "statement-amount"]})]
      for name, wrong in [("filters", FILTERS[:1]), ("keep_until", 1_792_592_001), ("masks", ["pan"])]),
    two("an erasure date is dropped", BAD, told(lambda world: world.grant(), {"obligations": {
        "directions": ["credit"], "from": 0, "to": 0, "masks": ["beneficiary-account", "pan", "party-identity",
        "scheduled-payment-account", "standing-order-account", "statement-amount"]}}), 10),
    # asserted reasons
    two("the holder's asserted reason is dropped", BAD,
        told(lambda world: world.grant(), {**ALLOW, "asserted": ["RATE_LIMITED"]}, iss=HOLDER, relayed=True,
             asserted=["TOKEN_EXPIRED"]), 10),
    two("asserted reasons stand in another order", BAD,
        told(lambda world: world.grant(), {"asserted": ["RISK_BLOCKED", "RATE_LIMITED"], "decision": "deny",
                                           "obligations": {}}), 10),
    two("an asserted reason that nobody knows", BAD,
        told(lambda world: world.grant(), {"asserted": ["BAD_MOOD"], "decision": "deny", "obligations": {}}), 10),
    two("allowed in spite of an asserted reason", BAD,
        told(lambda world: world.grant(), {"asserted": ["RATE_LIMITED"]}), 10),
    # those who act for others, and those who are gone
    two("a provider acts without a delegation", BAD, lying(by_provider(False)), 13),
    two("a provider acts after its delegation ended", BAD, lying(by_provider(True, ended=True)), 14),
    two("a delegation of single accesses serves for a batch", BAD, lying(by_provider(True, batch=True)), 13),
    two("one who is not a provider acts for another", BAD, lying(by_no_provider), 10),
    two("a companion by another than the authorisation", BAD, lying(companion_of_another), 12),
    two("a removed participant asks for data", "POLICY_REJECTED", lying(removed_asks), 11),
    two("a participant is removed twice", BAD, lying(removed_twice), 8),
    two("a removed participant gets a key", BAD, lying(key_of_removed), 8),
    # transitions
    two("all accounts are withdrawn", BAD, lying(withdrawn([A, B])), 10),
    two("an account is withdrawn that was never given", BAD, lying(withdrawn([C])), 10),
    two("the last approval is withdrawn", BAD, lying(last_approval), 10),
    two("a consent stays active without its approvals", BAD, lying(stale_approval), 12),
    two("an approval that nothing lacks", BAD, lying(superfluous_approval), 10),
    two("a version is authorised that nobody asked for", BAD, lying(version_nobody_asked_for), 8),
    two("a separate consent that the terms do not name", BAD, lying(unnamed_separate), 8),
    two("a separate consent is withdrawn that was not given", BAD,
        lying(lambda world: world.withdraw_separate(world.grant(), "marketing")), 10),
    two("a holder reconfirms for the recipient", BAD, lying(reconfirmed_by_holder), 10),
    two("a consent is superseded by none", BAD, lying(superseded_by_nothing), 10),
    two("a consent is superseded by another customer's", BAD, lying(superseded_by_strangers), 13),
    two("an amendment ends a pause", BAD, lying(paused_amendment), 12),
    # terms
    two("grave terms without separate consents", BAD, lying(lambda world: world.request(separate_consents=[])), 7),
    two("terms that ask for what is never shared", BAD,
        lying(lambda world: world.request(permissions=["ReadBiometricData"], grade=4)), 7),
    two("terms longer than their purpose", BAD, limited(expires_at=1_790_000_000 + 91 * 86_400), 8),
    two("open-ended terms of a purpose that ends", BAD, limited(expires_at=0), 8),
    two("terms more frequent than their purpose", BAD, limited(frequency_per_day=0), 8),
    two("terms further back than their purpose", BAD, limited(history_from=0), 8),
    two("terms that keep longer than their purpose", BAD, limited(retention_days=11), 8),
    two("terms wider than their purpose", BAD, limited(permissions=["ReadParty"]), 8),
    two("an erased chain goes on", BAD, lying(erased_chain_goes_on), 11),
    # rulesets
    two("an act of ruleset 2 under ruleset 1", BAD,
        under_ruleset_1(lambda world: world.reconfirm(world.grant())), 10),
    two("a member of ruleset 2 under ruleset 1", BAD,
        under_ruleset_1(lambda world: world.authorise(world.request(), acting_role="owner")), 8),
    two("terms of ruleset 2 under ruleset 1", BAD, under_ruleset_1(lambda world: world.request(utc_offset=60)), 7),
    two("a document of ruleset 2 under ruleset 1", BAD, under_ruleset_1(lambda world: world.define_purpose()), 7),
    two("the ruleset falls", BAD, lying(back_to_1), 7),
    two("decided by the old rules", BAD, under_ruleset_1(early_rules), 11),
    # reports
    two("a report counts an access too many", "UNMATCHED", lying(report(accesses=3)), 14),
    two("a report hides a missing receipt", "UNMATCHED",
        lying(report(findings=0, findings_hash=b64u(bytes(32)))), 14),
    two("a report counts a receipt that is not there", "UNMATCHED", lying(report(receipts=1)), 14),
    two("a report on what is not an hour old", BAD, lying(report_too_early), 14),
    two("a report that goes over the same again", BAD, lying(report_gap), 15),
    two("a report on nothing", BAD, lying(report(from_index=0, to_index=14)), 14),
]  # fmt: skip
