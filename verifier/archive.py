"""The files of a bundle: a directory, or a zip of it read in place. Names are listed, contents are bounded."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from verifier.errors import CannotCheck, NotFound


class Archive(Protocol):
    """`read` is that of `source.Source`; `names` lists all files; `lines` streams the lines of a gzip file."""

    name: str

    def read(self, path: str, limit: int) -> bytes: ...

    def names(self) -> Iterator[str]: ...

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
            return (self.root / path).open("rb")
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"{path} is not in {self.name}") from None
        except OSError as error:
            raise CannotCheck(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None

    def names(self) -> Iterator[str]:
        for folder, _, files in os.walk(self.root):
            for file in files:
                yield (Path(folder) / file).relative_to(self.root).as_posix()

    def close(self) -> None:
        """Nothing is held open."""


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
        return (name for name in self._zip.namelist() if not name.endswith("/"))

    def close(self) -> None:
        """Close the file."""
        self._zip.close()


class Unreadable(Exception):
    """A file's compression or checksum is broken: a defect of the file, told in one sentence."""


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


def gzip_lines(archive: Archive, path: str, limit: int) -> Iterator[bytes]:
    """The lines of a gzip file, each with its newline and at most `limit` bytes. Raises Unreadable."""
    with (
        archive.open(path) as raw,
        gzip.GzipFile(fileobj=raw) as unpacked,
        io.BufferedReader(unpacked, 1 << 17) as file,
        reading(path),
    ):
        while line := file.readline(limit + 1):
            if len(line) > limit:
                raise Unreadable(f"{path} has a line longer than {limit} bytes")
            yield line


def open_archive(place: Path) -> Archive:
    """The bundle at a path. Raises CannotCheck."""
    if place.is_dir():
        return Folder(place)
    if not place.is_file():
        raise CannotCheck(f"there is no bundle at {place}")
    return Zip(place)
