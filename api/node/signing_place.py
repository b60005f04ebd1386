"""Whether a node may sign here: the log was signed at this place before, and no witness has seen another history of it.

A state folder that was copied without its high-water files knows nothing of what was signed since. It looks like its
original, but for one thing: the mark in it names the original's file, not the copy's.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import structlog

from api.node.settings import Settings
from api.node.slots import highwater_files
from ledger.app import Ledger
from ledger.errors import LedgerError, Rollback
from ledger.highwater import HighWater
from ledger.notes.checkpoint import Vkeys, open_checkpoint
from ledger.queries.tree import visible_note, visible_size

log = structlog.get_logger("api.node.signing_place")

MARK: Final = "signed-here"
REFUSED: Final = "refused"
_CEREMONY: Final = (
    "If this database is the newest copy of the log and no other node signs from another one, say so: «consent-ledger "
    "sign-here --this-is-the-newest-copy»; see docs/operating.md, «Rollback»"
)


def check_place(settings: Settings, ledger: Ledger) -> None:
    """Before a node signs. Raises Rollback, Corrupt, Unavailable, each with what to do."""
    refused = settings.highwater_dir / REFUSED
    if refused.exists():
        raise Rollback(
            f"this node has stopped signing: {refused.read_text('utf-8').strip()}. Two histories of this log may be signed "
            f"with its key: compare them first. {_CEREMONY}"
        )
    newest = newest_signed(settings, ledger.vkeys)
    mark = settings.state_dir / MARK
    if newest is not None:
        _write(mark, newest)
        return
    with ledger.store.read() as connection:
        if not visible_size(connection):
            return
        vouched = _read(mark)
        if vouched is not None:
            size = _size_of(vouched, ledger.vkeys)
            if visible_note(connection, size) == vouched:
                log.error(
                    "the high-water files of this node are gone", looked_in=str(settings.highwater_dir), size=size
                )
                return
    raise Rollback(
        f"there is no high-water file in {settings.highwater_dir}: what this log has signed before is not known here, and this "
        f"folder is not the one where it was signed, or its database is older. {_CEREMONY}"
    )


def leave_mark(settings: Settings, vkeys: Vkeys) -> None:
    """At an orderly end, so that an older database is refused here even when the high-water files are lost."""
    try:
        newest = newest_signed(settings, vkeys)
        if newest is not None:
            _write(settings.state_dir / MARK, newest)
    except (LedgerError, OSError) as error:  # the mark of the start stays, and the high-water files say more
        log.warning("the mark of this place is not brought up to date", error=str(error))


def newest_signed(settings: Settings, vkeys: Vkeys) -> str | None:
    """The checkpoint note of the largest size in the high-water files; None when there is none. Raises Corrupt."""
    recorded = [HighWater(path, vkeys).read() for path in highwater_files(settings.highwater_dir)]
    found = [(checkpoint.size, note) for checkpoint, note in (one for one in recorded if one is not None)]
    return max(found)[1] if found else None


def sign_here(settings: Settings, note: str) -> None:
    """The operator has said that this database, whose newest checkpoint is `note`, is the newest copy of the log."""
    settings.highwater_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(settings.state_dir / MARK, note)
    (settings.highwater_dir / REFUSED).unlink(missing_ok=True)


def stop_signing(settings: Settings, ledger: Ledger, reason: str) -> None:
    """A witness has seen another history: this node signs nothing more, also when it is started anew."""
    with open(settings.highwater_dir / REFUSED, "w", encoding="utf-8", opener=_private) as file:
        file.write(reason + "\n")
    ledger.halt(
        f"{reason}. This node signs no more: two histories of this log may be signed with its key; see docs/operating.md, "
        "«Rollback»"
    )


def _write(mark: Path, note: str) -> None:
    """In place: what the file is (device and inode) is what a copy of it is not."""
    with open(mark, "a+", encoding="utf-8", opener=_private) as file:
        file.seek(0)
        file.truncate()
        file.write(f"{_where(mark)}\n{note}")


def _private(path: str, flags: int) -> int:
    """A state folder's files are their owner's only, whatever the umask."""
    return os.open(path, flags, 0o600)


def _read(mark: Path) -> str | None:
    """The note of a mark that is still the file that it was written to; None of another one."""
    try:
        where, _, note = mark.read_text("utf-8").partition("\n")
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return note if where == _where(mark) else None


def _size_of(note: str, vkeys: Vkeys) -> int:
    """The size of a checkpoint note; −1, which no checkpoint has, of one that does not read."""
    try:
        return open_checkpoint(note, vkeys).size
    except LedgerError:
        return -1


def _where(mark: Path) -> str:
    found = mark.stat()
    return f"{found.st_dev}:{found.st_ino}"
