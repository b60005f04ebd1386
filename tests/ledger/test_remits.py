"""What a regulator is there for, in the log: an order beyond it is refused wherever it comes from, and by every node."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.entries.scope import Bounds
from ledger.errors import InvalidInput, NotFound, NotPermitted
from tests.ledger.supervised import REGULATOR, Place, supervised
from tests.world import BANK, FINTECH, STRANGER


@pytest.fixture
def place(sqlite_url: str, tmp_path: Path) -> Iterator[Place]:
    with supervised(sqlite_url, tmp_path) as made:
        yield made


def grant(place: Place, to: str, *names: str, regulator: str = REGULATOR) -> None:
    place.approved("remit.granted", regulator=regulator, to=to, names=sorted(names))


@pytest.mark.parametrize(
    ("to", "names", "within", "beyond"),
    [
        ("holder", [BANK], [{"holder": BANK}, {"holder": BANK, "country": "SG"}], [{}, {"recipient": BANK}]),
        ("recipient", [FINTECH, STRANGER], [{"recipient": STRANGER}], [{"recipient": BANK}, {"holder": FINTECH}]),
        ("party", [BANK], [{"holder": BANK}, {"recipient": BANK}], [{"holder": FINTECH}, {"purpose": "budgeting"}]),
    ],
)
def test_an_order_names_those_that_the_regulator_is_there_for(
    place: Place, to: str, names: list[str], within: list[dict[str, str]], beyond: list[dict[str, str]]
) -> None:
    place.order("before")
    grant(place, to, *names)
    place.restart()
    size = place.node.ledger.tree.size()
    for number, scope in enumerate(beyond):
        with pytest.raises(NotPermitted):
            place.order(f"f-{number}", scope=scope)
        if "country" not in scope:
            with pytest.raises(NotPermitted):
                place.require(f"r-{number}", **scope)
    assert place.node.ledger.tree.size() == size, "nothing was recorded"
    for number, scope in enumerate(within):
        place.order(f"g-{number}", scope=scope)
    place.lift("before")
    place.order("another", signer=place.other)
    place.verify()


def test_a_remit_grows_with_each_grant_and_begins_anew_after_its_end(place: Place) -> None:
    grant(place, "holder", BANK)
    grant(place, "holder", STRANGER)
    grant(place, "recipient", FINTECH)
    [remit] = place.node.ledger.registry.supervision.remits.values()
    assert remit == Bounds(frozenset({BANK, STRANGER}), frozenset({FINTECH}))
    place.approved("remit.ended", regulator=REGULATOR)
    place.order("everything")
    with pytest.raises(NotFound):
        place.approved("remit.ended", regulator=REGULATOR)
    grant(place, "recipient", FINTECH)
    with pytest.raises(NotPermitted):
        place.order("again", scope={"holder": BANK})
    place.verify()


def test_a_freeze_of_what_is_its_own_needs_no_remit(place: Place) -> None:
    grant(place, "holder", STRANGER, regulator=BANK)
    place.order("own", signer=place.node.bank, scope={"holder": BANK})


@pytest.mark.parametrize(
    "wrong", [{"names": []}, {"names": ["b-b", "a-a"]}, {"names": ["UP"]}, {"to": "everybody"}, {"more": 1}]
)
def test_a_remit_that_is_not_written_as_the_specification_says_is_refused(place: Place, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        place.approved("remit.granted", **{"regulator": REGULATOR, "to": "holder", "names": [BANK], **wrong})
