"""A log whose keys are all in a token (SoftHSM2): it runs, loses nothing while the token is away, and changes its KEK."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.client.signing import load_signer, sign_statement
from api.node.building import opened, short_lived
from api.node.founding import KeyPlaces, initialise
from api.node.node import Node
from api.node.settings import Settings
from ledger.canonical import encode
from ledger.custody.log_key import read_signer
from ledger.errors import Unavailable
from ledger.planning.commands import Recorded
from ledger.vault.kek import read_kek
from tests.custody.softhsm import SoftToken
from tests.keys import KeyPair
from tests.world import Party, World

pytestmark = pytest.mark.hsm

NAMES = ("log", "kek", "token", "event")


@pytest.fixture
def settings(token: SoftToken, engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", engine_url)
    made = Settings(state_dir=tmp_path / "state", index_interval_ms=0)
    initialise(made, "ledger.example/hsm", KeyPlaces(*(token.uri(name) for name in NAMES)))
    return made


@pytest.fixture
def node(settings: Settings) -> Iterator[Node]:
    with short_lived(settings) as running:
        yield running


def run(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--state", str(settings.state_dir)])


def test_no_private_key_of_the_log_is_in_a_file_and_doctor_asks_each_place(
    settings: Settings, token: SoftToken
) -> None:
    for name in ("log.key", "kek", "token.key", "event.key"):
        text = (settings.state_dir / name).read_text()
        assert token.label in text
        assert '"d"' not in text
        assert "PRIVATE" not in text
    said = run(settings, "doctor", "--json")
    looked = {one["what"]: one for one in json.loads(said.stdout)["looks"]}
    for what in ("log key", "KEK", "token key", "event key"):
        assert looked[what]["verdict"] == "ok", looked[what]
        assert token.label in looked[what]["said"]
    with token.away():
        looked = {one["what"]: one for one in json.loads(run(settings, "doctor", "--json").stdout)["looks"]}
        for what in ("log key", "KEK", "token key", "event key"):
            assert looked[what]["verdict"] == "failed", looked[what]


def test_init_makes_the_keys_where_it_is_told_to(token: SoftToken, tmp_path: Path) -> None:
    made = Settings(state_dir=tmp_path / "other")
    done = run(made, "init", "--log-key", token.uri("log"), "--kek", token.uri("kek"), "--json")
    assert done.exit_code == 0, done.output
    assert (read_signer(made.log_key_file).place, read_kek(made.kek_file).uri) == (token.uri("log"), token.uri("kek"))


def test_evidence_is_recorded_and_opened_again_by_the_next_process(settings: Settings) -> None:
    with short_lived(settings) as node:
        world = World(node.ledger)
        world.active_consent(world.recipient(), world.holder())
    checked = json.loads(run(settings, "check", "--json").stdout)
    assert (checked["defect_count"], checked["opened"] > 0) == (0, True)


def test_a_token_that_goes_away_in_the_middle_of_a_commit_loses_nothing_that_was_acknowledged(
    node: Node, token: SoftToken
) -> None:
    world = World(node.ledger)
    recipient, holder = world.recipient(), world.holder()
    consent = world.active_consent(recipient, holder)
    first = [recipient.access(consent) for _ in range(3)]
    before = [world.record(one)[0] for one in first]
    submitted = [recipient.access(consent) for _ in range(8)]
    with token.away():
        with ThreadPoolExecutor(4) as pool:
            answers = [pool.submit(world.record, one) for one in submitted]
            refused = [answer.exception() for answer in answers]
        for error in refused:
            assert isinstance(error, Unavailable), error
            assert token.label in error.detail
            assert "safe" in error.detail
        assert token.label in (node.ledger.unready_because or "")
        assert node.ledger.tree.size() == before[-1].index + 1, "nothing that was not signed is visible"
    after = [world.record(one)[0] for one in submitted]
    comes_back(node)
    assert [one.index for one in sorted(after, key=_index)] == list(range(before[-1].index + 1, before[-1].index + 9))
    again = [world.record(one)[0] for one in (*first, *submitted)]
    assert [(one.index, one.leaf) for one in again] == [(one.index, one.leaf) for one in (*before, *after)]


def comes_back(node: Node) -> None:
    """It is ready again, once housekeeping has looked (which it does each second)."""
    until = time.monotonic() + 60
    while node.ledger.unready_because is not None:
        assert time.monotonic() < until, node.ledger.unready_because
        threading.Event().wait(0.05)


def _index(recorded: Recorded) -> int:
    return recorded.index


def test_a_node_that_nobody_asks_tells_all_the_same_that_its_token_is_away(node: Node, token: SoftToken) -> None:
    with token.away():
        node.ledger.figures.wrote_at = float("-inf")  # as if the last look that asks were long ago
        node.ledger._sequencer.refresh().result(30)
        assert token.label in (node.ledger.unready_because or "")
    node.ledger._sequencer.refresh().result(30)
    comes_back(node)


def test_the_kek_moves_from_a_token_to_a_file_and_back_and_to_another_key(settings: Settings, token: SoftToken) -> None:
    with short_lived(settings) as node:
        world = World(node.ledger)
        world.active_consent(world.recipient(), world.holder())
    for epoch, place in enumerate(("file", token.uri("kek-3"), token.uri("kek-4")), 2):
        done = run(settings, "kek", "rotate", "--to", place, "--json")
        assert done.exit_code == 0, done.output
        kek = read_kek(settings.kek_file)
        assert (kek.epoch, kek.uri) == (epoch, "" if place == "file" else place)
        checked = json.loads(run(settings, "check", "--json").stdout)
        assert (checked["defect_count"], checked["opened"] > 0) == (0, True)


def test_a_kek_in_a_token_is_not_moved_to_a_file_or_onto_itself_by_a_slip(settings: Settings, token: SoftToken) -> None:
    kek = read_kek(settings.kek_file)
    nowhere = run(settings, "kek", "rotate")
    assert nowhere.exit_code != 0
    assert "--to" in nowhere.output
    same = run(settings, "kek", "rotate", "--to", token.uri("kek", type="secret-key"))
    assert same.exit_code != 0
    assert "present KEK itself" in same.output
    assert read_kek(settings.kek_file) == kek


def test_a_participant_signs_statements_with_a_key_in_a_token(node: Node, token: SoftToken, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app,
        ["keys", "new", str(tmp_path / "tpp"), "--participant", "tpp-1", "--statement-key", token.uri("tpp"), "--json"],
    )
    assert done.exit_code == 0, done.output
    signer = load_signer(json.loads(done.stdout)["statement_kid"], tmp_path / "tpp" / "statement.pem")

    class Signed(KeyPair):
        """Its statements are signed in the token."""

        def jws(self, header: dict[str, object], payload: bytes) -> str:
            return sign_statement(signer, payload)

    world = World(node.ledger)
    holder, recipient = world.holder(), world.recipient("tpp-1")
    key = json.loads((tmp_path / "tpp" / "statement.jwk").read_text())
    node.ledger.record_documents(
        {
            "alg": "EdDSA",
            "jwk": key,
            "kid": signer.kid,
            "participant": "tpp-1",
            "type": "key.added",
            "use": "statement",
            "v": 1,
        }
    )
    inside = Party("tpp-1", Signed("EdDSA", signer.kid, None), world)
    consent = world.requested_consent(inside, holder)
    assert encode(consent.terms)
    assert recipient.id == inside.id


def test_a_reader_of_the_public_half_needs_no_token(settings: Settings, token: SoftToken) -> None:
    token.pin_file.unlink()
    with opened(settings) as node:  # no key yet that the KEK would have to open
        assert node.ledger.vkey.name == "ledger.example/hsm"
