"""The long run of random damage: `python -m tests.verifier.soak_damage 100000 [first seed]`. Stops at the first miss."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.verifier.random_damage import check_damage


def main() -> None:
    """Check as many random single-byte changes as asked for."""
    count, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    root, begun = Path(tempfile.mkdtemp(prefix="soak-")), time.monotonic()
    for seed in range(first, first + count):
        check_damage(seed, root / "copy")
        shutil.rmtree(root / "copy")
        if (seed - first) % 1_000 == 999:
            print(f"{seed - first + 1} changes, all found where they are; {time.monotonic() - begun:.0f} s", flush=True)
    print(f"{count} changes from seed {first}: 100 % found, each at its entry or file")


if __name__ == "__main__":
    main()
