"""Hypothesis strategies for the words of the ledger. Lists are small and overlap, so that rules meet."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from ledger.catalogue import LATEST
from ledger.consent.state import Approval, Consent, Status
from ledger.entries.acts import AccessItem
from ledger.entries.terms import Terms
from tests.clocks import NOW
from tests.world import item, new_consent_id, reference, terms

ACCOUNTS = [reference(f"account-{n}") for n in range(4)]
PURPOSES = ["budgeting", "credit-check"]
ID = new_consent_id()

seconds = st.one_of(st.just(0), st.integers(NOW // 1000 - 3, NOW // 1000 + 3), st.integers(1, 9_999_999_999))
times = st.one_of(st.integers(NOW - 2_000, NOW + 2_000), st.integers(0, 9_999_999_999_000))
permissions = st.lists(st.sampled_from([*LATEST.grades, "ReadMinds"]), min_size=1, max_size=5, unique=True).map(sorted)
accounts = st.lists(st.sampled_from(ACCOUNTS), max_size=4, unique=True).map(sorted)


days = st.integers(1, 40)
since_ruleset_2 = st.fixed_dictionaries(
    {},
    optional={
        "reauthenticate_days": days,
        "reconfirm_days": days,
        "utc_offset": st.integers(-840, 840),
        "filters": st.just([{"field": "amount", "op": "lt", "value": "100"}]),
    },
)


@st.composite
def any_terms(draw: st.DrawFn) -> Terms:
    """Well-formed terms, acceptable or not."""
    made = terms(
        starts_at=draw(seconds),
        expires_at=draw(seconds),
        frequency_per_day=draw(st.integers(0, 3)),
        grade=draw(st.integers(1, 5)),
        history_from=draw(seconds),
        history_to=draw(seconds),
        once=draw(st.booleans()),
        permissions=draw(permissions),
        **draw(since_ruleset_2),
        purpose={"code": draw(st.sampled_from(PURPOSES)), "text": "x"},
    )
    return msgspec.convert(made, Terms)


@st.composite
def consents(draw: st.DrawFn) -> Consent:
    """A consent in any state."""
    approvals = tuple(Approval(reference(f"person-{n}"), tuple(draw(accounts))) for n in range(draw(st.integers(0, 2))))
    made = Consent(
        consent_id=ID,
        version=draw(st.integers(1, 3)),
        status=draw(st.sampled_from(Status)),
        terms=draw(any_terms()),
        separate=draw(st.sampled_from([(), ("provision",), ("provision", "sensitive")])),
        basis=draw(st.integers(0, 99)),
        authenticated_at=draw(seconds),
        confirmed_at=draw(seconds),
        used_day=draw(st.sampled_from([-1, NOW // 86_400_000, NOW // 86_400_000 - 1])),
        used_today=draw(st.integers(0, 3)),
    )
    return made.sharing(approvals, tuple(draw(accounts)), draw(accounts))


@st.composite
def items(draw: st.DrawFn) -> AccessItem:
    """An access item that may or may not fit."""
    made = item(
        ID,
        accounts=draw(accounts),
        customer_present=draw(st.booleans()),
        to=draw(seconds),
        permissions=draw(permissions),
        purpose=draw(st.sampled_from(PURPOSES)),
        **{"from": draw(seconds)},
    )
    return msgspec.convert(made, AccessItem)
