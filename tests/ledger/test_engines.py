"""Which engines there are, and that no other one is taken for one of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, create_mock_engine

from ledger.engines import engine
from ledger.engines.copies import COPIERS
from ledger.engines.engine import ENGINES
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
