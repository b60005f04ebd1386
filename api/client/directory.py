"""The participants, as the log itself proves them: for partners who check statements without asking the ledger.

Every key and role is taken from the operator document in the log, whose receipt is verified under the pinned log key; the
ledger's own list only says where those documents are. A revoked key or a suspension in the list is believed without
proof, for it can only deny. Not covered: a ledger that conceals a revocation. For an honest one, `usable` bounds how
old the directory may become.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec import UNSET

from api.client.client import LedgerClient
from api.client.errors import LedgerUnavailable, ReceiptRefused
from api.client.receipts import VerifiedReceipt
from api.client.transport import monotonic
from ledger.canonical import encode
from ledger.documents import KeyAdded, ParticipantRegistered, parse_document
from ledger.entries.acts import Act
from ledger.entries.keys import Verify, verifier_of
from ledger.entries.statement import Statement, header_text, parse_statement, unknown_key
from ledger.errors import LedgerError

AT_MOST_EVERY: Final = 5.0
"""Seconds between two looks for a key that is not known: strangers must not make a bank ask the ledger all the time."""


class StatementRefused(Exception):
    """The statement is not one that a known participant has signed."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class _Key:
    kid: str
    participant: str
    verify: Verify


@dataclass(frozen=True, slots=True)
class KnownClient:
    """Whose a client key is."""

    participant: str
    revoked: bool


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """One state of the directory; replaced as a whole."""

    at: float
    keys: Mapping[str, _Key] = field(default_factory=dict)
    """Active statement keys by the text of the one header they may have."""
    clients: Mapping[bytes, KnownClient] = field(default_factory=dict)
    """By the CL-JSON of their public keys."""
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    suspended: frozenset[str] = frozenset()

    def check_signature(self, header: str, message: bytes, signature: bytes) -> str:
        key = self.keys.get(header)
        if key is None:
            raise unknown_key(header)
        key.verify(message, signature)
        return key.kid


class Directory:
    """Participants and their statement keys. Safe to use from many tasks of one event loop."""

    def __init__(
        self, client: LedgerClient, *, usable: float = 900.0, monotonic: Callable[[], float] = monotonic
    ) -> None:
        """`client` needs a client key: the list is read with a token. `usable`: seconds after which a directory that could
        not be renewed is no longer relied on."""
        self._client = client
        self._usable = usable
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._documents: dict[int, VerifiedReceipt] = {}
        self._now = _Snapshot(float("-inf"))

    async def refresh(self) -> None:
        """Read the list, and verify the documents that are new. Raises what LedgerClient raises."""
        async with self._lock:
            await self._refresh()

    async def keep_fresh(self, every: float = 60.0) -> None:
        """Refresh for ever; failures are left to `usable`. Run as a task for the life of the application."""
        while True:
            await asyncio.sleep(every)
            try:
                await self.refresh()
            except (LedgerUnavailable, ReceiptRefused):
                continue

    async def check_statement(self, text: str) -> Statement:
        """The statement inside `text`, signed by the participant it names.

        Raises StatementRefused; LedgerUnavailable when the directory is too old to tell.
        """
        snapshot = await self._usable_snapshot()
        header = text.split(".", 1)[0]
        if header not in snapshot.keys and self._monotonic() - snapshot.at >= AT_MOST_EVERY:
            snapshot = await self._renewed(snapshot)  # the key may have been registered since
        try:
            statement = parse_statement(text, snapshot.check_signature)
        except LedgerError as error:
            raise StatementRefused(error.detail) from None
        if snapshot.keys[header].participant != statement.payload.iss:
            raise StatementRefused("the statement is signed with another participant's key")
        if statement.payload.aud != self._client.trust.vkey.name:
            raise StatementRefused("the statement was made for another ledger")
        return statement

    async def client_of(self, jwk: Mapping[str, str]) -> KnownClient | None:
        """Whose client key this is, as the ledger said it within the last seconds: a key that was revoked opens no door for
        longer. Raises LedgerUnavailable, ReceiptRefused."""
        snapshot = self._now
        if self._monotonic() - snapshot.at >= AT_MOST_EVERY:
            snapshot = await self._renewed(snapshot)
        return snapshot.clients.get(encode(dict(jwk)))

    def may_ask(self, payload: Act) -> bool:
        """Whether a statement is one of a recipient in good standing: its own, or a technology provider's on its behalf.

        Whether the provider may act for it, the ledger judges when it decides.
        """
        if payload.on_behalf_of is UNSET:
            return self._has("recipient", payload.iss)
        return self._has("recipient", payload.on_behalf_of) and self._has("technology-provider", payload.iss)

    def _has(self, role: str, participant: str) -> bool:
        return role in self._now.roles.get(participant, ()) and participant not in self._now.suspended

    async def _usable_snapshot(self) -> _Snapshot:
        snapshot = self._now
        if self._monotonic() - snapshot.at > self._usable:
            snapshot = await self._renewed(snapshot)
        return snapshot

    async def _renewed(self, old: _Snapshot) -> _Snapshot:
        async with self._lock:
            if self._now is old:
                await self._refresh()
            return self._now

    async def _refresh(self) -> None:
        at = self._monotonic()
        listed = await self._client.participants()
        wanted = [index for one in listed for index in _indexes(one)]
        await asyncio.gather(*(self._document(index) for index in wanted if index not in self._documents))
        try:
            self._now = self._read(at, listed)
        except LedgerError as error:
            raise ReceiptRefused(f"a document about a participant is refused: {error.detail}") from error

    def _read(self, at: float, listed: list[Mapping[str, Any]]) -> _Snapshot:
        keys: dict[str, _Key] = {}
        clients: dict[bytes, KnownClient] = {}
        roles: dict[str, tuple[str, ...]] = {}
        suspended: set[str] = set()
        for one in listed:
            registered = self._proved(one["registered_at"], ParticipantRegistered)
            roles[registered.participant] = registered.roles
            if one.get("suspended") is not False or one.get("removed") is True:
                suspended.add(registered.participant)
            for entry in one["keys"]:
                added = self._proved(entry["added_at"], KeyAdded)
                if added.use == "client":
                    revoked = entry.get("revoked_at") is not None
                    clients[encode(dict(added.jwk))] = KnownClient(added.participant, revoked)
                if added.use == "statement" and entry.get("revoked_at") is None:
                    verify = verifier_of(added.alg, added.jwk)
                    keys[header_text(added.alg, added.kid)] = _Key(added.kid, added.participant, verify)
        return _Snapshot(at, keys, clients, roles, frozenset(suspended))

    async def _document(self, index: int) -> None:
        self._documents[index] = await self._client.receipt(index)

    def _proved(self, index: int, kind: type[Any]) -> Any:
        """The operator document of entry `index`, which must be of a kind. Raises ReceiptRefused."""
        document = self._documents[index].document
        read = None if document is None else parse_document(document)
        if not isinstance(read, kind):
            raise ReceiptRefused(f"entry {index} is not the document that the ledger's list says it is")
        return read


def _indexes(one: Mapping[str, Any]) -> list[int]:
    """Where the documents about a participant are. Raises ReceiptRefused for another shape."""
    try:
        found = [one["registered_at"], *(entry["added_at"] for entry in one["keys"])]
    except (KeyError, TypeError):
        raise ReceiptRefused("the list of participants does not say where their documents are") from None
    if not all(type(index) is int and index >= 0 for index in found):
        raise ReceiptRefused("the list of participants names a place that is not an index")
    return found
