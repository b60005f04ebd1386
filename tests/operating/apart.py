"""A network that leads nowhere, and an end to everything that was started in it: `python -m tests.operating.apart COMMAND…`.

The command runs in namespaces of its own (network, mounts, processes). When it ends, however it ends, whatever it started ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.operating.compose import NETWORK
from tests.operating.containers import BRIDGE

HOSTS = f"127.0.0.1 localhost\n{NETWORK}.10 ledger.example\n"


def main(arguments: list[str]) -> int:
    """See the module."""
    if os.environ.get("OPERATING_NETWORK") is None:
        again = [sys.executable, "-m", "tests.operating.apart", *arguments]
        enter = [
            "unshare",
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "--propagation",
            "private",
            "--mount-proc",
        ]
        return subprocess.run([*enter, *again], check=False, env=os.environ | {"OPERATING_NETWORK": "1"}).returncode
    work = Path(os.environ["OPERATING_FOLDER"])
    hosts, roots = work / "hosts", work / "place" / "roots"
    roots.mkdir(parents=True, exist_ok=True)
    hosts.write_text(HOSTS)
    for command in (
        ["ip", "link", "set", "lo", "up"],
        ["ip", "link", "add", BRIDGE, "type", "bridge"],
        ["ip", "address", "add", f"{NETWORK}.1/24", "dev", BRIDGE],
        ["ip", "link", "set", BRIDGE, "up"],
        ["mount", "--bind", str(hosts), "/etc/hosts"],
        ["mount", "-t", "tmpfs", "tmpfs", str(roots)],
    ):
        subprocess.run(command, check=True)
    return subprocess.run(arguments, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
