"""Stored states are compared with the log before anything rests on them.

A consent's row names the entry of its chain that it rests on. It stands if that entry is the chain's last, or if none of those
after it moves a consent. An older row, a changed one and a chain that was cut do not stand: Corrupt, never a decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, select

from ledger.canonical import b64u
from ledger.consent.state import Consent
from ledger.engines.engine import driver_for
from ledger.entries.acts import Act, SubjectEnrol, SubjectUnenrol
from ledger.entries.evidence import AccessOutcome, Evidence, decode_evidence
from ledger.entries.leaf import NO_HASH, CommitmentLeaf, open_commitment, parse_leaf, read_commitment_leaf
from ledger.entries.statement import parse_item, payload_of
from ledger.errors import BadEncoding, Corrupt, LedgerError
from ledger.merkle.hashing import leaf_hash
from ledger.planning.world import ChainHead
from ledger.policy.decision import after_access
from ledger.policy.moment import Item
from ledger.storage.rows import AFTER_CHANGE, open_consent, open_evidence
from ledger.storage.tables import entries
from ledger.vault.cipher import Cipher

PAGE: Final = 200
# made once: building a statement costs more than running it
_FROM: Final = (
    select(
        entries.c.idx,
        entries.c.kind,
        entries.c.chain,
        entries.c.seq,
        entries.c.leaf,
        entries.c.leaf_hash,
        entries.c.sealed,
    )
    .where(entries.c.chain == bindparam("chain"), entries.c.seq >= bindparam("seq"))
    .order_by(entries.c.seq)
    .limit(PAGE)
)


class OpenedEntry(NamedTuple):
    """An entry of a chain, opened and held against its leaf. `at`: its index; `time` is in milliseconds."""

    at: int
    time: int
    seq: int
    leaf_hash: bytes
    evidence: Evidence


def open_entry(row: Any, cipher: Cipher) -> tuple[bytes, bytes]:
    """(evidence, opening) of a stored entry, if its leaf commits to them and its columns are the leaf's. Raises Corrupt."""
    return _open(row, _leaf_of(row), cipher)


def open_at(row: Any, cipher: Cipher) -> tuple[Evidence, int]:
    """(evidence, time in ms) of a stored entry, held against its leaf, which is read once. Raises Corrupt."""
    leaf = _leaf_of(row)
    return decode_evidence(_open(row, leaf, cipher)[0]), leaf.time


def _open(row: Any, leaf: CommitmentLeaf, cipher: Cipher) -> tuple[bytes, bytes]:
    evidence, opening = open_evidence(row.idx, row.sealed, cipher)
    open_commitment(leaf, evidence, opening)
    return evidence, opening


def _leaf_of(row: Any) -> CommitmentLeaf:
    try:
        leaf = read_commitment_leaf(row.leaf)
    except (BadEncoding, TypeError):
        raise _changed(row) from None
    if row.sealed is None:
        raise _changed(row)
    columns = (row.idx, row.kind, b64u(row.chain or b""), row.seq, row.leaf_hash)
    if columns != (leaf.index, leaf.kind, leaf.chain, leaf.seq, leaf_hash(row.leaf)):
        raise _changed(row)
    return leaf


def time_of(row: Any) -> int:
    """The time (ms) of a stored entry that commits to evidence. Raises Corrupt."""
    return _leaf_of(row).time


def leaf_time_of(row: Any) -> int:
    """The time (ms) of a stored leaf of whatever kind, also of one whose evidence is gone. Raises Corrupt."""
    if leaf_hash(row.leaf) != row.leaf_hash:
        raise _changed(row)
    try:
        leaf = parse_leaf(row.leaf)
    except BadEncoding:
        raise _changed(row) from None
    if leaf.index != row.idx:
        raise _changed(row)
    return leaf.time


def _changed(row: Any) -> Corrupt:
    return Corrupt(f"entry {row.idx} was changed in the database: it is not what its leaf says. {AFTER_CHANGE}")


def events_of(connection: Connection, chain: bytes, cipher: Cipher, after: ChainHead) -> Iterator[OpenedEntry]:
    """The entries of a chain from where `after` continues, each linked to the one before it. Raises Corrupt."""
    seq, last = after.seq, after.last_hash
    while True:
        page = connection.execute(_FROM, {"chain": chain, "seq": seq}).all()
        for row in page:
            leaf = _leaf_of(row)
            if (row.seq, leaf.prev_in_chain) != (seq, b64u(last)):
                raise Corrupt(f"entry {row.idx} does not continue its chain in the database. {AFTER_CHANGE}")
            evidence, _ = _open(row, leaf, cipher)
            yield OpenedEntry(row.idx, leaf.time, seq, row.leaf_hash, decode_evidence(evidence))
            seq, last = seq + 1, row.leaf_hash
        if len(page) < PAGE:
            return


def standing_consents(
    connection: Connection,
    rows: Iterable[Any],
    ciphers: Mapping[bytes, Cipher],
    heads: Mapping[bytes, ChainHead] | None = None,
) -> dict[bytes, Consent]:
    """The consents of these rows of `consents` by chain, each held against its chain. Rows whose data key is gone are left out.

    `heads` are those of their chains, if they are known already. Raises Corrupt for a row that does not stand.
    """
    stored = {row.chain: open_consent(row, ciphers[row.chain]) for row in rows if row.chain in ciphers}
    if heads is None:
        heads = chain_heads(connection, stored)
    for chain, (consent, seq, hashed) in stored.items():
        rests_on = ChainHead(seq + 1, hashed)
        end = heads.get(chain, ChainHead())
        if rests_on == end:
            continue
        if end.seq <= rests_on.seq:
            raise Corrupt(f"entry {consent.basis}, or one after it, is missing from its chain. {AFTER_CHANGE}")
        for event in events_of(connection, chain, ciphers[chain], rests_on):
            if moves(consent, event):
                raise Corrupt(
                    f"the stored state of a consent is older than entry {event.at}, which moved it. {AFTER_CHANGE}"
                )
            rests_on = ChainHead(event.seq + 1, event.leaf_hash)
        if rests_on != end:
            raise Corrupt(
                f"the chain of the consent that rests on entry {consent.basis} has another end. {AFTER_CHANGE}"
            )
    return {chain: one.consent for chain, one in stored.items()}


def chain_heads(connection: Connection, chains: Iterable[bytes]) -> dict[bytes, ChainHead]:
    """Where these chains continue; chains without a leaf are absent."""
    wanted = list(chains)
    if not wanted:
        return {}
    rows = driver_for(connection.engine).chain_heads(connection, wanted)
    return {bytes(chain): ChainHead(seq + 1, bytes(last)) for chain, seq, last in rows}


def moves(consent: Consent, event: OpenedEntry) -> bool:
    """Whether an entry of a consent's chain leads to another state of it."""
    evidence = event.evidence
    if evidence.act != "access.request":
        return evidence.act.startswith("consent.") and evidence.act != "consent.acknowledge"
    if not isinstance(evidence.outcome, AccessOutcome):
        raise Corrupt(f"entry {event.at} is an access without a decision")
    return after_access(consent, item_of(evidence), evidence.outcome, event.time) is not consent


def item_of(evidence: Evidence) -> Item:
    """What an `access.request` asks for: its statement, or its item of a batch."""
    if evidence.item:
        return parse_item(evidence.item.body.encode())
    item: Any = recorded_payload(evidence)
    return item  # type: ignore[no-any-return]  # the ledger records this act with this payload only


def recorded_payload(evidence: Evidence) -> Act:
    """What the statement of an entry says. Raises Corrupt when there is none, or it cannot be read."""
    try:
        return payload_of(evidence.statements[0])
    except (IndexError, LedgerError):
        raise Corrupt(f"the statement of an entry with the act {evidence.act!r} cannot be read") from None


def has_request(events: Iterable[OpenedEntry]) -> tuple[bool, ChainHead]:
    """Whether a consent was asked for in these entries, and where they end."""
    head = ChainHead()
    for event in events:
        if event.evidence.act == "consent.request":
            return True, head
        head = ChainHead(event.seq + 1, event.leaf_hash)
    return False, head


def enrolment(
    connection: Connection, chain: bytes, cipher: Cipher, credential_id: str
) -> tuple[SubjectEnrol, int, int | None] | None:
    """How a passkey was enrolled in a customer's chain: the statement, its index, and that of its end. Raises Corrupt.

    Reads the whole chain, which is as long as the customer has consented; passkeys are used that seldom.
    """
    found: tuple[SubjectEnrol, int, int | None] | None = None
    for event in events_of(connection, chain, cipher, ChainHead(0, NO_HASH)):
        if event.evidence.act not in ("subject.enrol", "subject.unenrol"):
            continue
        says = recorded_payload(event.evidence)
        if isinstance(says, SubjectEnrol) and says.credential_id == credential_id:
            found = says, event.at, None
        elif isinstance(says, SubjectUnenrol) and says.credential_id == credential_id and found is not None:
            found = found[0], found[1], event.at
    return found
