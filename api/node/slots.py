"""Slots: which of a machine's processes is which.

Every process that signs keeps a high-water file of its own, since two must not replace one file at the same time. A slot is
a number and a lock on a file that the system releases when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.errors import Unavailable

SLOTS: Final = 128


@dataclass(frozen=True)
class Slot:
    """A claimed slot; `release` gives it back."""

    number: int
    folder: Path
    handle: int

    @property
    def highwater_file(self) -> Path:
        """This slot's high-water file."""
        return self.folder / f"{self.number:03d}"

    def release(self) -> None:
        """Let another process have the slot."""
        os.close(self.handle)


def claim_slot(folder: Path) -> Slot:
    """The lowest free slot of `folder`, which is made if needed. Raises Unavailable when all are taken."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for number in range(SLOTS):
        handle = os.open(folder / f"{number:03d}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
        else:
            return Slot(number, folder, handle)
    raise Unavailable(f"{SLOTS} processes use {folder} already")


SERVING: Final = "serving.lock"


@contextmanager
def serving_from(folder: Path) -> Iterator[None]:
    """For the life of a server: its sequencing process, which has a slot, may be away for a moment while it is started anew."""
    handle = os.open(folder / SERVING, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def slots_in_use(folder: Path) -> list[str]:
    """Which locks the processes of this machine hold at this moment: those of slots, and that of servers."""
    used = []
    for path in sorted(folder.glob("*.lock")):
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            used.append(path.stem)
        finally:
            os.close(handle)
    return used


def highwater_files(folder: Path) -> list[Path]:
    """The high-water files of all slots, past and present."""
    return sorted(path for path in folder.glob("[0-9][0-9][0-9]") if path.is_file())
