"""Reads the files of a log from a directory or a URL. Bounded, never trusted; `tiles` makes the paths."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from verifier.bytes.archive import Unreadable, open_regular
from verifier.errors import CannotCheck, Code, NotFound, refuted
from verifier.tlog.bounded import bounded


class Source(Protocol):
    """`read` gives the bytes of a relative path of the log, at most `limit`. Raises NotFound, CannotCheck, and
    Refuted(BAD_ENCODING) for a longer file."""

    name: str

    def read(self, path: str, limit: int) -> bytes:
        """The bytes of the file, or NotFound, or CannotCheck."""
        ...


class Directory:
    """A log's files below a directory."""

    def __init__(self, root: Path) -> None:
        self.root, self.name = root, str(root)

    def read(self, path: str, limit: int) -> bytes:
        """See Source."""
        try:
            with open_regular(self.root / path, follow=True) as file:
                return bounded(file.read(limit + 1), limit, path)
        except Unreadable as error:
            raise refuted(Code.BAD_ENCODING, str(error), file=path) from None
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"{path} is not in {self.name}") from None
        except OSError as error:
            raise CannotCheck(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None


def open_source(place: str) -> Source:
    """A directory or an http(s) URL. Raises CannotCheck."""
    if "://" in place:
        from verifier.tlog.remote import Remote  # noqa: PLC0415 - offline checks need not load a network client

        return Remote(place)
    root = Path(place)
    if not root.is_dir():
        raise CannotCheck(f"not a directory: {place}")
    return Directory(root)
