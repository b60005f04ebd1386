"""Copies of a whole database, for backups: one moment of it, taken beside its writers (docs/operating.md)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url

from ledger.engines.engine import name_of, reader_engine
from ledger.engines.sqlite_files import file_of, side_files
from ledger.errors import Conflict, InvalidInput, Unavailable

SET_ASIDE: Final = ".before-restore-"


def copy_out(url: str, target: Path) -> None:
    """Write a copy of the database at `url` into the new file `target` (mode 0600), forced to disk.

    SQLite copies itself, through our own connection; PostgreSQL's pg_dump does, which must be on this machine. Raises
    Conflict, InvalidInput, Unavailable, OSError, what the database raises.
    """
    if target.exists():
        raise Conflict(f"{target} is there already: a copy is written to a new place")
    write, _ = COPIERS[name_of(url)]
    target.touch(0o600)
    write(url, target)
    _force(target)


def copy_in(url: str, source: Path, *, replace: bool) -> None:
    """Make the database at `url` what the copy `source` holds. Nothing may use it.

    One that is there is refused unless `replace`; of SQLite it is then set aside under other names. On PostgreSQL the database
    must be empty. Raises Conflict, InvalidInput, Unavailable, OSError.
    """
    _, read = COPIERS[name_of(url)]
    read(url, source, replace)


def _out_of_sqlite(url: str, target: Path) -> None:
    engine = reader_engine(url)
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA query_only=OFF")  # VACUUM INTO counts as writing; this connection is closed afterwards
        cursor.execute("VACUUM INTO ?", (str(target),))
        cursor.close()
    finally:
        connection.close()
        engine.dispose()


def _into_sqlite(url: str, source: Path, replace: bool) -> None:
    path = file_of(url)
    if path is None:
        raise InvalidInput("a database in memory cannot be restored")
    if path.exists() and not replace:
        raise Conflict(f"{path} is there: say --replace, and it is set aside as {path.name}{SET_ASIDE}N")
    arriving = path.with_name(path.name + ".arriving")
    arriving.unlink(missing_ok=True)
    arriving.touch(0o600)
    shutil.copyfile(source, arriving)
    _force(arriving)
    aside = _free(path)
    for old in (*reversed(side_files(path)), path):  # the database last: cut short, it is found with what belongs to it
        if old.exists():
            old.rename(old.with_name(old.name + aside))
    arriving.rename(path)


def _out_of_postgres(url: str, target: Path) -> None:
    _run("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")


def _into_postgres(url: str, source: Path, _: bool) -> None:
    _run("pg_restore", url, "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges", str(source))


COPIERS: Final[Mapping[str, tuple[Callable[[str, Path], None], Callable[[str, Path, bool], None]]]] = {
    "sqlite": (_out_of_sqlite, _into_sqlite),
    "postgresql": (_out_of_postgres, _into_postgres),
}
"""Of each engine in ENGINES: how a copy is written, and how one is put in place."""


def _force(path: Path) -> None:
    """Force a file to disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _free(path: Path) -> str:
    """A suffix for files that are set aside, under which nothing was set aside before."""
    number = 1
    while any(file.with_name(f"{file.name}{SET_ASIDE}{number}").exists() for file in (path, *side_files(path))):
        number += 1
    return f"{SET_ASIDE}{number}"


def _run(program: str, url: str, *arguments: str) -> None:
    """One of PostgreSQL's own programs, on the database at `url`; the password is never an argument."""
    found = shutil.which(program)
    if found is None:
        raise InvalidInput(
            f"{program} is not on this machine: install PostgreSQL's client programs (Debian: postgresql-client), of the "
            "server's version or a newer one"
        )
    address = make_url(url)
    command = [found, "--no-password", *arguments, f"--dbname={_name(address)}"]
    done = subprocess.run(  # noqa: S603  (PostgreSQL's own program, found in PATH; no shell)
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=_environment(address)
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["it said nothing"]
        raise Unavailable(f"{program} ended with {done.returncode}: {said[0]}")


def _name(address: URL) -> str:
    """The database's name alone: whatever else is in the address goes by the environment."""
    return address.database or ""


def _environment(address: URL) -> dict[str, str]:
    host = address.host or _one(address, "host")
    port = address.port or _one(address, "port")
    passed = {name: os.environ.get(name) for name in ("HOME", "PGPASSFILE")}  # where libpq looks for a password
    given = passed | {
        "PGHOST": host,
        "PGPORT": None if port is None else str(port),
        "PGUSER": address.username,
        "PGPASSWORD": None if address.password is None else str(address.password),
        "PGSSLMODE": _one(address, "sslmode"),
        "PGSSLROOTCERT": _one(address, "sslrootcert"),
        "PGSSLCERT": _one(address, "sslcert"),
        "PGSSLKEY": _one(address, "sslkey"),
        # Of several hosts the one that takes writes: a standby may be a moment behind what was acknowledged.
        "PGTARGETSESSIONATTRS": _one(address, "target_session_attrs"),
        "PGCONNECT_TIMEOUT": _one(address, "connect_timeout") or "5",
        "PATH": os.defpath,
    }
    return {name: value for name, value in given.items() if value is not None}


def _one(address: URL, name: str) -> str | None:
    value = address.query.get(name)
    return value if value is None or isinstance(value, str) else value[0]
