"""The catalogue of permissions of ruleset 1: grades and what implies what (docs/spec/decisions.md)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

MAX_GRADE: Final = 3
"""Data of a higher grade is never shared."""

_BY_GRADE: Final = {
    1: "ReadProducts",
    2: "ReadAccountsBasic ReadBeneficiariesBasic ReadOffers",
    3: "ReadAccountsDetail ReadBalances ReadBeneficiariesDetail ReadDirectDebits ReadPAN ReadParty ReadPartyPSU "
    "ReadScheduledPaymentsBasic ReadScheduledPaymentsDetail ReadStandingOrdersBasic ReadStandingOrdersDetail "
    "ReadStatementsBasic ReadStatementsDetail ReadTransactionsBasic ReadTransactionsCredits "
    "ReadTransactionsDebits ReadTransactionsDetail",
}
GRADES: Final[dict[str, int]] = {code: grade for grade, codes in _BY_GRADE.items() for code in codes.split()}
"""Grade (1 public … 5 gravest) of each permission."""

IMPLIED_BY: Final[dict[str, str]] = {
    f"Read{what}Basic": f"Read{what}Detail"
    for what in (
        "Accounts", "Beneficiaries", "ScheduledPayments", "StandingOrders", "Statements", "Transactions",
    )
}  # fmt: skip
"""A permission, and the one that contains it."""


def highest_grade(permissions: Iterable[str]) -> int | None:
    """The highest grade of these permissions; None when one of them is not in the catalogue."""
    grades = [GRADES.get(permission) for permission in permissions]
    return None if None in grades else max(grade for grade in grades if grade is not None)


def is_granted(permission: str, granted: Collection[str]) -> bool:
    """Whether a permission is among the granted ones or implied by one of them."""
    return permission in granted or IMPLIED_BY.get(permission, permission) in granted
