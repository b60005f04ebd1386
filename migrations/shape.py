"""The shape that a database has, and whether this version may use it: asked before anything else is done with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Connection, create_engine, inspect, make_url, pool, text

from ledger.engines.engine import is_file
from ledger.errors import InvalidInput, NotFound
from ledger.participants import RULESETS

_VERSION: Final = re.compile(r"m(\d{4})_\w+\.py")
NO_LOG: Final = "there is no log in this database yet: run «consent-ledger init»"


def revisions() -> list[str]:
    """All shapes that this version knows, oldest first: the names of the files in `versions`, without loading Alembic."""
    names = sorted(path.name for path in (Path(__file__).parent / "versions").iterdir())
    return [found[1] for found in map(_VERSION.fullmatch, names) if found]


def refuse_other_versions(url: str) -> None:
    """Refuse a database that this version cannot serve. Nothing is made or changed.

    Raises NotFound when there is no log in it, InvalidInput when `migrate` must be run, or a newer version has been here.
    """
    shape = _look(url, _shape_and_rulesets)
    newest = revisions()[-1]
    if shape != newest:
        raise InvalidInput(
            f"the database has the shape {shape}, and this version works with {newest}: stop all servers, run «consent-ledger "
            "migrate», and start them again"
        )


def refuse_newer(url: str) -> None:
    """Refuse to migrate a database that a newer version has been at. An empty one, or none, may be. Raises InvalidInput."""
    try:
        _look(url, _shape)
    except NotFound:
        return


def _look(url: str, look: Callable[[Connection], str]) -> str:
    if is_file(url):
        file = Path(str(make_url(url).database))
        if not file.is_file():
            raise NotFound(
                f"the database {file} does not exist: «consent-ledger init» makes the log of a new state folder"
            )
    engine = create_engine(url, poolclass=pool.NullPool)
    try:
        with engine.connect() as connection:
            return look(connection)
    finally:
        engine.dispose()


def _shape(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        raise NotFound(NO_LOG)
    shape: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if shape is None:
        raise NotFound(NO_LOG)
    known = revisions()
    if shape not in known:
        raise InvalidInput(
            f"the database has the shape {shape}, which a newer version of this program made; this one knows shapes up to "
            f"{known[-1]}. Install the newer version: there is no way back"
        )
    return shape


def _shape_and_rulesets(connection: Connection) -> str:
    shape = _shape(connection)
    for (leaf,) in connection.execute(text("SELECT leaf FROM entries WHERE kind = 'operator' ORDER BY idx")):
        ruleset = _ruleset_of(leaf)
        if ruleset is not None and ruleset not in RULESETS:
            raise InvalidInput(
                f"this log is judged by ruleset {ruleset}, which this version does not know (it knows "
                f"{', '.join(map(str, RULESETS))}): install the newer version that activated it"
            )
    return shape


def _ruleset_of(leaf: object) -> int | None:
    """The ruleset that an operator's document names, if any. What was damaged is for `check` to find."""
    if not isinstance(leaf, bytes | memoryview) or b'"ruleset"' not in bytes(leaf):
        return None
    try:
        return msgspec.json.decode(leaf, type=_Leaf).document.ruleset
    except msgspec.DecodeError:
        return None


class _Document(msgspec.Struct):
    ruleset: int | None = None


class _Leaf(msgspec.Struct):
    document: _Document
