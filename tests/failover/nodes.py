"""Two nodes of one log on the database's machines, as processes that can be killed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.failover.cluster import Cluster, until

ORIGIN = "ledger.example/1"
PORTS = {"node-1": 8101, "node-2": 8102}
KEYS = ("log.key", "kek", "token.key", "event.key", "operator.jwks.json")
KINDS = {"statement": "EdDSA", "client": "ES256"}


@dataclass
class Nodes:
    """Each has a state folder of its own, with the log's keys in it."""

    folder: Path
    cluster: Cluster
    vkey: str = ""
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def urls(self) -> list[str]:
        """Their public addresses."""
        return [f"http://127.0.0.1:{port}" for port in PORTS.values()]

    def make(self) -> None:
        """Open the log, let both nodes in. Raises AssertionError."""
        self.folder.mkdir()
        said = self.command("node-1", "init", "--origin", ORIGIN, owner=True)
        found = re.search(rf"{re.escape(ORIGIN)}\+[0-9a-f]{{8}}\+\S+", said)
        assert found, f"init prints no verifier key: {said}"
        self.vkey = found[0]
        self.command("node-1", "migrate", "--role", "ledger_service", owner=True)
        (self.folder / "node-2").mkdir(mode=0o700)
        for name in KEYS:
            shutil.copy2(self.folder / "node-1" / name, self.folder / "node-2" / name)
        self.command("node-2", "sign-here", "--this-is-the-newest-copy")

    def command(self, node: str, *words: str, owner: bool = False) -> str:
        """`consent-ledger WORDS` with a node's folder; what it printed. Raises AssertionError."""
        program = [sys.executable, "-m", "api.cli.main", *words]
        done = subprocess.run(program, check=False, capture_output=True, text=True, env=self._settings(node, owner))
        assert done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def _settings(self, node: str, owner: bool) -> Mapping[str, str]:
        role = "owner" if owner else "service"
        return {
            "PATH": os.environ["PATH"],
            "CONSENT_LEDGER_STATE_DIR": str(self.folder / node),
            "CONSENT_LEDGER_DATABASE_URL": self.cluster.url(role, "ledger"),
            "CONSENT_LEDGER_KEYSTORE_URL": self.cluster.url(role, "ledger_keys"),
            "CONSENT_LEDGER_PORT": str(PORTS[node]),
            "CONSENT_LEDGER_READS_PER_MINUTE": "1000000",
        }

    def start(self, node: str) -> None:
        """Start it; it may take a while until it serves."""
        with (self.folder / f"{node}.log").open("ab") as log:
            self.running[node] = subprocess.Popen(
                [sys.executable, "-m", "api.cli.main", "serve"],
                env=self._settings(node, owner=False),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self, node: str) -> None:
        """SIGKILL."""
        self.running[node].kill()
        self.running[node].wait()

    def ended(self) -> list[str]:
        """Those that ended by themselves, which a service manager starts again."""
        return [name for name, process in self.running.items() if process.poll() is not None]

    def ready(self) -> None:
        """Wait until both record; one that ended is started anew, as a service manager does. Raises AssertionError."""

        def all_ready() -> bool:
            for name in self.ended():
                self.start(name)
            return all(_is_ready(f"{url}/health/ready") for url in self.urls)

        until(all_ready, "both nodes are ready")

    def stop(self) -> None:
        """End both in good order."""
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            process.wait(60)


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:  # noqa: S310  (an address of our own)
            return bool(answer.status == 200)
    except OSError:
        return False
