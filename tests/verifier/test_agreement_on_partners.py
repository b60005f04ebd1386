"""What partners may declare: at each of many random acts the ledger's door and the verifier's replay, each written from
docs/spec/partners.md alone, say the same; and what was recorded is a log without a defect."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import LedgerError
from tests.ledger.billed import Billed, billed
from tests.ledger.supervised import APPROVED, HASH
from tests.verdicts import audited
from tests.verifier.billed import month_of
from tests.verifier.running import run
from tests.world import Party
from verifier.errors import Refuted
from verifier.rules.partners import Partners

DAY = 86_400
OFTEN = {"attestation.approved", "tariff.accept", "tariff.end", "tariff.offer", "usage.state", "usage.answer"}
LINE = {"free": 0, "tiers": [{"from": 0, "price": 1_000}]}


class Both:
    """Every act goes to both; `told` counts, by act, how often it was allowed and how often not."""

    def __init__(self, place: Billed, draw: random.Random) -> None:
        self.place, self.draw, self.replay = place, draw, Partners()
        self.told: Counter[tuple[str, bool]] = Counter()
        self.offers: list[int] = []
        self.statements: list[int] = []
        self.given: list[int] = []
        node = place.node
        self.holders, self.recipients = [node.bank, node.other_bank], [node.fintech, node.stranger]

    def say(self, signer: Party, act: str, **members: Any) -> int:
        """The entry's index; −1 if both refuse it."""
        return self._judge(
            act,
            lambda: signer.record(act, **members).index,
            lambda index, time: self.replay.declare(act, signer.id, members, index, time),
        )

    def approve(self) -> None:
        given = self.pick(self.given[-3:])
        known, other = self.replay.attested.get(given), self.draw.choice(self.recipients).id
        participant = known.party if known is not None and self.draw.random() < 0.7 else other
        self._judge(
            "attestation.approved",
            lambda: (
                self.place.document(
                    "attestation.approved", participant=participant, attestation=given, approved_by=APPROVED
                ).index
            ),
            lambda _, time: self.replay.approve(participant, given, time),
        )

    def _judge(self, act: str, record: Callable[[], int], replay: Callable[[int, int], None]) -> int:
        clock, next_index = self.place.node.clock, self.place.node.ledger.registry.size
        try:
            index = record()
        except LedgerError as error:
            index, reason = -1, str(error)
        else:
            reason = "recorded"
        verdict = "legal"
        try:
            replay(next_index, clock.now())
        except Refuted as refusal:
            verdict = str(refusal)
        assert (index >= 0) is (verdict == "legal"), f"{act}: to the ledger {reason}; to the verifier {verdict}"
        assert index in (-1, next_index)
        self.told[act, index >= 0] += 1
        return index

    def pick(self, known: list[int]) -> int:
        """One of these, or what is none of them."""
        return self.draw.choice(known) if known and self.draw.random() < 0.9 else self.draw.randrange(8)

    # --- acts -----------------------------------------------------------------------------------------------

    def attestation(self) -> None:
        who, name = self.draw.choice([*self.recipients, self.holders[0]]), f"a-{self.draw.randrange(20)}"
        if self.draw.random() < 0.3:
            self.say(who, "attestation.withdraw", attestation=name, reason="over")
            return
        until = self.place.now + self.draw.choice([1, DAY, 200 * DAY, 400 * DAY])
        members = {"attestation": name, "document_hash": HASH, "issuer": "The authority", "kind": "licence"}
        index = self.say(who, "attestation.give", **members, valid_until=until)
        self.given += [index] * (index >= 0)

    def map(self) -> None:
        version = self.draw.randint(1, 4)
        members = {"fields": 3, "map": f"m-{self.draw.randrange(3)}", "map_hash": HASH, "map_version": version}
        self.say(self.draw.choice(self.holders), "map.publish", **members)

    def offer(self) -> None:
        draw, now = self.draw, self.place.now
        members = {
            "currency": "CNY",
            "from": draw.choice([0, now, month_of(now)[0], month_of(now)[1]]),
            "lines": [LINE] * draw.randint(1, 2),
            "recipient": draw.choice(["", *(one.id for one in self.recipients)]),
            "tariff": f"t-{draw.randrange(12)}",
            "utc_offset": draw.choice([0, 480]),
        }
        index = self.say(draw.choice(self.holders), "tariff.offer", **members)
        self.offers += [index] * (index >= 0)

    def accept(self) -> None:
        self.say(self.draw.choice(self.recipients), "tariff.accept", offer=self.pick(self.offers))

    def end(self) -> None:
        who = self.draw.choice([*self.holders, *self.recipients])
        start = self.place.now + self.draw.choice([1, DAY, 40 * DAY])
        self.say(who, "tariff.end", **{"from": start}, offer=self.pick(self.offers), reason="over")

    def state(self) -> None:
        draw, node = self.draw, self.place.node
        offer = self.pick(self.offers)
        known = self.replay.offers.get(offer)
        offset = known.utc_offset if known is not None and draw.random() < 0.9 else 0
        since, to = month_of(self.place.now - draw.choice([0, 30, 60]) * DAY, offset)
        lines = len(known.lines) if known is not None and draw.random() < 0.9 else 1
        who = draw.choice(self.recipients).id
        before = self.replay.latest.get((offer, who, since), -1)
        members = {
            "amounts": [{"amount": 0, "count": 0}] * lines,
            "count": 0,
            "from": since,
            "left_out": [],
            "offer": offer,
            "recipient": who,
            "replaces": before if draw.random() < 0.8 else self.pick(self.statements),
            "root": HASH,
            "to": to - draw.choice([0] * 9 + [DAY]),
            "to_index": node.ledger.registry.size - draw.choice([0, 1, 2, 3]),
            "total": 0,
        }
        own = next((one for one in self.holders if known is not None and one.id == known.holder), self.holders[0])
        index = self.say(own if draw.random() < 0.9 else draw.choice(self.holders), "usage.state", **members)
        self.statements += [index] * (index >= 0)

    def answer(self) -> None:
        disputed = [{"index": 3, "reason": "not-received"}] if self.draw.random() < 0.6 else []
        answer = "disputed" if disputed else "agreed"
        who = self.draw.choice(self.recipients)
        self.say(who, "usage.answer", answer=answer, disputed=disputed, statement=self.pick(self.statements[-4:]))

    def run(self, steps: int) -> None:
        acts = [self.attestation, self.approve, self.approve, self.map, *[self.offer, self.accept, self.end] * 2]
        acts += [self.accept] * 2 + [self.state, self.answer] * 6
        for _ in range(steps):
            self.draw.choice(acts)()
            self.place.node.clock.advance(seconds=self.draw.choice([0.5, 3_600, DAY, 9 * DAY]))


@pytest.mark.parametrize("seed", [1, 2])
def test_ledger_and_verifier_allow_the_same_of_partners(seed: int, sqlite_url: str, tmp_path: Path) -> None:
    with billed(sqlite_url, tmp_path) as place:
        both = Both(place, random.Random(seed))
        both.run(600)
        acts = {act for act, _ in both.told}
        assert all(both.told[act, True] and both.told[act, False] for act in OFTEN), both.told
        assert len(acts) == 9
        audit = audited(place.node.ledger, tmp_path / "bundle")
        assert [str(defect) for defect in audit.findings.defects] == []
        assert {dispute.place.index for dispute in audit.findings.disputes} <= {*both.statements}


def test_the_list_of_what_the_ledger_counted_has_the_root_that_it_stated(
    sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two that disagree about a month by three accesses: the first statement counts them, the second, which both sign, not."""
    with billed(sqlite_url, tmp_path) as place:
        place.a_month_of(9)
        first = place.state()
        rows = [{"index": index, "reason": "not-received"} for index in place.releases[:3]]
        place.answer(first.index, "disputed", rows)
        second = place.state(left_out=dict.fromkeys(place.releases[:3], "agreed"))
        place.answer(second.index)
        audited(place.node.ledger, tmp_path / "bundle")
        (tmp_path / "policy").write_text(f"log {place.node.ledger.vkey.format()}\nquorum none\n")
    lists = {first.index: place.releases, second.index: place.releases[3:]}
    for statement, entries in lists.items():
        for name, handed, status in (
            ("right", entries, 0),
            ("twice", [*entries, entries[0]], 1),
            ("short", entries[1:], 1),
            ("other", [*entries[1:], entries[0] - 1], 1),
        ):
            (tmp_path / name).write_text("".join(f"{index}\n" for index in handed))
            asked = run(
                capsys,
                "usage",
                tmp_path / "bundle",
                "--policy",
                tmp_path / "policy",
                "--jobs",
                1,
                "--statement",
                statement,
                "--list",
                tmp_path / name,
            )
            assert asked[0] == status, (name, asked[1])
