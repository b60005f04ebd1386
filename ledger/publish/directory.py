"""Publishing to a directory that any web server serves."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ledger.errors import Conflict, Corrupt, InvalidInput, Unavailable

_UNFINISHED: Final = ".new-"


class PublicDirectory:
    """A directory, served by any web server."""

    def __init__(self, root: Path) -> None:
        """Raises InvalidInput when it cannot be made."""
        self._root = root
        self._unsynced: set[Path] = {root}
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInput(f"{root} cannot be published to: {error.strerror}") from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        handle = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(f"another publisher works in {self._root}") from None
            yield
        except OSError as error:
            raise Unavailable(f"publishing to {self._root} failed: {error.strerror}") from error
        finally:
            os.close(handle)

    def read(self, name: str) -> bytes | None:
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None

    def create(self, path: str, content: bytes) -> bool:
        place = self._place_of(path)
        written = self._write(place, content)
        try:
            os.link(written, place)  # unlike rename, this never replaces
        except FileExistsError:
            if place.read_bytes() != content:
                raise Corrupt(f"{place} is published with other bytes than the log has: one of them is false") from None
            return False
        finally:
            written.unlink()
        return True

    def settle(self) -> None:
        for folder in self._unsynced:
            self._sync(folder)
        self._unsynced = {self._root}

    def replace(self, name: str, content: bytes) -> None:
        place = self._place_of(name)
        written = self._write(place, content)
        self.settle()
        written.replace(place)
        self._sync(place.parent)

    def partials(self, tile: str | None) -> list[str]:
        if tile is not None:
            folder = self._root / f"{tile}.p"
            return [f"{tile}.p/{path.name}" for path in folder.iterdir()] if folder.is_dir() else []
        for left in self._root.rglob(_UNFINISHED + "*"):  # by a publisher that died while writing
            left.unlink(missing_ok=True)
        return [path.relative_to(self._root).as_posix() for path in self._root.rglob("*.p/*")]

    def remove(self, paths: Sequence[str]) -> None:
        for path in paths:
            (self._root / path).unlink(missing_ok=True)
        for folder in {(self._root / path).parent for path in paths}:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def _place_of(self, path: str) -> Path:
        place = self._root / path
        for folder in [place.parent, *place.parent.parents]:  # up to the root: each holds a name that may be new
            self._unsynced.add(folder)
            if folder == self._root:
                break
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    @staticmethod
    def _write(place: Path, content: bytes) -> Path:
        """The content, durable, under a name that nobody asks for."""
        written = place.with_name(_UNFINISHED + secrets.token_hex(8))
        with written.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return written

    @staticmethod
    def _sync(folder: Path) -> None:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
