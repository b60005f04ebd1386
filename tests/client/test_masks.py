"""What a decision obliges a bank to: every mask of the catalogue, the terms' filters, and nothing by accident."""

from __future__ import annotations

from typing import Any

import pytest

from api.client.receipts import VerifiedReceipt
from api.guard import MASKS, GuardedAccess, mask_account
from api.guard.masks import HIDDEN, passes
from ledger.catalogue import CATALOGUES
from ledger.entries.terms import Filter

ROW = {
    "iban": "DE02 1203 0000 0000 2020 51",
    "card": "4000 1234 1234 1234",
    "name": "Alice",
    "text": "RENT MAY",
    "amount": "12.50",
    "none": None,
    "deep": [{"iban": "DE02120300000000202051"}],
    "other": "stays",
}
ROWS = [
    {"when": 10, "side": "credit", "amount": "5", "currency": "GBP"},
    {"when": 20, "side": "credit", "amount": "50.00", "currency": "EUR"},
    {"when": 30, "side": "debit", "amount": "7", "currency": "GBP"},
    {"when": 40, "side": "credit", "currency": "GBP"},
]


def access(**members: Any) -> GuardedAccess:
    made: dict[str, Any] = {
        "receipt": object.__new__(VerifiedReceipt),
        "recipient": "app-1",
        "consent_id": "c",
        "accounts": {},
        "permissions": (),
        "purpose": "budgeting",
        "customer_present": True,
        "window": (0, 0),
        "directions": ("credit", "debit"),
        "masks": tuple(MASKS),
    }
    return GuardedAccess(**(made | members))


def test_every_mask_of_every_catalogue_can_be_applied() -> None:
    assert set(MASKS) == {mask for catalogue in CATALOGUES.values() for mask in catalogue.masks}


@pytest.mark.parametrize("mask", MASKS)
def test_each_mask_hides_the_fields_named_for_it_and_no_others(mask: str) -> None:
    shown = access(masks=(mask,)).mask(ROW, {mask: ["iban", "none"]})
    assert shown["iban"] != ROW["iban"]
    assert shown["deep"][0]["iban"] == shown["iban"].replace(" ", "") or shown["iban"] == HIDDEN
    assert {name: shown[name] for name in ROW if name not in ("iban", "deep")} == {
        name: ROW[name] for name in ROW if name not in ("iban", "deep")
    }
    assert access(masks=()).mask(ROW, {mask: ["iban"]}) == ROW
    others = tuple(other for other in MASKS if other != mask)
    assert access(masks=others).mask(ROW, {mask: ["iban"]}) == ROW


def test_masks_are_named_as_keywords_too_and_an_unknown_one_is_refused() -> None:
    shown = access().mask(
        ROW, pan=["card"], account_number=["iban"], party_identity=["name"], transaction_text=["text"]
    )
    assert (shown["card"], shown["name"], shown["text"]) == ("**** **** **** 1234", HIDDEN, HIDDEN)
    assert shown["iban"] == "**** **** **** **** **20 51"
    with pytest.raises(ValueError, match="is not a mask"):
        access().mask(ROW, iban=["iban"])


def test_an_account_number_shows_four_signs_at_most() -> None:
    assert [mask_account(text) for text in ("DE021203", "1234", "", "12-34-56")] == ["****1203", "****", "", "**-34-56"]


@pytest.mark.parametrize(
    ("op", "value", "kept"),
    [
        ("lt", "7", [5]),
        ("le", "7", [5, 7]),
        ("gt", "7", [50]),
        ("ge", "7", [50, 7]),
        ("eq", "5.0", [5]),
        ("ne", "5", [50, 7]),
        ("in", "7, 5", [5, 7]),
    ],
)
def test_a_filter_compares_numbers_as_numbers_and_lets_no_row_without_the_field_through(
    op: Any, value: str, kept: list[int]
) -> None:
    limited = access(filters=(Filter("amount", op, value),))
    given = limited.transactions(
        ROWS, when=lambda row: row["when"], direction=lambda row: row["side"], field=lambda row, name: row.get(name)
    )
    assert [int(float(row["amount"])) for row in given] == kept


def test_texts_are_compared_as_texts_and_all_filters_must_pass() -> None:
    filters = Filter("currency", "eq", "GBP"), Filter("amount", "lt", "6")
    assert [passes(filters, row.get) for row in ROWS] == [True, False, False, False]
    assert not passes([Filter("amount", "lt", "6")], lambda _: "NaN")


def test_filters_that_nobody_can_apply_let_nothing_out() -> None:
    limited = access(filters=(Filter("amount", "lt", "7"),))
    with pytest.raises(ValueError, match="filters"):
        limited.transactions(ROWS, when=lambda row: row["when"], direction=lambda row: row["side"])
    unlimited = access().transactions(ROWS, when=lambda row: row["when"], direction=lambda row: row["side"])
    assert list(unlimited) == ROWS
