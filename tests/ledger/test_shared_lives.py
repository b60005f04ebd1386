"""Random lives of consents that several people share, on a real log, in lockstep with a model of dictionaries.

Authorisers come and go, versions are amended, accounts and separate consents are withdrawn, clocks run out, a technology
provider signs for the bank while it may, participants are suspended and removed.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ledger.errors import Refused
from ledger.planning.commands import Recorded
from tests.ledger import model as pure
from tests.ledger.auditing import audit
from tests.ledger.random_lives import LIMITS, on_postgresql
from tests.world import BANK, FINTECH, Node, Signer, about, reference, registered, running, separately, terms_hash

PROVIDER = "provider-x"
KEY = Signer.named(PROVIDER)
PEOPLE, ACCOUNTS = ("ann", "bob", "cid"), tuple("abcd")
some_accounts = st.sets(st.sampled_from(ACCOUNTS), min_size=1, max_size=3)
kinds = st.sets(st.sampled_from(sorted(pure.KINDS)))
DELEGATED = ["consent.pause", "consent.revoke", "consent.withdraw_accounts", "consent.withdraw_separate"]


def names(accounts: set[str]) -> list[str]:
    return sorted(map(reference, accounts))


class SharedLives(RuleBasedStateMachine):
    """The model of each consent by its id, and of who is suspended or gone and whether the provider may act."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp())
        self.models: dict[str, pure.Model] = {}
        self.suspended: set[str] = set()
        self.gone: set[str] = set()
        self.delegated = False

    @initialize()
    def begin(self) -> None:
        self.node: Node = self.stack.enter_context(running(self.url or f"sqlite:///{self.folder / 'log'}", self.folder))
        self.node.ledger.record_documents(registered(PROVIDER, "technology-provider"), KEY.key_added())

    def teardown(self) -> None:
        try:
            if self.models:
                audit(self.node.config.database_url, self.node.ledger)
        finally:
            self.stack.close()
            shutil.rmtree(self.folder)

    # -- both at once -------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        return self.node.clock.now()

    def status(self, consent_id: str) -> str:
        return pure.status(self.models[consent_id], self.now, bool(self.gone))

    def pick(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.models)))

    def both(
        self,
        consent_id: str,
        move: Callable[[pure.Model, str], None],
        record: Callable[[], Any],
        *,
        free: bool = False,
        by: str = BANK,
    ) -> None:
        """Do it to the model and to the log: both, or neither. `free`: a suspended participant may do it."""
        after: pure.Model | None = copy.deepcopy(self.models[consent_id])
        try:
            pure.need(by not in self.gone and (free or by not in self.suspended))
            move(after, self.status(consent_id))  # type: ignore[arg-type]
        except pure.No:
            after = None
        try:
            told = record()
        except Refused:
            assert after is None
            return
        assert after is not None
        self.models[consent_id] = after
        recorded: Recorded = told[0] if isinstance(told, tuple) else told
        assert recorded.outcome.status == after["status"]  # type: ignore[union-attr]

    # -- what happens -------------------------------------------------------------------------------------------------

    @rule(required=st.integers(1, 3), lifetime=st.sampled_from([0, 0, 4_000]), days=st.integers(1, 2))
    def request(self, required: int, lifetime: int, days: int) -> None:
        expires = self.now // 1000 + lifetime if lifetime else 0
        try:
            consent_id = self.node.request(authorisers_required=required, expires_at=expires, reauthenticate_days=days)
        except Refused:
            assert self.suspended or self.gone
        else:
            assert not self.suspended
            assert not self.gone
            self.models[consent_id] = pure.new(required, expires, days)

    @precondition(lambda self: self.models)
    @rule(
        data=st.data(),
        who=st.sampled_from(PEOPLE),
        accounts=some_accounts,
        joint=some_accounts,
        given=kinds,
        ahead=st.booleans(),
    )
    def authorise(
        self, data: st.DataObject, who: str, accounts: set[str], joint: set[str], given: set[str], ahead: bool
    ) -> None:
        consent_id = self.pick(data)
        known = self.models[consent_id]
        version = known["version"] + (1 if ahead and known["pending"] is not None else 0)
        terms = dict(self.node.terms_of[consent_id])
        terms["authorisers_required"] = (known["pending"] if version > known["version"] else known)["required"]
        members: dict[str, Any] = {
            "version": version,
            "terms_hash": terms_hash(terms),
            "authoriser": reference(who),
            "accounts": names(accounts),
            "joint_accounts": names(joint & accounts) or None,
            "separate_consents": separately(given, self.now) or None,
        }

        def agree(model: pure.Model, at: str) -> None:
            pure.need(FINTECH not in self.suspended)  # whoever asked may not use it
            pure.authorise(model, at, who, accounts, joint & accounts, given, version, self.now)

        self.both(
            consent_id,
            agree,
            lambda: self.node.authorise(consent_id, **members),
        )

    @precondition(lambda self: self.models)
    @rule(data=st.data(), required=st.integers(1, 2))
    def amend(self, data: st.DataObject, required: int) -> None:
        consent_id = self.pick(data)
        if self.suspended | self.gone:
            return
        version = self.models[consent_id]["version"]
        terms = {**self.node.terms_of[consent_id], "authorisers_required": required}
        said = {"consent_id": consent_id, "previous_version": version, "terms": terms}
        expires = self.models[consent_id]["expires"]
        if expires and expires * 1000 <= self.now:
            return
        self.both(
            consent_id,
            lambda m, at: pure.amend(m, at, required, version),
            lambda: self.node.fintech.record("consent.amend", **said),
            by=FINTECH,
        )

    @precondition(lambda self: self.models)
    @rule(data=st.data(), accounts=some_accounts, provider=st.booleans())
    def withdraw_accounts(self, data: st.DataObject, accounts: set[str], provider: bool) -> None:
        consent_id = self.pick(data)
        self.change(
            consent_id,
            "consent.withdraw_accounts",
            lambda m, at: pure.withdraw_accounts(m, at, accounts),
            provider=provider,
            accounts=names(accounts),
        )

    @precondition(lambda self: self.models)
    @rule(data=st.data(), who=st.sampled_from(PEOPLE))
    def withdraw_approval(self, data: st.DataObject, who: str) -> None:
        consent_id = self.pick(data)
        self.change(
            consent_id,
            "consent.withdraw_approval",
            lambda m, at: pure.withdraw_approval(m, at, who),
            authoriser=reference(who),
        )

    @precondition(lambda self: self.models)
    @rule(data=st.data(), kind=st.sampled_from(sorted(pure.KINDS)), provider=st.booleans())
    def withdraw_separate(self, data: st.DataObject, kind: str, provider: bool) -> None:
        consent_id = self.pick(data)
        self.change(
            consent_id,
            "consent.withdraw_separate",
            lambda m, at: pure.withdraw_separate(m, at, kind),
            provider=provider,
            separate=kind,
        )

    @precondition(lambda self: self.models)
    @rule(data=st.data(), act=st.sampled_from(["pause", "suspend", "resume", "revoke"]), provider=st.booleans())
    def step(self, data: st.DataObject, act: str, provider: bool) -> None:
        consent_id = self.pick(data)
        self.change(
            consent_id, f"consent.{act}", lambda m, at: pure.step(m, at, act), free=act != "resume", provider=provider
        )

    def change(
        self,
        consent_id: str,
        act: str,
        move: Callable[[pure.Model, str], None],
        *,
        free: bool = True,
        provider: bool = False,
        **members: Any,
    ) -> None:
        said = {"consent_id": consent_id, "by": "customer", "reason": "as-asked", **members}
        if provider:
            may = self.delegated and act in DELEGATED

            def moved(m: pure.Model, at: str) -> None:
                pure.need(may)
                move(m, at)

            self.both(
                consent_id, moved, lambda: self.node.party(PROVIDER).record(act, on_behalf_of=BANK, **said), free=free
            )
        else:
            self.both(consent_id, move, lambda: self.node.bank.record(act, **said), free=free)

    @precondition(lambda self: self.models)
    @rule(data=st.data())
    def reauthenticate(self, data: st.DataObject) -> None:
        consent_id = self.pick(data)
        said = {"consent_id": consent_id, "sca": {"acr": "loa3", "amr": [], "at": self.now // 1000}}
        self.both(
            consent_id,
            lambda m, at: pure.reauthenticate(m, at, self.now),
            lambda: self.node.bank.record("consent.reauthenticate", **said),
        )

    @precondition(lambda self: self.models)
    @rule(data=st.data(), accounts=st.sets(st.sampled_from(ACCOUNTS)))
    def access(self, data: st.DataObject, accounts: set[str]) -> None:
        consent_id = self.pick(data)
        wanted = pure.reasons(
            self.models[consent_id], self.status(consent_id), accounts, self.now, suspended=bool(self.suspended)
        )
        try:
            told = self.node.access(consent_id, accounts=names(accounts))
        except Refused:
            assert FINTECH in self.gone
        else:
            assert list(told.outcome.reasons) == wanted  # type: ignore[union-attr]

    @rule(seconds=st.sampled_from([1, 50, 5_000, 90_000]))
    def wait(self, seconds: int) -> None:
        self.node.clock.advance(seconds=seconds)

    @rule(who=st.sampled_from([BANK, FINTECH]))
    def suspend_or_reinstate(self, who: str) -> None:
        if who not in self.gone:
            kind = "reinstated" if who in self.suspended else "suspended"
            self.node.ledger.record_documents(about(f"participant.{kind}", who, reason="audit"))
            self.suspended ^= {who}

    @precondition(lambda self: len(self.models) > 2 and not self.gone)
    @rule(who=st.sampled_from([BANK, FINTECH]))
    def remove(self, who: str) -> None:
        self.node.ledger.record_documents(about("participant.removed", who, reason="gone"))
        self.gone.add(who)

    @rule()
    def grant_or_end(self) -> None:
        if self.delegated:
            document = about("delegation.ended", BANK, delegate=PROVIDER, reason="over")
        else:
            document = about("delegation.granted", BANK, delegate=PROVIDER, acts=DELEGATED)
        self.node.ledger.record_documents(document)
        self.delegated = not self.delegated

    @rule()
    def restart(self) -> None:
        self.node.restart()

    @invariant()
    def the_stored_state_is_that_of_the_model(self) -> None:
        for consent_id, known in self.models.items():
            stored = self.node.ledger.records.consent(BANK, consent_id)
            assert (stored.status, stored.version) == (known["status"], known["version"])
            assert list(stored.accounts) == names(pure.shared(known))
            assert list(stored.waiting) == names(pure.waiting(known))
            assert list(stored.withdrawn) == names(known["withdrawn"])
            assert set(stored.separate) == known["separate"]
            assert set(stored.authorisers) == {reference(who) for who in known["gave"]}
            assert (stored.pending is None) == (known["pending"] is None)
            gone = self.node.ledger.registry.removed
            assert stored.status_at(self.now, gone) == self.status(consent_id)


def test_random_shared_lives_on_sqlite() -> None:
    run_state_machine_as_test(SharedLives, settings=LIMITS)


@pytest.mark.postgres
def test_random_shared_lives_on_postgresql(postgres_server: Any) -> None:
    on_postgresql(SharedLives, postgres_server, "shared")
