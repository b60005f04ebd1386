"""A log and its witnesses over HTTP: cosigned while it grows, and found out when it turns back or forks."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from api.node.building import build_node
from api.node.bundling import read_policy
from api.node.founding import initialise
from api.node.node import Node
from api.node.settings import Settings
from api.server.app import create_app
from api.witness.asking import WitnessAsker
from api.witness.running import make_witness, open_witness
from ledger.assembly import read_signer
from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.documents import ParticipantSuspended, document_of
from ledger.errors import InvalidInput, NotFound, Rollback, SequencerStopped
from ledger.notes.checkpoint import open_checkpoint, sign_checkpoint
from ledger.notes.keys import VerifierKey
from ledger.notes.note import open_note
from ledger.notes.policy import Policy
from ledger.publish.directory import PublicDirectory
from ledger.publish.publisher import Publisher
from ledger.queries.witnessed import WitnessedQueries
from ledger.witnessing import AddCheckpoint
from tests.api.service import Service, opened_by_two, serving
from tests.conformance import ROOT
from tests.ports import loopback
from tests.published import publish_to
from tests.world import ORIGIN, World
from verifier.cli import main

NAMES = ("regulator.example/w", "consumers.example/w", "banks.example/w")


@dataclass
class Witnessed:
    """A served log with three witnesses, of whom two must cosign."""

    service: Service
    asker: WitnessAsker
    urls: list[str]
    keys: list[VerifierKey]
    policy: Path


def serve_witness(stack: ExitStack, folder: Path, log: str) -> str:
    listening = loopback()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    stack.enter_context(serving(open_witness(folder, [log]), listening))
    return url


@contextmanager
def witnessed_log(engine_url: str, folder: Path, *, serve: int = 3) -> Iterator[Witnessed]:
    listening = loopback()
    policy = folder / "policy"
    settings = Settings(
        state_dir=folder / "state",
        database_url=engine_url,
        port=listening.getsockname()[1],
        policy_file=policy,
        index_interval_ms=0,  # no entry that the test did not ask for
    )
    initialise(settings, ORIGIN)
    log = read_signer(settings.log_key_file).vkey.format()
    with ExitStack() as stack:
        lines, urls, keys = [f"log {log}"], [], []
        for number, name in enumerate(NAMES):
            place = folder / f"witness-{number}"
            keys.append(make_witness(place, name))
            urls.append(serve_witness(stack, place, log) if number < serve else "http://127.0.0.1:1")
            lines.append(f"witness w{number} {keys[-1].format()} {urls[-1]}")
        policy.write_text("\n".join([*lines, "group quorum-of-two 2 w0 w1 w2", "quorum quorum-of-two", ""]))
        node = build_node(settings)
        asker = node.ask_witnesses()
        assert asker is not None
        stack.enter_context(serving(create_app(node), listening))
        http = stack.enter_context(httpx2.Client(base_url=settings.base_url, timeout=30, trust_env=False))
        http.get("/health/live").raise_for_status()
        try:
            yield Witnessed(Service(node, settings.base_url, http), asker, urls, keys, policy)
        finally:
            asker.stop()


def an_access(world: World) -> tuple[object, int]:
    app = world.recipient()
    consent = world.active_consent(app, world.holder())
    return app, world.record(app.access(consent))[0].index


def test_a_receipt_is_logged_at_once_and_witnessed_soon_after(engine_url: str, tmp_path: Path) -> None:
    with witnessed_log(engine_url, tmp_path) as log:
        service = log.service
        app, index = an_access(service.world)
        reader = service.as_(app)  # type: ignore[arg-type]
        assert service.http.get("/checkpoint/witnessed").status_code == 404
        newest = service.http.get("/checkpoint/newest").text
        assert service.http.get("/checkpoint").text == newest, "nobody has cosigned yet"
        assert reader.get(f"/receipts/{index}/witnessed").status_code == 404
        assert set(log.asker.turn()) == set(NAMES)
        note = service.http.get("/checkpoint/witnessed").text
        assert {key.name for key, _ in open_note(note, [service.node.ledger.vkey, *log.keys]).verified} == {
            ORIGIN,
            *NAMES,
        }
        assert service.http.get("/checkpoint").text == note, "strangers are shown the witnessed one"
        receipt, proof, entry = tmp_path / "receipt.json", tmp_path / "entry.tlog-proof", tmp_path / "entry"
        receipt.write_bytes(reader.get(f"/receipts/{index}/witnessed").content)
        assert verified("receipt", receipt, log.policy) == 0
        proof.write_bytes(reader.get(f"/receipts/{index}.tlog-proof/witnessed").content)
        entry.write_text(json.loads(receipt.read_bytes())["leaf"])
        assert verified("proof", proof, log.policy, "--entry", str(entry)) == 0
        assert reader.get(f"/receipts/{index}.proof/witnessed").status_code == 404
        receipt.write_bytes(reader.get(f"/receipts/{index}").content)
        assert verified("receipt", receipt, log.policy) == 3  # valid, below the quorum
        # Later growth is proved to the witnesses from what they saw last.
        an_access_more(service.world)
        assert service.http.get("/checkpoint").text == note
        later = service.http.get("/checkpoint/newest").text
        assert open_checkpoint(later, service.node.ledger.vkey).size == service.size
        assert set(log.asker.turn()) == set(NAMES)
        listed = service.http.get("/witnesses").json()
        assert {one["size"] for one in listed["witnesses"]} == {service.size}
        bundle = tmp_path / "bundle"
        ledger = service.node.ledger
        export_bundle(
            ledger.store,
            ledger.keystore,
            ledger.vkey,
            DirectoryTarget(bundle),
            disclose=Disclose.full(),
            policy=log.policy.read_bytes(),
            head=service.node.witnessed.checkpoint(),
        )
        assert verified("bundle", bundle, log.policy) == 0


def test_the_bundles_of_the_api_meet_a_witness_policy(engine_url: str, tmp_path: Path) -> None:
    with witnessed_log(engine_url, tmp_path) as log:
        service = log.service
        _, index = an_access(service.world)
        auditor, regulator = service.world.join("watch", "auditor"), service.world.join("state", "regulator")
        clients = service.as_(auditor), service.as_(regulator)
        bundle = tmp_path / "log.zip"
        bundle.write_bytes(clients[0].get("/bundle").content)
        assert verified("bundle", bundle, log.policy) == 3, "nobody was asked yet: the whole log, unwitnessed"
        assert set(log.asker.turn()) == set(NAMES)
        bundle.write_bytes(clients[0].get("/bundle").content)
        assert verified("bundle", bundle, log.policy) == 0
        asked = {"case": "case-1", "from_index": 0, "to_index": index}
        opened_by_two(service, "state", **asked)
        assert set(log.asker.turn()) == set(NAMES)
        opened = tmp_path / "disclosure.zip"
        opened.write_bytes(clients[1].request("POST", "/bundles", json=asked).content)
        assert verified("bundle", opened, log.policy) == 0
        # What is asked for comes before the witnesses: an entry that they have not seen is in the bundle all the same.
        latest = opened_by_two(service, "state", **asked)
        opened_by_two(service, "state", **asked | {"to_index": latest})
        opened.write_bytes(clients[1].request("POST", "/bundles", json=asked | {"to_index": latest}).content)
        assert verified("bundle", opened, log.policy) == 3


def test_a_log_is_followed_by_its_witnessed_checkpoint_where_the_policy_asks(engine_url: str, tmp_path: Path) -> None:
    with witnessed_log(engine_url, tmp_path) as log:
        an_access(log.service.world)
        address, arguments = log.service.node.settings.base_url, ["--state", str(tmp_path / "state")]
        follow = ["log", address, "--policy", str(log.policy), *arguments]
        assert main(follow) == 3, "nobody was asked yet"
        assert set(log.asker.turn()) == set(NAMES)
        assert main(follow) == 0
        an_access_more(log.service.world)
        assert main(follow) == 0, "the newest witnessed one, not the newest"


def test_published_files_show_the_witnessed_checkpoint_first_and_the_newest_beside_it(
    engine_url: str, tmp_path: Path
) -> None:
    public = tmp_path / "public"
    follow = ["log", str(public), "--policy", str(tmp_path / "policy"), "--state", str(tmp_path / "state")]
    with witnessed_log(engine_url, tmp_path) as log:
        node, http = log.service.node, log.service.http

        def published() -> None:
            publish_to(node, public)
            assert (public / "checkpoint.newest").read_text() == http.get("/checkpoint/newest").text
            assert (public / "log/keys").read_bytes() == http.get("/log/keys").content

        an_access(log.service.world)
        published()
        unwitnessed = (public / "checkpoint").read_text()
        assert unwitnessed == http.get("/checkpoint/newest").text
        assert main(follow) == 3, "nobody was asked yet"
        assert set(log.asker.turn()) == set(NAMES)
        an_access_more(log.service.world)
        published()
        note = (public / "checkpoint").read_text()
        assert note == http.get("/checkpoint/witnessed").text != http.get("/checkpoint/newest").text
        assert main(follow) == 0, "the newest witnessed one, not the newest"
        # Who has seen the newest one is not told of a rollback by the one that is shown first.
        newest = str(tmp_path / "newest")
        shutil.copytree(public, newest)
        shutil.copy(public / "checkpoint.newest", Path(newest, "checkpoint"))
        seen = ["--policy", str(log.policy), "--state", str(tmp_path / "seen")]
        assert main(["log", newest, *seen]) == 3
        assert main(["log", str(public), *seen]) == 3


def test_the_checkpoint_shown_first_among_published_files_never_goes_back(engine_url: str, tmp_path: Path) -> None:
    public = tmp_path / "public"
    with witnessed_log(engine_url, tmp_path) as log:
        ledger = log.service.node.ledger
        an_access(log.service.world)
        assert set(log.asker.turn()) == set(NAMES)
        an_access_more(log.service.world)
        alone = WitnessedQueries(ledger.store, Policy())  # as the log was published before it had witnesses
        Publisher(ledger.store, ledger.vkey, PublicDirectory(public), alone).publish()
        newest = ledger.tree.checkpoint()
        assert publish_to(log.service.node, public).written == 0
        assert (public / "checkpoint").read_text() == newest, "not the one that witnesses have seen: it is smaller"
        assert set(log.asker.turn()) == set(NAMES)
        assert publish_to(log.service.node, public).written == 1
        assert (public / "checkpoint").read_text() == log.service.http.get("/checkpoint/witnessed").text


def an_access_more(world: World) -> None:
    [participant] = [one for one in world.ledger.registry.participants.values() if "holder" in one.roles]
    world.ledger.record_documents(document_of(ParticipantSuspended, participant=participant.id, reason="test"))


def test_other_peoples_receipts_are_not_found_witnessed_either(engine_url: str, tmp_path: Path) -> None:
    with witnessed_log(engine_url, tmp_path) as log:
        _, index = an_access(log.service.world)
        stranger = log.service.world.recipient("stranger")
        log.asker.turn()
        assert log.service.as_(stranger).get(f"/receipts/{index}/witnessed").status_code == 404


def test_one_witness_away_is_not_a_harm_and_two_are(engine_url: str, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    with witnessed_log(engine_url, tmp_path / "one", serve=2) as log:
        assert len(log.asker.turn()) == 2
        assert set(log.asker.errors) == {NAMES[2]}
        assert log.service.node.witnessed.checkpoint()[0] == log.service.size
        assert log.asker.turn() == {}, "who has cosigned is not asked again for the same checkpoint"
        again = log.service.node.ask_witnesses()
        assert again is not None
        assert len(again.turn()) == 2, "a node that was started anew learns what its witnesses know"
        again.stop()


def test_without_a_quorum_nothing_counts_as_witnessed(tmp_path: Path) -> None:
    with witnessed_log(f"sqlite:///{tmp_path / 'l.sqlite'}", tmp_path, serve=1) as log:
        assert len(log.asker.turn()) == 1
        with pytest.raises(NotFound):
            log.service.node.witnessed.checkpoint()


def test_a_second_history_under_the_same_key_is_refused_by_every_witness(tmp_path: Path) -> None:
    with witnessed_log(f"sqlite:///{tmp_path / 'l.sqlite'}", tmp_path) as log:
        log.asker.turn()
        node: Node = log.service.node
        size = log.service.size
        signer = read_signer(node.settings.log_key_file)
        for bigger in (size, size + 1):
            forked = AddCheckpoint(size, (), sign_checkpoint(ORIGIN, bigger, bytes(32), signer)).format()
            for url in log.urls:
                assert httpx2.post(f"{url}/add-checkpoint", content=forked).status_code == 422


def test_a_log_that_went_back_is_told_so_by_its_witnesses(tmp_path: Path) -> None:
    with witnessed_log(f"sqlite:///{tmp_path / 'l.sqlite'}", tmp_path) as log:
        node = log.service.node
        ahead = open_checkpoint(node.ledger.tree.checkpoint(), node.ledger.vkey).size + 5
        signer = read_signer(node.settings.log_key_file)
        note = sign_checkpoint(ORIGIN, ahead, bytes(32), signer)  # what was signed before the old backup was put back
        for url in log.urls:
            assert httpx2.post(f"{url}/add-checkpoint", content=AddCheckpoint(0, (), note).format()).status_code == 200
        assert log.asker.turn() == {}
        assert all("rollback" in why for why in log.asker.errors.values())
        assert len(log.asker.errors) == len(NAMES)
        ready = log.service.http.get("/health/ready")
        assert ready.status_code == 503, "a witness's refusal stops the node"
        assert (
            NAMES[0] in ready.json()["detail"]
            or NAMES[1] in ready.json()["detail"]
            or NAMES[2] in ready.json()["detail"]
        )
        with pytest.raises(SequencerStopped):
            log.service.world.holder()
    with pytest.raises(Rollback, match="rollback"):
        build_node(node.settings)  # nor does it sign when it is started anew


@pytest.mark.parametrize("line", ["http://witness.example", "ftp://witness.example"])
def test_a_witness_is_asked_over_https_only(tmp_path: Path, line: str) -> None:
    settings = Settings(state_dir=tmp_path / "state", policy_file=tmp_path / "policy")
    initialise(settings.model_copy(update={"policy_file": None}), ORIGIN)
    vkey = read_signer(settings.log_key_file).vkey
    witness = make_witness(tmp_path / "w", NAMES[0])
    (tmp_path / "policy").write_text(f"log {vkey.format()}\nwitness w {witness.format()} {line}\nquorum w\n")
    with pytest.raises(InvalidInput, match="https"):
        read_policy(settings, [vkey])


def verified(what: str, path: Path, policy: Path, *more: str) -> int:
    """The exit status of the independent verifier."""
    command = [sys.executable, "-m", "verifier.cli", what, str(path), "--policy", str(policy), *more]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False).returncode
