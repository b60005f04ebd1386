"""The verifier over a bundle, in a process that holds nothing else (see `checking`)."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Final

from verifier.audit.bundle import Auditor, Options
from verifier.bytes.archive import open_archive
from verifier.errors import Code
from verifier.tlog.trust import parse_trust

JOBS: Final = 2
"""Worker processes."""


def tell(entries: int, helpers: int) -> None:
    """Print entries; the most memory in KiB that this process ever had (Linux's VmHWM), and its helpers, each as much as the
    one that had most; processor seconds of all of them."""
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
    print(entries, int(peak.split()[1]) + helpers * others.ru_maxrss, round(seconds, 1))


def main(folder: Path) -> int:
    """Audit `folder`/bundle under `folder`/policy."""
    policy = (folder / "policy").read_bytes()
    auditor = Auditor(open_archive(folder / "bundle"), parse_trust(policy), Options(jobs=JOBS))
    audit = auditor.run()
    auditor.close()
    if audit.verdict is not Code.VALID:
        print(audit.findings)
        return 1
    tell(audit.size, JOBS)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
