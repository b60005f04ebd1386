"""What releases were given under, read from the entries of their accesses (docs/spec/partners.md, 3 and 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from ledger.entries.access_acts import AccessLeg
from ledger.entries.evidence import AccessOutcome, Evidence, decode_evidence
from ledger.entries.leaf import Kind
from ledger.policy.moment import Item
from ledger.storage.counted_facts import Given
from ledger.storage.standing import item_of, open_entry, recorded_payload
from ledger.storage.tables import entries
from ledger.vault.cipher import Cipher

PORTION: Final = 500


class Release(NamedTuple):
    """An `access.release` that was opened: its index, its chain, what it says."""

    idx: int
    chain: bytes
    says: AccessLeg


class Allowance(NamedTuple):
    """An allowed access that was opened: what legs may rest on."""

    chain: bytes
    interaction_id: str
    given: Given


def release_in(idx: int, chain: bytes, evidence: Evidence) -> Release | None:
    """The release of an entry; None if it is another. Raises Corrupt."""
    if evidence.act != "access.release":
        return None
    says = recorded_payload(evidence)
    return Release(idx, chain, says) if isinstance(says, AccessLeg) else None


def allowance_of(chain: bytes, item: Item) -> Allowance:
    """An allowed access of this item."""
    return Allowance(chain, item.interaction_id, Given(item.customer_present, item.purpose, item.permissions))


def given_under(
    connection: Connection,
    ciphers: Mapping[bytes, Cipher],
    releases: Iterable[Release],
    known: Mapping[int, Allowance] | None = None,
) -> dict[int, Given]:
    """By the index of each release: what its access says. Left out are those under no allowed access of the same consent and
    interaction, which no door lets in since 2026-12. `known`: accesses that were opened before. Raises Corrupt."""
    wanted, accesses = list(releases), dict(known or {})
    missing = sorted({one.says.basis for one in wanted} - accesses.keys())
    for at in range(0, len(missing), PORTION):
        some = select(entries).where(entries.c.idx.in_(missing[at : at + PORTION]), entries.c.sealed.is_not(None))
        for row in connection.execute(some.where(entries.c.kind == Kind.CONSENT.value)):
            cipher = ciphers.get(bytes(row.chain))
            if cipher is not None:  # an access of the release's own consent has its key
                evidence = decode_evidence(open_entry(row, cipher)[0])
                if isinstance(evidence.outcome, AccessOutcome) and evidence.outcome.decision == "allow":
                    accesses[row.idx] = allowance_of(bytes(row.chain), item_of(evidence))
    found = {}
    for one in wanted:
        access = accesses.get(one.says.basis)
        if access is not None and (access.chain, access.interaction_id) == (one.chain, one.says.interaction_id):
            found[one.idx] = access.given
    return found
