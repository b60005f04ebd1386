"""A life of random acts in one log, each asked of the ledger and of the verifier's rules."""

from __future__ import annotations

import copy
import dataclasses
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ledger.canonical import b64u
from ledger.entries.asserted import ASSERTED
from ledger.errors import LedgerError
from ledger.planning.commands import Recorded
from ledger.storage.operator import operator_documents
from tests.clocks import HandClock
from tests.verifier.mirror import Mirror, facts_of, payload_of, refuses
from tests.world import DAY, ConsentInWorld, Party, Submission, World, separately
from verifier.errors import Refuted
from verifier.records.facts import Facts
from verifier.rules.transitions import transition

STEPS = (*("suspend", "resume", "pause", "resume") * 3, "reject", "revoke", "terminate", "reconfirm")
BY = ("customer", "customer", "guardian", "court", "holder", "recipient", "system")
PERMISSIONS = (["ReadBalances"], ["ReadParty"], ["ReadTransactionsBasic"], ["ReadBiometricData"], ["ReadNothingKnown"])
ACTS = ("consent.request", "consent.authorise", "subject.consent", "access.request", "access.batch", "consent.revoke")
FILTERS = [{"field": "amount", "op": "ge", "value": "10.00"}, {"field": "currency", "op": "eq", "value": "GBP"}]
EVERYDAY = [
    "request",
    "authorise",
    "authorise",
    "authorise",
    "amend",
    "move",
    "move",
    "access",
    "access",
    "access",
    "batch",
    "withdraw",
    "withdraw",
    "later",
    "later",
    "expire",
    "operator",
]
"""What happens, as often as it is named."""
WORTH = {"AWAITING": 1, "PAUSED": 1, "SUSPENDED": 1, "PARTIAL": 2, "ACTIVE": 2}
LIMITS = ("max_days", "max_frequency_per_day", "max_history_days", "max_retention_days")


class Life:
    """Random acts, legal or not, of a small crowd; each is judged by the verifier before the ledger is asked."""

    def __init__(self, world: World, clock: HandClock, dice: random.Random) -> None:
        self.world, self.clock, self.dice = world, clock, dice
        self.mirror = Mirror()
        self.size = 0
        self.consents: list[tuple[ConsentInWorld, Party, Party]] = []
        self.accounts = [self.fresh() for _ in range(4)]
        self.customers = [(self.fresh(), self.fresh()) for _ in range(2)]
        self.approved: dict[str, list[str]] = {}
        self.refused: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.catch_up()
        self.banks = [world.holder("bank-a"), world.holder("bank-b", alg="ES256")]
        self.apps = [world.recipient("tpp-1"), world.recipient("tpp-2", alg="PS256")]
        self.helpers = [world.join("helper", "technology-provider")]
        self.catch_up()

    def fresh(self) -> str:
        """A reference; the dice's, so that a seed is one history."""
        return b64u(self.dice.randbytes(16))

    @property
    def two(self) -> bool:
        return self.mirror.registry.ruleset >= 2

    def catch_up(self, *recorded: Recorded) -> None:
        """Fold the operator documents that were recorded since."""
        with self.world.ledger.store.read() as connection:
            documents = operator_documents(connection, self.size)
        for index, _, document in documents:
            self.mirror.registry.fold(document, index)
        self.size = max([self.size, *(one.at + 1 for one in documents), *(entry.index + 1 for entry in recorded)])

    # --- submitting -----------------------------------------------------------------------------------------

    def document(self, kind: str, **members: Any) -> None:
        """An operator document: both accept it, or neither."""
        document = {"type": kind, "v": 1, **members}
        try:
            recorded = self.world.ledger.record_documents(document)
        except LedgerError:
            with pytest.raises(Refuted):
                copy.deepcopy(self.mirror.registry).fold(document, self.size)  # which takes over what it refuses
            self.refused[kind] += 1
        else:
            self.done[kind] += 1
            self.catch_up(*recorded)

    def consent(self, submission: Submission) -> bool:
        """A consent statement: both accept it, or neither; and they agree on the state."""
        payload = payload_of(submission.statement)
        verdict = refuses(self.mirror, submission.statement, submission.companion, self.clock.now(), self.size + 1)
        if not isinstance(verdict, str) and self._is_before_a_narrower_door(payload):
            verdict = "the recipient is suspended"
        refusal = ""
        try:
            recorded = self.world.record(submission)
        except LedgerError as error:
            recorded, refusal = (), f"{error!r} {error}"
        assert bool(recorded) != isinstance(verdict, str), (payload, verdict, refusal)
        if isinstance(verdict, str):
            self.refused[payload["act"]] += 1
            return False
        outcome = json.loads(recorded[0].evidence or b"{}")["outcome"]
        assert (outcome["status"], outcome["consent_version"]) == (verdict.status, verdict.version), payload
        self.mirror.consents[payload["consent_id"]] = dataclasses.replace(verdict, basis=recorded[0].index)
        self.done[payload["act"]] += 1
        self.catch_up(*recorded)
        return True

    def _is_before_a_narrower_door(self, payload: dict[str, Any]) -> bool:
        """Whether the ledger refuses what a reader takes (docs/spec/consents.md, «A narrower door»)."""
        consent = self.mirror.consents.get(payload["consent_id"])
        if payload["act"] != "consent.authorise" or consent is None:
            return False
        return bool(self.mirror.registry.participants[consent.terms.recipient].suspended)

    def judged(self, submission: Submission) -> None:
        """An access or a batch: the same outcomes, or refused by both."""
        ledger = self.world.ledger
        act = payload_of(submission.statement)["act"]
        items = [None] if submission.items is None else [json.loads(item) for item in submission.items]
        every = [facts_of(submission.statement, -1 if item is None else at, item) for at, item in enumerate(items)]
        try:
            prepared = ledger.prepare(submission.statement, items=submission.items)
            recorded = ledger.submit_and_wait(prepared)
        except LedgerError:
            with pytest.raises(Refuted):
                self.mirror.check_signer(every[0], self.size + 1)
            self.refused[act] += 1
            return
        for entry, facts in zip(recorded, every, strict=True):
            self.mirror.check_signer(facts, entry.index)
            outcome = json.loads(entry.evidence or b"{}")["outcome"]
            assert outcome == self.mirror.decided(facts, outcome, self.clock.now())
            self.done.update([outcome["decision"], *outcome["reasons"], *outcome.get("asserted", [])])
        self.catch_up(*recorded)

    # --- acts -----------------------------------------------------------------------------------------------

    def step(self) -> None:
        """One random thing happens, after some time."""
        dice = self.dice
        self.clock.advance(seconds=dice.choice([0, 1, 60, 5_000, 40_000]))
        if not self.consents:
            return self.request()
        name = dice.choice(EVERYDAY)
        act: Callable[[], None] = getattr(self, name)
        return act()

    def chosen(self) -> tuple[ConsentInWorld, Party, Party]:
        """Mostly a consent that is not at its end, and rather one in force."""
        some = self.dice.choices(self.consents[-8:], k=3)
        return max(some, key=lambda place: WORTH.get(self.mirror.consents[place[0].consent_id].status, 0))

    def terms(self) -> dict[str, Any]:
        dice, now = self.dice, self.clock.now() // 1000
        terms = {
            "authorisers_required": dice.choice([1, 1, 2]),
            "once": dice.random() < 0.1,
            "frequency_per_day": dice.choice([0, 1, 3]),
            "expires_at": dice.choice([0, now + dice.choice([10, 5_000_000, 5_000_000])]),
            "retention_days": dice.choice([0, 5, 90]),
            "separate_consents": dice.choice(
                [["provision", "sensitive"]] * 4 + [["provision"], ["a", "provision", "sensitive"]]
            ),
            "history_from": dice.choice([0, now - 40 * DAY]),
        }
        if self.two or dice.random() < 0.1:
            more = {
                "utc_offset": dice.choice([-840, -60, 330]),
                "filters": FILTERS,
                "reauthenticate_days": dice.choice([2, 9]),
                "reconfirm_days": dice.choice([3, 9]),
                "details_hash": "A" * 43,
            }
            terms |= {member: value for member, value in more.items() if dice.random() < 0.3}
        return terms

    def signing(self, party: Party) -> tuple[Party, dict[str, Any]]:
        """Mostly the party itself; sometimes its provider, or somebody who says that he is."""
        usual = 0.7 if (party.id, "helper") in self.mirror.registry.delegations else 0.93
        if self.dice.random() < usual or not self.two:
            return party, {}
        other = self.dice.choice([*self.helpers * 3, self.dice.choice(self.apps)])
        return other, ({"on_behalf_of": party.id} if other is not party else {})

    def request(self) -> None:
        bank, app = self.dice.choice(self.banks), self.dice.choice(self.apps)
        consent, _ = app.request(bank, **self.terms())
        subject, customer = self.dice.choice(self.customers)
        consent = ConsentInWorld(consent.consent_id, consent.terms, accounts=(), subject=subject, customer=customer)
        signer, more = self.signing(app)
        statement = signer.sign("consent.request", consent_id=consent.consent_id, terms=consent.terms, **more)
        if self.consent(Submission("", statement)):
            self.consents.append((consent, bank, app))

    def authorise(self) -> None:
        dice = self.dice
        consent, bank, _ = self.chosen()
        accounts = sorted(dice.sample(self.accounts, dice.choice([1, 1, 2, 3])))
        kinds = dice.choice([*[consent.terms["separate_consents"]] * 9, [], ["provision"], ["unnamed"]])
        signer, more = self.signing(bank)
        state = self.mirror.consents.get(consent.consent_id)
        known = [] if state is None else [*state.given.authorisers]
        members: dict[str, Any] = {
            "accounts": accounts,
            "authoriser": dice.choice([self.fresh()] * 6 + known),
            "consent_id": consent.consent_id,
            "version": consent.version if dice.random() < 0.9 else dice.choice([1, 2]),
            "subject": consent.subject if dice.random() < 0.97 else self.fresh(),
            "terms_hash": consent.terms_hash,
            "sca": {"acr": "psd2:sca", "amr": ["pwd"], "at": self.clock.now() // 1000},
            **more,
        }
        if state is not None and dice.random() < (0.3 if state.pending else 0.9):  # the present version
            members |= {"version": state.version, "terms_hash": state.terms_hash}
        if self.two or dice.random() < 0.1:
            members["separate_consents"] = separately(kinds, self.clock.now()) or None
            if dice.random() < 0.5:
                members["joint_accounts"] = accounts[: dice.choice([1, 2])]
        if state is not None and state.waiting and dice.random() < 0.5:
            members["accounts"] = sorted(state.waiting)
            members.pop("joint_accounts", None)
        beside = more if dice.random() < 0.97 else {}
        companion = signer.sign("subject.consent", consent_id=consent.consent_id, subject=consent.customer, **beside)
        self.consent(Submission("", signer.sign("consent.authorise", **members), companion=companion))

    def amend(self) -> None:
        consent, bank, app = place = self.chosen()
        terms = consent.terms | self.terms()
        state = self.mirror.consents[consent.consent_id]
        after = ConsentInWorld(consent.consent_id, terms, state.version + 1, (), consent.subject, consent.customer)
        statement = app.sign(
            "consent.amend", consent_id=consent.consent_id, previous_version=state.version, terms=after.terms
        )
        if self.consent(Submission("", statement)):
            self.consents[self.consents.index(place)] = (after, bank, app)

    def move(self) -> None:
        consent, bank, app = self.chosen()
        actor = self.dice.choice([bank, bank, app, self.dice.choice(self.banks)])
        signer, more = self.signing(actor)
        self.consent(signer.step(self.dice.choice(STEPS), consent, by=self.dice.choice(BY), **more))

    def withdraw(self) -> None:
        dice = self.dice
        consent, bank, app = self.chosen()
        state = self.mirror.consents[consent.consent_id]
        given = dice.choice([self.accounts, [*state.accounts] or self.accounts])
        actor, by = dice.choice([(bank, dice.choice(BY)), (bank, "customer"), (bank, "customer"), (app, "customer")])
        what: tuple[str, dict[str, Any]] = dice.choice(
            [
                (
                    "withdraw_accounts",
                    {"accounts": sorted(dice.sample(given, min(len(given), dice.choice([1, 1, 2]))))},
                ),
                ("withdraw_approval", {"authoriser": dice.choice([*state.given.authorisers * 3, self.fresh()])}),
                ("withdraw_separate", {"separate": dice.choice(["provision", "sensitive", "a"])}),
            ]
        )
        self.consent(actor.step(what[0], consent, by=by, **what[1]))

    def later(self) -> None:
        dice = self.dice
        consent, bank, app = self.chosen()
        at = self.clock.now() // 1000 - dice.choice([0, 0, 100_000])
        sca = {"acr": "psd2:sca", "amr": ["pwd"], "at": at}
        if dice.random() < 0.4:
            statement = bank.sign("consent.reauthenticate", consent_id=consent.consent_id, sca=sca)
            self.consent(Submission("", statement))
        elif dice.random() < 0.5:
            self.consent(app.step("reconfirm", consent))
        else:
            like = [other for other, *_ in self.consents if other.subject == consent.subject]
            other = dice.choice([*like, dice.choice(self.consents)[0]])
            self.consent(bank.step("supersede", consent, superseded_by=other.consent_id))

    def expire(self) -> None:
        consent = self.chosen()[0]
        state = self.mirror.consents[consent.consent_id]
        try:
            recorded = self.world.ledger.record_expiry(consent.consent_id)
        except LedgerError:
            return
        assert state.terms.expires_at * 1000 <= self.clock.now()
        after = self._expired(consent.consent_id)
        self.mirror.consents[consent.consent_id] = dataclasses.replace(after, basis=recorded.index)
        self.catch_up(recorded)

    def _expired(self, consent_id: str) -> Any:
        facts = Facts("consent.expire", "", "", 0, b"", b"", -1, False, {}, None, None)
        return transition(
            self.mirror.registry, self.mirror.consents[consent_id], facts, self.clock.now(), self.size, lambda _: None
        )

    def access_members(self, consent: ConsentInWorld) -> dict[str, Any]:
        dice, now = self.dice, self.clock.now() // 1000
        state = self.mirror.consents[consent.consent_id]
        known = [*state.accounts, *state.waiting, *state.withdrawn]
        accounts = dice.choice([known, known, self.accounts])
        return {
            "customer_present": dice.random() < 0.4,
            "purpose": dice.choice(["budgeting"] * 12 + ["lending"]),
            "accounts": sorted(dice.sample(accounts, min(len(accounts), dice.choice([0, 0, 1, 2])))),
            "permissions": dice.choice([*[PERMISSIONS[0]] * 9, *PERMISSIONS]),
            "from": dice.choice([0, now - 90 * DAY]),
            "to": dice.choice([*[0] * 6, now, now - 60 * DAY, now - 100 * DAY]),
        }

    def access(self) -> None:
        dice = self.dice
        consent, bank, app = self.chosen()
        members = self.access_members(consent)
        reader = dice.choice([app, app, app, dice.choice(self.apps)])
        if dice.random() < 0.25:
            reader, members = bank, members | {"relayed": True}
            if self.two and dice.random() < 0.3:
                members["asserted"] = [code for code in ASSERTED if dice.random() < 0.2][:8] or None
        signer, more = self.signing(reader)
        self.judged(signer.access(consent, **members, **more))

    def batch(self) -> None:
        app = self.dice.choice(self.apps)
        of = [self.chosen()[0] for _ in range(3)]
        items = [app.item(consent, **self.access_members(consent)) for consent in of]
        signer, more = self.signing(app)
        self.judged(signer.batch(items, **more))

    def operator(self) -> None:
        dice = self.dice
        helper = self.helpers[0].id
        party = dice.choice([*self.banks, *self.apps]).id
        down = [name for name, known in self.mirror.registry.participants.items() if known.suspended]
        choice = dice.random()
        if down and dice.random() < 0.8:
            self.document("participant.reinstated", participant=dice.choice(down), reason="case")
        elif choice < 0.4:
            acts = sorted(dice.sample(ACTS, dice.choice([2, 4, 6])))
            self.document(
                "delegation.granted", participant=party, delegate=dice.choice([helper] * 5 + [party]), acts=acts
            )
        elif choice < 0.5:
            self.document("delegation.ended", participant=party, delegate=helper, reason="ended")
        elif choice < 0.6:
            permissions = sorted(
                dice.choice(
                    [
                        ["ReadBalances"],
                        ["ReadBalances", "ReadNothingKnown"],
                        ["ReadAccountsBasic", "ReadBalances", "ReadTransactionsCredits", "ReadTransactionsDetail"],
                    ]
                )
            )
            limits: Mapping[str, int] = {name: dice.choice([*[0] * 9, 30]) for name in LIMITS}
            self.document("purpose.defined", code="budgeting", permissions=permissions, **limits)
        elif choice < 0.95:
            kind = dice.choice(["participant.suspended", "participant.suspended", "participant.reinstated"])
            self.document(kind, participant=dice.choice([party, helper]), reason="case")
        elif self.done.total() > 150:
            self.document("participant.removed", participant=party, reason="left")
