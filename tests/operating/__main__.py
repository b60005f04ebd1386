"""The operator: what docs/deploying.md and docs/operating.md say, in their order, and what must hold after each step.

    scripts/operate [--short] [FOLDER]        (as root; see there)

Ends with 0 only if every step did, and everything that was ever acknowledged is in the restored log.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from api.client import LedgerClient, LocalSigner, Patience, Trust, parse_vkey
from tests.client.working import Load
from tests.operating.boards import asked, shown, until

ROOT = Path(__file__).resolve().parents[2]
ORIGIN = "ledger.example/1"
URL = "https://ledger.example"
BEGAN = time.monotonic()
BIN = ROOT / ".venv" / "bin"
SHORT = bool(os.environ.get("OPERATING_SHORT"))
"""What is judged twice in a row is judged once, and the participants work less."""


def told(sentence: str) -> None:
    """One line of the record."""
    print(f"{time.monotonic() - BEGAN:7.1f} s  {sentence}", flush=True)


def ran(*command: str, folder: Path, given: bytes | None = None, code: int = 0) -> str:
    """Run a command; what it printed. Raises AssertionError when it ends otherwise than with `code`."""
    told("$ " + " ".join(command))
    done = subprocess.run(command, cwd=folder, check=False, input=given, capture_output=True)
    said = done.stdout.decode(errors="replace")
    assert done.returncode == code, f"ended with {done.returncode}:\n{said}{done.stderr.decode(errors='replace')}"
    return said


def grows(load: Load, more: int) -> None:
    """Wait until the ledger has acknowledged so many further accesses, or a quarter when it is to be short."""
    load.works(more // 4 if SHORT else more)


@dataclass
class Deployment:
    """A copy of deploy/ on one machine."""

    folder: Path
    keys: dict[str, tuple[LocalSigner, LocalSigner]] = field(default_factory=dict)

    @property
    def compose(self) -> Path:
        """Where the compose file lies."""
        return self.folder / "compose"

    @classmethod
    def copied(cls, folder: Path) -> Deployment:
        """A fresh copy, with `.env` filled in."""
        shutil.copytree(ROOT / "deploy", folder, ignore=shutil.ignore_patterns("secrets", "keys", "exchange", ".env"))
        made = cls(folder)
        (made.compose / ".env").write_text((made.compose / ".env.example").read_text())
        return made

    def docker(self, *words: str, code: int = 0) -> str:
        """`docker compose WORDS`."""
        return ran("docker", "compose", *words, folder=self.compose, code=code)

    def operator(self, *words: str, code: int = 0) -> str:
        """`consent-ledger WORDS` beside the nodes."""
        return self.docker("run", "--rm", "-T", "operator", *words, code=code)

    def nodes_begin(self) -> None:
        """All services; both nodes record when this ends."""
        self.docker("up", "-d")
        for node in ("node-1", "node-2"):
            end = time.monotonic() + 180
            while subprocess.run(
                ["docker", "compose", "exec", "-T", node, "python", "-m", "api.cli.readiness"],
                cwd=self.compose,
                check=False,
                capture_output=True,
            ).returncode:
                assert time.monotonic() < end, f"{node} does not record:\n{self.docker('logs', node)}"
                time.sleep(0.5)
        told("both nodes record")

    def registers(self, participant: str, role: str) -> None:
        """A participant with two keys of its own."""
        self.operator("participant", "add", participant, "--role", role, "--name", participant)
        made = []
        for use in ("statement", "client"):
            key = LocalSigner.generate(f"{participant}-{use}", "ES256")
            file = self.compose / "exchange" / f"{key.kid}.jwk"
            file.write_text(json.dumps(dict(key.jwk)))
            file.chmod(0o644)
            given = ["--kid", key.kid, "--alg", "ES256", "--use", use]
            self.operator("participant", "key", participant, f"/exchange/{file.name}", *given)
            made.append(key)
        self.keys[participant] = (made[0], made[1])

    def clients(self, trust: Trust) -> Callable[[str], LedgerClient]:
        """What makes its participants' clients, which believe these keys."""
        context = ssl.create_default_context(cafile=str(self.compose / "secrets/tls.crt"))
        patience = Patience(tries=4, first_pause=0.2, longest_pause=2.0)

        def client(who: str) -> LedgerClient:
            statement, own = self.keys[who]
            transport = httpx2.AsyncHTTPTransport(verify=context, limits=httpx2.Limits(max_connections=16))
            return LedgerClient(URL, who, statement, trust, client_key=own, patience=patience, transport=transport)

        return client


@contextmanager
def step(title: str) -> Iterator[None]:
    """A heading of the record."""
    told(f"-- {title}")
    yield


def main(folder: Path) -> None:
    """See the module."""
    first = Deployment.copied(folder / "first")
    with step("two nodes, a standby, a proxy (deploying.md, «Two nodes with compose»)"):
        ran("./prepare", "ledger.example", folder=first.compose)
        printed = first.docker("run", "--rm", "init")
        [vkey] = keys_in(printed)
        ran("./prepare", "keys", folder=first.compose)
        for node in ("node-1", "node-2"):
            first.docker("run", "--rm", node, "sign-here", "--this-is-the-newest-copy")
        first.nodes_begin()
        for participant, role in (("bank-a", "holder"), ("app-1", "recipient")):
            first.registers(participant, role)
        standby = ran(
            "docker",
            "compose",
            "exec",
            "-T",
            "postgres-1",
            "psql",
            "-U",
            "ledger",
            "-d",
            "ledger",
            "-Atc",
            "SELECT application_name, sync_state FROM pg_stat_replication",
            folder=first.compose,
        )
        assert re.fullmatch(r"standby_1\|(quorum|sync)\n", standby), standby

    load = Load(first.clients(Trust(parse_vkey(vkey))))
    load.start()
    grows(load, 40)
    told(f"{len(load.receipts)} receipts")

    with step("a node is killed (operating.md, «When a node has stopped»)"):
        first.docker("kill", "node-2")
        grows(load, 40)
        first.docker("up", "-d", "node-2")
        grows(load, 20)

    with step("the KEK is changed (operating.md, «Changing the KEK»)"):
        assert "stop all servers" in refused(first, "kek", "rotate")
        first.docker("stop", "node-1", "node-2")
        old = (first.compose / "keys/kek").read_bytes()
        first.operator("kek", "rotate")
        first.nodes_begin()
        grows(load, 40)
        assert (first.compose / "keys/kek").read_bytes() != old
        (first.compose / "keys/kek.epoch-1").unlink()  # point 4: the old one is destroyed

    with step("the log's key is changed (operating.md, «Changing the log key»)"):
        [newer] = keys_in(first.operator("key", "new")) - {vkey}
        first.operator("key", "rotate")
        grows(load, 40)  # who has only the older key believes what both sign
        load.stop()
        told_of_both = Trust(parse_vkey(vkey), further=(parse_vkey(newer),))
        load = load.again(first.clients(told_of_both))
        load.start()
        grows(load, 20)
        first.operator("key", "retire")
        grows(load, 40)
        [ended] = (first.compose / "keys").glob("log.key.ended-*")
        ended.unlink()  # it is destroyed
        vkeys = [vkey, newer]

    with step("looks beside the nodes"):
        first.operator("doctor", code=doctors(first))
        grows(load, 10)

    with step("a backup beside the nodes, then the last of the load, then another"):
        if not SHORT:
            first.operator("backup", "/exchange/backup-1")
        grows(load, 20)
        load.stop()
        told(f"{len(load.receipts)} receipts; {load.unavailable} questions were asked again for want of an answer")
        first.operator("backup", "/exchange/backup-2")

    size = 1 + max(receipt.index for receipt in load.receipts)
    with step("the dashboard (observing.md)"):
        dashboard(first, size)

    with step("everything is checked where it is"):
        if not SHORT:
            first.operator("check")
        judged(first, vkeys, load, "bundle-1")

    with step("restored elsewhere (operating.md, «Backup and restore»)"):
        second = Deployment.copied(folder / "second")
        ran(
            "cp",
            "-a",
            *(str(first.compose / name) for name in ("secrets", "keys", "exchange")),
            str(second.compose),
            folder=folder,
        )
        first.docker("down", "-v")
        second.docker("up", "-d", "postgres-1", "postgres-2")
        second.operator("restore", "/exchange/backup-2")
        second.docker("run", "--rm", "migrate")
        second.operator("check")
        if not SHORT:
            judged(second, vkeys, load, "bundle-2")
        for node in ("node-1", "node-2"):
            second.docker("run", "--rm", node, "sign-here", "--this-is-the-newest-copy")
        second.nodes_begin()
        more = load.again()
        more.start()
        grows(more, 30)
        more.stop()
        load = more
        if not SHORT:
            second.operator("check")
        judged(second, vkeys, load, "bundle-3")
        second.docker("down")
    told(f"nothing was lost: {len(load.receipts)} receipts, all in the restored log, which an auditor finds VALID")


def keys_in(printed: str) -> set[str]:
    """The verifier keys of the log that a command names."""
    return set(re.findall(rf"{re.escape(ORIGIN)}\+[0-9a-f]{{8}}\+[A-Za-z0-9+/=]+", printed))


def refused(deployment: Deployment, *words: str) -> str:
    """What a command says that must not do what it was asked."""
    command = ["docker", "compose", "run", "--rm", "-T", "operator", *words]
    done = subprocess.run(command, cwd=deployment.compose, check=False, capture_output=True, text=True)
    assert done.returncode == 1, f"{' '.join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}"
    told(f"refused, as it must be: {done.stderr.strip().splitlines()[-1]}")
    return done.stderr


def doctors(deployment: Deployment) -> int:
    """`doctor` ends with 0 or, where something of a trial could not be looked at, with 4; never with a failure."""
    command = ["docker", "compose", "run", "--rm", "-T", "operator", "doctor"]
    done = subprocess.run(command, cwd=deployment.compose, check=False, capture_output=True, text=True)
    assert done.returncode in (0, 4), done.stdout + done.stderr
    for line in done.stdout.splitlines():
        told(f"doctor: {line}")
    return done.returncode


def dashboard(deployment: Deployment, size: int) -> None:
    """What an operator reads there: the log has all that was acknowledged, and nothing is amiss."""
    folder = deployment.compose
    board = deployment.folder / "grafana/dashboards/consent-ledger.json"
    until(folder, "sum(consent_ledger_ready)", 2)
    until(folder, f"max(consent_ledger_size) >= bool {size}", 1)
    values: dict[str, Any] = shown(folder, board)
    for title, seen in values.items():
        told(f"panel «{title}»: {' '.join(f'{value:g}' for value in seen) or 'no series'}")
    assert values["Nodes that record"] == [2]
    assert values["Entries lost"] == [0]
    assert values["Entries of the log"][0] >= size
    assert values["Clock ahead"] == [0]
    assert sum(values["jti used again"]) == 0
    firing = asked(folder, 'ALERTS{alertstate="firing",severity="page"}')
    assert firing == [], "an alarm of the level «page» is raised"


def judged(deployment: Deployment, vkeys: list[str], load: Load, name: str) -> None:
    """A bundle that `consent-verify` finds VALID, and in which every receipt's entry is."""
    deployment.operator("export", f"/exchange/{name}", "--evidence", "none")
    bundle = deployment.compose / "exchange" / name
    policy = deployment.folder / "policy"
    policy.write_text("".join(f"log {vkey}\n" for vkey in vkeys) + "quorum none\n")
    verify = str(BIN / "consent-verify")
    verdict = ran(verify, "--lang", "en", "bundle", str(bundle), "--policy", str(policy), folder=deployment.folder)
    told(verdict.strip().splitlines()[0])
    assert "VALID" in verdict
    kept = deployment.folder / "receipts"
    kept.mkdir(exist_ok=True)
    files = []
    for receipt in load.receipts:
        (kept / f"{receipt.index}.receipt.json").write_bytes(receipt.file)
        files.append(f"receipts/{receipt.index}.receipt.json")
    compare = [verify, "--lang", "en", "compare", "--policy", str(policy), str(bundle), *files]
    done = subprocess.run(compare, cwd=deployment.folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    told(f"{len(files)} receipts and the bundle show one log: {done.stdout.strip().splitlines()[0]}")


if __name__ == "__main__":
    place = Path(os.environ["OPERATING_FOLDER"])
    try:
        main(place)
    except Exception as failure:  # noqa: BLE001  (the record says what it was)
        told(f"FAILED: {type(failure).__name__}: {failure}")
        sys.exit(1)
