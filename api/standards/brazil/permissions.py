"""Brazil's permissions: what each means here, and the groupings in which they may be asked for (consents 3.3.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from api.standards.words import words

ALWAYS: Final = "RESOURCES_READ"
"""Part of every grouping, and none by itself."""

MEANING: Final = {code: tuple(permissions) for code, permissions in words("brazil").permissions.items()}
"""Code to the catalogue's permissions. Several codes of one product are one permission here: the holder's interface, which
knows which resource is asked for, tells them apart by the consent's own wording."""

PERSONAL: Final = frozenset({"CUSTOMERS_PERSONAL_ADITTIONALINFO_READ", "CUSTOMERS_PERSONAL_IDENTIFICATIONS_READ"})
BUSINESS: Final = frozenset({"CUSTOMERS_BUSINESS_ADITTIONALINFO_READ", "CUSTOMERS_BUSINESS_IDENTIFICATIONS_READ"})
_CREDIT: Final = ("FINANCINGS", "INVOICE_FINANCINGS", "LOANS", "UNARRANGED_ACCOUNTS_OVERDRAFT")
_PARTS: Final = ("READ", "WARRANTIES_READ", "SCHEDULED_INSTALMENTS_READ", "PAYMENTS_READ")

GROUPINGS: Final[tuple[frozenset[str], ...]] = (
    *(frozenset({code}) for code in sorted(PERSONAL | BUSINESS)),
    frozenset({"ACCOUNTS_READ", "ACCOUNTS_BALANCES_READ"}),
    frozenset({"ACCOUNTS_READ", "ACCOUNTS_OVERDRAFT_LIMITS_READ"}),
    frozenset({"ACCOUNTS_READ", "ACCOUNTS_TRANSACTIONS_READ"}),
    frozenset({"CREDIT_CARDS_ACCOUNTS_READ", "CREDIT_CARDS_ACCOUNTS_LIMITS_READ"}),
    frozenset({"CREDIT_CARDS_ACCOUNTS_READ", "CREDIT_CARDS_ACCOUNTS_TRANSACTIONS_READ"}),
    frozenset(
        {
            "CREDIT_CARDS_ACCOUNTS_READ",
            "CREDIT_CARDS_ACCOUNTS_BILLS_READ",
            "CREDIT_CARDS_ACCOUNTS_BILLS_TRANSACTIONS_READ",
        }
    ),
    frozenset(f"{product}_{part}" for product in _CREDIT for part in _PARTS),
    frozenset(
        {
            "BANK_FIXED_INCOMES_READ",
            "CREDIT_FIXED_INCOMES_READ",
            "FUNDS_READ",
            "TREASURE_TITLES_READ",
            "VARIABLE_INCOMES_READ",
        }
    ),
    frozenset({"EXCHANGES_READ"}),
)
"""The official table, each without `RESOURCES_READ`, which belongs to all."""


def is_whole(codes: Iterable[str]) -> bool:
    """Whether codes are a union of whole groupings."""
    asked = frozenset(codes)
    functional = asked - {ALWAYS}
    covered = frozenset[str]().union(*(group for group in GROUPINGS if group <= functional))
    return ALWAYS in asked and covered == functional


def meaning_of(codes: Iterable[str]) -> frozenset[str]:
    """The catalogue's permissions that codes stand for."""
    return frozenset(permission for code in codes for permission in MEANING[code])


def codes_of(permissions: Iterable[str]) -> list[str]:
    """The codes of the whole groupings that permissions cover, sorted: for consents that were not asked for in Brazil's words.

    `RESOURCES_READ` comes with the first of them.
    """
    held = frozenset(permissions)
    covered = frozenset[str]().union(*(group for group in GROUPINGS if meaning_of(group) <= held))
    return sorted(covered | {ALWAYS}) if covered else [ALWAYS]
