"""Names that people take for each other are told before they are registered; others are not."""

from __future__ import annotations

import pytest

from ledger.errors import LooksAlike
from ledger.lookalikes import likenesses, require_unmistakable
from ledger.participants import Participant

KNOWN = [
    Participant("bank-a", "Bank of Amber", ("holder",), 1),
    Participant("paypal", "PayPal Europe", ("recipient",), 2),
    Participant("tpp-1", "First Modern", ("recipient",), 3),
    Participant("icbc", "工商未来银行", ("holder",), 4),
]


@pytest.mark.parametrize(
    ("participant", "name", "other"),
    [
        ("bank-amber", "Bank of Amber", "bank-a"),
        ("bank-amber", "BANK  OF AMBER", "bank-a"),
        ("bank-amber", "Bаnk of Ambеr", "bank-a"),  # Cyrillic а, е
        ("bank-amber", "Ｂａｎｋ of Amber", "bank-a"),
        ("bank-amber", "Bánk of Ämber", "bank-a"),
        ("bank_a", "Another One", "bank-a"),
        ("banka", "Another One", "bank-a"),
        ("paypa1", "Another One", "paypal"),
        ("tpp-l", "Another One", "tpp-1"),
        ("another", "First Modem", "tpp-1"),  # rn and m
        ("another", "工商末来银行", "icbc"),
    ],
)
def test_a_lookalike_of_a_registered_name_is_refused_and_both_are_named(
    participant: str, name: str, other: str
) -> None:
    with pytest.raises(LooksAlike) as refused:
        require_unmistakable(participant, name, KNOWN)
    assert repr(other) in refused.value.detail
    assert repr(participant) in refused.value.detail


def test_a_word_of_two_alphabets_is_told_though_nobody_is_named_like_it() -> None:
    [sentence] = likenesses("new-one", "Sunflоwer", KNOWN)  # Cyrillic о
    assert "CYRILLIC" in sentence


@pytest.mark.parametrize(
    ("participant", "name"),
    [
        ("bank-b", "Bank of Basalt"),
        ("tpp-2", "Second Modern"),
        ("tpp-11", "Eleventh"),
        ("сбер", "Сбер Банк"),
        ("alpha", "Άλφα Τράπεζα"),
        ("jsb", "江苏银行"),
        ("mixed", "中国 Bank"),
        ("caixa", "Caixa Econômica"),
    ],
)
def test_other_names_are_let_pass(participant: str, name: str) -> None:
    require_unmistakable(participant, name, KNOWN)
