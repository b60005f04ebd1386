"""Proofs that these are all entries of one chain (docs/spec/receipts.md, Complete)."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType
from sqlalchemy import select

from ledger.canonical import b64u
from ledger.errors import NotFound, Unavailable
from ledger.queries.records import RecordQueries
from ledger.receipts import receipt_bytes
from ledger.storage.chainmap import ChainMap
from ledger.storage.log import LogStore
from ledger.storage.tables import entries

LEAVES: Final = 1_000
"""How many leaves a proof encloses; of a longer chain, the last ones."""
MEDIA_TYPE: Final = "application/vnd.consent-ledger.completeness+json"


class Completeness(Struct, frozen=True, kw_only=True):
    """The members of a completeness file."""

    v: Literal[1] = 1
    chain: str
    """b64u of its 32 bytes."""
    count: int
    """How many leaves the chain has before the index-head."""
    last: str | UnsetType = UNSET
    """b64u of the leaf hash of the last of them; absent when there is none."""
    index_head: str
    """The receipt of the index-head, as text."""
    map_proof: str
    """b64u: that the map holds count and last leaf under the chain, or nothing."""
    leaves: list[str]
    """The last leaves of the chain, oldest first."""


class CompletenessQueries:
    """Answers for one chain, as of the newest index-head."""

    def __init__(self, store: LogStore, records: RecordQueries) -> None:
        self._store = store
        self._records = records

    def of_consent(self, viewer: str, consent_id: str) -> Completeness:
        """The chain of a consent, for its holder and its recipient. Raises NotFound, Unavailable, Corrupt."""
        return self.of_chain(self._records.chain_for(viewer, consent_id))

    def of_chain(self, chain: bytes) -> Completeness:
        """Any chain, present or not: for anyone who may know of it, such as a customer of her own subject chain.

        Raises NotFound before the first index-head, Unavailable while the map is being made again, Corrupt.
        """
        with self._store.read() as connection:
            stored = ChainMap(connection)
            state = stored.state()
            if state.head < 0 and state.size == 0:
                raise NotFound("no index-head was recorded yet: completeness can be proved from the first one onwards")
            if not state.signed:
                raise Unavailable("the completeness map is being brought up to the log; try again shortly")
            value, proof = stored.find(state, chain)
            count = 0 if value is None else int.from_bytes(value[:8], "big")
            query = select(entries.c.leaf).where(entries.c.chain == chain, entries.c.seq < count)
            rows = connection.execute(query.order_by(entries.c.seq.desc()).limit(LEAVES)).all()
        [head] = self._records.recorded([state.head])
        return Completeness(
            chain=b64u(chain),
            count=count,
            last=UNSET if value is None else b64u(value[8:]),
            index_head=receipt_bytes(head).decode(),
            map_proof=b64u(proof),
            leaves=[row.leaf.decode() for row in reversed(rows)],
        )


def completeness_bytes(completeness: Completeness) -> bytes:
    """The completeness file."""
    return msgspec.json.encode(completeness)
