"""Masks and filters: how a bank applies a decision's obligations (docs/spec/decisions.md, Outcome; docs/guard.md).

Each mask of the catalogue has one way of hiding a value; which fields of its records hold such values, the bank says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from ledger.entries.terms import Filter

SHOWN: Final = 4
HIDDEN: Final = "***"


def mask_pan(text: str) -> str:
    """A card number that shows its last four digits; anything of four digits or fewer shows nothing."""
    return _last_shown(text, str.isdigit)


def mask_account(text: str) -> str:
    """An account number (IBAN or other) that shows its last four letters and digits; four or fewer show nothing."""
    return _last_shown(text, str.isalnum)


def _last_shown(text: str, is_sign: Callable[[str], bool]) -> str:
    """The text with all but its last four signs starred, or all of them when there are no more; the rest stands as it is."""
    signs = sum(map(is_sign, text))
    hide = signs - SHOWN if signs > SHOWN else signs
    shown: list[str] = []
    for character in text:
        if is_sign(character) and hide > 0:
            shown.append("*")
            hide -= 1
        else:
            shown.append(character)
    return "".join(shown)


def hide(_: str) -> str:
    """Nothing of the value, not even its length."""
    return HIDDEN


MASKS: Final[Mapping[str, Callable[[str], str]]] = {
    "account-number": mask_account,
    "beneficiary-account": mask_account,
    "counterparty-account": mask_account,
    "pan": mask_pan,
    "party-identity": hide,
    "scheduled-payment-account": mask_account,
    "standing-order-account": mask_account,
    "statement-amount": hide,
    "transaction-text": hide,
}
"""For each mask of the catalogue, what it makes of a value."""


def masked(value: Any, by_field: Mapping[str, Callable[[str], str]]) -> Any:
    """A copy of a value in which the named fields, at any depth, are masked; what is None stays None."""
    if isinstance(value, Mapping):
        return {
            name: by_field[name](str(member)) if name in by_field and member is not None else masked(member, by_field)
            for name, member in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked(member, by_field) for member in value]
    return value


_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": lambda left, right: left == right,
    "ge": lambda left, right: left >= right,
    "gt": lambda left, right: left > right,
    "le": lambda left, right: left <= right,
    "lt": lambda left, right: left < right,
    "ne": lambda left, right: left != right,
}


def passes(filters: Iterable[Filter], value_of: Callable[[str], object]) -> bool:
    """Whether a row passes all filters; `value_of` gives the row's value for a filter's field, None if it has none.

    Values are compared as decimal numbers if both sides are numbers, else as texts. `in` takes a comma-separated list.
    A row without the field passes no filter: what may lie outside a bound is not given out.
    """
    return all(_passes(each, value_of(each.field)) for each in filters)


def _passes(bound: Filter, value: object) -> bool:
    if value is None:
        return False
    if bound.op == "in":
        return any(_compare("eq", str(value), wanted.strip()) for wanted in bound.value.split(","))
    return _compare(bound.op, str(value), bound.value)


def _compare(op: str, left: str, right: str) -> bool:
    try:
        numbers = Decimal(left), Decimal(right)
    except InvalidOperation:
        return _COMPARISONS[op](left, right)
    if not (numbers[0].is_finite() and numbers[1].is_finite()):
        return _COMPARISONS[op](left, right)
    return _COMPARISONS[op](*numbers)
