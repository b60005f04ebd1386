"""Several logs as one (docs/sets.md): the client of a holder's shard, and proofs that the head log commits to its entries.

Who trusts the head log's key needs no other: it says which key each shard has, and where each holder lives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from api.client.addresses import Addresses
from api.client.errors import LedgerUnavailable, ReceiptRefused, RefusedByLedger
from api.client.memory import CheckpointMemory, CheckpointWatch, InMemory
from api.client.public import PublicLog
from api.client.receipts import Level, Trust, VerifiedReceipt
from api.client.transport import Patience, Transport, open_http
from ledger.canonical import unb64u
from ledger.documents import parse_document
from ledger.entries.leaf import OperatorLeaf, parse_leaf
from ledger.errors import LedgerError
from ledger.merkle.hashing import leaf_hash
from ledger.merkle.proofs import verify_inclusion
from ledger.notes.checkpoint import Checkpoint, open_checkpoint
from ledger.notes.keys import ED25519, VerifierKey
from ledger.set_documents import HolderPlaced, ShardAdded
from ledger.set_proof import check_set_proof, committed_by, set_proof_bytes

if TYPE_CHECKING:  # HTTP is loaded by the first client
    import httpx2

    from api.client.client import LedgerClient
    from api.client.statements import Question

C = TypeVar("C")
COMMITTED_TRIES: Final = 20
"""How often a head log is asked for an entry that it has not committed to yet."""
COMMITTED_SECONDS: Final = 0.5


class NotInSet(RefusedByLedger):
    """The head log places this holder in no shard, or says of no shard of this name where it answers."""

    def __init__(self, said: str) -> None:
        super().__init__(404, {"detail": said})


@dataclass(frozen=True, slots=True)
class SetReceipt:
    """A set proof (docs/spec/sets.md, 3): `file` can be handed on beside the receipt. `level`: how well the head log's
    checkpoint is attested."""

    file: bytes
    index: int
    level: Level


class _Document(Struct, frozen=True):
    index: int
    leaf: str


class _Shard(Struct, frozen=True):
    origin: str
    address: str = ""


class _Set(Struct, frozen=True):
    documents: tuple[_Document, ...]
    shards: tuple[_Shard, ...]


class _Heads(Struct, frozen=True):
    leaf: str
    proof: str


_set: Final = msgspec.json.Decoder(_Set)
_heads: Final = msgspec.json.Decoder(_Heads)


class LedgerSet(Generic[C]):
    """The set of a head log. Every method raises RefusedByLedger, LedgerUnavailable, ReceiptRefused and Equivocation.

    async with LedgerSet("https://ledger.example", trust, connect) as logs:
        bank = await logs.of_holder("bank-a")          # what `connect(address, trust)` made
        receipt = await bank.access(item)
        proof = await logs.prove(receipt)
    """

    def __init__(
        self,
        address: str | Sequence[str],
        trust: Trust,
        connect: Callable[[str, Trust], C],
        *,
        memory: CheckpointMemory | None = None,
        evidence: Path | None = None,
        patience: Patience | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timeout: float = 65.0,
    ) -> None:
        """`address`, `trust`: of the head log. `connect` makes the client of a shard, such as a LedgerClient, for its address
        and the trust in its key. The others are as for a LedgerClient, for the head log."""
        self.trust = trust
        self._connect, self._sleep, self._patience = connect, sleep, patience
        self._http = open_http(timeout, transport)
        self._head = Transport(self._http, Addresses(address), patience, sleep=sleep)
        self._log = PublicLog(self._head)
        fetch = self._log.consistency, self._log.tile
        self.watch = CheckpointWatch(trust, memory or InMemory(), *fetch, evidence=evidence)
        self._known = _Set((), ())
        self._proved: dict[int, ShardAdded | HolderPlaced] = {}
        self._clients: dict[str, tuple[str, C]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections to the head log and, for proofs, to the shards; those that `connect` made are the caller's."""
        await self._http.aclose()

    async def of_holder(self, holder: str) -> C:
        """The client of the shard in which this holder lives; the same one as long as that answers at one address. Raises
        NotInSet."""
        home = await self._proven(lambda one: isinstance(one, HolderPlaced) and one.holder == holder)
        if not isinstance(home, HolderPlaced):
            raise NotInSet(f"the head log places the holder {holder!r} in no shard")
        return await self.of_origin(home.origin)

    async def of_origin(self, origin: str) -> C:
        """The client of the shard of this origin; the same one as long as that answers at one address. Raises NotInSet."""
        made = self._clients.get(origin)
        if made is None or made[0] != self._address(origin):
            trust = await self.trust_in(origin)
            address = self._address(origin)
            made = self._clients[origin] = address, self._connect(address, trust)
        return made[1]

    async def ask(self: LedgerSet[LedgerClient], path: str, question: Question) -> list[VerifiedReceipt]:
        """Submit a signed question to the log that it names in `aud`; its receipts, as of `LedgerClient.ask`. If that shard
        does not answer, the head log is asked where it answers now, and the same bytes go there: recorded once. Raises
        NotInSet too."""
        origin = question.payload.aud
        client = await self.of_origin(origin)
        try:
            return await client.ask(path, question)
        except LedgerUnavailable:
            await self._look()
            other = await self.of_origin(origin)
            if other is client:
                raise
        return await other.ask(path, question)

    async def trust_in(self, origin: str) -> Trust:
        """The key with which a shard opened, as the head log says. Raises NotInSet."""
        added = await self._proven(lambda one: isinstance(one, ShardAdded) and one.origin == origin)
        if not isinstance(added, ShardAdded):
            raise NotInSet(f"the head log knows no shard {origin!r}")
        return Trust(VerifierKey(origin, ED25519, unb64u(added.key, size=32)))

    async def prove(self, receipt: VerifiedReceipt) -> SetReceipt:
        """That the head log has committed to the entry of this receipt; waits some seconds until it has."""
        origin, index = receipt.checkpoint.origin, receipt.index
        if not self._known.shards:
            await self._look()
        shard = Transport(self._http, Addresses(self._address(origin)), self._patience, sleep=self._sleep)
        answer = await self._committed(origin, index)
        try:
            said = _heads.decode(answer)
            leaf = said.leaf.encode()
            committed = committed_by(leaf, said.proof, self.trust.vkeys)
            head = committed.head_of(origin, index)
            path = await PublicLog(shard).inclusion(index, head.size)
            file = set_proof_bytes(leaf, said.proof, path)
            check_set_proof(file, origin, index, leaf_hash(_leaf_of(receipt)), self.trust.vkeys)
        except (LedgerError, msgspec.MsgspecError, UnicodeError) as error:
            raise ReceiptRefused(f"the head log's answer is refused: {error}") from error
        await self.watch.observe(committed.checkpoint, committed.note)
        return SetReceipt(file, committed.index, self.trust.level(committed.note))

    async def _committed(self, origin: str, index: int) -> bytes:
        wanted = f"/set/heads?{urlencode({'origin': origin, 'index': index})}"
        for left in range(COMMITTED_TRIES, -1, -1):
            try:
                return (await self._head.ask("GET", wanted)).body
            except RefusedByLedger as refusal:
                if refusal.status != 404 or not left:
                    raise
            await self._sleep(COMMITTED_SECONDS)
        raise AssertionError

    def _address(self, origin: str) -> str:
        found = next((one.address for one in self._known.shards if one.origin == origin), "")
        if not found:
            raise NotInSet(f"the head log does not say where {origin!r} answers")
        return found

    async def _proven(self, wanted: Callable[[ShardAdded | HolderPlaced], bool]) -> ShardAdded | HolderPlaced | None:
        """The document that is wanted, shown to stand in the head log; the set is asked for anew if it is not known."""
        for _ in range(2):
            for told in self._known.documents:
                said = self._proved.get(told.index) or _read(told)
                if wanted(said):
                    if told.index not in self._proved:
                        await self._prove(told)
                        self._proved[told.index] = said
                    return said
            await self._look()
        return None

    async def _look(self) -> None:
        try:
            self._known = _set.decode((await self._head.ask("GET", "/set")).body)
        except msgspec.MsgspecError as error:
            raise ReceiptRefused(f"the head log's answer is no set: {error}") from None

    async def _prove(self, told: _Document) -> None:
        checkpoint = await self._checkpoint()
        proof = await self._log.inclusion(told.index, checkpoint.size)
        try:
            leaf = unb64u(told.leaf)
            verify_inclusion(told.index, checkpoint.size, leaf_hash(leaf), proof, checkpoint.root)
        except LedgerError as error:
            raise ReceiptRefused(f"entry {told.index} of the head log is not what it is said to be: {error}") from error

    async def _checkpoint(self) -> Checkpoint:
        def opened(note: str) -> Checkpoint:
            return open_checkpoint(note, self.trust.vkeys)

        before = self.watch.newest
        wanted = 0 if before is None else before.size
        checkpoint, note = await self._head.newest(self._log.newest, opened, wanted)
        self.watch.check_not_smaller(checkpoint, note, before)
        await self.watch.observe(checkpoint, note)
        return checkpoint


def _leaf_of(receipt: VerifiedReceipt) -> bytes:
    leaf: str = msgspec.json.decode(receipt.file)["leaf"]
    return leaf.encode()


def _read(told: _Document) -> ShardAdded | HolderPlaced:
    """What a leaf of the set says; nothing is proved yet. Raises ReceiptRefused."""
    try:
        leaf = parse_leaf(unb64u(told.leaf))
        if isinstance(leaf, OperatorLeaf) and leaf.index == told.index:
            document = parse_document(leaf.document)
            if isinstance(document, ShardAdded | HolderPlaced):
                return document
    except LedgerError as error:
        raise ReceiptRefused(f"a document of the set does not read: {error}") from None
    raise ReceiptRefused(f"entry {told.index} of the head log is no document about its set")
