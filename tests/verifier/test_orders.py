"""Documents of ruleset 3 at the point where they turn from legal to illegal, and what is in force at an edge
(docs/spec/ruleset-3.md, 2 and 3; risk.md; reports.md)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verifier.declared import ALERT, DECLARED, DOCUMENTS
from tests.verifier.making import refusal
from tests.verifier.states import HOLDER, NOW, RECIPIENT, SECONDS, operator, registry, terms
from verifier.errors import Code, Refuted
from verifier.rules.participants import Registry
from verifier.rules.supervision import Raised

INDEX = 30
DAY = 86_400
FIRST_OF_DAY = SECONDS - SECONDS % DAY


def known() -> Registry:
    made = registry(ruleset=3)
    made.fold(operator("report.defined", **{**DOCUMENTS["report.defined"], "report": "daily", "period": "day"}), 20, 0)
    return made


def issued(**changes: Any) -> dict[str, Any]:
    plain = {"report": "daily", "from": FIRST_OF_DAY - DAY, "to": FIRST_OF_DAY, "to_index": INDEX - 1}
    return {**DOCUMENTS["report.issued"], **plain, **changes}


EDGES: list[tuple[str, dict[str, Any], int, bool]] = [
    ("freeze.ordered", {"until": SECONDS + 7_776_000}, NOW, True),
    ("freeze.ordered", {"until": SECONDS + 7_776_000}, NOW + 999, True),
    ("freeze.ordered", {"until": SECONDS + 7_776_000}, NOW - 1, False),
    ("freeze.ordered", {"until": SECONDS + 7_776_001}, NOW, False),
    ("model.activated", {"from_index": 5, "to_index": 5}, NOW, True),
    ("model.activated", {"from_index": 6, "to_index": 5}, NOW, False),
    ("model.activated", {"from_index": 5, "to_index": INDEX - 1}, NOW, True),
    ("model.activated", {"from_index": 5, "to_index": INDEX}, NOW, False),
    ("alert.raised", {"at_index": INDEX - 1}, NOW, True),
    ("alert.raised", {"at_index": INDEX}, NOW, False),
    ("report.issued", issued(), FIRST_OF_DAY * 1000, True),
    ("report.issued", issued(), FIRST_OF_DAY * 1000 - 1, False),
    ("report.issued", issued(to_index=INDEX - 2), NOW, False),
    ("report.issued", issued(to_index=INDEX), NOW, False),
    ("report.issued", issued(report="hourly"), NOW, False),
    ("report.issued", issued(to=FIRST_OF_DAY - 1), NOW, False),
    ("freeze.ordered", {"approved_by": ["a", "a"]}, NOW, False),
    ("hold.lifted", {"hold": "h1"}, NOW, False),
]


@pytest.mark.parametrize(
    ("kind", "changes", "time", "legal"), EDGES, ids=[f"{row[0]} {n}" for n, row in enumerate(EDGES)]
)
def test_a_document_is_legal_up_to_its_bound(kind: str, changes: dict[str, Any], time: int, legal: bool) -> None:
    document = operator(kind, **{**DOCUMENTS[kind], **changes})
    if legal:
        known().fold(document, INDEX, time)
        return
    with refusal(Code.CONSENT_INVALID):
        known().fold(document, INDEX, time)


def test_a_certificate_holds_for_365_days_from_its_entry_on() -> None:
    rules = known()
    rules.fold(operator("conformance.certified", **DOCUMENTS["conformance.certified"]), INDEX, NOW)
    [given] = rules.orders.partners.certified.values()
    assert (given.index, given.until) == (INDEX, NOW + 365 * DAY * 1000)


@pytest.mark.parametrize(("until", "now", "held"), [(0, 2**50, True), (SECONDS, NOW - 1, True), (SECONDS, NOW, False)])
def test_a_hold_lasts_until_before_its_last_second_or_for_ever(until: int, now: int, held: bool) -> None:
    rules = known()
    rules.fold(operator("hold.placed", **{**DOCUMENTS["hold.placed"], "until": until}), INDEX, 0)
    [chain] = DOCUMENTS["hold.placed"]["chains"]
    assert rules.supervision.is_held([chain], now) is held
    assert not rules.supervision.is_held(["B" * 42 + "A"], now)


def test_an_alert_blocks_for_thirty_days_at_most_and_is_then_forgotten() -> None:
    """A later alert of the same kind drops those that no block can name."""
    month = 30 * DAY * 1000
    for later, blocked in ((month - 1, True), (month, False)):
        rules = known()
        rules.declare("risk.block", HOLDER, DECLARED["risk.block"] | {"seconds": 30 * DAY}, 21, NOW)
        asked = terms(), "c" * 43
        rules.supervision.alert("recipient", RECIPIENT, "rate", Raised(25, NOW, 500))
        assert rules.supervision.is_blocked(*asked, NOW + later) is blocked
        rules.supervision.alert("recipient", RECIPIENT, "rate", Raised(26, NOW + later, 499))
        assert [one.number for one in rules.supervision.alerts["rate", "recipient", RECIPIENT]] == [25, 26][
            not blocked :
        ]
        assert rules.supervision.is_blocked(*asked, NOW + later) is blocked


def test_only_an_alert_that_was_raised_can_be_decided() -> None:
    rules = known()
    for index in (22, 25):
        rules.fold(operator("alert.raised", **ALERT), index, NOW)
    assert [index for index in range(20, 30) if rules.supervision.is_alert(index)] == [22, 25]
    for index in (21, 23, 26):
        with pytest.raises(Refuted):
            rules.declare("alert.decide", HOLDER, DECLARED["alert.decide"] | {"alert": index}, INDEX, NOW)
