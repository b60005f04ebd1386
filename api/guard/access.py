"""A decision, and the functions that apply its obligations to rows of data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

from msgspec import UNSET

from api.client.receipts import VerifiedReceipt
from api.guard.mapped import OperationMap
from api.guard.masks import MASKS, masked, passes
from ledger.entries.terms import Filter

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class GuardedAccess:
    """An allowed access. A route gives out only what this lets through."""

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
    """Kinds of fields to mask, as in the catalogue: `pan`, `account-number`, …"""
    filters: tuple[Filter, ...] = ()
    """Bounds that every row given out must pass."""
    keep_until: int | None = None
    """When (s) the recipient must have erased what it is given; None: the terms set no limit."""
    operation: OperationMap | None = dataclasses.field(default=None, compare=False, repr=False)
    """What the guard's data map says of this operation."""
    has_map: bool = False
    """Whether the guard has a data map, which then is to be applied to every answer."""
    _through_map: list[bool] = dataclasses.field(default_factory=lambda: [False], compare=False, repr=False)
    _tally: list[int] = dataclasses.field(default_factory=lambda: [0], compare=False, repr=False)

    @property
    def rows_given(self) -> int:
        """How many rows were let through, or said to be given out: what a recorded release says."""
        return self._tally[0]

    def gives(self, rows: int) -> None:
        """Say how many rows the answer holds, where they did not come through just one of `within`, `filtered` and
        `transactions`."""
        self._tally[0] = rows

    @property
    def account(self) -> str:
        """The bank's own id of the one account of this access. Raises ValueError when it is about several."""
        [account] = self.accounts.values()
        return account

    def reference(self, account: str) -> str:
        """The reference under which the recipient knows an account of this access. Raises KeyError for another one."""
        return {own: reference for reference, own in self.accounts.items()}[account]

    def short(self, account: str) -> str:
        """The same in 32 letters and digits, for standards that allow no longer names (`short_reference`). Raises KeyError."""
        return short_reference(self.reference(account))

    def within(self, rows: Iterable[Row], *, when: Callable[[Row], int]) -> Iterator[Row]:
        """Only rows of the window; `when` gives a row's time in seconds."""
        return self._counted(self._in_window(rows, when))

    def transactions(
        self,
        rows: Iterable[Row],
        *,
        when: Callable[[Row], int],
        direction: Callable[[Row], str],
        field: Callable[[Row, str], object] | None = None,
    ) -> Iterator[Row]:
        """Only rows of the window, of the permitted directions, and inside the filters.

        `direction` gives `credit` or `debit`; `field` gives a row's value for the field that a filter names, None if it has
        none. Raises ValueError when the access has filters and no `field` is given.
        """
        permitted = (row for row in self._in_window(rows, when) if direction(row) in self.directions)
        return self._counted(self._inside_filters(permitted, field))

    def filtered(self, rows: Iterable[Row], *, field: Callable[[Row, str], object] | None) -> Iterator[Row]:
        """Only rows that pass all filters of the terms. Raises ValueError when there are filters and no `field`."""
        return self._counted(self._inside_filters(rows, field))

    def _in_window(self, rows: Iterable[Row], when: Callable[[Row], int]) -> Iterator[Row]:
        start, end = self.window
        return (row for row in rows if start <= when(row) and (end == 0 or when(row) <= end))

    def _inside_filters(self, rows: Iterable[Row], field: Callable[[Row, str], object] | None) -> Iterator[Row]:
        if not self.filters:
            return iter(rows)
        if field is None:
            raise ValueError("the access has filters: say how a row's field is read")
        read = field
        return (row for row in rows if passes(self.filters, lambda name, row=row: read(row, name)))  # type: ignore[misc]

    def _counted(self, rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            self._tally[0] += 1
            yield row

    def give(self, body: Any) -> Any:
        """The answer as it leaves, by the guard's data map: what the access's permissions let out, masked as the decision
        obliges; what nobody graded stays (docs/spec/partners.md, 9).

        `body`: the whole answer, of mappings, lists, texts, numbers and None. Raises ValueError when the guard has no map, when
        the map says nothing of this operation, and for a mask that is not known.
        """
        if not self.has_map:
            raise ValueError("the guard has no data map: give it one, or say by `mask` which fields are masked")
        if self.operation is None:
            raise ValueError("the data map has no field of this operation: publish a version that grades its fields")
        left = self.operation.let_out(body, self.masks)
        self._through_map[0] = True
        return left

    @property
    def masks_applied(self) -> tuple[str, ...] | None:
        """What a recorded release says of masks: those of the decision once the answer went through the map, none if it did
        not; None where the guard has no map."""
        if not self.has_map:
            return None
        return self.masks if self._through_map[0] else ()

    def mask(
        self, record: Mapping[str, Any], fields: Mapping[str, Iterable[str]] | None = None, **named: Iterable[str]
    ) -> dict[str, Any]:
        """A copy of a record in which fields, at any depth, are masked as the decision obliges.

        `fields` says for a mask of the catalogue which fields hold such values; masks can also be given as keywords, with
        underscores: `access.mask(row, pan=["card"], account_number=["iban"])`. Raises ValueError for an unknown mask.
        """
        asked = dict(fields or {}) | {name.replace("_", "-"): names for name, names in named.items()}
        if unknown := asked.keys() - MASKS.keys():
            raise ValueError(f"{min(unknown)!r} is not a mask of the catalogue: {', '.join(MASKS)}")
        by_field = {name: MASKS[mask] for mask in self.masks if mask in asked for name in asked[mask]}
        hidden: dict[str, Any] = masked(record, by_field)
        return hidden


def short_reference(reference: str) -> str:
    """The short form of a reference, 32 hexadecimal digits: the first 16 bytes of its SHA-256.

    The UK takes account ids of at most 40 characters, Brazil letters, digits and hyphens only; references have more.
    """
    return sha256(reference.encode()).hexdigest()[:32]


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
        filters=() if given.filters is UNSET else given.filters,
        keep_until=None if given.keep_until is UNSET else given.keep_until,
    )
