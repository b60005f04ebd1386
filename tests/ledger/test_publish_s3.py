"""`publish s3://…` against an S3 server: what arrives is a log that a stranger follows, whatever is cut off on the way."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import boto3
import pytest
from moto import settings as moto_settings
from moto.core.responses import ActionAuthenticatorMixin
from moto.server import ThreadedMotoServer
from typer.testing import CliRunner

from api.cli.main import app
from api.client import LedgerClient, LocalSigner, Trust
from api.node.building import short_lived
from api.node.founding import initialise
from api.node.settings import Settings
from ledger.custody.log_key import read_signer
from tests.conformance import ROOT
from tests.world import World
from verifier.cli import main as verify
from verifier.crypto.backend import select
from verifier.tlog.log import State, follow
from verifier.tlog.note import parse_vkey
from verifier.tlog.source import Directory

PATIENCE = 60.0
BUCKET = "public-log"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of an S3 server."""
    running = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], dict[str, bytes]]]:
    """An empty bucket and credentials for it in the environment; it tells what lies in it."""
    said = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server,
        "AWS_ALLOW_HTTP": "true",
    }
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    s3 = boto3.client("s3", endpoint_url=server)
    s3.create_bucket(Bucket=BUCKET)
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [everybody]}))

    def held() -> dict[str, bytes]:
        listed = s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {one["Key"]: s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in listed}

    yield held
    for name in held():
        s3.delete_object(Bucket=BUCKET, Key=name)
    s3.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def settings(engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", engine_url)
    made = Settings(state_dir=tmp_path / "state", index_interval_ms=0)
    initialise(made, "ledger.example/public")
    grow(made, "first")
    return made


def grow(settings: Settings, name: str) -> int:
    """Two parties and their consent more; the size then."""
    with short_lived(settings) as node:
        world = World(node.ledger)
        world.active_consent(world.recipient(f"{name}-app"), world.holder(f"{name}-bank"))
        return node.ledger.tree.size()


def followed(settings: Settings, held: dict[str, bytes], folder: Path, prefix: str = "") -> int:
    """The size that a stranger who trusts only the log's key finds public."""
    for name, content in held.items():
        path = folder / "public" / name.removeprefix(prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with short_lived(settings) as node:
        key = parse_vkey(node.ledger.vkey.format())
    return follow(Directory(folder / "public"), [key], State(folder / "trusted"), select(), at_ms=0).head.size


def publish(settings: Settings, *arguments: str, ends: int = 0) -> str:
    done = CliRunner().invoke(app, ["publish", f"s3://{BUCKET}/log", *arguments, "--state", str(settings.state_dir)])
    assert done.exit_code == ends, done.output
    return done.stderr if ends else done.stdout


def test_a_stranger_follows_the_published_log_as_it_grows(
    settings: Settings, bucket: Callable[[], dict[str, bytes]], tmp_path: Path
) -> None:
    for name in ("second", "third"):
        size = grow(settings, name)
        told = json.loads(publish(settings, "--json"))
        assert told["size"] == size
        assert followed(settings, bucket(), tmp_path, "log/") == size
    assert json.loads(publish(settings, "--json"))["written"] == 0


def test_a_reader_of_the_bucket_alone_is_led_to_the_logs_new_key(
    settings: Settings, bucket: Callable[[], dict[str, bytes]], server: str, tmp_path: Path
) -> None:
    trust = Trust(read_signer(settings.log_key_file).vkey)
    policy = tmp_path / "policy"
    policy.write_text(f"log {trust.vkey.format()}\nquorum none\n")
    url = f"{server}/{BUCKET}/log"
    words = ["log", url, "--policy", str(policy), "--state", str(tmp_path / "state")]
    publish(settings)
    assert verify(words) == 0
    for step in (["rotate", "--new"], ["retire"]):
        done = CliRunner().invoke(app, ["key", *step, "--state", str(settings.state_dir)])
        assert done.exit_code == 0, done.output
    size = grow(settings, "second")
    publish(settings)
    assert verify(words) == 0
    assert {"log/checkpoint", "log/checkpoint.newest", "log/log/keys"} <= bucket().keys()

    async def read() -> None:
        async with LedgerClient(url, "app-1", LocalSigner.generate("app-1"), trust) as client:
            assert [one.vkey for one in await client.learn_keys()] == [read_signer(settings.log_key_file).vkey]
            assert (await client.checkpoint()).size == size

    asyncio.run(read())


def test_refused_credentials_are_said_in_a_sentence_and_nothing_is_published(
    settings: Settings, bucket: Callable[[], dict[str, bytes]]
) -> None:
    with strict():
        said = publish(settings, ends=1)
    assert "refuses these credentials" in said
    assert "AWS_ACCESS_KEY_ID" in said
    assert "secret" not in said.replace("AWS_SECRET_ACCESS_KEY", "")
    assert bucket() == {}


@contextmanager
def strict() -> Iterator[None]:
    """The server looks at credentials, and knows none."""
    counted, let_in = ActionAuthenticatorMixin.request_count, moto_settings.INITIAL_NO_AUTH_ACTION_COUNT
    ActionAuthenticatorMixin.request_count, moto_settings.INITIAL_NO_AUTH_ACTION_COUNT = 0, 0
    try:
        yield
    finally:
        ActionAuthenticatorMixin.request_count, moto_settings.INITIAL_NO_AUTH_ACTION_COUNT = counted, let_in


class Cutting:
    """A line to the server that breaks in the middle of what is sent, so many times."""

    def __init__(self, server: str, cuts: int) -> None:
        self._there = ("127.0.0.1", int(server.rpartition(":")[2]))
        self.cuts = cuts
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listening.accept()
                threading.Thread(target=self._carry, args=(line,), daemon=True).start()

    def _carry(self, line: socket.socket) -> None:
        with line, socket.create_connection(self._there) as server, suppress(OSError):
            threading.Thread(target=self._back, args=(server, line), daemon=True).start()
            while said := line.recv(65536):
                if self.cuts and said.startswith(b"PUT"):
                    self.cuts -= 1
                    server.sendall(said[: len(said) // 2])
                    return
                server.sendall(said)

    def _back(self, server: socket.socket, line: socket.socket) -> None:
        with suppress(OSError):
            while said := server.recv(65536):
                line.sendall(said)

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def cutting(server: str) -> Iterator[Cutting]:
    line = Cutting(server, 0)
    yield line
    line.close()


def test_an_upload_that_is_cut_off_is_sent_again_or_leaves_nothing_half_public(
    settings: Settings,
    bucket: Callable[[], dict[str, bytes]],
    cutting: Cutting,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", cutting.url)
    cutting.cuts = 2
    size = json.loads(publish(settings, "--json"))["size"]
    assert cutting.cuts == 0
    assert followed(settings, bucket(), tmp_path, "log/") == size
    grown = grow(settings, "second")
    cutting.cuts = 1_000_000
    assert "publishing to the object store failed" in publish(settings, ends=1)
    assert followed(settings, bucket(), tmp_path / "then", "log/") == size, "the old state is still whole"
    cutting.cuts = 0
    publish(settings)
    assert followed(settings, bucket(), tmp_path, "log/") == grown


def test_a_follower_outlives_a_place_that_is_away_and_publishes_what_came_meanwhile(
    settings: Settings,
    bucket: Callable[[], dict[str, bytes]],
    cutting: Cutting,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", cutting.url)
    command = [sys.executable, "-m", "api.cli.main", "publish", f"s3://{BUCKET}/log", "--follow", "--every", "0.1"]
    said = tmp_path / "said"
    with (
        said.open("wb") as log,
        subprocess.Popen(
            [*command, "--state", str(settings.state_dir)], cwd=ROOT, env=dict(os.environ), stdout=log, stderr=log
        ) as process,
    ):
        try:
            until(lambda: "entries are public" in said.read_text(), said)
            cutting.cuts = 1_000_000
            size = grow(settings, "second")
            until(lambda: "the next try is in" in said.read_text(), said)
            cutting.cuts = 0
            until(lambda: f"{size} entries are public" in said.read_text(), said)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0, said.read_text()
        finally:
            process.kill()
    assert followed(settings, bucket(), tmp_path, "log/") == size


def until(holds: Callable[[], bool], said: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, said.read_text()
        time.sleep(0.05)
