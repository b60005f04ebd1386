"""`python -m tests.stock BUILT [STANDARD…]`: the walk of each standard, and the audit of all (scripts/test-standards)."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Final

from tests.stock import aa, berlin, brazil, cdr, uk
from tests.stock.scene import Built, expect, running_scene

WALKS: Final[dict[str, ModuleType]] = {"uk": uk, "berlin": berlin, "brazil": brazil, "cdr": cdr, "aa": aa}


def main(arguments: list[str]) -> int:
    """Raises whatever goes wrong; every program's log is in the folder `logs`."""
    built, *named = arguments
    if unknown := set(named) - WALKS.keys():
        print(f"scripts/test-standards: {min(unknown)} is none of {', '.join(WALKS)}", file=sys.stderr)
        return 2
    standards = named or list(WALKS)
    wanted: dict[str, int] = {}
    with running_scene(Path(built, "logs").resolve(), Built(Path(built).resolve()), standards) as scene:
        for name in standards:
            begun = time.monotonic()
            for what, count in WALKS[name].walk(scene).items():
                wanted[what] = wanted.get(what, 0) + count
            print(f"{name}: registered, authorised, read, ended, refused; {time.monotonic() - begun:.0f} s", flush=True)
        found = scene.audited()
    expect({what: found.get(what, 0) for what in wanted}, wanted, "what consent-verify counts in the bundle")
    print(f"consent-verify bundle: VALID, with {wanted}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
