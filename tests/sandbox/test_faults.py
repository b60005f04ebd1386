"""Faults on request: what a partner's software meets on a bad day, and a client that stands it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.cli.folder import ParticipantFolder
from api.client import Equivocation, RefusedByLedger, RolledBack
from tests.sandbox.kit import Service, Visitor, asked, read, running_sandboxes


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_sandboxes(tmp_path_factory.mktemp("sandboxes") / "logs") as running:
        yield running


@pytest.fixture
def visitor(service: Service, tmp_path: Path) -> Iterator[Visitor]:
    guest = service.guest(tmp_path / "app-new")
    yield guest
    service.http.delete(guest.here)


@pytest.mark.parametrize("fault", ["unavailable", "lost"])
def test_a_statement_that_met_a_503_is_recorded_once(visitor: Visitor, fault: str) -> None:
    async def asks() -> list[str]:
        async with visitor.client() as client:
            await client.checkpoint()
            visitor.breaks(fault, times=1)
            consent_id = await asked(client)
            return [receipt.act for receipt in await client.history(consent_id)]

    assert asyncio.run(asks()) == ["consent.request"]
    seen = visitor.service.sandboxes.room("app-new", visitor.room["key"]).world.faults["ledger"].seen
    sent = [one for one in seen if one.path == "/consents"]
    assert [one.status for one in sent] == [503, 200] if fault == "lost" else [503, 201]
    assert len({one.digest for one in sent}) == 1, "the very same statement"


@pytest.mark.parametrize(("fault", "kind"), [("fork", Equivocation), ("rollback", RolledBack)])
def test_a_log_that_lies_is_found_out(visitor: Visitor, fault: str, kind: type[Exception]) -> None:
    async def follows() -> None:
        async with visitor.client() as client:
            await asked(client)
            await client.checkpoint()
            visitor.breaks(fault)
            with pytest.raises(kind):
                await client.checkpoint()
            await client.checkpoint()  # it was for one request

    asyncio.run(follows())


def test_a_bank_that_is_slow_or_away_answers_in_the_end(visitor: Visitor) -> None:
    async def reads() -> list[int]:
        async with visitor.client() as client:
            consent_id = await asked(client)
            [account] = (await visitor.answers("yes", consent_id))["accounts"]
            visitor.breaks("slow", seconds=0, at="bank-north")
            first = await read(client, visitor.room, consent_id, account)
            visitor.breaks("unavailable", at="bank-north")
            second = await read(client, visitor.room, consent_id, account)
            third = await read(client, visitor.room, consent_id, account)
            return [first.status, second.status, third.status]

    assert asyncio.run(reads()) == [200, 503, 200]


def test_a_key_that_is_revoked_signs_nothing_any_more(visitor: Visitor) -> None:
    async def signs() -> None:
        async with visitor.client() as client:
            await asked(client)
            revoked = visitor.breaks("revoked-key")["kid"]
            assert revoked == ParticipantFolder.read(visitor.folder).statement_kid
            with pytest.raises(RefusedByLedger, match="key"):
                await asked(client)

    asyncio.run(signs())


def test_a_fault_that_is_none_is_refused_and_mending_ends_all(visitor: Visitor) -> None:
    http, here = visitor.service.http, visitor.here
    for body in (
        {"fault": "fire"},
        {"fault": "slow", "seconds": 31},
        {"fault": "lost", "times": 0},
        {"fault": "lost", "at": "moon"},
    ):
        answer = http.post(f"{here}/faults", json=body)
        assert answer.status_code == 400, answer.text
        assert answer.json()["detail"]
    visitor.breaks("unavailable", times=500)
    assert http.delete(f"{here}/faults").status_code == 204

    async def asks() -> str:
        async with visitor.client() as client:
            return await asked(client)

    assert asyncio.run(asks())
