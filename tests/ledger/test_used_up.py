"""What accesses use up: the day's frequency, a consent for one access."""

from __future__ import annotations

import msgspec
import pytest

from ledger.consent.state import Consent, Status
from ledger.entries.acts import AccessItem
from ledger.entries.evidence import AccessOutcome
from ledger.policy.decision import after_access, decide
from tests.clocks import NOW
from tests.ledger.consents import ID, consent, registry
from tests.world import FINTECH, item

REGISTRY = registry()
DAY = 86_400_000


def uses(before: Consent, *, time: int, present: bool = False) -> tuple[Consent, AccessOutcome]:
    asked = msgspec.convert(item(ID, customer_present=present), AccessItem)
    outcome = decide(REGISTRY, before, asked, signer=FINTECH, relayed=False, time=time)
    return after_access(before, asked, outcome, time), outcome


def test_frequency_counts_allowed_accesses_without_the_customer_per_utc_day() -> None:
    state = consent(terms={"frequency_per_day": 2})
    midnight = NOW // DAY * DAY + DAY
    state, outcome = uses(state, time=NOW, present=True)
    assert (outcome.decision, outcome.used_today) == ("allow", 0)
    for used in (0, 1):
        state, outcome = uses(state, time=NOW)
        assert (outcome.decision, outcome.used_today) == ("allow", used)
    state, outcome = uses(state, time=midnight - 1)
    assert (outcome.reasons, outcome.used_today) == (("FREQUENCY_EXCEEDED",), 2)
    state, outcome = uses(state, time=midnight - 1, present=True)
    assert outcome.decision == "allow"
    state, outcome = uses(state, time=midnight)
    assert (outcome.decision, outcome.used_today) == ("allow", 0)
    assert state.used_on(midnight // DAY) == 1


@pytest.mark.parametrize(
    ("offset", "shift"), [(0, 0), (840, -14 * 3_600_000), (-840, 14 * 3_600_000), (330, -19_800_000)]
)
def test_frequency_is_counted_in_the_days_of_the_terms_offset(offset: int, shift: int) -> None:
    midnight = NOW // DAY * DAY + DAY + shift
    state = consent(terms={"frequency_per_day": 1, "utc_offset": offset})
    state, outcome = uses(state, time=midnight - 1)
    assert outcome.decision == "allow"
    assert uses(state, time=midnight - 1)[1].reasons == ("FREQUENCY_EXCEEDED",)
    assert uses(state, time=midnight)[1].decision == "allow"


@pytest.mark.parametrize("present", [True, False])
def test_a_consent_for_once_is_consumed_by_its_first_allowed_access(present: bool) -> None:
    once = consent(terms={"once": True})
    same, outcome = uses(once, time=(once.terms.starts_at - 1) * 1000 if once.terms.starts_at else NOW, present=present)
    assert (outcome.decision, same.status, same.basis) == ("allow", Status.CONSUMED, 10)
    _, again = uses(same, time=NOW)
    assert again.reasons == ("CONSENT_CONSUMED",)
    denied, outcome = uses(consent("PAUSED", terms={"once": True}), time=NOW)
    assert (outcome.decision, denied.status) == ("deny", Status.PAUSED)
