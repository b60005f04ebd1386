"""The independent verifier's verdict on the whole log of a running ledger: within the test's process, or by the command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from api.node.building import opened
from api.node.settings import Settings
from ledger.app import Ledger
from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.queries.scoring import Models
from tests.conformance import ROOT
from tests.verifier.auditing import audit_folder
from verifier.audit.bundle import Audit


def audited(ledger: Ledger, folder: Path, models: Models = lambda _: None, disclose: Disclose | None = None) -> Audit:
    """The audit of a new bundle in `folder`, by default of a full one."""
    told = disclose or Disclose.full()
    export_bundle(ledger.store, ledger.keystore, ledger.vkey, DirectoryTarget(folder), disclose=told, models=models)
    return audit_folder(folder, f"log {ledger.vkey.format()}\nquorum none\n")


def verdict(ledger: Ledger, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """What `consent-verify bundle` says of a new full bundle in `folder`."""
    export_bundle(ledger.store, ledger.keystore, ledger.vkey, DirectoryTarget(folder), disclose=Disclose.full())
    command = [
        sys.executable,
        "-m",
        "verifier.cli",
        "bundle",
        str(folder),
        "--policy",
        str(folder / "policy"),
        *options,
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def verdict_on(settings: Settings, folder: Path) -> subprocess.CompletedProcess[str]:
    """The same of the log that these settings name."""
    with opened(settings) as node:
        return verdict(node.ledger, folder)
