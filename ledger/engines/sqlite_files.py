"""The files of an SQLite database: closed to others, never opened by us, and known again after each commit (docs/adr/0018)."""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from ledger.errors import Corrupt, InvalidInput

PRIVATE: Final = 0o600


def file_of(url: str) -> Path | None:
    """The file of a database; None for one in memory."""
    name = make_url(url).database
    return None if name in (None, "", ":memory:") else Path(str(name))


def make_private(url: str) -> None:
    """Let only its owner open a database (make_file_private); nothing for one in memory. Raises InvalidInput."""
    path = file_of(url)
    if path is not None:
        make_file_private(path)


def make_file_private(path: Path) -> None:
    """Let only its owner open a database: a new file is made with that mode, an old one gets it.

    Never opens a file that may be a database (see above). SQLite gives its side files the database's mode. Raises
    InvalidInput for a database that is open to others and belongs to another user.
    """
    for each in (path, *side_files(path)):
        try:
            mode = each.stat().st_mode
        except FileNotFoundError:
            continue
        if stat.S_IMODE(mode) & 0o077:
            try:
                each.chmod(PRIVATE)
            except PermissionError:
                raise InvalidInput(
                    f"{each} is open to other users and belongs to one: its owner must chmod 600 it"
                ) from None
    if not path.exists():
        _make_empty(path)


def _make_empty(path: Path) -> None:
    """A new, empty file, unless another process is faster. It is closed before it has its name, so that nobody can have it
    open as a database when it is."""
    handle, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # of mode 0600
    os.close(handle)
    try:
        os.link(made, path)
    except FileExistsError:
        pass
    finally:
        Path(made).unlink()


def side_files(path: Path) -> tuple[Path, Path]:
    """The write-ahead log and the shared memory beside a database."""
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


@dataclass(frozen=True, slots=True)
class Files:
    """The files that a connection has open, by device and inode. While it is open, SQLite neither removes nor exchanges them:
    it holds a shared lock on the database, and the write-ahead log is deleted under an exclusive one only."""

    names: tuple[str, str]
    identities: tuple[tuple[int, int], tuple[int, int]]

    @classmethod
    def of(cls, path: Path) -> Files:
        """The files of a connection that has just opened this database and read from it."""
        names = (str(path.absolute()), str(side_files(path.absolute())[0]))
        return cls(names, (_identity(names[0]), _identity(names[1])))

    def verify(self) -> None:
        """Raises Corrupt when a name stands for another file, or for none."""
        try:
            if (_identity(self.names[0]), _identity(self.names[1])) == self.identities:
                return
        except FileNotFoundError:
            pass
        self._refuse()

    def _refuse(self) -> None:
        for name, expected in zip(self.names, self.identities, strict=True):
            try:
                if _identity(name) == expected:
                    continue
                happened = "exchanged"
            except FileNotFoundError:
                happened = "removed"
            raise Corrupt(
                f"{name} was {happened} under a running node, so that its last commit lies in a file without a name and was "
                "not acknowledged. This node signs no more. End it with SIGTERM, never SIGKILL, and see docs/operating.md, "
                "«The files of an SQLite database»"
            )
        raise Corrupt(
            f"{self.names[0]} was not itself for a moment, under a running node: stop whatever exchanges its files"
        )


def _identity(name: str) -> tuple[int, int]:
    found = os.stat(name)  # noqa: PTH116  (twice for each commit: a Path costs more than the call)
    return found.st_dev, found.st_ino
