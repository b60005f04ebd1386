"""What a route may give out: the decision, and the functions that apply its obligations to rows of data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from msgspec import UNSET

from api.client.receipts import VerifiedReceipt

Row = TypeVar("Row")
SHOWN_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class GuardedAccess:
    """An allowed access. A route gives out nothing but what this lets through."""

    receipt: VerifiedReceipt
    recipient: str
    consent_id: str
    accounts: Mapping[str, str]
    """Reference → the bank's own account id, for the accounts of this access."""
    permissions: tuple[str, ...]
    purpose: str
    customer_present: bool
    window: tuple[int, int]
    """From and to, both included, in seconds; 0 is open. Never wider than asked, nor than consented to."""
    directions: tuple[str, ...]
    """`credit`, `debit`: the only rows of transactions to give out."""
    masks: tuple[str, ...]
    """Kinds of fields to mask: `pan`."""
    _tally: list[int] = field(default_factory=lambda: [0], compare=False, repr=False)

    @property
    def rows_given(self) -> int:
        """How many rows were let through, or said to be given out: what a recorded release says."""
        return self._tally[0]

    def gives(self, rows: int) -> None:
        """Say how many rows the answer holds, where they did not come through `within` or `transactions`."""
        self._tally[0] = rows

    @property
    def account(self) -> str:
        """The bank's own id of the one account of this access. Raises ValueError when it is about several."""
        [account] = self.accounts.values()
        return account

    def reference(self, account: str) -> str:
        """The reference under which the recipient knows an account of this access. Raises KeyError for another one."""
        return {own: reference for reference, own in self.accounts.items()}[account]

    def within(self, rows: Iterable[Row], *, when: Callable[[Row], int]) -> Iterator[Row]:
        """Only rows of the window; `when` gives a row's time in seconds."""
        start, end = self.window
        for row in rows:
            if start <= when(row) and (end == 0 or when(row) <= end):
                self._tally[0] += 1
                yield row

    def transactions(
        self, rows: Iterable[Row], *, when: Callable[[Row], int], direction: Callable[[Row], str]
    ) -> Iterator[Row]:
        """Only rows of the window and of the permitted directions; `direction` gives `credit` or `debit`."""
        return self.within((row for row in rows if direction(row) in self.directions), when=when)

    def mask(self, record: Mapping[str, Any], *, pan: Iterable[str] = ()) -> dict[str, Any]:
        """A copy of a record in which the named fields, at any depth, show their last four digits only, if so obliged."""
        return _masked(record, frozenset(pan)) if "pan" in self.masks else dict(record)


def guarded(receipt: VerifiedReceipt, recipient: str, accounts: Mapping[str, str]) -> GuardedAccess:
    """The access that an allowing receipt stands for; `receipt.item` has been checked against the request."""
    item, given = receipt.item, receipt.decision.obligations
    if item is None or given.from_ is UNSET or given.to is UNSET or given.directions is UNSET or given.masks is UNSET:
        raise ValueError("an allowed access has an item and obligations")
    return GuardedAccess(
        receipt=receipt,
        recipient=recipient,
        consent_id=item.consent_id,
        accounts=accounts,
        permissions=item.permissions,
        purpose=item.purpose,
        customer_present=item.customer_present,
        window=(given.from_, given.to),
        directions=given.directions,
        masks=given.masks,
    )


def mask_pan(text: str) -> str:
    """A card number that shows its last four digits; anything of four digits or fewer shows nothing."""
    digits = sum(character.isdigit() for character in text)
    hide = digits - SHOWN_DIGITS if digits > SHOWN_DIGITS else digits
    shown: list[str] = []
    for character in text:
        if character.isdigit() and hide > 0:
            shown.append("*")
            hide -= 1
        else:
            shown.append(character)
    return "".join(shown)


def _masked(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {
            name: mask_pan(str(member)) if name in names and member is not None else _masked(member, names)
            for name, member in value.items()
        }
    if isinstance(value, list | tuple):
        return [_masked(member, names) for member in value]
    return value
