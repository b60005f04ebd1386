"""How fast and how flat the audit of a bundle is, beside the bare cost of its signatures and hashes in the same process:

    python -m tests.bench.audit_speed 1000000 [folder]

Makes an honest bundle if there is none in the folder, audits it in fresh processes and prints CPU time per entry (of all
processes together), its ratio to the bare cost, wall-clock time and peak memory of the main process and of each worker.
"""

from __future__ import annotations

import hashlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from nacl.bindings import crypto_sign_open
from nacl.signing import SigningKey

from tests.bench.forged import make
from verifier.audit.bundle import Auditor, Options
from verifier.bytes.archive import open_archive
from verifier.tlog.trust import parse_trust


def bare(count: int = 3_000) -> float:
    """Microseconds for what nobody can save: one Ed25519 check and four short hashes for an entry."""
    key = SigningKey(bytes(32))
    signed = bytes(key.sign(b"x" * 900))
    begun = time.process_time()
    for _ in range(count):
        crypto_sign_open(signed, bytes(key.verify_key))
        for _ in range(4):
            hashlib.sha256(signed).digest()
    return (time.process_time() - begun) / count * 1e6


def bare_at_once(jobs: int) -> float:
    """The same in this many processes at once: cores that share a cache, or a core, are slower together than alone."""
    if jobs == 1:
        return bare()
    with ProcessPoolExecutor(jobs) as pool:
        return statistics.fmean(pool.map(bare, [6_000] * jobs))


def measure(root: Path, jobs: int, level: str) -> None:
    """One audit in this process."""
    before = bare_at_once(jobs)
    spent, children, begun = _seconds(resource.RUSAGE_SELF), _seconds(resource.RUSAGE_CHILDREN), time.perf_counter()
    auditor = Auditor(
        open_archive(root / "bundle"),
        parse_trust((root / "policy").read_bytes()),
        Options(jobs=jobs, evidence=level == "full"),
    )
    audit = auditor.run()
    took, main = time.perf_counter() - begun, _seconds(resource.RUSAGE_SELF) - spent
    auditor.close()
    workers = _seconds(resource.RUSAGE_CHILDREN) - children
    own, child = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cost, known = 1e6 * (main + workers) / audit.size, (before + bare_at_once(jobs)) / 2
    print(
        f"{level:4} {audit.size:>9,} entries, jobs {jobs}: {audit.verdict}, {audit.size / took:,.0f} entries/s, CPU "
        f"{1e6 * main / audit.size:.1f} + {1e6 * workers / audit.size:.1f} us/entry; bare {known:.1f} us = "
        f"{known / cost:.0%}; peak {own:.0f} MB, worker {child:.0f} MB",
        flush=True,
    )


def _seconds(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Make the bundle if there is none, then measure."""
    if len(sys.argv) == 5 and sys.argv[1] == "--one":
        measure(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    root = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.mkdtemp(prefix="audit-"))
    if not (root / "bundle").exists():
        make(count, root)
    for jobs, level in ((1, "tree"), (1, "full"), (2, "full")):
        subprocess.run([sys.executable, "-m", __spec__.name, "--one", str(root), str(jobs), level], check=True)


if __name__ == "__main__":
    main()
