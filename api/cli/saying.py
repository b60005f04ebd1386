"""How commands speak and end: a sentence for people or, with `--json`, one object on a line (docs/commands.md).

Nothing here loads a database or a server, since every command begins with it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, NoReturn

import typer

from ledger.errors import LedgerError

DONE: Final = 0
REFUSED: Final = 1
USAGE: Final = 2
DEFECT: Final = 3
"""A check failed."""
UNCHECKED: Final = 4
"""A check could not be made, which is not a success."""
DENIED: Final = 5
"""The ledger recorded an access, and denied it."""
INTERRUPTED: Final = 130

_configuration: Final[ContextVar[Path | None]] = ContextVar("configuration", default=None)
_as_json: Final = ContextVar("as_json", default=False)


def read_configuration_from(file: Path | None) -> None:
    """The TOML file that the command line names (`--config`)."""
    _configuration.set(file)


def configuration_file() -> Path | None:
    """See `read_configuration_from`."""
    return _configuration.get()


def speak_json(wanted: bool) -> None:
    """Whether this command was asked for its result as JSON."""
    _as_json.set(wanted)


def speaks_json() -> bool:
    """See `speak_json`."""
    return _as_json.get()


def say(sentence: str, **members: Any) -> None:
    """Tell a result on standard output: the sentence or, with `--json`, the members as one object on a line."""
    print(json.dumps(members, ensure_ascii=False, sort_keys=True) if speaks_json() else sentence, flush=True)


def mention(sentence: str) -> None:
    """Tell people what a program need not know; nothing with `--json`."""
    if not speaks_json():
        print(sentence, flush=True)


def result(**members: Any) -> None:
    """Tell programs what people have been told line by line; nothing without `--json`."""
    if speaks_json():
        say("", **members)


def warn(sentence: str) -> None:
    """Tell on standard error what does not stop the command."""
    print(f"warning: {sentence}", file=sys.stderr, flush=True)


def fail(sentence: str, status: int = REFUSED) -> NoReturn:
    """Say why, and exit."""
    print(f"consent-ledger: {sentence}", file=sys.stderr, flush=True)
    raise typer.Exit(status)


@contextmanager
def files_told_in_a_sentence() -> Iterator[None]:
    """Turn errors of files and of the ledger's own rules into one sentence and an exit status."""
    try:
        yield
    except LedgerError as error:
        fail(error.detail)
    except OSError as error:
        fail(told(error))


def told(error: OSError) -> str:
    """The system's refusal, with the file's name."""
    return f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
