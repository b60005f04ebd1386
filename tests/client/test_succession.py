"""Who knows a log's older key only finds the present one by the log's documents, or is told why not (docs/spec/log.md)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.client import LocalSigner, ReceiptRefused
from api.client.succession import KeySuccession, successors
from api.node.building import short_lived
from api.node.founding import initialise
from api.node.log_keys import begin_overlap, declare_compromised, end_overlap
from api.node.settings import Settings
from ledger.canonical import unb64u
from ledger.custody.log_key import make_log_key, next_key_file, read_signer
from ledger.notes.keys import VerifierKey, parse_vkey
from tests.client.service import Service, running_service
from tests.vectors.reading import named, read
from verifier.cli import main as verify

ORIGIN = "ledger.example/followed"
Leaves = list[tuple[int, bytes]]


class Log:
    """A log that changed its key twice, as its commands do it, and what a reader may ask of it."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(state_dir=folder, index_interval_ms=0)
        initialise(self.settings, ORIGIN)
        self.keys = [self.key]
        for _ in range(2):
            self.run("key", "rotate", "--new")
            self.run("key", "retire")
            self.keys.append(self.key)

    @property
    def key(self) -> VerifierKey:
        return read_signer(self.settings.log_key_file).vkey

    def run(self, *words: str) -> None:
        done = CliRunner().invoke(app, [*words, "--state", str(self.settings.state_dir)])
        assert done.exit_code == 0, done.output

    def leaves(self) -> Leaves:
        with short_lived(self.settings) as node:
            return sorted(node.ledger.tree.leaves(node.ledger.registry.log_keys.told_at).items())

    def follow(self, trusted: VerifierKey, leaves: Leaves) -> list[KeySuccession]:
        with short_lived(self.settings) as node:

            async def fetch(index: int, size: int) -> list[bytes]:
                return node.ledger.tree.inclusion(index, size)

            return asyncio.run(successors([trusted], leaves, fetch))


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log")


def test_each_older_key_leads_to_all_that_came_after_it_and_none_leads_back(log: Log) -> None:
    leaves = log.leaves()
    assert len(leaves) == 4
    first, second, third = log.keys
    assert [one.vkey for one in log.follow(first, leaves)] == [second, third]
    assert [(one.vkey, one.by) for one in log.follow(second, leaves)] == [(third, second)]
    assert log.follow(third, leaves) == []
    assert [one.first for one in log.follow(first, leaves)] == [leaves[0][0] + 1, leaves[2][0] + 1]


def test_a_key_that_the_known_one_has_not_vouched_for_is_not_believed(log: Log, tmp_path: Path) -> None:
    first, _, _ = log.keys
    leaves = log.leaves()
    forged = LocalSigner.generate("forged").jwk["x"]
    [added] = [leaf for index, leaf in leaves if index == leaves[0][0]]
    key = json.loads(added)["document"]["key"]
    with pytest.raises(ReceiptRefused, match="do not prove"):
        log.follow(first, [(leaves[0][0], added.replace(key.encode(), forged.encode())), *leaves[1:]])
    assert log.follow(first, leaves[:1]) == [], "without its end, the older key has vouched for nothing"
    with pytest.raises(ReceiptRefused, match="said to be"):
        log.follow(first, [(leaves[0][0] + 1, added)])
    other = Log(tmp_path / "other")
    assert log.follow(first, other.leaves()) == [], "another log's documents are about other keys"


def test_a_key_that_was_stolen_leads_nowhere_and_says_what_to_do(log: Log) -> None:
    first, second, _ = log.keys
    with short_lived(log.settings) as node:
        declare_compromised(node.ledger, first, 1, "key-stolen")
    leaves = log.leaves()
    with pytest.raises(ReceiptRefused, match=r"somebody else may have its key .* another way than the log"):
        log.follow(first, leaves)
    assert len(log.follow(second, leaves)) == 1


@pytest.mark.parametrize("row", read("log-keys")["cases"], ids=named(read("log-keys")["cases"]))
def test_the_log_leads_from_key_to_key_as_its_documents_prove(row: dict[str, Any]) -> None:
    proofs = {(one["index"], one["size"]): [unb64u(text) for text in one["hashes"]] for one in row["proofs"]}

    async def fetch(index: int, size: int) -> list[bytes]:
        return proofs[index, size]

    documents = [(one["index"], one["leaf"].encode()) for one in row["documents"]]
    led = successors([parse_vkey(text) for text in row["trusted"]], documents, fetch)
    if row["accept"]:
        told = [{"vkey": o.vkey.format(), "by": o.by.format(), "first": o.first} for o in asyncio.run(led)]
        assert told == row["keys"]
        return
    with pytest.raises(ReceiptRefused):
        asyncio.run(led)


@pytest.fixture
def service(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    with running_service(sqlite_url, tmp_path / "operator") as running:
        yield running


def follow(folder: Path, ends: int = 0) -> Result:
    done = CliRunner().invoke(app, ["follow", "--once", "--as", str(folder), "--json"])
    assert done.exit_code == ends, done.output
    return done


def new_folder(service: Service, folder: Path) -> Path:
    made = ["keys", "new", str(folder), "--participant", "app-1", "--url", service.url]
    assert CliRunner().invoke(app, [*made, "--log-key", service.node.ledger.vkey.format()]).exit_code == 0
    toml = folder / "participant.toml"
    toml.write_text(toml.read_text() + "# mine\n")
    return folder


def change_key(service: Service) -> tuple[VerifierKey, VerifierKey]:
    """(the old one, the new one)."""
    ledger, file = service.node.ledger, service.node.settings.log_key_file
    old = ledger.vkey
    make_log_key(next_key_file(file), ledger.origin)
    begin_overlap(ledger, file)
    end_overlap(ledger)
    return old, ledger.vkey


def test_a_follower_who_heard_nothing_of_it_goes_on_under_the_new_key(service: Service, tmp_path: Path) -> None:
    folder = new_folder(service, tmp_path / "app")
    seen = json.loads(follow(folder).stdout)
    old, new = change_key(service)
    learned, after = map(json.loads, follow(folder).stdout.splitlines())
    assert (learned["log_key"], learned["vouched_by"]) == (new.format(), old.format())
    assert after["size"] == seen["size"] + 2
    text = (folder / "participant.toml").read_text()
    assert f'log_key = "{new.format()} {old.format()}"\n' in text
    assert "# mine" in text
    service.join("another", "auditor")
    assert json.loads(follow(folder).stdout)["size"] > after["size"], "the next process believes it, too"


def test_the_independent_verifier_follows_a_live_log_under_its_new_key(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy").write_text(f"log {service.node.ledger.vkey.format()}\nquorum none\n")
    words = ["log", service.url, "--policy", str(tmp_path / "policy"), "--state", str(tmp_path / "state"), "--json"]
    assert verify(words) == 0
    _, new = change_key(service)
    capsys.readouterr()
    assert verify(words) == 0
    assert f"log {new.format()}" in capsys.readouterr().out
    assert verify(words) == 0


def test_a_follower_of_a_stolen_key_ends_with_3_and_believes_nobody(service: Service, tmp_path: Path) -> None:
    folder = new_folder(service, tmp_path / "app")
    follow(folder)
    before = (folder / "participant.toml").read_text()
    ledger, file = service.node.ledger, service.node.settings.log_key_file
    old = ledger.vkey
    make_log_key(next_key_file(file), ledger.origin)
    begin_overlap(ledger, file)
    declare_compromised(ledger, old, ledger.tree.size(), "key-stolen")
    assert "another way than the log" in follow(folder, ends=3).stderr
    assert (folder / "participant.toml").read_text() == before


def test_a_client_trusts_what_it_learned_and_keeps_what_it_knew(service: Service) -> None:
    async def run() -> None:
        async with service.client("app-1") as client:
            known = await client.checkpoint()
            witness = replace(service.node.ledger.vkey, name="witness.example")
            client.trust = replace(client.trust, witnesses=(witness,))
            old, new = change_key(service)
            assert [one.vkey for one in await client.learn_keys()] == [new]
            assert (client.trust.vkeys, client.trust.witnesses) == ((new, old), (witness,))
            assert (await client.checkpoint()).size == known.size + 2
            assert await client.learn_keys() == []

    asyncio.run(run())
