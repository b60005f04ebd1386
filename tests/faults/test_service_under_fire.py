"""The served ledger with three front processes under forty writers: a revocation in the middle, a process killed each second,
and every command of `consent-ledger` run beside them.

What must hold whatever happens: no `allow` above the revocation's index, every acknowledged entry in the log exactly once,
every receipt good, and a whole log in the independent verifier's eyes.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import msgspec
import psutil
import pytest

from api.node.building import opened, short_lived
from api.node.founding import initialise
from api.node.settings import Settings
from ledger.canonical import unb64u
from ledger.receipts import check_receipt
from tests.conformance import ROOT
from tests.faults.commands import Place, runs, words
from tests.faults.killed import stored
from tests.faults.nursery import nursery
from tests.ports import free_port
from tests.verdicts import verdict_on
from tests.world import ConsentInWorld, Party, Submission, World

WRITERS = 40
EACH = 12
"""Accesses of each writer; more while processes are still being killed."""
KILLS = 8
PACE = 1.0
"""Seconds between two accesses of a writer that has written its part, while commands still run beside it: they need the
processor, too."""
PATIENCE = 120.0


@dataclass
class Fired:
    """What the writers were told."""

    acknowledged: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """Index and receipt by jti."""
    repeated: dict[str, int] = field(default_factory=dict)
    """Index by jti of what an earlier try had recorded, whose answer was lost: told without a receipt."""
    allowed: list[int] = field(default_factory=list)
    revoked_at: int | None = None
    killed: int = 0
    commanded: bool = False
    """Whether every command has been run."""

    @property
    def answers(self) -> int:
        """How many statements were answered."""
        return len(self.acknowledged) + len(self.repeated)


@contextmanager
def served(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        "CONSENT_LEDGER_DATABASE_URL": settings.database_url,
        "CONSENT_LEDGER_LOG_LEVEL": "error",
    }
    command = ["serve", "--state", str(settings.state_dir), "--port", str(settings.port), "--workers", "3"]
    process = subprocess.Popen([sys.executable, "-m", "api.cli.main", *command], cwd=ROOT, env=environment)
    try:
        await_ready(settings, process)
        yield process
    finally:
        process.terminate()
        process.wait(60)


def await_ready(settings: Settings, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None, "the server ended"
        with suppress(httpx2.HTTPError):
            if httpx2.get(f"{settings.base_url}/health/ready", timeout=5).status_code == 200:
                return
    pytest.fail("the server did not become ready")


async def post_surely(client: httpx2.AsyncClient, submission: Submission) -> httpx2.Response:
    """Submit until there is an answer about this statement: the same statement is safe to send again."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with suppress(httpx2.HTTPError):
            reply = await client.post(
                submission.path, content=submission.body, headers={"content-type": "application/json"}
            )
            if reply.status_code < 500:
                return reply
        await asyncio.sleep(0.05)
    pytest.fail("no answer")


async def fire(
    settings: Settings,
    recipient: Party,
    holder: Party,
    consents: list[ConsentInWorld],
    server: int,
    kills: int,
    commands: Callable[[], None],
) -> Fired:
    told = Fired()
    doomed = consents[0]
    total = WRITERS * EACH
    chance = random.Random(7)

    async def write(client: httpx2.AsyncClient, writer: int) -> None:
        written = 0
        while written < EACH or told.killed < kills or not told.commanded:
            written += 1
            consent = doomed if writer % 2 else consents[1 + writer % (len(consents) - 1)]
            submission = recipient.access(consent)
            reply = await post_surely(client, submission)
            take(submission.statement, reply.json()["entries"][0], reply.status_code, told)
            if written >= EACH and told.killed >= kills:
                await asyncio.sleep(PACE)  # the rhythm that is asked for, not a wait for something

    async def kill() -> None:
        before = 0
        while told.killed < kills or (kills and not told.commanded):
            await asyncio.sleep(1)  # the rhythm that is asked for, not a wait for something
            if told.answers > before:  # else nobody has come back yet, on a machine that does other things
                before = told.answers
                told.killed += kill_one(server, chance)

    async def command() -> None:
        try:
            await asyncio.to_thread(commands)
        finally:
            told.commanded = True

    async def revoke(client: httpx2.AsyncClient) -> None:
        while len(told.acknowledged) < total // 2:
            await asyncio.sleep(0.01)
        reply = await post_surely(client, holder.step("revoke", doomed))
        assert reply.status_code in (200, 201), reply.text
        told.revoked_at = reply.json()["entries"][0]["index"]

    limits = httpx2.Limits(max_connections=WRITERS + 1)
    async with httpx2.AsyncClient(base_url=settings.base_url, timeout=30, limits=limits) as client:
        await asyncio.gather(revoke(client), kill(), command(), *(write(client, writer) for writer in range(WRITERS)))
    return told


def take(statement: str, entry: dict[str, object], status: int, told: Fired) -> None:
    assert status in (200, 201)
    jti, index = msgspec.json.decode(unb64u(statement.split(".")[1]))["jti"], entry["index"]
    assert isinstance(index, int)
    if status == 200:
        told.repeated[jti] = index
        return
    outcome, receipt = entry["outcome"], entry["receipt"]
    assert isinstance(outcome, dict)
    assert isinstance(receipt, dict)
    assert msgspec.json.decode(receipt["evidence"])["statements"] == [statement]
    told.acknowledged[jti] = (index, msgspec.json.encode(receipt))
    if outcome["decision"] == "allow":
        told.allowed.append(index)


def kill_one(server: int, chance: random.Random) -> bool:
    """SIGKILL a front or the sequencing process, whichever chance points at; False when none is alive just now."""
    children = psutil.Process(server).children(recursive=True)
    chance.shuffle(children)
    for child in children:
        with suppress(psutil.Error):  # it may have ended by itself meanwhile
            if "resource_tracker" not in " ".join(child.cmdline()):
                child.send_signal(signal.SIGKILL)
                return True
    return False


def run_every_command(settings: Settings, folder: Path, vkey: str) -> None:
    """Each command that ends by itself, one after the other, in processes of their own."""
    place = Place(settings.state_dir, folder / "out", settings.base_url, vkey, 0)
    place.folder.mkdir(parents=True)
    environment = {"CONSENT_LEDGER_DATABASE_URL": settings.database_url, "CONSENT_LEDGER_LOG_LEVEL": "error"}
    with nursery(folder / "said", environment) as made:
        for name, how, command in runs():
            if how.serves:
                continue
            child = made.start(words(command, how, place))
            status = child.wait()
            # while a process is started anew a server may say that it is not ready: that is an answer, too
            assert status in (*how.ends, *((1,) if command == ("health",) else ())), f"{name}: {status}, {child.said}"
        assert made.heard.read_text() == ""


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("kills", [0, KILLS], ids=["quiet", "killed"])
def test_forty_writers_a_revocation_and_killed_processes_leave_one_whole_log(
    engine_url: str, tmp_path: Path, kills: int
) -> None:
    settings = Settings(state_dir=tmp_path / "state", database_url=engine_url, port=free_port())
    initialise(settings, "ledger.example/fire")
    with short_lived(settings) as node:
        world = World(node.ledger)
        recipient, holder = world.recipient(), world.holder()
        consents = [world.active_consent(recipient, holder, frequency_per_day=0) for _ in range(6)]
        vkey = node.ledger.vkey

    def beside() -> None:
        if kills:
            run_every_command(settings, tmp_path / "beside", vkey.format())

    with served(settings) as process:
        told = asyncio.run(fire(settings, recipient, holder, consents, process.pid, kills, beside))
    assert told.killed >= kills
    assert told.answers >= WRITERS * EACH
    assert told.revoked_at is not None
    for index, receipt in told.acknowledged.values():
        assert check_receipt(receipt, vkey)[1].index == index
    rows = stored(engine_url)
    indexes = {jti: index for jti, (index, _) in told.acknowledged.items()} | told.repeated
    assert {jti: rows[unb64u(jti)] for jti in indexes} == {jti: [index] for jti, index in indexes.items()}
    verdict = verdict_on(settings, tmp_path / "bundle")
    assert verdict.returncode == 0, verdict.stdout
    on_the_doomed = allowed_on(settings, consents[0].consent_id, holder.id)
    assert on_the_doomed
    assert max(on_the_doomed) < told.revoked_at


def allowed_on(settings: Settings, consent_id: str, holder: str) -> list[int]:
    """The indexes of allowed accesses of a consent, as its holder reads them."""
    found: list[int] = []
    with opened(settings) as node:
        after = -1
        while page := node.ledger.records.history(holder, consent_id, after=after, limit=500):
            found += [entry.index for entry in page if getattr(entry.outcome, "decision", "") == "allow"]
            after = msgspec.json.decode(page[-1].leaf)["seq"]
    return found
