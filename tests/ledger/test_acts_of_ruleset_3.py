"""The forms of what ruleset 3 adds: what is not of them is refused (docs/spec/ruleset-3.md)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clocks import NOW
from tests.ledger.acts import refused
from tests.world import BANK, terms


@pytest.mark.parametrize(
    ("act", "changes"),
    [
        ("freeze.order", {"until": NOW // 1000}),
        ("freeze.order", {"until": NOW // 1000 + 7_776_001}),
        ("freeze.order", {"scope": {"country": "sg"}}),
        ("freeze.order", {"scope": {"who": "all"}}),
        ("freeze.order", {"drill": 0}),
        ("assessment.require", {"scope": {"permission": "ReadBalances"}}),
        ("assessment.record", {"scope": {"permission": "ReadBalances"}}),
        ("assessment.record", {"scope": {"holder": BANK}}),
        ("assessment.record", {"next_due": NOW // 1000}),
        ("assessment.record", {"outcome": "fine"}),
        ("risk.block", {"seconds": 59}),
        ("risk.block", {"seconds": 2_592_001}),
        ("risk.block", {"level": 1_001}),
        ("risk.block", {"about": "holder"}),
        ("alert.decide", {"proposal_reasons": ["b", "a"]}),
        ("alert.decide", {"decision": "ignored"}),
        ("incident.open", {"clocks": []}),
        ("incident.open", {"clocks": [{"due": 2, "name": "a"}, {"due": 1, "name": "b"}]}),
        ("incident.open", {"clocks": [{"due": 1, "name": "a"}, {"due": 2, "name": "a"}]}),
        ("incident.open", {"detected_at": NOW // 1000 + 1}),
        ("incident.open", {"severity": 5}),
        ("purpose.define", {"permissions": ["b", "a"]}),
        ("subject.feedback", {"about": -2}),
        ("subject.feedback", {"due": NOW // 1000}),
        ("subject.answer", {"by": "customer"}),
        ("access.receive", {"masks": ["pan"]}),
        ("access.release", {"masks": ["pan", "pan"]}),
        ("access.request", {"region": "Singapore"}),
        ("consent.request", {"terms": terms(destinations=[])}),
        ("consent.request", {"terms": terms(frequency_period="week")}),
        ("consent.request", {"terms": terms(once=True, once_seconds=0)}),
        (
            "consent.request",
            {"terms": terms(destinations=[{"country": "US", "mechanism": "a"}, {"country": "SG", "mechanism": "a"}])},
        ),
    ],
)
def test_an_act_of_ruleset_3_is_refused_in_any_other_form(act: str, changes: dict[str, Any]) -> None:
    refused(act, **changes)
