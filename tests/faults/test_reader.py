"""A node that only reads, on a standby: it shows what is confirmed and nothing else, and says where to write."""

from __future__ import annotations

import asyncio
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from pydantic import ValidationError

from api.client import LedgerUnavailable, Pseudonyms, RefusedByLedger
from api.node.reading import reading
from api.node.settings import Settings
from api.server.serving import AppFactory
from ledger.notes.checkpoint import open_checkpoint
from tests.client.service import Service, active_consent, balance_item, running_service, serving, terms_for
from tests.faults.pair import Pair, made_pair, until

KEYS = ("kek", "token.key", "event.key", "operator.jwks.json")
CONFIRMED = "consent-ledger-confirmed"


@dataclass
class Readers:
    """A node on the primary and a reader on the standby."""

    pair: Pair
    service: Service
    url: str

    def get(self, path: str) -> httpx2.Response:
        """From the reader."""
        return httpx2.get(self.url + path, timeout=60)

    def shown(self) -> int:
        """The size of the newest checkpoint that the reader shows."""
        return open_checkpoint(self.get("/checkpoint/newest").text, self.service.node.ledger.vkey).size

    def at_the_standby(self) -> tuple[int, int]:
        """(size, confirmed) of the head's row, as replicated."""
        with self.pair.standby.connect("ledger") as outside:
            row = outside.execute("SELECT size, confirmed FROM log_head").fetchone()
        assert row is not None
        return int(str(row[0])), int(str(row[1]))


def settings_of(service: Service, database_url: str, folder: Path, port: int) -> Settings:
    folder.mkdir(mode=0o700)
    for name in KEYS:
        shutil.copy2(service.node.settings.state_dir / name, folder / name)
    return Settings(
        state_dir=folder,
        database_url=database_url,
        keystore_url=service.node.settings.keystore_url,
        token_store_url=f"sqlite:///{folder / 'tokens.sqlite'}",
        role="reader",
        vkey=service.node.ledger.vkey.format(),
        write_at=(service.url,),
        port=port,
    )


@contextmanager
def reader(service: Service, database_url: str, folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    settings = settings_of(service, database_url, folder, port)
    with reading(settings):  # as `serve` looks before it listens
        pass
    with serving(AppFactory(settings)(), port=port) as url:
        yield url


@pytest.fixture
def readers(tmp_path: Path) -> Iterator[Readers]:
    with (
        made_pair() as pair,
        running_service(pair.url, tmp_path / "node") as service,
        reader(service, pair.standby.url("ledger"), tmp_path / "reader") as url,
    ):
        yield Readers(pair, service, url)


@pytest.mark.postgres
def test_a_reader_answers_from_the_standby_and_sends_writers_elsewhere(readers: Readers) -> None:
    service = readers.service

    async def story() -> None:
        consent_id = str(uuid.uuid4())
        async with (
            service.client("bank-a") as bank,
            service.client("app-1", url=[readers.url, service.url]) as app,
            service.client("app-1", url=readers.url) as here,
        ):
            account = await active_consent(bank, app, consent_id, Pseudonyms.generate())
            receipt = await app.access(balance_item(consent_id, account))  # 421 at the first address
            await app.access(balance_item(consent_id, account, "interaction-2"))
            await asyncio.to_thread(until, lambda: readers.shown() > receipt.index)

            assert (await here.receipt(receipt.index)).statement == receipt.statement
            assert (await here.consent(consent_id))["status"] == "ACTIVE"
            assert len(await here.history(consent_id)) >= 3, "all that was confirmed when the reader was waited for"
            tile = f"/tile/0/000.p/{receipt.index + 1}"
            assert readers.get(tile).content == httpx2.get(service.url + tile).content

            size = service.node.ledger.tree.size()
            with pytest.raises(RefusedByLedger) as refused:
                await here.request_consent(str(uuid.uuid4()), terms_for())
            assert refused.value.status == 421
            assert str(refused.value.problem["type"]).endswith("/errors/reads-only")
            assert refused.value.problem["write_at"] == [service.url]
            assert service.url in refused.value.detail
            assert service.node.ledger.tree.size() == size

    asyncio.run(story())
    assert readers.get("/health/ready").status_code == 200


@pytest.mark.postgres
def test_a_reader_shows_no_entry_that_is_replicated_and_not_confirmed(readers: Readers) -> None:
    service = readers.service

    async def story() -> None:
        consent_id = str(uuid.uuid4())
        async with (
            service.client("bank-a") as bank,
            service.client("app-1") as app,
            service.client("app-1", url=readers.url) as here,
        ):
            account = await active_consent(bank, app, consent_id, Pseudonyms.generate())
            for number in range(3):
                receipt = await app.access(balance_item(consent_id, account, f"interaction-{number}"))
            await asyncio.to_thread(until, lambda: readers.at_the_standby()[0] > receipt.index)
            with readers.pair.standby.connect() as admin:
                admin.execute("SELECT pg_wal_replay_pause()")  # what it has now is what it shows
                size, confirmed = readers.at_the_standby()
                assert confirmed < size, "the newest commit came back after it had written this row"

                assert readers.shown() == confirmed
                answer = readers.get("/checkpoint/newest")
                assert answer.headers[CONFIRMED] == str(confirmed)
                with pytest.raises((RefusedByLedger, LedgerUnavailable)):
                    await here.receipt(confirmed)
                admin.execute("SELECT pg_wal_replay_resume()")

            await app.access(balance_item(consent_id, account, "interaction-9"))
            await asyncio.to_thread(until, lambda: readers.shown() >= size)
            assert (await here.receipt(confirmed)).index == confirmed

    asyncio.run(story())


def test_a_reader_reads_a_file_beside_its_node_too_and_takes_no_other_method(tmp_path: Path) -> None:
    with (
        running_service(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path / "node") as service,
        reader(service, service.node.settings.database_url, tmp_path / "reader") as url,
    ):
        for path in ("/participants", "/", "/health/ready"):
            assert httpx2.get(url + path, follow_redirects=True).status_code == 200, path
        for method, path in (("POST", "/accesses"), ("POST", "/consents"), ("PUT", "/x"), ("POST", "/sign-in")):
            refused = httpx2.request(method, url + path, json={})
            assert (refused.status_code, refused.json()["write_at"]) == (421, [service.url]), path
        assert httpx2.post(f"{url}/token", data={"grant_type": "client_credentials"}).status_code in (400, 401)


def test_a_reader_that_is_not_told_where_things_are_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"a reader needs CONSENT_LEDGER_VKEY, CONSENT_LEDGER_WRITE_AT"):
        Settings(state_dir=tmp_path, role="reader", keystore_url="sqlite:///k", token_store_url="sqlite:///t")
    with pytest.raises(ValidationError, match="needs CONSENT_LEDGER_KEYSTORE_URL, CONSENT_LEDGER_TOKEN_STORE_URL"):
        Settings(state_dir=tmp_path, role="reader", vkey="v", write_at=("https://a.example",))
