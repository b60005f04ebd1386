"""The machine, for the operator's page: sizes of files and the high-water state. It reads no database's content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import make_url

from api.node.slots import highwater_files
from ledger.engines.engine import is_file
from ledger.errors import Corrupt, LedgerError
from ledger.highwater import HighWater
from ledger.notes.checkpoint import Vkeys, open_checkpoint

if TYPE_CHECKING:
    from api.node.settings import Settings

Mark = Literal["reached", "beyond", "damaged"]


@dataclass(frozen=True, slots=True)
class Stored:
    """A database file with its write-ahead log, in bytes."""

    name: Literal["log", "keys", "tokens", "pages"]
    bytes: int


@dataclass(frozen=True, slots=True)
class HighMark:
    """One high-water file: the size it records, and whether the database has come as far."""

    name: str
    size: int
    mark: Mark


@dataclass(frozen=True, slots=True)
class Backup:
    """How many entries the newest backup holds, and when (ms) it was left."""

    size: int
    at: int


@dataclass(frozen=True)
class Premises:
    """The places of this node's files."""

    databases: dict[str, str]
    highwater_dir: Path
    backup_file: Path
    """Where the operator's backup leaves the checkpoint that it holds (docs/operating.md)."""

    @classmethod
    def of(cls, settings: Settings) -> Premises:
        """The places that these settings name."""
        pages = settings.web.session_store_url or f"sqlite:///{settings.state_dir / 'web.sqlite'}"
        urls = {
            "log": settings.database_url,
            "keys": settings.keystore_url,
            "tokens": settings.token_store_url,
            "pages": pages,
        }
        return cls(urls, settings.highwater_dir, settings.state_dir / "backup.checkpoint")

    def stored(self) -> list[Stored]:
        """Sizes of the database files; databases on a server are not listed."""
        return list(self._stored())

    def _stored(self) -> Iterator[Stored]:
        names: tuple[Literal["log", "keys", "tokens", "pages"], ...] = ("log", "keys", "tokens", "pages")
        for name in names:
            url = make_url(self.databases[name])
            if is_file(self.databases[name]) and url.database and Path(url.database).exists():
                files = [Path(url.database), Path(f"{url.database}-wal")]
                yield Stored(name, sum(file.stat().st_size for file in files if file.exists()))

    def backup(self, vkeys: Vkeys) -> Backup | None:
        """The newest backup as it says itself: a checkpoint that this log signed; None when there is no word of one."""
        try:
            text, written = self.backup_file.read_text(), self.backup_file.stat().st_mtime
            return Backup(open_checkpoint(text, vkeys).size, int(written * 1000))
        except (OSError, UnicodeDecodeError, LedgerError):
            return None

    def marks(self, vkeys: Vkeys, size: int) -> list[HighMark]:
        """The high-water files of this machine against a database of `size` entries."""
        found: list[HighMark] = []
        for path in highwater_files(self.highwater_dir):
            try:
                recorded = HighWater(path, vkeys).read()
            except Corrupt:
                found.append(HighMark(path.name, -1, "damaged"))
                continue
            if recorded is not None:
                found.append(HighMark(path.name, recorded[0].size, "beyond" if recorded[0].size > size else "reached"))
        return found
