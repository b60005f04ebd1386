"""The mutants' table knows the verifier as it is: each module by its name, each with tests that are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.__main__ import TESTS, module_of


@pytest.mark.parametrize("name", TESTS)
def test_each_module_whose_mutants_are_made_is_there_with_its_tests(name: str) -> None:
    assert module_of(name).is_file()
    files = [Path(__file__).parent / test.partition("::")[0] for test in TESTS[name]]
    assert [str(file) for file in files if not file.is_file()] == []
