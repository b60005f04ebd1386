"""A model of the log's own history: trained, approved, in force, in the bundle; and files that are no models."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.node.founding import make_client_keys
from api.node.models import ModelFolder
from api.node.scoring import AlertRaiser
from api.node.settings import Settings
from ledger.canonical import decode, encode
from ledger.errors import Unavailable
from ledger.queries.scoring import AlertReader, recorded_alerts
from ledger.scoring.model import MODEL_LIMIT
from ledger.scoring.seen import DAY_MS, HOUR_MS
from tests.clocks import HandClock
from tests.ledger.habits import PLAN, a_night_of_scraping, ordinary_days, trained_on
from tests.ledger.supervised import Place, supervised
from tests.verdicts import audited
from verifier.rules.alerts import NO_MODEL

OFFICERS = ["--approved-by", "officer-1", "--approved-by", "officer-2"]


@pytest.fixture
def place(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A log with a past of two months, whose last entry is of today, in a state folder that commands can use.

    Models look at the hour of an access: the past begins at midnight, so that it is the same whenever the test runs.
    """
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("CONSENT_LEDGER_HIGHWATER_DIR", str(tmp_path / "slots"))
    began = (int(time.time() * 1000) // DAY_MS - 60) * DAY_MS
    with supervised(sqlite_url, tmp_path, clock=HandClock(began)) as made:
        make_client_keys(Settings(state_dir=tmp_path))
        ordinary_days(made)
        made.node.clock.time = int(time.time() * 1000)
        assert run(tmp_path, "sign-here", "--this-is-the-newest-copy").exit_code == 0
        yield made


def until_the_next_night(place: Place) -> None:
    """Two in the morning, after all that commands have recorded by the machine's own clock."""
    place.node.clock.time = (int(time.time() * 1000) // DAY_MS + 1) * DAY_MS + 2 * HOUR_MS


def run(state: Path, *arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments), "--json", "--state", str(state)])


def test_a_trained_model_is_approved_raises_alerts_and_is_judged_by_the_verifier(place: Place, tmp_path: Path) -> None:
    options = ["--trees", PLAN.trees, "--sample", PLAN.sample]
    trained = run(tmp_path, "risk", "train", *options)
    assert trained.exit_code == 0, trained.output
    card = json.loads(trained.stdout)
    assert (card["learned"], card["held_out"], card["accesses"]) == (86, 21, 5_400)
    assert json.loads(run(tmp_path, "risk", "train", *options).stdout) == card, "the same bytes again"
    file = Path(card["file"])
    assert file.read_bytes() == trained_on(place).data
    shown = CliRunner().invoke(app, ["risk", "model", "show", str(file), "--json"])
    assert (shown.exit_code, json.loads(shown.stdout)["hash"]) == (0, card["hash"])
    activated = run(tmp_path, "risk", "activate", "--model", file, "--name", "m-1", *OFFICERS)
    assert activated.exit_code == 0, activated.output
    assert [json.loads(line)["act"] for line in activated.stdout.splitlines()] == [
        "scoring.activated",
        "model.activated",
    ]
    [named] = json.loads(run(tmp_path, "risk", "model", "list").stdout)["models"]
    assert (named["hash"], named["from_index"], named["to_index"], named["here"]) == (
        card["hash"],
        0,
        card["to_index"],
        True,
    )
    bundle = tmp_path / "bundle"
    assert run(tmp_path, "export", bundle, "--evidence", "none").exit_code == 0
    assert (bundle / "models" / file.name).read_bytes() == file.read_bytes()
    assert not list(bundle.glob("models/*.card.json"))
    # a node that serves
    ledger = place.node.ledger
    until_the_next_night(place)
    a_night_of_scraping(place)
    models = ModelFolder(tmp_path / "models")
    assert AlertRaiser(ledger, lambda: AlertReader(ledger.store, ledger.keystore, models.read)).turn() >= 1
    given = [said for _, said in recorded_alerts(ledger.store) if said["rule"] == "model"]
    assert [(said["model"], said["score"], said["about"]["id"]) for said in given] == [("m-1", 1_000, "fintech-b")]
    place.node.clock.advance(seconds=120)
    place.node.grant()
    whole = audited(place.node.ledger, tmp_path / "whole", models.read).findings
    assert ([*map(str, whole.defects)], [*whole.unchecked]) == ([], [])
    assert whole.checked["alerts"] == len(recorded_alerts(ledger.store))
    without = audited(place.node.ledger, tmp_path / "without").findings
    assert ([*map(str, without.defects)], dict(without.unchecked)) == ([], {NO_MODEL: 1}), "not checked, and it says so"


def test_a_hidden_and_an_invented_alert_of_a_model_are_refuted(place: Place, tmp_path: Path) -> None:
    folder = ModelFolder(tmp_path / "models")
    card = json.loads(run(tmp_path, "risk", "train", "--trees", 30, "--sample", 32).stdout)
    run(tmp_path, "risk", "activate", "--model", card["file"], "--name", "m-1", *OFFICERS)
    ledger = place.node.ledger
    until_the_next_night(place)
    a_night_of_scraping(place)
    reader = AlertReader(ledger.store, ledger.keystore, folder.read)
    reader.read()
    for alert in reader.waiting:
        about = {"id": alert.about, "kind": alert.kind}
        said = {"about": about, "at_index": alert.at_index, "features": list(alert.features), "rule": alert.rule}
        if alert.rule == "model":
            hidden = alert
        else:
            place.document("alert.raised", score=alert.score, **said)
    place.node.clock.advance(seconds=120)
    place.node.grant()
    told = audited(place.node.ledger, tmp_path / "hidden", folder.read).findings
    assert [(str(one.code), one.place.index) for one in told.defects] == [("INCOMPLETE", hidden.at_index)]
    invented = place.document(
        "alert.raised",
        **{**said, "rule": "model", "at_index": hidden.at_index, "model": "m-1", "features": list(hidden.features)},
        score=hidden.score - 1,
    ).index
    told = audited(place.node.ledger, tmp_path / "invented", folder.read).findings
    assert ("CONSENT_INVALID", invented) in {(str(one.code), one.place.index) for one in told.defects}


def test_a_node_whose_model_was_changed_or_is_away_raises_nothing_and_exports_without_it(
    place: Place, tmp_path: Path
) -> None:
    card = json.loads(run(tmp_path, "risk", "train", "--trees", 30, "--sample", 32).stdout)
    run(tmp_path, "risk", "activate", "--model", card["file"], "--name", "m-1", *OFFICERS)
    ledger, folder = place.node.ledger, ModelFolder(tmp_path / "models")
    raiser = AlertRaiser(ledger, lambda: AlertReader(ledger.store, ledger.keystore, folder.read))
    file = Path(card["file"])
    good = file.read_bytes()
    file.write_bytes(good.replace(b'"threshold":995', b'"threshold":999'))
    with pytest.raises(Unavailable, match="has another hash than its name"):
        raiser.turn()
    assert run(tmp_path, "export", tmp_path / "one", "--evidence", "none").exit_code == 0
    assert not (tmp_path / "one" / "models").exists()
    file.unlink()
    [named] = json.loads(run(tmp_path, "risk", "model", "list").stdout)["models"]
    assert (named["here"], str(tmp_path / "models") in named["problem"]) == (False, True)
    with pytest.raises(Unavailable, match="'m-1' is in force and its bytes are not here"):
        AlertRaiser(ledger, lambda: AlertReader(ledger.store, ledger.keystore, folder.read)).turn()
    file.write_bytes(good)
    assert AlertRaiser(ledger, lambda: AlertReader(ledger.store, ledger.keystore, folder.read)).turn() == 0


SMALL = {"features": 8, "scale": [9] * 1_000, "threshold": 1, "trees": [[[7]]], "v": 1}


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "CL-JSON"),
        (b"\x80\x04pickled", "CL-JSON"),
        (b"[" * 100_000, "CL-JSON"),
        (b" " * (MODEL_LIMIT + 1), "more than 1048576 bytes"),
        (encode({**SMALL, "features": 9}), "features"),
        (encode({**SMALL, "threshold": 0}), "threshold"),
        (encode({**SMALL, "scale": [9] * 999}), "scale"),
        (encode({**SMALL, "scale": [*range(1_000)]}), "never rises"),
        (encode({**SMALL, "trees": []}), "trees"),
        (encode({**SMALL, "trees": [[[7]]] * 257}), "trees"),
        (encode({**SMALL, "trees": [[[0, 1, 0, 0]]]}), "higher places"),
        (encode({**SMALL, "trees": [[[8, 1, 1, 1], [7]]]}), r"\[feature, value, left, right\]"),
        (encode({**SMALL, "trees": [[[0, 1]]]}), r"\[feature, value, left, right\]"),
        (encode({**SMALL, "trees": [[[-1]]]}), "path length"),
        (encode({**SMALL, "more": 1}), "more"),
    ],
)
def test_a_file_without_a_model_is_refused_by_name_and_nothing_is_recorded(
    data: bytes, named: str, tmp_path: Path
) -> None:
    file = tmp_path / "m.json"
    file.write_bytes(data)
    for command in (["risk", "model", "show", file], ["risk", "activate", "--model", file, "--name", "m", *OFFICERS]):
        refused = CliRunner().invoke(app, [*map(str, command)])
        assert refused.exit_code == 1
        told = " ".join(refused.output.split())
        assert str(file) in told
        assert re.search(named, told), told


def test_a_model_goes_with_its_card_its_name_and_two_officers(tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    file.write_bytes(encode(SMALL))

    def refused(*arguments: object, status: int = 1) -> str:
        done = CliRunner().invoke(app, ["risk", *map(str, arguments)])
        assert done.exit_code == status
        return " ".join(done.output.split())

    assert "m.card.json" in refused("model", "show", file)
    (tmp_path / "m.card.json").write_bytes(b"{}")
    assert "is not a model's card" in refused("model", "show", file)
    (tmp_path / "m.card.json").write_bytes(b"x" * 70_000)
    assert "more than 65536 bytes" in refused("model", "show", file)
    os.mkfifo(tmp_path / "pipe.json")
    assert "pipe.json" in refused("model", "show", tmp_path / "pipe.json")
    assert str(tmp_path) in refused("model", "show", tmp_path)
    assert "--name CODE" in refused("activate", "--model", file, *OFFICERS)
    assert "two different officers" in refused(
        "activate", "--model", file, "--name", "m", "--approved-by", "a", status=2
    )


def test_the_card_of_another_model_is_refused(place: Place, tmp_path: Path) -> None:
    made = [json.loads(run(tmp_path, "risk", "train", "--trees", 4, "--seed", seed).stdout) for seed in (1, 2)]
    one, other = (Path(card["file"]) for card in made)
    beside = one.with_name(f"{one.stem}.card.json")
    beside.write_bytes(other.with_name(f"{other.stem}.card.json").read_bytes())
    refused = run(tmp_path, "risk", "activate", "--model", one, "--name", "m", *OFFICERS)
    assert (refused.exit_code, "the card of another model" in " ".join(refused.output.split())) == (1, True)


def test_a_window_that_is_too_short_or_outside_is_refused_with_what_to_do(place: Place, tmp_path: Path) -> None:
    for window, named in ((("--to", "400"), "longer window"), (("--from", "9999999"), "a window lies within")):
        refused = run(tmp_path, "risk", "train", *window)
        assert (refused.exit_code, named in " ".join(refused.output.split())) == (1, True)


def test_a_model_of_another_log_is_put_on_record_as_not_trained_on_this_one(place: Place, tmp_path: Path) -> None:
    card = json.loads(run(tmp_path, "risk", "train", "--trees", 4).stdout)
    file = Path(card["file"])
    beside = file.with_name(f"{file.stem}.card.json")
    said = decode(beside.read_bytes(), limit=70_000)
    beside.write_bytes(encode({**said, "origin": "elsewhere.example/1"}))
    activated = run(tmp_path, "risk", "activate", "--model", file, "--name", "m", *OFFICERS)
    assert activated.exit_code == 0, activated.output
    [named] = json.loads(run(tmp_path, "risk", "model", "list").stdout)["models"]
    assert (named["from_index"], named["to_index"]) == (0, 0)
