"""The permissions of ruleset 1: what each implies and how grave it is (docs/spec/decisions.md, catalogue)."""

from __future__ import annotations

RULESET = 1
MAX_GRADE = 3

_GRADE_1 = ("ReadProducts",)
_GRADE_2 = ("ReadAccountsBasic", "ReadBeneficiariesBasic", "ReadOffers")
_GRADE_3 = (
    "ReadAccountsDetail",
    "ReadBalances",
    "ReadBeneficiariesDetail",
    "ReadDirectDebits",
    "ReadPAN",
    "ReadParty",
    "ReadPartyPSU",
    "ReadScheduledPaymentsBasic",
    "ReadScheduledPaymentsDetail",
    "ReadStandingOrdersBasic",
    "ReadStandingOrdersDetail",
    "ReadStatementsBasic",
    "ReadStatementsDetail",
    "ReadTransactionsBasic",
    "ReadTransactionsCredits",
    "ReadTransactionsDebits",
    "ReadTransactionsDetail",
)
GRADES: dict[str, int] = {
    code: grade for grade, codes in ((1, _GRADE_1), (2, _GRADE_2), (3, _GRADE_3)) for code in codes
}
_PAIRED = ("Accounts", "Beneficiaries", "ScheduledPayments", "StandingOrders", "Statements", "Transactions")
IMPLIES: dict[str, str] = {f"Read{what}Detail": f"Read{what}Basic" for what in _PAIRED}


def cover(permissions: tuple[str, ...]) -> frozenset[str]:
    """The permissions and those they imply."""
    return frozenset(permissions) | {IMPLIES[code] for code in permissions if code in IMPLIES}
