"""What new statements speak of: entries that moved a consent, alerts, a customer's feedback; each read from its own leaf."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, select

from ledger.entries.acts import SubjectAnswer, SubjectFeedback
from ledger.entries.evidence import decode_evidence
from ledger.entries.leaf import NO_HASH, Kind
from ledger.planning.world import ChainHead
from ledger.storage.operator import document_of_row
from ledger.storage.standing import events_of, open_entry, recorded_payload, time_of
from ledger.storage.tables import entries
from ledger.storage.volumes import volume_of
from ledger.vault.keystore import KeyStore

_FEEDBACK: Final = frozenset({"subject.feedback", "subject.answer"})
_PORTION: Final = 500


def moving_entries(connection: Connection, keystore: KeyStore, indexes: Collection[int]) -> set[tuple[bytes, int]]:
    """(chain, index) of those of these entries that moved a consent and can still be read. Raises Corrupt."""
    found: set[tuple[bytes, int]] = set()
    for some in _portions(indexes):
        query = select(entries).where(entries.c.idx.in_(some), entries.c.kind == Kind.CONSENT.value)
        rows = connection.execute(query.where(entries.c.sealed.is_not(None))).all()
        ciphers = keystore.existing(row.chain for row in rows)
        for row in rows:
            if row.chain not in ciphers or volume_of(row.sealed):  # only bodies of accesses are moved away
                continue
            act = decode_evidence(open_entry(row, ciphers[row.chain])[0]).act
            if act.startswith("consent.") and act != "consent.acknowledge":
                found.add((bytes(row.chain), row.idx))
    return found


def alerts_among(connection: Connection, indexes: Collection[int]) -> set[int]:
    """Those of these entries that are alerts. Raises Corrupt."""
    found: set[int] = set()
    for some in _portions(indexes):
        query = select(entries.c.idx, entries.c.leaf, entries.c.leaf_hash).where(
            entries.c.kind == Kind.OPERATOR.value, entries.c.idx.in_(some)
        )
        found |= {row.idx for row in connection.execute(query) if document_of_row(row).get("type") == "alert.raised"}
    return found


def beginnings(connection: Connection, chains: Collection[bytes]) -> dict[bytes, int]:
    """By chain of customers: the time (ms) of its first entry, of those that have one. Raises Corrupt."""
    found: dict[bytes, int] = {}
    asked = sorted(chains)
    for at in range(0, len(asked), _PORTION):
        query = select(entries).where(entries.c.chain.in_(asked[at : at + _PORTION]), entries.c.seq == 0)
        found |= {bytes(row.chain): time_of(row) for row in connection.execute(query)}
    return found


def feedback_in(connection: Connection, keystore: KeyStore, chains: Collection[bytes]) -> dict[bytes, dict[str, bool]]:
    """By customer's chain, and number: whether the feedback is closed. Raises Corrupt.

    Reads whole chains, which are as long as a customer has consented; feedback is that seldom.
    """
    found: dict[bytes, dict[str, bool]] = {}
    for chain, cipher in keystore.existing(chains).items():
        numbers = found.setdefault(chain, {})
        for event in events_of(connection, chain, cipher, ChainHead(0, NO_HASH)):
            if event.evidence.act in _FEEDBACK:
                note_feedback(numbers, recorded_payload(event.evidence))
    return found


def note_feedback(numbers: dict[str, bool], says: object) -> None:
    """Take an entry of a customer's chain into the numbers that were given and closed."""
    if isinstance(says, SubjectFeedback):
        numbers[says.number] = False
    elif isinstance(says, SubjectAnswer) and says.state == "closed":
        numbers[says.number] = True


def _portions(indexes: Collection[int]) -> list[list[int]]:
    ordered = sorted(indexes)
    return [ordered[at : at + _PORTION] for at in range(0, len(ordered), _PORTION)]
