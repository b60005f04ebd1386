"""Two shards and their head log, served: who trusts the head log's key reaches each bank's log, and can prove its entries
(docs/sets.md)."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from api.client import (
    LedgerClient,
    LedgerSet,
    LedgerUnavailable,
    NotInSet,
    Pseudonyms,
    ReceiptRefused,
    RefusedByLedger,
    Trust,
)
from api.sets.addresses import write_address
from api.sets.committing import FORKS, HeadCommitter
from ledger.canonical import b64u
from ledger.documents import document_of
from ledger.errors import InvalidInput
from ledger.merkle.hashing import leaf_hash
from ledger.set_documents import HeadsCommitted, HolderPlaced, ShardAdded, ShardHead
from ledger.set_proof import check_set_proof
from tests.client.service import IN_A_HURRY, Member, Service, active_consent, balance_item, running_service, terms_for

EAST, WEST = "ledger.example/east", "ledger.example/west"


@dataclass
class Logs:
    """The head log and two shards; bank-a lives in the east, bank-b in the west, app-1 is in both."""

    head: Service
    east: Service
    west: Service

    def committer(self) -> HeadCommitter:
        """One whose turns the test takes itself."""
        settings = self.head.node.settings
        return HeadCommitter(self.head.node.ledger, settings.set_file, settings.state_dir)

    def clients(self, participant: str) -> LedgerSet[LedgerClient]:
        """The set as this participant sees it, by the head log's key alone."""

        def connect(address: str, trust: Trust) -> LedgerClient:
            member = self._member(participant, trust)
            return LedgerClient(
                address, participant, member.signer, trust, client_key=member.client_key, patience=IN_A_HURRY
            )

        return LedgerSet(self.head.url, self.head.trust, connect, patience=IN_A_HURRY, sleep=_at_once)

    def _member(self, participant: str, trust: Trust) -> Member:
        place = self.east if trust.vkey.name == EAST else self.west
        return place.members[participant]


async def _at_once(_: float) -> None:
    await asyncio.sleep(0)


@pytest.fixture
def logs(engine_url: str, tmp_path: Path) -> Iterator[Logs]:
    folders = [tmp_path / name for name in ("head", "east", "west")]
    for folder in folders:
        folder.mkdir()
    urls = [f"sqlite:///{folder / 'log.sqlite'}" for folder in folders]
    with (
        running_service(engine_url, folders[0], banks=(), apps=()) as head,
        running_service(urls[1], folders[1], origin=EAST, apps=("app-1",)) as east,
        running_service(urls[2], folders[2], origin=WEST, banks=("bank-b",), apps=("app-1",)) as west,
    ):
        shards = (east, west)
        ledger = head.node.ledger
        for shard in shards:
            vkey = shard.node.ledger.vkey
            ledger.record_documents(document_of(ShardAdded, origin=vkey.name, key=b64u(vkey.public_key)))
            write_address(head.node.settings.set_file, vkey.name, shard.url)
        ledger.record_documents(
            document_of(HolderPlaced, holder="bank-a", origin=EAST),
            document_of(HolderPlaced, holder="bank-b", origin=WEST),
        )
        yield Logs(head, east, west)


def test_a_consent_at_each_bank_is_decided_in_the_banks_shard_and_proved_by_the_head_log(logs: Logs) -> None:
    committer = logs.committer()

    async def live() -> list[tuple[str, int, bytes, bytes]]:
        proofs = []
        async with logs.clients("app-1") as app, logs.clients("bank-a") as east, logs.clients("bank-b") as west:
            for number, (bank, banks) in enumerate((("bank-a", east), ("bank-b", west))):
                holder, recipient = await banks.of_holder(bank), await app.of_holder(bank)
                consent_id = f"00000000-0000-4000-8000-00000000000{number}"
                account = await active_consent(holder, recipient, consent_id, Pseudonyms(bytes(32)), holder=bank)
                receipt = await recipient.access(balance_item(consent_id, account))
                assert receipt.allowed
                await asyncio.to_thread(committer.turn)
                proof = await app.prove(receipt)
                leaf = json.loads(receipt.file)["leaf"].encode()
                proofs.append((receipt.checkpoint.origin, receipt.index, proof.file, leaf))
                await holder.close()
                await recipient.close()
        return proofs

    proofs = asyncio.run(live())
    assert [origin for origin, *_ in proofs] == [EAST, WEST]
    vkeys = (logs.head.node.ledger.vkey,)
    for origin, index, file, leaf in proofs:
        committed = check_set_proof(file, origin, index, leaf_hash(leaf), vkeys)
        assert committed.head_of(origin, index).size > index
    (_, index, file, leaf), (_, _, _, other) = proofs
    changes: list[dict[str, Any]] = [
        {"origin": WEST},
        {"index": index + 1},
        {"hashed": leaf_hash(other)},
        {"vkeys": (logs.east.node.ledger.vkey,)},
    ]
    for change in changes:
        asked = {"data": file, "origin": EAST, "index": index, "hashed": leaf_hash(leaf), "vkeys": vkeys} | change
        with pytest.raises(InvalidInput):
            check_set_proof(**asked)


def test_a_question_goes_unchanged_to_where_its_shard_answers_after_that_has_moved(logs: Logs) -> None:
    set_file = logs.head.node.settings.set_file

    async def ask() -> None:
        async with logs.clients("app-1") as app:
            write_address(set_file, EAST, "http://127.0.0.1:9")
            before = await app.of_holder("bank-a")
            terms = msgspec.to_builtins(terms_for())
            consent_id = "00000000-0000-4000-8000-000000000007"
            question = before.statements.make("consent.request", consent_id=consent_id, terms=terms)
            with pytest.raises(LedgerUnavailable):  # the head log knows of no other address
                await app.ask("/consents", question)
            write_address(set_file, EAST, logs.east.url)
            [receipt] = await app.ask("/consents", question)
            [again] = await app.ask("/consents", question)
            assert receipt.index == again.index, "the same question, and so recorded once"
            assert receipt.checkpoint.origin == EAST
            assert await app.of_holder("bank-a") is not before
            await before.close()
            await (await app.of_holder("bank-a")).close()

    asyncio.run(ask())


def test_nobody_believes_a_shard_that_the_head_log_does_not_prove(logs: Logs) -> None:
    async def ask() -> None:
        async with logs.clients("app-1") as app:
            with pytest.raises(NotInSet):
                await app.of_holder("bank-c")
            client = await app.of_holder("bank-a")
            first = await client.request_consent("00000000-0000-4000-8000-000000000009", terms_for())
            with pytest.raises(RefusedByLedger):  # no turn of the committer: nobody vouches for it yet
                await app.prove(first)
            await client.close()
        stranger = replace(logs.head.trust, vkey=logs.east.node.ledger.vkey)
        async with LedgerSet(logs.head.url, stranger, lambda *_: None, patience=IN_A_HURRY) as strange:
            with pytest.raises(ReceiptRefused):
                await strange.of_holder("bank-a")

    asyncio.run(ask())


def test_a_shard_that_is_away_holds_up_no_other_and_one_that_shows_another_history_is_not_committed(logs: Logs) -> None:
    ledger = logs.head.node.ledger
    write_address(logs.head.node.settings.set_file, WEST, "http://127.0.0.1:9")
    committer = logs.committer()
    [recorded] = committer.turn()
    assert recorded.act == "heads.committed"
    assert committer.errors.keys() == {WEST}
    known = ledger.registry.shards.shards
    east = known[EAST].head
    assert east is not None
    assert known[WEST].head is None
    # another root than the shard's own, at a size that it has not reached: no tree of the shard begins with that
    beyond = ShardHead(origin=EAST, root=b64u(bytes(32)), size=east.size + 1)
    ledger.record_documents(document_of(HeadsCommitted, heads=(beyond,)))
    assert logs.committer().turn() == []
    logs.east.join("app-9", "recipient")
    judged = logs.committer()
    assert judged.turn() == []
    assert "is not shown to begin with" in judged.errors[EAST]
    [kept] = (logs.head.node.settings.state_dir / FORKS).iterdir()
    assert kept.read_text() == logs.east.node.ledger.tree.checkpoint()


def test_a_shard_that_answers_a_byte_at_a_time_holds_up_no_other(logs: Logs) -> None:
    ended = threading.Event()

    class Dripping(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):  # until whoever asked has gone
                while not ended.wait(0.05):
                    self.wfile.write(b"x")

    with ThreadingHTTPServer(("127.0.0.1", 0), Dripping) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = logs.head.node.settings
        write_address(settings.set_file, WEST, f"http://127.0.0.1:{server.server_port}")
        committer = HeadCommitter(logs.head.node.ledger, settings.set_file, settings.state_dir, longest=1.0)
        try:
            [recorded] = committer.turn()
        finally:
            ended.set()
            server.shutdown()
    assert recorded.act == "heads.committed"
    assert committer.errors == {WEST: "no whole answer within 1 s"}


def test_an_unchanged_head_is_told_again_after_an_hour_and_not_before(logs: Logs) -> None:
    ledger = logs.head.node.ledger
    committer = logs.committer()
    assert len(committer.turn()) == 1
    assert committer.turn() == []

    class Later:
        def now(self) -> int:
            return ledger.clock.now() + 3_700_000

    settings = logs.head.node.settings
    [again] = HeadCommitter(ledger, settings.set_file, settings.state_dir, clock=Later()).turn()
    assert again.act == "heads.committed"


def test_a_shard_that_is_none_and_an_entry_that_is_not_committed_are_not_found(logs: Logs) -> None:
    committer = logs.committer()
    http = httpx2.Client(base_url=logs.head.url)

    def status(origin: str, index: int) -> int:
        return http.get("/set/heads", params={"origin": origin, "index": index}).status_code

    with http:
        assert status(EAST, 0) == 404, "no head is committed yet"
        committer.turn()
        head = logs.head.node.ledger.registry.shards.shards[EAST].head
        assert head is not None
        assert [status(EAST, 0), status(EAST, head.size - 1), status(EAST, head.size)] == [200, 200, 404]
        assert status("ledger.example/elsewhere", 0) == 404
