"""How fast and how flat the audit of a bundle is. A script, not a test:

    python -m tests.verifier.measure_audit 100000 [folder]

Forges a bundle (one signed access per entry, a consent for every 30), audits it in fresh processes, prints entries/s
and peak memory of all processes, and the bare cost of the hashes and Ed25519 checks alone.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.verifier.forge import World, write

RUN = """
import sys, time, resource
from pathlib import Path
from verifier.bytes.archive import open_archive
from verifier.audit.bundle import Auditor, Options
from verifier.tlog.trust import parse_trust
if __name__ == "__main__":
    root, jobs, evidence = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "full"
    begun, cpu = time.perf_counter(), time.process_time()
    auditor = Auditor(open_archive(root / "bundle"), parse_trust((root / "policy").read_bytes()),
                      Options(jobs=jobs, evidence=evidence))
    audit = auditor.run()
    took, main = time.perf_counter() - begun, time.process_time() - cpu
    auditor.close()
    own = resource.getrusage(resource.RUSAGE_SELF)
    peak = int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = 1e6 * (own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime) / audit.size
    print(f"{sys.argv[3]:9} jobs {jobs}: {audit.verdict} {audit.size / took:9,.0f} entries/s wall, main "
          f"{audit.size / main:9,.0f}/s, CPU {cpu:6.1f} us/entry, "
          f"peak {peak / 1024:.0f} MB + workers {children.ru_maxrss / 1024:.0f} MB each", *audit.findings.defects[:2])
"""


def forge(count: int, root: Path) -> None:
    """A bundle of about `count` entries below `root`."""
    world = World(1).open()
    consents = [world.grant() for _ in range(max(1, count // 30))]
    while len(world.entries) < count:
        world.tick(20)
        world.access(world.random.choice(consents))
    write(world.files(), root / "bundle")
    (root / "policy").write_text(world.policy())


def bare(count: int = 3_000) -> None:
    """What nobody can save: one Ed25519 check and four short hashes for an entry."""
    from nacl.bindings import crypto_sign_open
    from nacl.signing import SigningKey

    key = SigningKey(bytes(32))
    signed = bytes(key.sign(b"x" * 900))
    begun = time.process_time()
    for _ in range(count):
        crypto_sign_open(signed, bytes(key.verify_key))
        for _ in range(4):
            hashlib.sha256(signed).digest()
    print(f"bare: {(time.process_time() - begun) / count * 1e6:.1f} us CPU an entry")


def main() -> None:
    """Forge if there is nothing yet, then measure."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    root = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.mkdtemp(prefix="audit-"))
    if not (root / "bundle").exists():
        begun = time.perf_counter()
        forge(count, root)
        print(f"forged {count} entries in {time.perf_counter() - begun:.0f} s at {root}")
    bare()
    for jobs, level in ((1, "tree"), (1, "full"), (2, "full")):
        subprocess.run([sys.executable, "-c", RUN, str(root), str(jobs), level], check=True)


if __name__ == "__main__":
    main()
