"""What is proposed to the person who answers an alert, and why."""

from __future__ import annotations

import pytest

from ledger.scoring.proposals import Earlier, due, propose
from ledger.scoring.seen import DAY_MS, HOUR_MS

NOW = 1_800_000_000_000


def earlier(*answers: str | None, every: int = DAY_MS) -> list[Earlier]:
    return [Earlier(NOW - (place + 1) * every, answer) for place, answer in enumerate(answers)]  # type: ignore[arg-type]  # of the three


@pytest.mark.parametrize(
    ("rule", "score", "past", "answer", "reasons"),
    [
        ("woken", 300, [], "cleared", ("score-low",)),
        ("rate", 600, [], "confirmed", ("score-middle",)),
        ("rate", 900, [], "confirmed", ("score-high",)),
        ("rate", 900, earlier(None, None), "escalated", ("repeated", "score-high")),
        ("rate", 900, earlier(None, None, every=8 * DAY_MS), "confirmed", ("score-high",)),
        ("rate", 900, earlier("escalated"), "escalated", ("escalated-before", "score-high")),
        ("night", 600, earlier("cleared"), "cleared", ("cleared-before", "score-middle")),
        (
            "night",
            600,
            earlier(None, "cleared", "confirmed"),
            "cleared",
            ("cleared-before", "repeated", "score-middle"),
        ),
        ("night", 850, earlier("cleared"), "confirmed", ("cleared-before", "score-high")),
        ("night", 200, earlier("confirmed"), "confirmed", ("confirmed-before", "score-low")),
        ("refused", 400, earlier("cleared"), "confirmed", ("cleared-before", "fact", "score-low")),
        ("legs-differ", 800, [], "confirmed", ("fact", "score-high")),
    ],
)
def test_a_proposal_and_its_reasons(
    rule: str, score: int, past: list[Earlier], answer: str, reasons: tuple[str, ...]
) -> None:
    made = propose(rule, score, NOW, past)  # type: ignore[arg-type]  # one of the rules
    assert (made.answer, made.reasons) == (answer, reasons)


def test_the_higher_the_score_the_sooner_it_is_due() -> None:
    assert [due(score, NOW) - NOW for score in (1_000, 800, 799, 500, 499)] == [
        hours * HOUR_MS for hours in (4, 4, 24, 24, 72)
    ]
