"""Where tests keep their files: in memory, on a machine that has room there.

Most of what a small log costs on a disk is waiting: each commit is synchronised, and one that is young is little else. No
test can pull a plug: a process that is killed leaves what it wrote to the kernel, in memory or on a disk. A test of a disk
that fails makes the calls to it fail (tests/faults/test_disk.py), and those are the same on both.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
"""The file system in memory that Linux brings along."""
ROOM = 3 * 1024**3
"""Bytes that must be free there: many times what a run of all tests has in use at once."""


def keep_in_memory() -> None:
    """From here on temporary files of this process, and of those it starts, lie in memory; TMPDIR, if it is set, is left."""
    if "TMPDIR" in os.environ or not _is_fit(MEMORY):
        return
    os.environ["TMPDIR"] = str(MEMORY)
    tempfile.tempdir = None  # what was found before is looked for anew


def _is_fit(folder: Path) -> bool:
    """Whether a folder can be written, has room, and lets a program in it be run (some tests make environments)."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    return shutil.disk_usage(folder).free >= ROOM and not os.statvfs(folder).f_flag & os.ST_NOEXEC
