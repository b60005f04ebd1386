"""An entry is explained to its parties: which rule, on which facts, what would have to change; and to nobody else."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from api.explaining.explain import ExplanationReply, explain
from api.explaining.words import ASSERTED, REASONS
from ledger.entries.asserted import Asserted
from ledger.errors import NotFound
from ledger.policy.reasons import Reason
from tests.clocks import HandClock
from tests.world import DAY, Party, World, running_world


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def world(sqlite_url: str, tmp_path: Any, clock: HandClock) -> Any:
    with running_world(sqlite_url, tmp_path, clock=clock) as made:
        yield made


@pytest.fixture
def bank(world: World) -> Party:
    return world.holder("bank-a")


@pytest.fixture
def app(world: World) -> Party:
    return world.recipient("tpp-1")


def told(world: World, viewer: Party, index: int) -> ExplanationReply:
    return explain(world.ledger.records, viewer.id, index)


def test_every_reason_there_is_has_its_words_in_both_languages() -> None:
    assert {*REASONS} == {reason.value for reason in Reason}
    assert tuple(ASSERTED) == get_args(Asserted)
    for said in (*REASONS.values(), *ASSERTED.values()):
        for words in said:
            assert words.en.endswith(".")
            assert words.zh_cn.endswith("。")


def test_a_denial_names_each_rule_with_the_facts_of_the_version_decided_upon(
    world: World, bank: Party, app: Party
) -> None:
    consent = world.active_consent(app, bank, frequency_per_day=1)
    world.record(app.access(consent, customer_present=False))
    [denied] = world.record(app.access(consent, customer_present=False, purpose="lending"))
    after, submission = app.amend(consent, frequency_per_day=3)
    world.record(submission)
    world.record(bank.authorise(after))
    for viewer in (app, bank):
        found = told(world, viewer, denied.index)
        assert (found.about, found.decision, found.ruleset) == ("decision", "deny", 3)
        facts = {reason.code: reason.facts for reason in found.reasons}
        assert facts == {
            "PURPOSE_MISMATCH": {"terms.purpose": "budgeting", "asked.purpose": "lending"},
            "FREQUENCY_EXCEEDED": {
                "terms.frequency_per_day": 1,
                "used_today": 1,
                "asked.customer_present": False,
            },
        }
        assert "后台访问" in found.words["zh-CN"]
        assert all(reason.to_change["en"] for reason in found.reasons)


def test_an_asserted_reason_is_marked_as_one_that_nobody_can_check(world: World, bank: Party, app: Party) -> None:
    consent = world.active_consent(app, bank)
    said = bank.sign("access.request", relayed=True, asserted=["CERT_EXPIRED"], **bank.item(consent))
    [denied] = world.ledger.record(said)
    [reason] = told(world, app, denied.index).reasons
    assert (reason.code, reason.asserted, reason.facts) == ("CERT_EXPIRED", True, {})


def test_an_allowed_access_and_a_leg_are_explained_too(world: World, bank: Party, app: Party) -> None:
    consent = world.active_consent(app, bank)
    [access] = world.record(app.access(consent))
    [leg] = world.record(bank.leg("release", consent, access))
    assert told(world, app, access.index).reasons == []
    assert told(world, app, access.index).basis is not None
    assert told(world, app, leg.index).about == "record"
    assert told(world, app, 0).about == "record"


def test_a_step_is_told_with_its_row_and_the_status_it_came_from(
    world: World, bank: Party, app: Party, clock: HandClock
) -> None:
    consent, submission = app.request(bank, expires_at=clock.now() // 1000 + DAY)
    [asked] = world.record(submission)
    [agreed, _] = world.record(bank.authorise(consent))
    [paused] = world.record(bank.step("pause", consent))
    clock.advance(seconds=DAY)
    expired = world.ledger.record_expiry(consent.consent_id)
    steps = [told(world, app, entry.index).step for entry in (asked, agreed, paused, expired)]
    assert [(step.row, step.came_from, step.led_to, step.by, step.signer) for step in steps if step] == [
        ("consent.request", None, "AWAITING", None, "tpp-1"),
        ("consent.authorise", "AWAITING", "ACTIVE", None, "bank-a"),
        ("consent.pause", "ACTIVE", "PAUSED", "customer", "bank-a"),
        ("consent.expire", "PAUSED", "EXPIRED", None, None),
    ]


def test_a_stranger_is_told_nothing_of_a_consent_and_of_others_entries(world: World, bank: Party, app: Party) -> None:
    stranger = world.recipient("tpp-2")
    consent = world.active_consent(app, bank)
    [tried] = world.record(stranger.access(consent, purpose="lending"))
    own = told(world, stranger, tried.index)
    assert [(reason.code, reason.facts) for reason in own.reasons] == [("CONSENT_NOT_YOURS", {})]
    assert own.basis is None
    [access] = world.record(app.access(consent))
    for viewer, index in ((stranger, access.index), (app, tried.index), (app, 10_000)):
        with pytest.raises(NotFound):
            told(world, viewer, index)
