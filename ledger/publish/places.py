"""Where files are published, by its address: a directory, or an object store."""

from __future__ import annotations

from pathlib import Path

from ledger.errors import InvalidInput
from ledger.publish.directory import PublicDirectory
from ledger.publish.place import PublicPlace


def open_place(where: str) -> PublicPlace:
    """A directory, or the address of an object store such as `s3://bucket/prefix` (credentials from the environment).

    Raises InvalidInput for an unknown address, or when the extra `s3` is not installed.
    """
    if "://" not in where:
        return PublicDirectory(Path(where))
    try:
        from ledger.publish.bucket import open_bucket  # noqa: PLC0415 - its library is an extra
    except ImportError:
        raise InvalidInput("publishing to an object store needs the extra: pip install consent-ledger[s3]") from None
    return open_bucket(where)
