"""Backups: their files, the order of writing, and the checks before one is restored (docs/operating.md).

    DIR/manifest.json        what it holds: the log's origin, the checkpoint, SHA-256 of each file
    DIR/log/database         the log
    DIR/keys/database        the key store, copied after the log: it has the keys of all that the log's copy holds

Not in it: the KEK and the log's key, which a thief would want; the high-water files, which would let an old database pass.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from api.node.building import opened
from api.node.settings import Settings
from api.node.signing_place import newest_signed
from api.node.slots import slots_in_use
from ledger.clock import SystemClock
from ledger.custody.log_key import LogKeyring
from ledger.engines.copies import copy_in, copy_out
from ledger.engines.engine import name_of
from ledger.errors import Conflict, Corrupt, InvalidInput, NotFound, Rollback
from ledger.notes.checkpoint import open_checkpoint
from ledger.opening import open_key_store

MANIFEST: Final = "manifest.json"
LOG, KEYS = "log/database", "keys/database"


class BackupManifest(Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup holds."""

    v: Literal[1]
    origin: str
    checkpoint: str
    """A signed checkpoint that the log's copy holds; the copy may hold some entries more."""
    made_at: int
    """Milliseconds since 1970."""
    log: str
    keys: str
    """The engines of the two copies, by their names in ENGINES (ledger/engines/engine.py)."""
    files: dict[str, str]
    """SHA-256, in hex, of each file by its path in the folder."""


@dataclass(frozen=True)
class RestoredLog:
    """The result of a restore."""

    size: int
    """Entries in the database now."""
    erased: int
    """Chains on record as erased: their keys, if the backup brought them back, are destroyed again."""
    newest_here: bool
    """Whether this machine knows that nothing newer was signed here."""


def back_up(settings: Settings, folder: Path) -> BackupManifest:
    """Write a backup into a new folder; safe beside servers. Raises Conflict, what reading the log raises, OSError."""
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"{folder} is not empty: a backup is written to a new folder")
    with opened(settings) as node:
        note, origin = node.ledger.tree.checkpoint(), node.ledger.origin
    for part in (folder, folder / "log", folder / "keys"):
        part.mkdir(parents=True, exist_ok=True, mode=0o700)
    copy_out(settings.database_url, folder / LOG)
    copy_out(settings.keystore_url, folder / KEYS)
    manifest = BackupManifest(
        v=1,
        origin=origin,
        checkpoint=note,
        made_at=SystemClock().now(),
        log=name_of(settings.database_url),
        keys=name_of(settings.keystore_url),
        files={name: _digest(folder / name) for name in (LOG, KEYS)},
    )
    _write(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    _write(settings.state_dir / "backup.checkpoint", note.encode())
    return manifest


def read_manifest(folder: Path) -> BackupManifest:
    """What a backup holds, once its files are those that were written. Raises NotFound, InvalidInput, Corrupt, OSError."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=BackupManifest)
    except FileNotFoundError:
        raise NotFound(f"{folder} holds no backup: there is no {MANIFEST} in it, or it was cut short") from None
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"{folder / MANIFEST} does not read: {error}") from None
    if manifest.files.keys() != {LOG, KEYS}:
        raise InvalidInput(f"{folder / MANIFEST} names other files than {LOG} and {KEYS}")
    for name, digest in manifest.files.items():
        if _digest(folder / name) != digest:
            raise Corrupt(f"{folder / name} is not the file that the backup was written with: take another backup")
    return manifest


def restore(
    settings: Settings, folder: Path, *, replace: bool, although_older: bool, told: Callable[[str], None]
) -> RestoredLog:
    """Restore a backup, with all servers stopped.

    Everything is checked before anything is changed: the files, whose log it is, the engines, and whether this machine
    has signed more than the backup holds. Raises Conflict, NotFound, InvalidInput, Corrupt, Rollback.
    """
    if slots_in_use(settings.highwater_dir):
        raise Conflict("a server or another command uses this state folder: stop all servers of this log, then restore")
    vkeys = LogKeyring.at(settings.log_key_file).vkeys()
    manifest = read_manifest(folder)
    if manifest.origin != vkeys[0].name:
        raise InvalidInput(f"the backup is of the log {manifest.origin}, and this folder's key is of {vkeys[0].name}")
    engines = (name_of(settings.database_url), name_of(settings.keystore_url))
    if (manifest.log, manifest.keys) != engines:
        raise InvalidInput(
            f"the backup is of {manifest.log} (log) and {manifest.keys} (key store), and the settings name {engines[0]} and "
            f"{engines[1]}: a backup goes back to the engine that it came from"
        )
    held = open_checkpoint(manifest.checkpoint, vkeys)
    newest = newest_signed(settings, vkeys)
    signed = None if newest is None else open_checkpoint(newest, vkeys).size
    if signed is not None and signed > held.size and not although_older:
        raise Rollback(
            f"this machine has signed {signed} entries, and the backup surely holds {held.size}: a node would refuse to "
            "continue from it, since that would be a second history. Find a newer copy (docs/operating.md, «Rollback»). To "
            "restore it all the same, for reading and for checks, say --although-older"
        )
    copy_in(settings.database_url, folder / LOG, replace=replace)
    told("the log is in place")
    copy_in(settings.keystore_url, folder / KEYS, replace=replace)
    told("the key store is in place")
    with opened(
        settings, examine=although_older
    ) as node:  # the key store is the log's own; what is erased stays erased
        size = node.ledger.tree.size()
        erased = open_key_store(node.ledger.store, node.ledger.keystore, whole=not although_older)
    return RestoredLog(size, len(erased), signed is not None and signed <= size)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _write(path: Path, content: bytes) -> None:
    """As a whole, or not at all."""
    partial = path.with_name(path.name + ".new")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
