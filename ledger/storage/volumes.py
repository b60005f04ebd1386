"""Old bodies that lie outside the database: volumes, and the marks that stand in their place (docs/adr/0036).

    mark:    01 ‖ SHA-256 of the volume                    in `entries.sealed`, 33 bytes; no sealed body is as short
    volume:  «consent-ledger/bodies/1» newline, then for each body  be64(index) ‖ be32(length) ‖ the bytes as they were sealed

A volume lies under the hash of its bytes, and is held against it whenever it is read. What it holds is encrypted under the
data keys of its chains, bound to the index, and committed to by the leaf, as it was in the database.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from ledger.errors import BodiesAway
from ledger.kept import Kept

MARK_SIZE: Final = 33
SPAN: Final = 2048
"""A volume holds bodies of at most so many entries: half a megabyte or so, which one answer of a bucket brings."""
_MARK: Final = b"\x01"
_HEADER: Final = b"consent-ledger/bodies/1\n"
_KEPT: Final = 8
"""Volumes in memory: whoever reads in the order of the log, or one customer's months, asks for few at a time."""
_PLACE_SIZE: Final = 12
REST_SECONDS: Final = 5.0
"""A place that gave no answer is not asked again for so long: else whoever reads old entries would wait in a row, each in a
thread of the node, and nobody else would be answered."""

Fetch = Callable[[str], bytes | None]
"""Takes a path; the file's bytes, or None when there is no such file. Raises Unavailable when the place does not answer."""


class SealedBody(NamedTuple):
    """The sealed body of the entry at `at`."""

    at: int
    sealed: bytes


def mark_of(digest: bytes) -> bytes:
    """What stands in `entries.sealed` instead of a body that lies in this volume."""
    return _MARK + digest


def volume_of(sealed: bytes) -> bytes | None:
    """The SHA-256 of the volume that a stored value points to; None when it is a body itself."""
    return sealed[1:] if len(sealed) == MARK_SIZE and sealed[:1] == _MARK else None


def path_of(digest: bytes) -> str:
    """Where a volume lies, below the place of all."""
    return f"bodies/{digest.hex()[:2]}/{digest.hex()}"


def write_volume(bodies: Iterable[SealedBody]) -> bytes:
    """A volume of these bodies, whose indexes rise."""
    parts = (b"%b%b%b" % (one.at.to_bytes(8), len(one.sealed).to_bytes(4), one.sealed) for one in bodies)
    return _HEADER + b"".join(parts)


def read_volume(content: bytes) -> dict[int, bytes]:
    """Sealed bodies by index. Raises BodiesAway for bytes that are no volume."""
    found: dict[int, bytes] = {}
    at, last = len(_HEADER), -1
    while content.startswith(_HEADER) and at + _PLACE_SIZE <= len(content):
        index, end = int.from_bytes(content[at : at + 8]), at + _PLACE_SIZE + int.from_bytes(content[at + 8 : at + 12])
        if index <= last or end > len(content):
            break
        found[index] = content[at + _PLACE_SIZE : end]
        at, last = end, index
    if at != len(content):
        raise BodiesAway("a volume of bodies is of a form that this version does not read", lost=True)
    return found


class Volumes:
    """Reads bodies out of volumes. Thread-safe: two threads may fetch the same one, and either is right."""

    def __init__(self, fetch: Fetch | None, *, now: Callable[[], float] = time.monotonic) -> None:
        """`fetch`: reads at the place of the volumes; None where no setting names one. `now`: seconds."""
        self._fetch = fetch
        self._now = now
        self._away: tuple[float, str] | None = None
        """Until when the place is not asked, and why. Written by whoever asked last; any of them is right."""
        self._kept: Kept[bytes, dict[int, bytes]] = Kept(_KEPT)

    def body(self, index: int, stored: bytes) -> bytes:
        """The sealed body of an entry, from what its row holds: that itself, or the volume that it points to.

        Raises BodiesAway when the volume cannot be had, is not the one that was written, or has no such body.
        """
        digest = volume_of(stored)
        if digest is None:
            return stored
        bodies = self._kept.get(digest)
        if bodies is None:
            bodies = self._opened(index, digest)
            self._kept.put(digest, bodies)
        try:
            return bodies[index]
        except KeyError:
            raise BodiesAway(
                f"the volume {path_of(digest)}, which entry {index} points to, has no body of it", lost=True
            ) from None

    def _opened(self, index: int, digest: bytes) -> dict[int, bytes]:
        where = f"the body of entry {index} was moved to {path_of(digest)}"
        if self._fetch is None:
            raise BodiesAway(f"{where}, and no setting says where that is: set CONSENT_LEDGER_BODIES_AT", lost=False)
        away = self._away
        if away is not None and self._now() < away[0]:
            raise BodiesAway(f"{where}: {away[1]}", lost=False)
        try:
            content = self._fetch(path_of(digest))
        except BodiesAway as error:
            if not error.lost:
                self._away = (self._now() + REST_SECONDS, error.detail)
            raise BodiesAway(f"{where}: {error.detail}", lost=error.lost) from error
        self._away = None
        if content is None:
            raise BodiesAway(f"{where}, and there is no such file: bring it back from a copy of that place", lost=True)
        if hashlib.sha256(content).digest() != digest:
            raise BodiesAway(
                f"{where}, and that file has other bytes: bring it back from a copy of that place", lost=True
            )
        return read_volume(content)


NOWHERE: Final = Volumes(None)
"""For a log none of whose bodies were moved."""
