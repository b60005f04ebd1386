"""Machines on a network that leads nowhere, and an end to all that runs on them: `python -m tests.failover.apart COMMAND…`.

The command runs in namespaces of its own (network, mounts, processes); each machine is a further network below them, behind a
wire that can be cut. When the command ends, however it ends, whatever it started ends. Linux only, and root only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

BRIDGE = "failover0"
NETWORK = "10.79.0"
MARK = "FAILOVER_NETWORK"


def ip(*words: str) -> None:
    """Run `ip`. Raises CalledProcessError."""
    subprocess.run(["ip", *words], check=True)


def add_machine(name: str, host: int) -> str:
    """A network of its own, behind a wire of the same name; its address."""
    ip("netns", "add", name)
    ip("link", "add", name, "type", "veth", "peer", "name", "wire", "netns", name)
    ip("link", "set", name, "master", BRIDGE, "up")
    for words in (
        ("link", "set", "lo", "up"),
        ("address", "add", f"{NETWORK}.{host}/24", "dev", "wire"),
        ("link", "set", "wire", "up"),
    ):
        ip("-n", name, *words)
    return f"{NETWORK}.{host}"


def cut(name: str) -> None:
    """Nothing comes through the machine's wire, and nobody is told."""
    ip("link", "set", name, "down")


def mend(name: str) -> None:
    """It does again."""
    ip("link", "set", name, "up")


def main(arguments: list[str]) -> int:
    """See the module."""
    if os.environ.get(MARK) is None:
        apart = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--propagation", "private", "--mount-proc"]
        again = [sys.executable, "-m", "tests.failover.apart", *arguments]
        return subprocess.run(["unshare", *apart, *again], check=False, env=os.environ | {MARK: "1"}).returncode
    Path("/run/netns").mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/netns"], check=True)
    ip("link", "set", "lo", "up")
    ip("link", "add", BRIDGE, "type", "bridge")
    ip("address", "add", f"{NETWORK}.1/24", "dev", BRIDGE)
    ip("link", "set", BRIDGE, "up")
    return _first_process(arguments)


def _first_process(arguments: list[str]) -> int:
    """Run the command as the first process of its world must: whatever ended and has no parent left is taken note of. Else
    Patroni would wait for a PostgreSQL that is long gone. Returns the command's exit status."""
    command = subprocess.Popen(arguments)
    while True:
        ended, status = os.wait()
        if ended == command.pid:
            return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
