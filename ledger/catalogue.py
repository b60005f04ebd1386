"""The catalogues of permissions, one for each ruleset (docs/spec/decisions.md).

Data: the second is docs/spec/catalogue-2.json written as a literal, and a test says that the two are the same.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from typing import Any, Final

from ledger.canonical import b64u
from ledger.tags import CATALOGUE


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What can be asked for under one ruleset, how grave it is, and what is masked unless asked for."""

    ruleset: int
    max_grade: int
    """Data of a higher grade is never shared."""
    grades: Mapping[str, int]
    """Grade (1 public … 5 gravest) of each permission."""
    implied_by: Mapping[str, str]
    """A permission, and the one that contains it."""
    masks: Mapping[str, tuple[str, ...]]
    """A mask, and the permissions any one of which lifts it; in the order of the masks' bytes."""
    separate_consents: Mapping[int, tuple[str, ...]]
    """Kinds of separate consent that terms of this grade must name."""
    resources: Mapping[str, str] = field(default_factory=dict)
    """What a permission reads, as accesses are counted (from ruleset 3 on); absent for one that narrows or widens others."""

    def highest_grade(self, permissions: Iterable[str]) -> int | None:
        """The highest grade of these permissions; None when one of them is not in the catalogue."""
        grades = [self.grades.get(permission) for permission in permissions]
        return None if None in grades else max(grade for grade in grades if grade is not None)

    def is_granted(self, permission: str, granted: Collection[str]) -> bool:
        """Whether a permission is among the granted ones or implied by one of them."""
        return permission in granted or self.implied_by.get(permission, permission) in granted

    def resources_of(self, permissions: Iterable[str]) -> tuple[str, ...]:
        """What these permissions read, sorted, each once; one empty text if that is nothing (docs/spec/ruleset-3.md, 5)."""
        found = {self.resources.get(code, "" if code in self.grades else code) for code in permissions} - {""}
        return tuple(sorted(found)) or ("",)

    def masks_for(self, granted: Collection[str]) -> tuple[str, ...]:
        """The masks that none of the granted permissions lifts, sorted."""
        return tuple(mask for mask, lifting in self.masks.items() if not any(code in granted for code in lifting))

    def as_document(self) -> dict[str, Any]:
        """The catalogue as it is published: the shape of docs/spec/catalogue.schema.json."""
        members = {"implied_by": self.implied_by, "resource": self.resources}
        return {
            "ruleset": self.ruleset,
            "max_grade": self.max_grade,
            "separate_consents": {str(grade): list(kinds) for grade, kinds in self.separate_consents.items()},
            "permissions": {
                code: {"grade": grade} | {name: of[code] for name, of in members.items() if code in of}
                for code, grade in self.grades.items()
            },
            "masks": {mask: {"lifted_by": list(lifting)} for mask, lifting in self.masks.items()},
        }


_DETAILED: Final = (
    "Accounts",
    "Beneficiaries",
    "ScheduledPayments",
    "StandingOrders",
    "Statements",
    "Transactions",
)
_IMPLIED_BY: Final = {f"Read{what}Basic": f"Read{what}Detail" for what in _DETAILED}

_UK: Final = {
    1: "ReadProducts",
    2: "ReadAccountsBasic ReadBeneficiariesBasic ReadOffers",
    3: "ReadAccountsDetail ReadBalances ReadBeneficiariesDetail ReadDirectDebits ReadPAN ReadParty ReadPartyPSU "
    "ReadScheduledPaymentsBasic ReadScheduledPaymentsDetail ReadStandingOrdersBasic ReadStandingOrdersDetail "
    "ReadStatementsBasic ReadStatementsDetail ReadTransactionsBasic ReadTransactionsCredits "
    "ReadTransactionsDebits ReadTransactionsDetail",
}

_SHARED_BY_OTHERS: Final = {
    2: "ReadResources",
    3: "ReadAccountLimits ReadCreditCardBills ReadCreditCardLimits ReadCreditCardTransactions ReadCreditCards "
    "ReadExchanges ReadFinancings ReadInsurance ReadInvestments ReadInvoiceFinancings ReadLoans ReadOverdrafts "
    "ReadPensions ReadTaxRecords ReadTrustedBeneficiaries",
    4: "ReadAuthenticationData ReadBiometricData ReadCardSecurityData",
    5: "ReadCriticalInfrastructureData",
}
"""What other standards share and the UK's does not name; and data that is never shared, known so that it is refused by name."""


def _grades(*tables: Mapping[int, str]) -> dict[str, int]:
    found = {code: grade for table in tables for grade, codes in table.items() for code in codes.split()}
    return dict(sorted(found.items()))


_NO_RESOURCE: Final = ("ReadPAN", "ReadTransactionsCredits", "ReadTransactionsDebits")
_RESOURCE_BY_NAME: Final = {"ReadAccountLimits": "limits", "ReadPartyPSU": "party"}


def _resources(grades: Iterable[str]) -> dict[str, str]:
    """The name without `Read`, `Basic` and `Detail`, as words with hyphens; two are called otherwise, three have none."""
    return {code: _RESOURCE_BY_NAME.get(code) or _words(code) for code in grades if code not in _NO_RESOURCE}


def _words(code: str) -> str:
    name = code.removeprefix("Read").removesuffix("Basic").removesuffix("Detail")
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)[1:]


CATALOGUES: Final[dict[int, Catalogue]] = {
    1: Catalogue(
        ruleset=1,
        max_grade=3,
        grades=_grades(_UK),
        implied_by=_IMPLIED_BY,
        masks={"pan": ("ReadPAN",)},
        separate_consents={},
    ),
    2: Catalogue(
        ruleset=2,
        max_grade=3,
        grades=_grades(_UK, _SHARED_BY_OTHERS),
        implied_by=_IMPLIED_BY,
        masks={
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
        separate_consents={3: ("provision", "sensitive")},
    ),
}
CATALOGUES[3] = replace(CATALOGUES[2], ruleset=3, resources=_resources(CATALOGUES[2].grades))
"""By ruleset. A catalogue never changes: a new ruleset brings a new one."""

OPENS_UNDER: Final = 3
"""The ruleset that new logs open under."""
LATEST: Final = CATALOGUES[OPENS_UNDER]
"""Its catalogue."""


@cache
def catalogue_hash(ruleset: int) -> str:
    """The hash (b64u) that a log names this ruleset by, beside its number, from ruleset 3 on (docs/spec/leaves.md)."""
    # RFC 8785: all keys and texts are ASCII, all numbers small integers
    published = json.dumps(CATALOGUES[ruleset].as_document(), sort_keys=True, separators=(",", ":"))
    return b64u(sha256(CATALOGUE + published.encode()).digest())
