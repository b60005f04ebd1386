"""Forged bundles, written to disk and audited within the test's own process."""

from __future__ import annotations

from pathlib import Path

from tests.verifier.cases import Files
from tests.verifier.forge import World, write
from verifier.audit.bundle import Audit, Auditor, Options
from verifier.bytes.archive import open_archive
from verifier.tlog.trust import parse_trust


def audit(files: Files, world: World, root: Path, *, quorum: bool = False, jobs: int = 1) -> Audit:
    write(files, root)
    auditor = Auditor(open_archive(root), parse_trust(world.policy(quorum).encode()), Options(jobs=jobs))
    try:
        return auditor.run()
    finally:
        auditor.close()


def audit_folder(root: Path, policy: str, hot: int) -> Audit:
    auditor = Auditor(open_archive(root), parse_trust(policy.encode()), Options(jobs=1, hot=hot))
    try:
        return auditor.run()
    finally:
        auditor.close()
