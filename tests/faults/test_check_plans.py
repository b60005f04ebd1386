"""A check looks entries up by an index, so that its time grows with the log and not with its square."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from tests.faults.rows import made
from tests.world import running

OF_EVERYTHING = ("count(", "max(", "min(")
"""What is asked once of a whole table."""


@contextmanager
def asked() -> Iterator[dict[str, Any]]:
    """Every statement that is run meanwhile, by its text, with the parameters of its last run."""
    found: dict[str, Any] = {}

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        found[statement] = parameters

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_a_check_reads_no_table_from_end_to_end_to_look_something_up(sqlite_url: str, tmp_path: Path) -> None:
    with running(sqlite_url, tmp_path) as node:
        scene = made(node)
        with asked() as found:
            assert scene.check().count == 0
        looked_up = {
            statement: parameters
            for statement, parameters in found.items()
            if "FROM entries" in statement and not any(word in statement for word in OF_EVERYTHING)
        }
        assert len(looked_up) > 3
        with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as database:
            for statement, parameters in looked_up.items():
                plan = [step[3] for step in database.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
                assert not [step for step in plan if step.startswith("SCAN entries")], statement
