"""Bundles on disk, audited within the test's own process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.verifier.cases import Files
from tests.verifier.forge import World, write
from verifier.audit.bundle import Audit, Auditor, Options
from verifier.bytes.archive import open_archive
from verifier.tlog.trust import parse_trust


def audit(files: Files, world: World, root: Path, *, quorum: bool = False, jobs: int = 1) -> Audit:
    """A forged bundle is written, and audited under its own log's policy."""
    return audit_folder(write(files, root), world.policy(quorum), jobs=jobs)


def audit_folder(root: Path, policy: str, *, jobs: int = 1, **options: Any) -> Audit:
    """The bundle that lies there, under this policy; `options` as `verifier.audit.bundle.Options` names them."""
    auditor = Auditor(open_archive(root), parse_trust(policy.encode()), Options(jobs=jobs, **options))
    try:
        return auditor.run()
    finally:
        auditor.close()
