"""The ledger and the verifier, written apart from one specification, agree on random histories."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.errors import LedgerError
from tests.world import SteppingClock, World, reference, running_world
from verifier.archive import open_archive
from verifier.bundle import Audit, Auditor, Options
from verifier.errors import Code
from verifier.trust import parse_trust

STEPS = ("reject", "suspend", "resume", "pause", "revoke", "terminate")
BY = ("customer", "guardian", "court", "holder", "recipient", "system")


def live(world: World, clock: SteppingClock, dice: random.Random, count: int) -> int:
    """Random acts, legal or not; how many the ledger refused."""
    banks = [world.holder("bank-a"), world.holder("bank-b", alg="ES256")]
    apps = [world.recipient("tpp-1"), world.recipient("tpp-2", alg="PS256")]
    consents = []
    refused = 0
    for _ in range(count):
        clock.advance(seconds=dice.choice([0, 1, 60, 5_000, 40_000]))
        bank, app = dice.choice(banks), dice.choice(apps)
        act = dice.choice(["request", "authorise", "authorise", "step", "amend", *["access"] * 4, "batch", "leg"])
        try:
            if act == "request" or not consents:
                consent, submission = app.request(
                    bank,
                    authorisers_required=dice.choice([1, 1, 2]),
                    once=dice.random() < 0.2,
                    frequency_per_day=dice.choice([0, 1, 3]),
                    expires_at=dice.choice([0, clock.now() // 1000 + dice.choice([10, 50_000, 500_000])]),
                )
                world.record(submission)
                consents.append((consent, bank, app))
                continue
            consent, bank, app = place = dice.choice(consents)
            actor = dice.choice([bank, app, dice.choice(banks), dice.choice(apps)])
            if act == "authorise":
                world.record(bank.authorise(consent, authoriser=reference()))
            elif act == "step":
                world.record(actor.step(dice.choice(STEPS), consent, by=dice.choice(BY)))
            elif act == "amend":
                after, submission = app.amend(consent, frequency_per_day=dice.choice([0, 2]))
                world.record(submission)
                consents[consents.index(place)] = (after, bank, app)
            elif act == "batch":
                items = [app.item(dice.choice(consents)[0], customer_present=dice.random() < 0.5) for _ in range(3)]
                world.record(app.batch(items))
            else:
                reader = dice.choice([app, app, app, dice.choice(apps)])
                [access] = world.record(
                    reader.access(
                        consent,
                        customer_present=dice.random() < 0.5,
                        purpose=dice.choice(["budgeting", "lending"]),
                        accounts=dice.choice([[], [reference()]]),
                        permissions=dice.choice([["ReadBalances"], ["ReadParty"], ["ReadTransactionsBasic"]]),
                    )
                )
                if act == "leg":
                    world.record(bank.leg("release", consent, access))
                    world.record(app.leg("receive", consent, access))
        except LedgerError:
            refused += 1
    return refused


def audited(world: World, root: Path, disclose: Disclose) -> Audit:
    ledger = world.ledger
    export_bundle(ledger.store, ledger.keystore, ledger.vkey, DirectoryTarget(root), disclose=disclose)
    policy = f"log {ledger.vkey.format()}\nquorum none\n".encode()
    auditor = Auditor(open_archive(root), parse_trust(policy), Options(jobs=1))
    try:
        return auditor.run()
    finally:
        auditor.close()


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_ledger_accepts_the_verifier_confirms(seed: int, tmp_path: Path) -> None:
    clock = SteppingClock()
    with running_world(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path, clock=clock) as world:
        refused = live(world, clock, random.Random(seed), 120)
        audit = audited(world, tmp_path / "bundle", Disclose.full())
    assert [str(defect) for defect in audit.findings.defects if defect.code != Code.UNMATCHED] == []
    assert refused > 5
    assert audit.findings.decisions["allow"] > 3
    assert audit.findings.decisions["deny"] > 3
    assert not audit.findings.unchecked
