"""Where files are put, by its address: a directory, or an object store."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.errors import BodiesAway, InvalidInput
from ledger.publish.directory import PublicDirectory
from ledger.publish.place import PublicPlace

if TYPE_CHECKING:  # its library is an extra
    from ledger.publish.bucket import PublicBucket


def open_place(where: str) -> PublicPlace:
    """A directory, or the address of an object store such as `s3://bucket/prefix` (credentials from the environment).

    Raises InvalidInput for an unknown address, or when the extra `s3` is not installed.
    """
    if "://" not in where:
        return PublicDirectory(Path(where))
    return _bucket(where)


def fetching_from(where: str) -> Callable[[str], bytes | None]:
    """What reads the files at such a place; None for one that is not there. Nothing is opened before the first question.

    It raises BodiesAway when the place does not answer, InvalidInput as `open_place` does.
    """
    return _Fetching(where) if "://" in where else _Reading(Path(where))


class _Reading:
    def __init__(self, root: Path) -> None:
        self._root = root

    def __call__(self, path: str) -> bytes | None:
        try:
            return (self._root / path).read_bytes()
        except OSError as error:
            # below a folder that is gone, an unmounted one say, no file is known to be missing
            if isinstance(error, FileNotFoundError) and any(self._root.glob("*")):
                return None
            raise BodiesAway(f"{self._root} cannot be read: {error.strerror}", lost=False) from None


class _Fetching:
    def __init__(self, where: str) -> None:
        self._bucket = cache(lambda: _bucket(where, hasty=True))

    def __call__(self, path: str) -> bytes | None:
        return self._bucket().fetch(path)


def _bucket(where: str, *, hasty: bool = False) -> PublicBucket:
    try:
        from ledger.publish.bucket import open_bucket  # noqa: PLC0415 - its library is an extra
    except ImportError:
        raise InvalidInput("an object store needs the extra: pip install consent-ledger[s3]") from None
    return open_bucket(where, hasty=hasty)
