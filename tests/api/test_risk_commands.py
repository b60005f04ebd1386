"""`consent-ledger risk` on a real log, and a node that raises alerts by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from api.cli.officers import two_of
from api.node.scoring import AlertFigures, AlertRaiser
from ledger.canonical import encode
from ledger.errors import Unavailable
from ledger.queries.scoring import AlertReader, recorded_alerts
from tests.ledger.supervised import Place, supervised

MODEL = encode({"features": 8, "scale": [9] * 1_000, "threshold": 1, "trees": [[[7]]], "v": 1})
"""It finds everything strange."""


@pytest.fixture
def place(engine_url: str, tmp_path: Path) -> Any:
    with supervised(engine_url, tmp_path) as made:
        yield made


def scraped(place: Place, times: int = 60) -> None:
    """One consent, read so often within a minute that it is an alert."""
    consent = place.node.grant()
    for _ in range(times):
        place.node.access(consent)


def test_a_node_raises_what_the_rules_give_while_it_runs(place: Place) -> None:
    place.approved("scoring.activated", scoring=1)
    scraped(place)
    ledger = place.node.ledger
    raiser = AlertRaiser(ledger, lambda: AlertReader(ledger.store, ledger.keystore))
    assert raiser.turn() >= 1
    [rate, *_] = [(index, said) for index, said in recorded_alerts(ledger.store) if said["rule"] == "rate"]
    index, said = rate
    assert (said["about"]["kind"], said["features"][0]) == ("recipient", 50)
    assert said["at_index"] < index
    assert recorded_alerts(ledger.store, after=index, limit=5) == [
        each for each in recorded_alerts(ledger.store) if each[0] > index
    ]
    [raised, failing] = AlertFigures(raiser).collect()
    assert raised.samples[0].value == raiser.raised
    assert failing.samples[0].value == 0
    place.verify()


def test_nothing_is_owed_before_scoring_is_in_force_nor_after_it_ended(place: Place) -> None:
    ledger = place.node.ledger
    raiser = AlertRaiser(ledger, lambda: AlertReader(ledger.store, ledger.keystore))
    scraped(place)
    assert raiser.turn() == 0
    place.approved("scoring.activated", scoring=1)
    place.approved("scoring.activated", scoring=0)
    scraped(place)
    assert raiser.turn() == 0


def test_a_node_that_runs_before_scoring_is_in_force_reads_all_that_comes_after(place: Place) -> None:
    ledger = place.node.ledger
    place.approved("model.activated", model="m-0", hash="A" * 43, card_hash="A" * 43, from_index=0, to_index=0)
    reader = AlertReader(ledger.store, ledger.keystore, {"A" * 43: MODEL}.get)
    raiser = AlertRaiser(ledger, lambda: reader)
    scraped(place)
    assert raiser.turn() == 0
    place.approved("scoring.activated", scoring=1)
    scraped(place)
    assert raiser.turn() >= 1, "within the page in which it came into force"
    assert {said["rule"] for _, said in recorded_alerts(ledger.store)} == {"rate"}
    scraped(place)
    assert raiser.turn() == 1, "the model looks at the last hundred"
    assert recorded_alerts(ledger.store)[-1][1]["model"] == "m-0"


def test_a_model_without_its_bytes_stops_the_alerts_and_says_what_to_do(place: Place) -> None:
    place.approved("scoring.activated", scoring=1)
    place.approved("model.activated", model="m-1", hash="A" * 43, card_hash="A" * 43, from_index=0, to_index=0)
    ledger = place.node.ledger
    raiser = AlertRaiser(ledger, lambda: AlertReader(ledger.store, ledger.keystore))
    with pytest.raises(Unavailable, match="m-1"):
        raiser.turn()


def test_two_different_officers_approve(capsys: pytest.CaptureFixture[str]) -> None:
    assert two_of(["b", "a"]) == ("a", "b")
    for approved in (["a"], ["a", "a"], ["a", "b", "c"]):
        with pytest.raises(typer.Exit) as ended:
            two_of(approved)
        assert ended.value.exit_code == 2
        assert "two different officers" in capsys.readouterr().err
