"""The files of a bundle: a directory, or a zip of it read in place. Names are listed, contents are bounded.

Each name leads to one regular file: no link, pipe or device in a directory, no name twice in a zip
(docs/spec/bundles.md, «Containers»).
"""

from __future__ import annotations

import errno
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from verifier.errors import CannotCheck, NotFound

Oddity = tuple[str, str]
"""A name and what is wrong with it: a defect of the container."""


class Unreadable(Exception):
    """A file's compression or checksum is broken, or it is not a file: a defect, told in one sentence."""


class Archive(Protocol):
    """`read` is that of `source.Source`; `names` lists all files, each once; `oddities` what a container must not hold."""

    name: str

    def read(self, path: str, limit: int) -> bytes: ...

    def names(self) -> Iterator[str]: ...

    def oddities(self) -> Iterator[Oddity]: ...

    def open(self, path: str) -> IO[bytes]: ...

    def close(self) -> None: ...


class Folder:
    """A bundle in a directory."""

    def __init__(self, root: Path) -> None:
        self.root, self.name = root, str(root)

    def read(self, path: str, limit: int) -> bytes:
        with self.open(path) as file:
            return _bounded(file, path, limit)

    def open(self, path: str) -> IO[bytes]:
        try:
            return open_regular(self.root / path)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"{path} is not in {self.name}") from None
        except OSError as error:
            raise CannotCheck(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None

    def names(self) -> Iterator[str]:
        return (name for name, sentence in self._walk() if not sentence)

    def oddities(self) -> Iterator[Oddity]:
        return (found for found in self._walk() if found[1])

    def _walk(self) -> Iterator[Oddity]:
        """Every name below the folder, with what is wrong with it (empty: nothing). Links are not followed."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(self.root / folder) as entries:
                    for entry in entries:
                        name = f"{folder}{entry.name}"
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(f"{name}/")
                        else:
                            yield name, "" if entry.is_file(follow_symlinks=False) else NOT_A_FILE
            except OSError as error:
                raise CannotCheck(f"{folder or self.name} cannot be listed: {error.strerror}") from None

    def close(self) -> None:
        """Nothing is open."""


NOT_A_FILE = "not a regular file: a link, a pipe or a device"
_OPEN = os.O_RDONLY
for _flag in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):  # some systems lack one of them
    _OPEN |= getattr(os, _flag, 0)
_STAY = getattr(os, "O_NOFOLLOW", 0)


def open_regular(path: Path, *, follow: bool = False) -> IO[bytes]:
    """Open a regular file for reading. Raises Unreadable for anything else, at once: a pipe would make us wait, a device
    has no end, and a link leads out of the folder. `follow`: a link to a regular file is as good. OSError as `open`."""
    try:
        handle = os.open(path, _OPEN if follow else _OPEN | _STAY)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):  # a link (two spellings), a socket
            raise Unreadable(f"{path.name}: {NOT_A_FILE}") from None
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Unreadable(f"{path.name}: {NOT_A_FILE}")
    return os.fdopen(handle, "rb")


class Zip:
    """A bundle in a zip file, stored or deflated."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, ValueError) as error:
            raise CannotCheck(f"{path} is not a bundle: neither a directory nor a zip ({error})") from None

    def read(self, path: str, limit: int) -> bytes:
        with self.open(path) as file:
            return _bounded(file, path, limit)

    def open(self, path: str) -> IO[bytes]:
        try:
            member = self._zip.getinfo(path)
        except KeyError:
            raise NotFound(f"{path} is not in {self.name}") from None
        if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise CannotCheck(f"{path} is encrypted or compressed in a way that is not allowed")
        try:
            return self._zip.open(member)
        except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
            raise CannotCheck(f"{path} cannot be read: {error}") from None

    def names(self) -> Iterator[str]:
        return (name for name in self._zip.NameToInfo if not name.endswith("/"))

    def oddities(self) -> Iterator[Oddity]:
        """Two members of one name are two contents: which one is read depends on the reader."""
        seen: set[str] = set()
        first = None
        for member in self._zip.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if member.filename in seen:
                yield member.filename, "a name occurs twice in the zip"
            elif member.orig_filename != member.filename:
                yield member.filename, "the name of a member is not spelled as it is read"
            elif member.filename.endswith("/") and (member.file_size or member.compress_size):
                yield member.filename, "a folder with content"
            elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                yield member.filename, NOT_A_FILE
            seen.add(member.filename)
            first = member.header_offset if first is None else min(first, member.header_offset)
        if first:
            yield self.name, "bytes before the first member of the zip"

    def close(self) -> None:
        """Close the file."""
        self._zip.close()


BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile, ValueError)


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Turn what a damaged compressed file raises into `Unreadable`."""
    try:
        yield
    except BROKEN as error:
        raise Unreadable(f"{path} cannot be decompressed: {error}") from None


def _bounded(file: IO[bytes], path: str, limit: int) -> bytes:
    with reading(path):
        data = file.read(limit + 1)
    if len(data) > limit:
        raise Unreadable(f"{path} is longer than {limit} bytes")
    return data


def open_archive(place: Path) -> Archive:
    """The bundle at a path. Raises CannotCheck."""
    if place.is_dir():
        return Folder(place)
    if not place.is_file():
        raise CannotCheck(f"there is no bundle at {place}: give a directory or a zip")
    return Zip(place)
