"""The ledger raises alerts and the verifier recomputes them, each from docs/spec/risk.md alone: on random histories with
attacks planted among them, they find the same ones; and a log that hides or changes one is refuted at its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from api.node.scoring import AlertRaiser
from ledger.orders import RULES
from ledger.queries.scoring import AlertReader
from ledger.scoring.seen import Raised
from tests.verdicts import audited
from tests.verifier.alert_story import played


@pytest.mark.parametrize("seed", [1, 2])
def test_the_verifier_misses_exactly_the_alerts_that_the_ledger_owes_and_none_once_they_are_there(
    seed: int, sqlite_url: str, tmp_path: Path
) -> None:
    with played(tmp_path, sqlite_url, seed, 25, planted=True) as (place, reader):
        reader.read()
        owed = list(reader.waiting)
        before = audited(place.node.ledger, tmp_path / "before")
        assert {(str(defect.code), defect.place.index) for defect in before.findings.defects} == {
            ("INCOMPLETE", alert.at_index) for alert in owed
        }
        assert {alert.rule for alert in owed} == {*RULES} - {"model"}
        raiser = AlertRaiser(place.node.ledger, lambda: reader)
        assert raiser.turn() == len(owed)
        assert raiser.turn() == 0
        after = audited(place.node.ledger, tmp_path / "after")
        assert [str(defect) for defect in after.findings.defects] == []


@pytest.mark.parametrize("restarted", [False, True], ids=["the same node", "one that was started after"])
def test_an_end_of_scoring_takes_back_nothing_that_was_found(restarted: bool, sqlite_url: str, tmp_path: Path) -> None:
    with played(tmp_path, sqlite_url, 1, 25, planted=True) as (place, reader):
        ledger = place.node.ledger
        reader.read()
        owed = len(reader.waiting)
        assert owed > 1
        place.approved("scoring.activated", scoring=0)
        later = AlertReader(ledger.store, ledger.keystore) if restarted else reader
        assert AlertRaiser(ledger, lambda: later).turn() == owed
        place.node.clock.advance(seconds=120)
        place.node.request()
        assert [str(defect) for defect in audited(place.node.ledger, tmp_path / "after").findings.defects] == []


def test_a_second_reader_and_one_after_a_restart_raise_nothing_twice(engine_url: str, tmp_path: Path) -> None:
    with played(tmp_path, engine_url, 4, 15) as (place, reader):
        ledger = place.node.ledger
        other = AlertRaiser(ledger, lambda: AlertReader(ledger.store, ledger.keystore))
        first = AlertRaiser(ledger, lambda: reader)
        reader.read()
        assert reader.waiting
        assert other.turn() > 0, "the other one was first"
        assert first.turn() == 0
        assert AlertRaiser(ledger, lambda: AlertReader(ledger.store, ledger.keystore)).turn() == 0
        place.verify()


@pytest.mark.parametrize("change", ["score", "rule", "features", "about", "at_index"])
def test_a_changed_alert_is_refuted_at_its_own_index(change: str, sqlite_url: str, tmp_path: Path) -> None:
    with played(tmp_path, sqlite_url, 5, 15) as (place, reader):
        reader.read()
        alert, *rest = reader.waiting
        index = place.document("alert.raised", **changed(alert, change)).index
        for one in rest:
            place.document("alert.raised", **changed(one, ""))
        told = {
            (str(defect.code), defect.place.index)
            for defect in audited(place.node.ledger, tmp_path / "bundle").findings.defects
        }
        assert ("CONSENT_INVALID", index) in told
        assert told <= {("CONSENT_INVALID", index), ("INCOMPLETE", alert.at_index), ("BAD_CHAIN", index + 1)}


def changed(alert: Raised, change: str) -> dict[str, Any]:
    members: dict[str, Any] = {
        "about": {"id": alert.about, "kind": alert.kind},
        "at_index": alert.at_index,
        "features": list(alert.features),
        "rule": alert.rule,
        "score": alert.score,
    }
    wrong: dict[str, Any] = {
        "score": alert.score - 1,
        "rule": "after-end",
        "features": [*alert.features[:-1], alert.features[-1] + 1],
        "about": {"id": "bank-d", "kind": alert.kind},
        "at_index": alert.at_index - 1,
    }
    return {**members, **({change: wrong[change]} if change else {})}
