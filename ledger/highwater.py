"""The high-water file: the highest checkpoint this node has signed, kept outside the database (docs/spec/log.md).

A database restored from a backup would let the log sign a second history. The file is written after the commit and before
any receipt leaves, so that it never runs ahead of the database. The first record is put in place by rename; later ones are
written over it with one small write, which a killed process cannot leave half done (a rename a batch costs more than the
rest of the commit). It is not forced to disk for each batch: after a power cut it may be a little behind, which is
harmless; it matters when the database goes back by more.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from ledger.errors import Corrupt, InvalidInput, Rollback, Unavailable
from ledger.notes.checkpoint import Checkpoint, Vkeys, open_checkpoint
from ledger.notes.keys import VerifierKey

log = logging.getLogger("ledger.highwater")
READ_TRIES = 5
"""How often an unreadable file is read before it counts as damaged."""


class HighWater:
    """One node's high-water file."""

    def __init__(self, path: Path, vkeys: Vkeys) -> None:
        """`vkeys` are the log's: a file with another log's checkpoint is refused."""
        self._path = path
        self._vkeys = vkeys
        self._handle: int | None = None
        self._length = 0

    def read(self) -> tuple[Checkpoint, str] | None:
        """The recorded checkpoint and its note; None on a node that has never signed. Raises Corrupt."""
        for tried in range(READ_TRIES):
            try:
                written = self._path.read_bytes()
            except FileNotFoundError:
                return None
            try:
                note = written.decode()
                return open_checkpoint(note, self._vkeys), note
            except (InvalidInput, UnicodeDecodeError) as error:
                if tried < READ_TRIES - 1:  # its owner, a running process, may be writing over it at this moment
                    continue
                raise self._damaged(error) from None
        raise AssertionError("the last try returns or raises")

    def know(self, vkeys: Sequence[VerifierKey]) -> None:
        """The log has had these keys."""
        self._vkeys = vkeys

    def _damaged(self, error: Exception) -> Corrupt:
        return Corrupt(
            f"the high-water file {self._path} is damaged or belongs to another log ({error}). Restore it from "
            "its backup; if there is none, compare the ledger's checkpoint with one held by a participant, then "
            "remove the file and start again"
        )

    def record(self, note: str) -> None:
        """Replace the recorded checkpoint. Raises Unavailable when the disk does not take it."""
        data = note.encode()
        try:
            if self._handle is None or len(data) < self._length:  # sizes only grow, so a shorter note is another log's
                self._replace(data)
            else:
                os.pwrite(self._handle, data, 0)
        except OSError as error:
            raise Unavailable(
                f"the high-water file {self._path} could not be written ({errno.errorcode.get(error.errno or 0, 'OSError')}): "
                "what was committed last is durable, and was not acknowledged. Put the disk right and start this node anew; "
                "see docs/operating.md, «When a node has stopped»"
            ) from error
        self._length = len(data)

    def _replace(self, data: bytes) -> None:
        partial = self._path.with_name(self._path.name + ".new")
        partial.write_bytes(data)
        partial.replace(self._path)
        self.close()
        self._handle = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Close the file; the next record opens it again."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def sync(self) -> None:
        """Force the file and its directory entry to disk, and close it; called on an orderly stop. A disk that refuses is told
        in the log: nothing acknowledged hangs on it, and everything else is still to be closed."""
        try:
            self.close()
            self._force()
        except OSError as error:
            log.critical(
                "the high-water file %s could not be forced to disk (%s): a power cut may take what it says last, and an older "
                "database would not be noticed here then. Put the disk right before this machine is switched off",
                self._path,
                errno.errorcode.get(error.errno or 0, "OSError"),
            )

    def _force(self) -> None:
        for path, flags in ((self._path, os.O_RDONLY), (self._path.parent, os.O_RDONLY | os.O_DIRECTORY)):
            try:
                handle = os.open(path, flags)
            except FileNotFoundError:
                continue
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def check(self, recorded: tuple[Checkpoint, str] | None, size: int, note_at: str | None) -> None:
        """Refuse a database that does not continue what this node has signed.

        `recorded` is what `read` gave *before* the database was asked, since its owner may write on meanwhile; `size` is the
        database's; `note_at` its checkpoint at the recorded size, if it has one. Raises Rollback.
        """
        if recorded is None:
            return
        checkpoint, _ = recorded
        advice = (
            "Refusing to sign: a second history would be provable misbehaviour. Bring back the newest database (a replica, "
            "or the missing entries from participants' receipts). If that is impossible, this log is at its end: open a new "
            f"one under another origin. See docs/operating.md, «Rollback». High-water file: {self._path}"
        )
        if size < checkpoint.size:
            raise Rollback(
                f"the database holds {size} entries, but this node has signed a checkpoint of {checkpoint.size}. {advice}"
            )
        if note_at is None or open_checkpoint(note_at, self._vkeys).root != checkpoint.root:
            raise Rollback(
                f"the database's history differs from the one this node signed at size {checkpoint.size}. {advice}"
            )
