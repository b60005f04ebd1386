"""A server that lies, or somebody between: whatever is not exactly what was asked for is refused."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.client import Equivocation, InFile, Misbehaviour, Pseudonyms, ReceiptRefused, RolledBack, open_receipt
from ledger.assembly import read_signer
from ledger.canonical import b64u
from ledger.merkle.hashing import leaf_hash, node_hash
from ledger.notes.checkpoint import sign_checkpoint
from ledger.notes.proof_file import format_proof, parse_proof
from tests.client.service import Service, active_consent, balance_item, running_service, serving, terms_for

Entries = list[dict[str, Any]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("lies")
    with running_service(f"sqlite:///{folder / 'ledger.sqlite'}", folder) as running:
        yield running


class Liar:
    """A proxy before the ledger: passes requests on, and changes what comes back."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.lie: Callable[[str, bytes], bytes] = lambda _, body: body
        self.kept: dict[str, bytes] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        path = scope["path"]
        async with httpx2.AsyncClient(base_url=self.url) as onward:
            address = path + ("?" + scope["query_string"].decode() if scope["query_string"] else "")
            headers = {"content-type": "application/json"} if body else {}
            answer = await onward.request(scope["method"], address, content=body, headers=headers)
        content = answer.content
        if answer.status_code < 300:
            content = self.lie(path, content)
        await send({"type": "http.response.start", "status": answer.status_code, "headers": []})
        await send({"type": "http.response.body", "body": content})


@pytest.fixture(scope="module")
def liar(service: Service) -> Iterator[Liar]:
    proxy = Liar(service.url)
    with serving(proxy) as url:
        proxy.url, proxy.kept["url"] = service.url, url.encode()
        yield proxy


def in_entries(change: Callable[[Entries], Entries | None]) -> Callable[[str, bytes], bytes]:
    """A lie about the entries of an answer."""

    def lie(path: str, body: bytes) -> bytes:
        if not path.startswith(("/consents", "/accesses")):
            return body
        answer = json.loads(body)
        answer["entries"] = change(answer["entries"]) or answer["entries"]
        return json.dumps(answer).encode()

    return lie


def change_receipt(**members: Callable[[Any], Any]) -> Callable[[Entries], None]:
    def change(entries: Entries) -> None:
        for name, how in members.items():
            entries[0]["receipt"][name] = how(entries[0]["receipt"][name])

    return change


def without_evidence(entries: Entries) -> None:
    del entries[0]["receipt"]["evidence"], entries[0]["receipt"]["opening"]


def flipped(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


LIES: dict[str, Callable[[Entries], Entries | None]] = {
    "another time in the leaf": change_receipt(leaf=lambda leaf: flipped(leaf, '"time":1', '"time":2')),
    "another index in the leaf": change_receipt(leaf=lambda leaf: flipped(leaf, '"index":', '"index":1')),
    "denied told as allowed": change_receipt(evidence=lambda text: flipped(text, '"deny"', '"allow"')),
    "another opening": change_receipt(opening=lambda _: b64u(bytes(32))),
    "no evidence": without_evidence,
    "a proof of another entry": change_receipt(proof=lambda text: flipped(text, "index ", "index 1")),
    "a checkpoint without its signature": change_receipt(proof=lambda text: text.rsplit("\n— ", 1)[0] + "\n"),
    "no receipt at all": lambda _: [{"receipt": None}],
    "one entry twice": lambda entries: [entries[0], entries[0]],
    "an unknown version": change_receipt(v=lambda _: 2),
    "a member that does not belong": lambda entries: [{"receipt": entries[0]["receipt"] | {"extra": 1}}],
}


@pytest.mark.parametrize("name", LIES)
def test_a_changed_receipt_is_refused(service: Service, liar: Liar, name: str) -> None:
    async def story() -> None:
        consent_id = str(uuid.uuid4())
        async with service.client("bank-a") as bank, service.client("app-1") as app:
            account = await active_consent(bank, app, consent_id, Pseudonyms.generate())
        liar.lie = in_entries(LIES[name])
        async with service.client("app-2", url=liar.kept["url"].decode()) as stranger:
            with pytest.raises(ReceiptRefused):
                await stranger.access(balance_item(consent_id, account))

    asyncio.run(story())


def test_the_genuine_receipt_of_another_entry_is_refused(service: Service, liar: Liar) -> None:
    async def story() -> None:
        async with service.client("app-1") as app:
            other = await app.request_consent(str(uuid.uuid4()), terms_for())
        liar.lie = in_entries(lambda _: [{"receipt": json.loads(other.file)}])
        async with service.client("app-1", url=liar.kept["url"].decode()) as app:
            with pytest.raises(ReceiptRefused, match="another statement"):
                await app.request_consent(str(uuid.uuid4()), terms_for())

    asyncio.run(story())


def test_receipts_of_a_batch_in_another_order_are_refused(service: Service, liar: Liar) -> None:
    async def story() -> None:
        consent_id = str(uuid.uuid4())
        async with service.client("bank-a") as bank, service.client("app-1") as app:
            account = await active_consent(bank, app, consent_id, Pseudonyms.generate())
        liar.lie = in_entries(lambda entries: entries[::-1])
        async with service.client("app-1", url=liar.kept["url"].decode()) as app:
            with pytest.raises(ReceiptRefused, match="another item"):
                await app.access_many([balance_item(consent_id, account, f"interaction-{n}") for n in range(3)])

    asyncio.run(story())


def forked(service: Service) -> Callable[[str, bytes], bytes]:
    """The operator itself lies: a history of one entry, under the log's own key, in which only this entry exists."""
    signer = read_signer(service.node.settings.log_key_file)

    def change(entries: Entries) -> None:
        receipt = entries[0]["receipt"]
        proof = parse_proof(receipt["proof"])
        size, folded = proof.index + 1, leaf_hash(receipt["leaf"].encode())
        hashes = [bytes([number]) * 32 for number in range(_path_length(proof.index))]
        for sibling in hashes:
            folded = node_hash(sibling, folded)
        note = sign_checkpoint(signer.vkey.name, size, folded, signer)
        receipt["proof"] = format_proof(proof.index, hashes, note)

    return in_entries(change)


def _path_length(index: int) -> int:
    """Siblings of the last leaf of a tree: one per set bit of its index."""
    return index.bit_count()


def test_a_second_history_is_proved_and_the_evidence_kept(service: Service, liar: Liar, tmp_path: Path) -> None:
    async def story() -> Misbehaviour:
        liar.lie = lambda _, body: body
        url = liar.kept["url"].decode()
        async with service.client("app-1", url=url, evidence=tmp_path) as app:
            await app.request_consent(str(uuid.uuid4()), terms_for())
            liar.lie = forked(service)
            with pytest.raises(Equivocation) as caught:
                await app.request_consent(str(uuid.uuid4()), terms_for())
            return caught.value

    found = asyncio.run(story())
    assert found.evidence is not None
    assert (found.evidence / "known").read_text() == found.first
    assert (found.evidence / "seen").read_text() == found.second
    assert found.first != found.second


def test_the_forged_history_alone_would_have_been_believed(service: Service, liar: Liar) -> None:
    # It is what the client remembers that finds the fork: a receipt under the log's key is good by itself.
    async def story() -> None:
        liar.lie = forked(service)
        async with service.client("app-1", url=liar.kept["url"].decode()) as app:
            receipt = await app.request_consent(str(uuid.uuid4()), terms_for())
            open_receipt(receipt.file, service.trust)

    asyncio.run(story())


def test_an_old_checkpoint_is_a_rollback(service: Service, liar: Liar, tmp_path: Path) -> None:
    async def story() -> None:
        liar.lie = lambda _, body: body
        memory = InFile(tmp_path / "checkpoint")
        async with service.client("app-1", url=liar.kept["url"].decode(), memory=memory, evidence=tmp_path) as app:
            await app.checkpoint()
            old = memory.read()
            assert old is not None
            await app.request_consent(str(uuid.uuid4()), terms_for())
            liar.lie = lambda path, body: old.encode() if path == "/checkpoint/newest" else body
            with pytest.raises(RolledBack):
                await app.checkpoint()

    asyncio.run(story())


def test_a_false_consistency_proof_is_not_believed(service: Service, liar: Liar) -> None:
    def lie(path: str, body: bytes) -> bytes:
        if path != "/proofs/consistency":
            return body
        answer = json.loads(body)
        answer["hashes"] = [b64u(bytes(32)) for _ in answer["hashes"]]
        return json.dumps(answer).encode()

    async def story() -> None:
        liar.lie = lie
        async with service.client("app-1", url=liar.kept["url"].decode()) as app:
            await app.request_consent(str(uuid.uuid4()), terms_for())
            with pytest.raises(Equivocation):
                await app.request_consent(str(uuid.uuid4()), terms_for())

    asyncio.run(story())


@pytest.mark.parametrize("honest", [True, False])
def test_a_crowd_is_proved_from_tiles_and_one_by_one_when_those_are_false(
    service: Service, liar: Liar, honest: bool
) -> None:
    asked: list[str] = []

    def lie(path: str, body: bytes) -> bytes:
        asked.append(path)
        return bytes(len(body)) if path.startswith("/tile/") and not honest else body

    async def story() -> None:
        async with service.client("app-1") as app:
            receipts = [await app.request_consent(str(uuid.uuid4()), terms_for()) for _ in range(12)]
        liar.lie = lie
        async with service.client("app-1", url=liar.kept["url"].decode()) as fresh:
            await asyncio.gather(*(fresh.watch.observe(receipt.checkpoint, receipt.note) for receipt in receipts))
            assert fresh.watch.newest == receipts[-1].checkpoint

    asyncio.run(story())
    assert any(path.startswith("/tile/") for path in asked)
    proofs = asked.count("/proofs/consistency")
    assert proofs <= 1 if honest else proofs > 1
