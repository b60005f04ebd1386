"""Proposals for a data map: what a field's address, name, format and description tell of it, and why (docs/partners.md).

A proposal decides nothing: a person reads it, changes it, and signs the map. The same document always gives the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final
from urllib.parse import unquote

from api.partners.described import DescribedField
from ledger.catalogue import LATEST

_BORDERS: Final = re.compile("([A-Z])([A-Z][a-z])|([a-z])([A-Z])")
"""`IBANNumber` has one before its second word, `ibanNumber` too."""
_CHINESE: Final = re.compile("[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class FieldProposal:
    """What is proposed for a field; nothing but `why` where nothing tells."""

    why: str
    permission: str | None = None
    grade: int | None = None
    mask: str | None = None


RESOURCES: Final[tuple[tuple[str, str], ...]] = (
    ("CreditCardTransactions", "credit card transactions|信用卡交易"),
    ("CreditCardBills", "credit card bills|信用卡账单"),
    ("CreditCardLimits", "credit card limits|信用卡额度"),
    ("CreditCards", "credit cards|信用卡"),
    ("ScheduledPayments", "scheduled payments|预约付款|预约转账"),
    ("StandingOrders", "standing orders|定期付款|定期转账"),
    ("DirectDebits", "direct debits|代扣|直接扣款"),
    ("Beneficiaries", "beneficiaries|payees|收款人"),
    ("Transactions", "transactions|交易|流水|明细"),
    ("Statements", "statements|对账单|账单"),
    ("Balances", "balances|余额"),
    ("AccountLimits", "limits|限额|额度"),
    ("Overdrafts", "overdrafts|透支"),
    ("Loans", "loans|mortgages|贷款"),
    ("Insurance", "insurance|insurances|policies|保险|保单"),
    ("Pensions", "pensions|养老金"),
    ("Investments", "investments|funds|securities|holdings|理财|基金|投资"),
    ("Party", "party|parties|customers|persons|identity|userinfo|客户|个人信息"),
    ("Offers", "offers|优惠"),
    ("Products", "products|产品"),
    ("Accounts", "accounts|账户|帐户"),
)
"""What an operation gives out, by the words of its address; the first that applies."""
_DETAILED: Final = ("Accounts", "Beneficiaries", "ScheduledPayments", "StandingOrders", "Statements", "Transactions")
_ACCOUNT_MASKS: Final = {
    "Beneficiaries": "beneficiary-account",
    "ScheduledPayments": "scheduled-payment-account",
    "StandingOrders": "standing-order-account",
    "Transactions": "counterparty-account",
    "CreditCardTransactions": "counterparty-account",
}
NEVER_SHARED: Final[tuple[tuple[str, str], ...]] = (
    ("ReadAuthenticationData", "password|passwd|pwd|passcode|pin|otp|secret|密码|口令|验证码|动态码"),
    ("ReadCardSecurityData", "cvv|cvv2|cvc|cvc2|cvn|cvn2|security code|magstripe|track data|安全码|磁道"),
    ("ReadBiometricData", "biometric|biometrics|fingerprint|iris|voiceprint|face image|指纹|虹膜|声纹|人脸"),
)
CARD: Final = "pan|card number|card num|card no|卡号"
CARD_ALONE: Final = "card|卡"
ACCOUNT: Final = "account identification|iban|bban|account number|account num|account no|sort code|账号|帐号|账户号码"
IDENTITY: Final = (
    "email|phone|telephone|mobile|msisdn|birth|birthday|dob|passport|ssn|tax id|national id|id card|identity number|"
    "postcode|postal|street|first name|last name|full name|given name|family name|holder name|owner name|customer name|"
    "姓名|户名|身份证|证件|手机|电话|邮箱|地址|住址|出生|生日|护照"
)
IDENTITY_FORMATS: Final = "email|idn-email|phone"
COUNTERPARTY: Final = "counterparty|creditor|debtor|payee|payer|beneficiary|对方|交易对手|收款|付款"
WORDING: Final = (
    "description|information|remittance|narrative|memo|details|reference|note|remark|text|摘要|备注|附言|用途"
)
PLAIN: Final = (
    "amount|balance|date|time|datetime|at|on|booked|value|status|type|kind|currency|code|id|direction|indicator|rate|limit|"
    "count|term|frequency|name|nickname|金额|余额|日期|时间|状态|类型|币种|利率|额度|期限|方向|名称|编号"
)
PAGING: Final = "links|meta|paging|pagination|page|分页"


def propose(field: DescribedField) -> FieldProposal:
    """What is proposed for one field."""
    name = _said(field.names[-1]) if field.names else ""
    told = tuple(_tellings(field, name))
    for permission, words in NEVER_SHARED:
        if why := _first(told, words):
            return _proposal(permission, None, why)
    resource, address = _resource(field)
    weaker = None if resource is None else f"Read{resource}Basic" if resource in _DETAILED else f"Read{resource}"
    beside = "" if resource is None else f"; {address}"
    named = tuple(each for each in told if each[0] == "name")
    if why := _first(told, CARD) or _whole(name, CARD_ALONE):
        return _proposal(weaker or "ReadAccountsBasic", "pan", why + beside)
    if (why := _first(told, ACCOUNT) or _of_format(field, "iban")) or _is_counterparty(name):
        mask = _ACCOUNT_MASKS.get(resource or "", "account-number")
        return _proposal(weaker or "ReadAccountsBasic", mask, (why or f"name: {name}") + beside)
    if why := _first(told, IDENTITY) or _of_format(field, IDENTITY_FORMATS):
        if resource in (None, "Party"):
            return _proposal("ReadParty", None, why)
        return _proposal(weaker or "ReadParty", "party-identity", why + beside)
    if why := _paging(field):
        return FieldProposal(why, None, 1)
    if weaker is None:
        return FieldProposal("neither its address nor its name tells what it is")
    if resource == "Transactions" and (why := _first(named, WORDING)):
        return _proposal(weaker, "transaction-text", why + beside)
    if resource == "Statements" and (why := _first(told[:1], "amount|balance|金额|余额")):
        return _proposal(weaker, "statement-amount", why + beside)
    if why := _first(told[:1], PLAIN):
        return _proposal(weaker, None, why + beside)
    return FieldProposal(f"its name tells nothing{beside}")


def draft_of(field: DescribedField, proposal: FieldProposal) -> dict[str, Any]:
    """A line of the file that a person edits."""
    return {
        "at": field.at,
        "field": field.field,
        "grade": proposal.grade,
        "mask": proposal.mask,
        "permission": proposal.permission,
        "why": proposal.why,
    }


def _proposal(permission: str, mask: str | None, why: str) -> FieldProposal:
    """The grade is that of the value in the clear: of what lifts the mask, else of the permission."""
    lifting = (permission,) if mask is None else (permission, *LATEST.masks[mask])
    return FieldProposal(why, permission, max(LATEST.grades[code] for code in lifting), mask)


def _resource(field: DescribedField) -> tuple[str | None, str]:
    """What the operation gives out, and the word that says so: the last part of its path that does, else a name inside."""
    path = unquote(field.at.partition(" ")[2])
    parts = [part for part in path.split("/") if part and not part.startswith("{")]
    for where, names in (("address", parts), ("inside", field.names[:-1])):
        for part in reversed(names):
            said = _said(part)
            for resource, words in RESOURCES:
                if (word := _matching(said, words)) or (word := _matching(said + "s", words)):
                    return resource, f"{where}: {word}"
    return None, ""


def _tellings(field: DescribedField, name: str) -> Iterator[tuple[str, str]]:
    """(what it is, its words): the name, the name with the one before it, the description."""
    yield "name", name
    if len(field.names) > 1:
        yield "name", _said(" ".join(field.names[-2:]))
    yield "description", _said(field.description)


def _first(told: tuple[tuple[str, str], ...], words: str) -> str:
    """Why: the first telling that has one of the words."""
    for what, said in told:
        if word := _matching(said, words):
            return f"{what}: {word}"
    return ""


def _whole(name: str, names: str) -> str:
    return f"name: {name}" if name in names.split("|") else ""


def _matching(said: str, words: str) -> str:
    """The first of the words that stands in what is said: whole English words, Chinese anywhere."""
    for word in words.split("|"):
        if word in said if _CHINESE.search(word) else f" {word} " in f" {said} ":
            return word
    return ""


def _of_format(field: DescribedField, formats: str) -> str:
    return f"format: {field.format}" if field.format and field.format.lower() in formats.split("|") else ""


def _is_counterparty(name: str) -> bool:
    return bool(_matching(name, COUNTERPARTY)) and bool(_matching(name, "account|name|agent|户名|账户|姓名|名称"))


def _paging(field: DescribedField) -> str:
    for each in field.names:
        if word := _matching(_said(each), PAGING):
            return f"inside: {word}"
    return ""


def _said(text: str) -> str:
    """`accountNumber`, `account_number`, `AccountNumber` → `account number`."""
    words = groupby(_BORDERS.sub(r"\1\3 \2\4", text).lower(), _kind)
    return " ".join("".join(each) for kind, each in words if kind)


def _kind(character: str) -> str:
    """What makes a word with its like: ASCII letters, digits, letters of other writings; nothing else does."""
    if not character.isalnum():
        return ""
    return ("letter" if character.isalpha() else "digit") if character.isascii() else "other"
