"""The figures of docs/risk.md are what the record says, and the record is what the rules give."""

from __future__ import annotations

import json

from tests.planted.__main__ import PAGE, RECORD, page
from tests.planted.judging import judged


def test_the_page_tells_what_was_recorded() -> None:
    text = PAGE.read_text()
    assert page(text, json.loads(RECORD.read_text())) == text


def test_the_first_world_gives_the_figures_on_record_again() -> None:
    record = json.loads(RECORD.read_text())
    assert json.loads(json.dumps(judged(1).told())) == record["first"], "run python -m tests.planted"


def test_the_rules_find_their_attack_in_every_recorded_world() -> None:
    """A rule that gets worse shows here, and not only in a table."""
    kinds = json.loads(RECORD.read_text())["all"]["kinds"]
    meant = {
        "scraping": "rate",
        "many-at-once": "many",
        "night": "night",
        "refusals": "refused",
        "after-end": "after-end",
        "woken": "woken",
        "new-permission": "new-permission",
        "rows": "rows",
        "legs-differ": "legs-differ",
    }
    for kind, rule in meant.items():
        assert kinds[kind]["by"][rule] >= 0.7 * kinds[kind]["planted"], kind
