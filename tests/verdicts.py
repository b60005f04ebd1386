"""The independent verifier's verdict on the whole log of a running ledger, disclosed in full."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from api.node.building import opened
from api.node.settings import Settings
from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.queries.scoring import Models
from tests.conformance import ROOT
from tests.ledger.supervised import Place
from tests.standards.kit import Stage
from verifier.audit.bundle import Audit, Auditor, Options
from verifier.bytes.archive import open_archive
from verifier.tlog.trust import parse_trust


def audited_by_command(settings: Settings, folder: Path) -> subprocess.CompletedProcess[str]:
    """The independent verifier's verdict on a full bundle."""
    with opened(settings) as node:
        ledger = node.ledger
        export_bundle(ledger.store, ledger.keystore, ledger.vkey, DirectoryTarget(folder), disclose=Disclose.full())
    command = [sys.executable, "-m", "verifier.cli", "bundle", str(folder), "--policy", str(folder / "policy")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def audit_of(played: Stage, folder: Path) -> dict[str, Any]:
    """What the independent verifier says about the whole log."""
    ledger = played.service.node.ledger
    export_bundle(ledger.store, ledger.keystore, ledger.vkey, DirectoryTarget(folder), disclose=Disclose.full())
    policy = folder.with_name("policy")
    policy.write_text(f"log {ledger.vkey.format()}\nquorum none\n")
    command = [
        sys.executable,
        "-m",
        "verifier.cli",
        "bundle",
        str(folder),
        "--policy",
        str(policy),
        "--jobs",
        "1",
        "--lang",
        "en",
    ]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return {"said": done.stdout}


def audited(place: Place, root: Path, models: Models = lambda _: None) -> Audit:
    ledger, target = place.node.ledger, DirectoryTarget(root)
    export_bundle(ledger.store, ledger.keystore, ledger.vkey, target, disclose=Disclose.full(), models=models)
    policy = f"log {ledger.vkey.format()}\nquorum none\n".encode()
    auditor = Auditor(open_archive(root), parse_trust(policy), Options(jobs=1))
    try:
        return auditor.run()
    finally:
        auditor.close()
