"""Which engines there are, and that no other one is taken for one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Column, Engine, MetaData, String, Table, create_mock_engine, delete, insert, select

from ledger.engines import engine
from ledger.engines.copies import COPIERS
from ledger.engines.engine import ENGINES
from ledger.engines.postgres import LIMITS
from ledger.engines.sqlite_files import file_of, side_files
from ledger.errors import InvalidInput
from tests.engines import FIXTURES

ANOTHER = "mysql+pymysql://ledger@db.example/log"


def test_every_engine_is_tested_by_whatever_asks_for_one() -> None:
    assert set(FIXTURES) == set(ENGINES)


def test_every_engine_says_how_it_is_copied() -> None:
    assert set(COPIERS) == set(ENGINES)


@pytest.mark.parametrize(
    "opening",
    [
        engine.writer_engine,
        engine.reader_engine,
        engine.operations_engine,
        engine.keystore_engine,
        engine.token_engine,
        engine.pages_engine,
        engine.make_private,
        engine.name_of,
        engine.is_file,
        engine.key_store_beside,
    ],
)
def test_a_database_of_another_kind_is_refused_with_the_names_of_those_that_serve(
    opening: Callable[[str], object],
) -> None:
    with pytest.raises(InvalidInput, match=r"'mysql' is not a supported engine: use sqlite or postgresql"):
        opening(ANOTHER)


@pytest.mark.parametrize("asked", [engine.driver_for, engine.backend_of])
def test_an_engine_of_another_kind_has_no_driver(asked: Callable[[Engine], object]) -> None:
    other = create_mock_engine("mssql://", lambda *_: None)
    with pytest.raises(InvalidInput, match="'mssql' is not a supported engine"):
        asked(other)  # type: ignore[arg-type]


LETTERS = Table("letters", MetaData(), Column("words", String))
SECRET = "a word that nobody must find again"


@pytest.fixture
def swept(engine_url: str) -> Iterator[Engine]:
    """An engine of the pages with a table in which a row was written and deleted, and nothing swept yet."""
    made = engine.pages_engine(engine_url)
    engine.make_tables(made, [LETTERS])
    with made.begin() as connection:
        connection.execute(insert(LETTERS).values(words=SECRET))
    with made.begin() as connection:
        connection.execute(delete(LETTERS))
    yield made
    made.dispose()


def test_a_sweep_leaves_nothing_of_deleted_rows_in_any_file(swept: Engine) -> None:
    path = file_of(str(swept.url)) if engine.is_file(str(swept.url)) else None
    assert engine.sweep(swept, ["letters"])
    if path is not None:
        assert all(SECRET.encode() not in file.read_bytes() for file in (path, *side_files(path)) if file.exists())
        return
    with swept.connect() as connection:
        assert connection.exec_driver_sql("SELECT pg_relation_size('letters')").scalar_one() == 0
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar_one() == LIMITS["statement_timeout"]


def test_a_sweep_prevented_by_a_reader_is_not_a_success(sqlite_url: str) -> None:
    made = engine.pages_engine(sqlite_url)
    engine.make_tables(made, [LETTERS])
    with made.connect() as reader, made.connect() as writer:
        reader.exec_driver_sql("BEGIN")
        reader.execute(select(LETTERS)).all()
        writer.execute(insert(LETTERS).values(words=SECRET))
        writer.commit()
        assert not engine.sweep(made, ["letters"])
    assert engine.sweep(made, ["letters"])
    made.dispose()
