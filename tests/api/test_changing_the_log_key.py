"""Changing the log key: on each engine, beside a running node, and what auditors and holders of old receipts can verify."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.node.building import opened, short_lived
from api.node.founding import initialise
from api.node.log_keys import begin_overlap, end_overlap, put_in_place
from api.node.node import Node
from api.node.settings import Settings
from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.custody.log_key import make_log_key, next_key_file, read_signer
from ledger.errors import Conflict, IllegalTransition, NotFound, Unavailable
from ledger.notes.note import parse_note
from ledger.receipts import receipt_bytes
from tests.conformance import ROOT
from tests.world import World

ORIGIN = "ledger.example/keys"


@pytest.fixture
def settings(engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", engine_url)
    made = Settings(state_dir=tmp_path / "state", index_interval_ms=0)
    initialise(made, ORIGIN)
    return made


@pytest.fixture
def node(settings: Settings) -> Iterator[Node]:
    with short_lived(settings) as running:
        yield running


def run(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--state", str(settings.state_dir)])


def done(settings: Settings, *arguments: str) -> dict[str, Any]:
    result = run(settings, *arguments, "--json")
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def signers(note: str) -> list[str]:
    """The key ids of a checkpoint's lines."""
    return [line.key_id.hex() for line in parse_note(note).signatures]


def verify(*words: str) -> tuple[int, str]:
    """Exit status and code of the independent verifier."""
    command = [sys.executable, "-m", "verifier.cli", *words, "--json"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    return ended.returncode, json.loads(ended.stdout.splitlines()[-1])["code"]


def test_a_log_changes_its_key_beside_a_running_node_and_everybody_can_follow(
    node: Node, settings: Settings, tmp_path: Path
) -> None:
    world = World(node.ledger)
    recipient, holder = world.recipient(), world.holder()
    consent = world.active_consent(recipient, holder)
    old = node.ledger.vkey
    [before] = world.record(recipient.access(consent))
    make_log_key(next_key_file(settings.log_key_file), ORIGIN)
    with short_lived(settings) as other:
        begin_overlap(other.ledger, settings.log_key_file)
        new = other.ledger.vkey
        [during] = world.record(recipient.access(consent))  # by the node that ran before there was a second key
        end_overlap(other.ledger)
        ended = put_in_place(other.ledger, settings.log_key_file)
    told = node.ledger.log_keys_now().known  # though this node has recorded nothing since
    assert [(one.key, one.last is None) for one in told] == [(old.public_key, False), (new.public_key, True)]
    [after] = world.record(recipient.access(consent))
    assert [signers(one.checkpoint) for one in (before, during, after)] == [
        [old.key_id.hex()],
        [old.key_id.hex(), new.key_id.hex()],
        [new.key_id.hex()],
    ]
    assert (read_signer(settings.log_key_file).vkey, node.ledger.vkeys) == (new, (new, old))
    assert ended is not None
    assert not next_key_file(settings.log_key_file).exists()

    bundle = tmp_path / "bundle"
    export_bundle(
        node.ledger.store, node.ledger.keystore, node.ledger.vkeys, DirectoryTarget(bundle), disclose=Disclose.full()
    )
    for name, vkey in (("old", old), ("new", new)):
        policy = tmp_path / name
        policy.write_text(f"log {vkey.format()}\nquorum none\n")
        assert verify("bundle", str(bundle), "--policy", str(policy)) == (0, "VALID"), name
        for index, recorded in enumerate((before, during, after)):
            file = tmp_path / f"{index}.json"
            file.write_bytes(receipt_bytes(recorded))
            found = verify("receipt", str(file), "--policy", str(policy), "--bundle", str(bundle))
            assert found == (0, "VALID"), (name, index)


def test_the_commands_change_the_key_and_a_node_started_later_continues_the_log(settings: Settings) -> None:
    old = read_signer(settings.log_key_file).vkey.format()
    new = done(settings, "key", "rotate", "--new")["verifier_keys"][0]
    assert [row["verifier_key"] for row in done(settings, "key", "show")["keys"]] == [new, old]
    with short_lived(settings) as node:
        world = World(node.ledger)
        world.active_consent(world.recipient(), world.holder())
    told = done(settings, "key", "retire")
    assert told["verifier_key"] == new
    Path(told["ended_key_file"]).unlink()
    with short_lived(settings) as node:
        world = World(node.ledger)
        world.active_consent(world.recipient("tpp-9"), world.holder("bank-9"))
        assert len(signers(node.ledger.tree.checkpoint())) == 1
    assert done(settings, "check")["defect_count"] == 0
    rows = done(settings, "key", "show")["keys"]
    assert [(row["verifier_key"], row["valid_to_size"] is None) for row in rows] == [(new, True), (old, False)]


def test_an_exchange_is_taken_back_and_done_again_with_another_key(settings: Settings) -> None:
    old = read_signer(settings.log_key_file).vkey.format()
    first = done(settings, "key", "rotate", "--new")["verifier_keys"][0]
    assert done(settings, "key", "retire", "--newer")["verifier_key"] == old
    second = done(settings, "key", "rotate", "--new")["verifier_keys"][0]
    assert len({old, first, second}) == 3
    assert done(settings, "key", "retire")["verifier_key"] == second


def test_a_stolen_key_ends_at_once_and_the_log_says_from_when_on_it_counts_for_nothing(settings: Settings) -> None:
    old = read_signer(settings.log_key_file).vkey.format()
    new = done(settings, "key", "rotate", "--new")["verifier_keys"][0]
    told = done(settings, "key", "compromised", old, "--from-size", "1", "--reason", "key-stolen")
    assert told["verifier_key"] == new
    with opened(settings) as node:
        assert len(signers(node.ledger.tree.checkpoint())) == 1
    assert done(settings, "key", "show")["keys"][1]["compromised_from_size"] == 1


def test_a_node_without_the_second_key_records_nothing_and_says_which_is_missing(
    node: Node, settings: Settings
) -> None:
    file = next_key_file(settings.log_key_file)
    make_log_key(file, ORIGIN)
    with short_lived(settings) as other:
        begin_overlap(other.ledger, settings.log_key_file)
    hidden = file.rename(file.with_name("elsewhere"))
    world = World(node.ledger)
    with pytest.raises(Unavailable, match=r"put its file at .*log\.key\.next"):
        world.recipient()
    assert "log.key.next" in (node.ledger.unready_because or "")
    hidden.rename(file)
    world.recipient()
    assert len(signers(node.ledger.tree.checkpoint())) == 2


def test_a_false_step_of_an_exchange_is_refused_by_name(settings: Settings) -> None:
    with short_lived(settings) as node:
        with pytest.raises(NotFound, match="key new"):
            begin_overlap(node.ledger, settings.log_key_file)
        with pytest.raises(IllegalTransition, match="key rotate"):
            end_overlap(node.ledger)
        make_log_key(next_key_file(settings.log_key_file), ORIGIN)
        begin_overlap(node.ledger, settings.log_key_file)
        with pytest.raises(Conflict, match="key retire"):
            begin_overlap(node.ledger, settings.log_key_file)
        assert put_in_place(node.ledger, settings.log_key_file) is None
