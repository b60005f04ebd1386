"""The legs of accesses: which entries allow something to be delivered, and what was delivered under them already."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection, insert, select

from ledger.entries.acts import AccessLeg, AccessRequest
from ledger.entries.evidence import AccessOutcome, Evidence, decode_evidence
from ledger.entries.leaf import Kind
from ledger.entries.statement import parse_item, payload_of
from ledger.planning.world import Allowed
from ledger.storage.rows import open_evidence
from ledger.storage.standing import open_entry
from ledger.storage.tables import access_legs, entries
from ledger.storage.volumes import volume_of
from ledger.vault.keystore import KeyStore

ACTS: Final = frozenset({"access.receive", "access.release"})
MARK: Final = -1
"""Under this basis stands how far the legs of an older log are to be found (`from`), and that they were (`done`)."""
_PORTION: Final = 500
_PAGE: Final = 1_000


def allowed_accesses(connection: Connection, keystore: KeyStore, indexes: Collection[int]) -> dict[int, Allowed]:
    """Those of these entries that are allowed accesses, can still be read, and whose bodies were not moved away."""
    found: dict[int, Allowed] = {}
    columns = select(entries).where(entries.c.kind == Kind.CONSENT.value)
    for some in _portions(indexes):
        rows = connection.execute(columns.where(entries.c.idx.in_(some), entries.c.sealed.is_not(None))).all()
        ciphers = keystore.existing(row.chain for row in rows)
        for row in rows:
            # read below the head's lock: nobody waits there for the place of old bodies (docs/adr/0036)
            if row.chain not in ciphers or volume_of(row.sealed):
                continue
            evidence = decode_evidence(open_entry(row, ciphers[row.chain])[0])
            if isinstance(evidence.outcome, AccessOutcome) and evidence.outcome.decision == "allow":
                found[row.idx] = Allowed(bytes(row.chain), interaction_of(evidence))
    return found


def legs_under(connection: Connection, indexes: Collection[int]) -> set[tuple[int, str]]:
    """(index of the access, act) of the legs that these accesses have."""
    found: set[tuple[int, str]] = set()
    for some in _portions(indexes):
        rows = connection.execute(select(access_legs.c.basis, access_legs.c.act).where(access_legs.c.basis.in_(some)))
        found |= {(row.basis, row.act) for row in rows}
    return found


def fill_legs(connection: Connection, keystore: KeyStore) -> None:
    """Find the legs of a log that is older than the table, in one pass, unless that was done: of several the first counts.

    In the transaction of a node that starts, below the head's lock: a crash leaves the mark, and the next start begins again.
    """
    marks = connection.execute(select(access_legs.c.act, access_legs.c.idx).where(access_legs.c.basis == MARK))
    found = {row.act: row.idx for row in marks}
    if "from" not in found or "done" in found:
        return
    known: set[tuple[int, str]] = set()
    query = select(entries.c.idx, entries.c.chain, entries.c.sealed).where(
        entries.c.kind == Kind.CONSENT.value, entries.c.sealed.is_not(None)
    )
    for first in range(0, found["from"], _PAGE):
        last = min(first + _PAGE, found["from"])
        rows = connection.execute(
            query.where(entries.c.idx >= first, entries.c.idx < last).order_by(entries.c.idx)
        ).all()
        ciphers = keystore.existing(row.chain for row in rows)
        legs: dict[tuple[int, str], int] = {}
        for row in rows:
            if row.chain not in ciphers:
                continue
            evidence = decode_evidence(open_evidence(row.idx, row.sealed, ciphers[row.chain])[0])
            if evidence.act not in ACTS:
                continue
            says = payload_of(evidence.statements[0])
            leg = (says.basis if isinstance(says, AccessLeg) else MARK, evidence.act)
            if leg not in known:
                legs[leg] = row.idx
                known.add(leg)
        keep_legs(connection, legs)
    connection.execute(insert(access_legs), [{"basis": MARK, "act": "done", "idx": found["from"]}])


def keep_legs(connection: Connection, legs: Mapping[tuple[int, str], int]) -> None:
    """Write down new legs with the indexes of their entries, in the transaction that records these."""
    if legs:
        rows = [{"basis": basis, "act": act, "idx": index} for (basis, act), index in legs.items()]
        connection.execute(insert(access_legs), rows)


def interaction_of(evidence: Evidence) -> str:
    """The interaction that an access is about, alone or in a batch."""
    if evidence.item:
        return parse_item(evidence.item.body.encode()).interaction_id
    says = payload_of(evidence.statements[0])
    assert isinstance(says, AccessRequest)  # noqa: S101  (what the ledger itself has recorded as an access; a batch has items)
    return says.interaction_id


def _portions(indexes: Collection[int]) -> list[list[int]]:
    ordered = sorted(indexes)
    return [ordered[at : at + _PORTION] for at in range(0, len(ordered), _PORTION)]
