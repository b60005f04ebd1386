"""The permissions of each ruleset: how grave each is, what implies it, what may not be shown without it
(docs/spec/decisions.md, docs/spec/catalogue-2.json, catalogue-3.json; tests hold the tables against these files).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property


@dataclass(frozen=True)
class Catalogue:
    """`grades`: permission -> grade. `implied_by`: permission -> the one that implies it. `masks`: mask -> the permissions
    of which any lifts it. `separate`: grade -> the kinds of separate consent that terms of that grade must name.
    `resources`: permission -> what it is counted under, empty if it only widens or narrows what others read (ruleset 3)."""

    grades: Mapping[str, int]
    implied_by: Mapping[str, str]
    masks: Mapping[str, tuple[str, ...]]
    separate: Mapping[int, tuple[str, ...]]
    max_grade: int = 3
    resources: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def implies(self) -> Mapping[str, str]:
        """Permission -> the one it implies."""
        return {strong: weak for weak, strong in self.implied_by.items()}

    def cover(self, permissions: tuple[str, ...]) -> frozenset[str]:
        """The permissions and those they imply."""
        return frozenset(permissions) | {self.implies[code] for code in permissions if code in self.implies}


_PAIRED = ("Accounts", "Beneficiaries", "ScheduledPayments", "StandingOrders", "Statements", "Transactions")
_IMPLIED_BY = {f"Read{what}Basic": f"Read{what}Detail" for what in _PAIRED}
_GRADES_1: dict[int, str] = {
    1: "Products",
    2: "AccountsBasic BeneficiariesBasic Offers",
    3: "AccountsDetail Balances BeneficiariesDetail DirectDebits PAN Party PartyPSU ScheduledPaymentsBasic"
    " ScheduledPaymentsDetail StandingOrdersBasic StandingOrdersDetail StatementsBasic StatementsDetail"
    " TransactionsBasic TransactionsCredits TransactionsDebits TransactionsDetail",
}
_MORE_2: dict[int, str] = {
    2: "Resources",
    3: "AccountLimits CreditCardBills CreditCardLimits CreditCardTransactions CreditCards Exchanges Financings Insurance"
    " Investments InvoiceFinancings Loans Overdrafts Pensions TaxRecords TrustedBeneficiaries",
    4: "AuthenticationData BiometricData CardSecurityData",
    5: "CriticalInfrastructureData",
}


def _grades(*tables: Mapping[int, str]) -> dict[str, int]:
    return {f"Read{name}": grade for table in tables for grade, names in table.items() for name in names.split()}


def _resource(code: str) -> str:
    """Words parted by hyphens; Basic, Detail and whose party it is are not parted from each other."""
    if code in ("ReadPAN", "ReadTransactionsCredits", "ReadTransactionsDebits"):
        return ""
    if code == "ReadAccountLimits":
        return "limits"
    name = re.sub("(Basic|Detail|PSU)$", "", code.removeprefix("Read"))
    return re.sub("(?<=[a-z])(?=[A-Z])", "-", name).lower()


CATALOGUES: dict[int, Catalogue] = {
    1: Catalogue(_grades(_GRADES_1), _IMPLIED_BY, {"pan": ("ReadPAN",)}, {}),
    2: Catalogue(
        _grades(_GRADES_1, _MORE_2),
        _IMPLIED_BY,
        {
            "account-number": ("ReadAccountsDetail",),
            "beneficiary-account": ("ReadBeneficiariesDetail",),
            "counterparty-account": ("ReadTransactionsDetail",),
            "pan": ("ReadPAN",),
            "party-identity": ("ReadParty", "ReadPartyPSU"),
            "scheduled-payment-account": ("ReadScheduledPaymentsDetail",),
            "standing-order-account": ("ReadStandingOrdersDetail",),
            "statement-amount": ("ReadStatementsDetail",),
            "transaction-text": ("ReadTransactionsDetail",),
        },
        {3: ("provision", "sensitive")},
    ),
}
CATALOGUES[3] = replace(CATALOGUES[2], resources={code: _resource(code) for code in CATALOGUES[2].grades})
KNOWN_RULESETS = tuple(CATALOGUES)
HASHES = {3: "txxwxpYjIHiIu0tCpvFGgYV4WsYxrsQljWXVcoYXRco"}
"""The catalogue (b64u of its hash) that a log must name beside the number of a ruleset from 3 on (docs/spec/leaves.md)."""


def is_known(ruleset: int, catalogue: str) -> bool:
    """Whether this verifier judges by a ruleset that a log names so."""
    return ruleset in KNOWN_RULESETS and HASHES.get(ruleset, "") == catalogue
