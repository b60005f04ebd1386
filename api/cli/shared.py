"""Shared by all commands of `consent-ledger`: settings, failing in a sentence, recording operator documents."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from api.cli.saying import configuration_file, fail, files_told_in_a_sentence, say
from api.node.building import opened, short_lived
from api.node.configuration import Origin, read_settings
from api.node.logs import configure_logging
from api.node.node import Node
from api.node.settings import Settings
from ledger.documents import Document, document_of
from ledger.engines import sqlite
from ledger.errors import LedgerError
from ledger.planning.commands import Recorded

Members = ParamSpec("Members")
State = Annotated[Path | None, typer.Option("--state", help="State folder (CONSENT_LEDGER_STATE_DIR).")]


def settings_from(state: Path | None, **given: Any) -> Settings:
    """Settings with those given on the command line above the environment's and the file's. Exits when they do not fit."""
    return settings_and_origins(state, **given)[0]


def settings_and_origins(state: Path | None, **given: Any) -> tuple[Settings, dict[str, Origin]]:
    """The same, and where each setting comes from."""
    chosen = {name: value for name, value in given.items() if value is not None}
    if state is not None:
        chosen["state_dir"] = state
    try:
        return read_settings(chosen, os.environ, configuration_file())
    except LedgerError as error:
        fail(error.detail)
    except ArgumentError:
        fail("a database's address does not read: sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME")
    except ValidationError as error:
        for problem in error.errors():
            place = ".".join(str(part) for part in problem["loc"])
            fail(f"{place}: {problem['msg']}" if place else problem["msg"].removeprefix("Value error, "))
        raise AssertionError("a validation error names a problem") from error


@contextmanager
def told_in_a_sentence() -> Iterator[None]:
    """Turn errors into one sentence and an exit status."""
    try:
        with files_told_in_a_sentence():
            yield
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("psycopg"):
            raise
        fail("PostgreSQL needs the extra «postgres», which is not installed: pip install 'consent-ledger[postgres]'")
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        # SQLite's errors in our own words; PostgreSQL's by their first line, which tells an operator why there is no
        # connection
        said = sqlite.explain(cause) if isinstance(cause, sqlite3.Error) else str(cause).splitlines()[0]
        fail(f"the database did not do as asked: {said}")


@contextmanager
def node_of(state: Path | None) -> Iterator[Node]:
    """A running node on a state folder, for one command that may write; an error ends the command in a sentence."""
    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence(), short_lived(settings) as node:
        yield node


@contextmanager
def reader_of(state: Path | None, *, examine: bool = False) -> Iterator[Node]:
    """A node that only reads (`opened`); an error ends the command in a sentence."""
    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence(), opened(settings, examine=examine) as node:
        yield node


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, shown to people only."""
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def record(
    state: Path | None, kind: Callable[Members, Document], *args: Members.args, **members: Members.kwargs
) -> None:
    """Record one operator document of this kind, and print its index."""
    with node_of(state) as node:
        [recorded] = node.ledger.record_documents(document_of(kind, *args, **members))
    say_entry(recorded)


def say_entry(recorded: Recorded) -> None:
    """Names a document and its index."""
    say(f"{recorded.act}: entry {recorded.index}", act=recorded.act, index=recorded.index)
