"""The memory of used decisions: for one process, in SQL on both engines, in Redis; and the guard when it cannot be asked."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import uuid
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy
from redis.asyncio import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from api.guard import AlreadyUsed, MemoryUnavailable, UsedDecisions, receipt_header
from api.guard.used_redis import UsedInRedis
from api.guard.used_sql import SWEEP_MS, UsedInSql
from tests.client.bank import Scene, at_the_bank, play
from tests.client.service import Service, running_service
from tests.conformance import lacking

Answer = TypeVar("Answer")


@pytest.fixture(scope="module")
def redis_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Redis server of this test process, on a socket in its own folder."""
    program = shutil.which("redis-server") or lacking("no redis-server; on Debian: apt-get install redis-server")
    place = tmp_path_factory.mktemp("redis") / "socket"
    options = ["--port", "0", "--unixsocket", str(place), "--save", "", "--dir", str(place.parent), "--daemonize", "no"]
    with subprocess.Popen([str(program), *options], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert any("ready to accept" in line.lower() for line in server.stdout), "the server ended at once"
            yield place
        finally:
            server.terminate()


class Shared:
    """A store that the processes of a bank share."""

    def __init__(self, url: str | None = None, redis: Path | None = None) -> None:
        self._url, self._redis = url, redis
        self._engines: list[sqlalchemy.Engine] = []
        self._clients: list[Redis] = []

    def process(self, log: str = "ledger.example") -> UsedDecisions:
        """The memory of one more process, for the ledger of this origin."""
        if self._url is not None:
            self._engines.append(sqlalchemy.create_engine(self._url))
            used = UsedInSql(self._engines[-1], log)
            used.create()
            return used
        self._clients.append(Redis(unix_socket_path=str(self._redis)))
        return UsedInRedis(self._clients[-1], log, prefix=f"test:{id(self)}")

    def play(self, story: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        """Run a story in a loop of its own, and close what it opened."""

        async def run() -> Answer:
            try:
                return await story()
            finally:
                for client in self._clients:
                    await client.aclose()
                for engine in self._engines:
                    engine.dispose()

        return asyncio.run(run())


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres), "redis"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Shared:
    if request.param == "redis":
        return Shared(redis=request.getfixturevalue("redis_socket"))
    if request.param == "sqlite":
        return Shared(f"sqlite:///{tmp_path / 'bank.sqlite'}")
    server = request.getfixturevalue("postgres_server")
    name = f"used_{uuid.uuid4().hex}"
    with server.connect() as admin:
        admin.execute(f"CREATE DATABASE {name}")
    return Shared(server.url(name))


def test_of_many_processes_at_once_just_one_may_use_a_decision(shared: Shared) -> None:
    async def story() -> list[BaseException | None]:
        bank = [shared.process() for _ in range(6)]
        uses = (used.use(7, now=1_000, until=31_000) for used in bank for _ in range(3))
        return await asyncio.gather(*uses, return_exceptions=True)

    answers = shared.play(story)
    assert answers.count(None) == 1
    assert {type(answer) for answer in answers} == {type(None), AlreadyUsed}


def test_another_decision_and_another_ledgers_entry_are_free(shared: Shared) -> None:
    async def story() -> None:
        one, other = shared.process("ledger.example"), shared.process("other.example")
        await one.use(1, now=1_000, until=31_000)
        await one.use(2, now=1_000, until=31_000)
        await other.use(1, now=1_000, until=31_000)
        with pytest.raises(AlreadyUsed):
            await shared.process("ledger.example").use(2, now=2_000, until=31_000)

    shared.play(story)


def test_old_rows_are_swept_from_the_table_and_the_rest_stays(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bank.sqlite'}"
    shared = Shared(url)

    async def story() -> None:
        used = shared.process()
        for index in range(20):
            await used.use(index, now=1, until=30_000)
        await used.use(20, now=1, until=SWEEP_MS * 2)
        await used.use(21, now=SWEEP_MS + 1, until=SWEEP_MS * 2)

    shared.play(story)
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(sqlalchemy.text("SELECT entry FROM consent_guard_used ORDER BY entry")).scalars()
        assert list(rows) == [20, 21]
    engine.dispose()


def test_redis_forgets_by_itself(redis_socket: Path) -> None:
    async def story() -> int:
        redis = Redis(unix_socket_path=str(redis_socket))
        await UsedInRedis(redis, "ledger.example", prefix="ttl").use(1, now=1_000, until=31_000)
        left: int = await redis.pttl("ttl:ledger.example:1")
        await redis.aclose()
        return left

    assert 0 < asyncio.run(story()) <= 30_000


# -- a store that does not answer -----------------------------------------------------------------------------------------


def _away_sql(folder: Path) -> UsedDecisions:
    return UsedInSql(sqlalchemy.create_engine(f"sqlite:///{folder / 'absent' / 'bank.sqlite'}"), "ledger.example")


def _away_redis(folder: Path) -> UsedDecisions:
    return UsedInRedis(Redis(unix_socket_path=str(folder / "absent"), retry=Retry(NoBackoff(), 0)), "ledger.example")


@pytest.mark.parametrize("away", [_away_sql, _away_redis])
def test_a_store_that_does_not_answer_does_not_count_as_a_yes(
    away: Callable[[Path], UsedDecisions], tmp_path: Path
) -> None:
    with pytest.raises(MemoryUnavailable):
        asyncio.run(away(tmp_path).use(1, now=1_000, until=31_000))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("used")
    with running_service(f"sqlite:///{folder / 'ledger.sqlite'}", folder) as running:
        yield running


def test_the_door_stays_shut_while_the_memory_cannot_be_asked(service: Service, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        answer = await scene.online(scene.item())
        assert answer.status_code == 503
        assert answer.json()["reason"] == "LEDGER_UNAVAILABLE"
        assert "account" not in answer.json()

    play(service, story, used=[_away_sql(tmp_path)])


def test_two_processes_of_a_bank_let_a_decision_out_once(service: Service, shared: Shared) -> None:
    async def story(scene: Scene) -> None:
        headers = receipt_header(await scene.app.access(scene.item()))
        answers = await asyncio.gather(*(door.get(scene.path(), headers=headers) for door in scene.doors))
        assert sorted(answer.status_code for answer in answers) == [200, 409]

    shared.play(lambda: at_the_bank(service, story, used=[shared.process(), shared.process()]))
