"""Secrets in files: read by their owner only, and never written over."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Final

from ledger.errors import Conflict, InvalidInput, NotFound

SECRET_MODE: Final = 0o600


def write_secret(path: Path, data: bytes) -> None:
    """Write a new file that only its owner can read. Raises Conflict when it exists."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET_MODE)
    except FileExistsError:
        raise Conflict(f"{path} exists already; a key is never overwritten") from None
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def read_secret(path: Path) -> bytes:
    """Read a secret file. Raises NotFound, and InvalidInput when others than the owner could read or change it."""
    try:
        mode = path.stat().st_mode
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(
            f"the key file {path} does not exist; «consent-ledger init» makes the keys of a new log"
        ) from None
    except PermissionError:
        raise InvalidInput(f"the key file {path} may not be read by this user") from None
    if stat.S_IMODE(mode) & 0o077:
        raise InvalidInput(f"the key file {path} is open to others: set its mode to 0600")
    return data


def listen_privately(path: Path) -> socket.socket:
    """A Unix socket that only this process's own user can connect to; what lies at `path` is a dead process's, and is
    replaced."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listening.bind(str(path))
    finally:
        os.umask(mask)
    listening.listen(64)
    return listening
