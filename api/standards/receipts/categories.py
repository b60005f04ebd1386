"""Permissions in the words of the receipt standards: the kind of personal data that each is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_BY_BEGINNING: Final = (
    ("ReadAccounts", "BankAccount", "7 - Financial"),
    ("ReadAccountLimits", "FinancialAccount", "7 - Financial"),
    ("ReadAuthenticationData", "Authenticating", "5 - Government Identifiers"),
    ("ReadBalances", "FinancialStatus", "7 - Financial"),
    ("ReadBeneficiaries", "FinancialAccount", "7 - Financial"),
    ("ReadBiometricData", "Biometric", "3 - Biometric"),
    ("ReadCardSecurityData", "PaymentCard", "7 - Financial"),
    ("ReadCreditCard", "PaymentCard", "7 - Financial"),
    ("ReadDirectDebits", "Transactional", "7 - Financial"),
    ("ReadInsurance", "Insurance", "7 - Financial"),
    ("ReadInvestments", "Ownership", "7 - Financial"),
    ("ReadPAN", "PaymentCardNumber", "7 - Financial"),
    ("ReadParty", "Identifying", "1 - Biographical"),
    ("ReadPensions", "Ownership", "7 - Financial"),
    ("ReadTaxRecords", "Tax", "7 - Financial"),
    ("ReadTransactions", "Transaction", "7 - Financial"),
    ("ReadFinancings", "LoanRecord", "7 - Financial"),
    ("ReadInvoiceFinancings", "LoanRecord", "7 - Financial"),
    ("ReadLoans", "LoanRecord", "7 - Financial"),
    ("ReadOverdrafts", "Credit", "7 - Financial"),
    ("ReadScheduledPayments", "Transactional", "7 - Financial"),
    ("ReadStandingOrders", "Transactional", "7 - Financial"),
    ("ReadStatements", "Transactional", "7 - Financial"),
)
_ANYTHING_ELSE: Final = ("", "Financial", "7 - Financial")
"""Every permission is about a customer's dealings with her bank."""


def dpv_of(permissions: Iterable[str]) -> list[str]:
    """Terms of the DPV's personal data vocabulary, sorted, each once, without prefix."""
    return sorted({_row(permission)[1] for permission in permissions})


def kantara_of(permissions: Iterable[str]) -> list[str]:
    """Categories of Kantara's receipt, sorted, each once."""
    return sorted({_row(permission)[2] for permission in permissions})


def permissions_of(term: str, permissions: Iterable[str]) -> list[str]:
    """Those of the permissions that a DPV term stands for."""
    return [permission for permission in permissions if _row(permission)[1] == term]


def _row(permission: str) -> tuple[str, str, str]:
    return next((row for row in _BY_BEGINNING if permission.startswith(row[0])), _ANYTHING_ELSE)
