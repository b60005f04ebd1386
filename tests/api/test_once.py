"""One-time tokens that come together: each is let through once, and a token that was given back is told."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from api.http.grouping import Together
from api.tokens.jwt import BadToken
from api.tokens.once import REVOKED, Once, Use, given_back


@pytest.fixture
def once(tmp_path: Path) -> Once:
    return Once(f"sqlite:///{tmp_path / 'tokens.sqlite'}")


def test_of_two_equal_proofs_that_come_together_one_is_let_through(once: Once) -> None:
    soon = time.time() + 60
    proof, other = Use("dpop", "key", "jti-1", soon), Use("dpop", "key", "jti-2", soon)
    first, second, third = once.use_all([proof, proof, other])
    assert (first, third) == (False, False)
    assert isinstance(second, BadToken)
    assert [type(answer) for answer in once.use_all([proof, other])] == [BadToken, BadToken]


def test_a_token_that_its_client_gave_back_is_told_with_the_proof(once: Once) -> None:
    soon = time.time() + 60
    once.use(REVOKED, "tpp-1", "token-1", soon)
    with_it = Use("dpop", "key", "jti-1", soon, given_back("tpp-1", "token-1"))
    without = Use("dpop", "key", "jti-2", soon, given_back("tpp-2", "token-1"))
    assert once.use_all([with_it, without]) == [True, False]
    assert once.seen(REVOKED, "tpp-1", "token-1")
    assert not once.seen(REVOKED, "tpp-2", "token-1")


def test_questions_asked_together_get_each_its_own_answer() -> None:
    groups: list[list[int]] = []

    def answer(questions: list[int]) -> list[int | Exception]:
        groups.append(questions)
        return [ValueError(str(one)) if one % 3 == 0 else one * 2 for one in questions]

    async def ask() -> list[int | BaseException]:
        together: Together[int, int] = Together(answer)
        return await asyncio.gather(*map(together.ask, range(100)), return_exceptions=True)

    told = asyncio.run(ask())
    assert [one for one in told if not isinstance(one, BaseException)] == [n * 2 for n in range(100) if n % 3]
    assert sum(isinstance(one, ValueError) for one in told) == 34
    assert len(groups) < 10, "asked one by one"
