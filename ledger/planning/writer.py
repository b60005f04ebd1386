"""Writing entries into a plan: index, chain, commitment, leaf. The one place where a plan grows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import UNSET

from ledger.consent.state import Consent
from ledger.documents import Document, document_chain
from ledger.entries.evidence import Evidence, Outcome, encode_evidence
from ledger.entries.leaf import Kind, commitment, encode_commitment_leaf, encode_index_head, encode_operator_leaf
from ledger.entries.statement import Statement
from ledger.merkle.hashing import leaf_hash
from ledger.planning.world import ChainHead, Entry, Plan, World

FIRST: Final = ChainHead()
"""Where a chain without a leaf continues."""
STATE_EVERY: Final = 8
"""A consent's state is written at least once in so many entries of its chain, changed or not: whoever loads it holds it against
the entries after it, and reads no more than these (ledger/storage/standing.py)."""


class Writer:
    """Adds entries to a plan and moves the world on with each."""

    def __init__(self, world: World, openings: Iterator[bytes]) -> None:
        """`openings` yields fresh 32-byte random values."""
        self.world = world
        self.plan = Plan()
        self._openings = openings

    def append(
        self,
        kind: Kind,
        chain: bytes,
        evidence: Evidence,
        statement: Statement | None,
        *,
        consent_id: str | None = None,
        position: int = 0,
    ) -> Entry:
        """An entry of a consent or subject chain."""
        outcome = None if evidence.outcome is UNSET else evidence.outcome
        body = encode_evidence(evidence)
        return self.append_encoded(kind, chain, evidence.act, outcome, body, statement, consent_id, position)

    def append_encoded(
        self,
        kind: Kind,
        chain: bytes,
        act: str,
        outcome: Outcome | None,
        body: bytes,
        statement: Statement | None,
        consent_id: str | None,
        position: int,
    ) -> Entry:
        """The same with evidence that is bytes already, and the act and outcome that are in it."""
        world, head = self.world, self.world.chains.get(chain, FIRST)
        opening = next(self._openings)
        leaf = encode_commitment_leaf(
            kind,
            chain=chain,
            committed=commitment(body, opening),
            index=world.size,
            prev=world.last_hash,
            prev_in_chain=head.last_hash,
            seq=head.seq,
            time=world.time,
        )
        signed = (
            (None, None, None, None)
            if statement is None
            else (statement.payload.iss, statement.jti, position, statement.payload_hash)
        )
        entry = Entry(
            world.size,
            world.time,
            kind,
            chain,
            head.seq,
            leaf,
            leaf_hash(leaf),
            body,
            opening,
            act,
            consent_id,
            outcome,
            *signed,
        )
        self._take(entry)
        if consent_id in world.consents and head.seq % STATE_EVERY == STATE_EVERY - 1 and kind is Kind.CONSENT:
            self.plan.changed.setdefault(consent_id, world.consents[consent_id])
        return entry

    def _take(self, entry: Entry) -> None:
        world = self.world
        self.plan.entries.append(entry)
        if entry.chain is not None and entry.seq is not None:
            world.chains[entry.chain] = ChainHead(entry.seq + 1, entry.leaf_hash)
            if entry.seq == 0 and entry.kind is Kind.SUBJECT:
                world.began[entry.chain] = entry.time
        world.size, world.last_hash = entry.index + 1, entry.leaf_hash

    def change(self, consent: Consent) -> None:
        """Note the state of a consent after its latest entry."""
        self.world.consents[consent.consent_id] = consent
        self.plan.changed[consent.consent_id] = consent

    def append_operator(self, document: Document, raw: Mapping[str, Any]) -> None:
        """An operator document, read and as it came. Raises BadEncoding when it does not fit into a leaf."""
        chain = document_chain(document)
        world, head = self.world, self.world.chains.get(chain, FIRST)
        leaf = encode_operator_leaf(
            raw,
            chain=chain,
            index=world.size,
            prev=world.last_hash,
            prev_in_chain=head.last_hash,
            seq=head.seq,
            time=world.time,
        )
        self._take(
            Entry(world.size, world.time, Kind.OPERATOR, chain, head.seq, leaf, leaf_hash(leaf), act=str(raw["type"]))
        )

    def append_index_head(self, map_root: bytes) -> None:
        """An index-head over all leaves so far."""
        world = self.world
        leaf = encode_index_head(index=world.size, map_root=map_root, prev=world.last_hash, time=world.time)
        self._take(Entry(world.size, world.time, Kind.INDEX_HEAD, None, None, leaf, leaf_hash(leaf), act="index-head"))
