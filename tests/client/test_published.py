"""Who has a log's published files alone follows it as from a node: no proof is computed for it, and no key is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.client import Equivocation, InMemory, LedgerClient, LocalSigner, ReceiptRefused, RolledBack, Trust
from api.node.log_keys import begin_overlap, end_overlap
from ledger.custody.log_key import make_log_key, next_key_file
from ledger.documents import registration
from ledger.notes.keys import VerifierKey
from tests.client.service import IN_A_HURRY, Service, running_service
from tests.published import publish_to, site
from verifier.cli import main as verify


@pytest.fixture
def service(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    with running_service(sqlite_url, tmp_path / "operator") as running:
        yield running


def change_key(service: Service) -> VerifierKey:
    """The new one."""
    ledger, file = service.node.ledger, service.node.settings.log_key_file
    make_log_key(next_key_file(file), ledger.origin)
    begin_overlap(ledger, file)
    end_overlap(ledger)
    return ledger.vkey


def grow(service: Service, entries: int) -> int:
    """So many more, and the size then."""
    ledger = service.node.ledger
    names = [f"watch-{ledger.tree.size() + number}" for number in range(entries)]
    ledger.record_documents(*(registration(name, name, ["auditor"]) for name in names))
    return ledger.tree.size()


def reader(url: str, trust: Trust, memory: InMemory | None = None) -> LedgerClient:
    return LedgerClient(url, "app-1", LocalSigner.generate("app-1"), trust, memory=memory, patience=IN_A_HURRY)


@pytest.mark.parametrize("missing", [404, 403])
def test_a_published_log_is_followed_across_a_change_of_its_key(service: Service, tmp_path: Path, missing: int) -> None:
    public, policy = tmp_path / "public", tmp_path / "policy"
    policy.write_text(f"log {service.trust.vkey.format()}\nquorum none\n")
    grow(service, 5)
    publish_to(service.node, public)

    async def run(url: str) -> None:
        words = ["log", url, "--policy", str(policy), "--state", str(tmp_path / "state")]
        assert verify(words) == 0
        async with reader(url, service.trust) as client:
            known = await client.checkpoint()
            new = change_key(service)
            size = grow(service, 300)  # what lay in partial tiles lies in full ones by now
            publish_to(service.node, public)
            assert verify(words) == 0
            with pytest.raises(ReceiptRefused, match="checkpoint is refused"):
                await client.checkpoint()
            assert [one.vkey for one in await client.learn_keys()] == [new]
            assert (await client.checkpoint()).size == size > known.size

    with site(public, missing=missing) as url:
        asyncio.run(run(url))


def test_published_files_that_went_back_or_belong_to_another_history_are_found_out(
    service: Service, tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    grow(service, 5)
    publish_to(service.node, old)
    grow(service, 5)
    publish_to(service.node, new)

    async def run() -> None:
        memory = InMemory()
        with site(new) as url:
            async with reader(url, service.trust, memory) as client:
                await client.checkpoint()
        with site(old) as url:
            async with reader(url, service.trust, memory) as client:
                with pytest.raises(RolledBack):
                    await client.checkpoint()
        [tile] = (new / "tile/0/000.p").iterdir()
        tile.write_bytes(tile.read_bytes()[::-1])
        memory.write((old / "checkpoint").read_text())
        with site(new) as url:
            async with reader(url, service.trust, memory) as client:
                with pytest.raises(Equivocation):
                    await client.checkpoint()

    asyncio.run(run())
