"""Entries and consents as their parties may see them.

Every question names its viewer; what is not the viewer's does not exist for it (NotFound, never «forbidden»).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
from msgspec import structs
from sqlalchemy import Connection, or_, select

from ledger.consent.actors import unknown_consent
from ledger.consent.state import Consent
from ledger.engines.engine import driver_for
from ledger.entries.acts import Act
from ledger.entries.evidence import decode_evidence
from ledger.entries.leaf import Kind, consent_chain
from ledger.entries.statement import parse_item, payload_of
from ledger.errors import LedgerError, NotFound
from ledger.kept import Kept
from ledger.merkle.tiles import KnownTiles
from ledger.planning.commands import Proved, Recorded
from ledger.queries.concerned import concerns
from ledger.queries.tree import Prover, answered, first_checkpoints_with, refuse_what_is_coming
from ledger.storage.asking import ENTRIES, among, select_in
from ledger.storage.horizon import confirmed_size
from ledger.storage.log import LogStore
from ledger.storage.standing import open_entry, standing_consents
from ledger.storage.tables import consents, entries
from ledger.vault.keystore import KeyStore

PAGE_LIMIT = 500
_SIGNED_BY_CUSTOMER: Final = b'{"act":"consent.authorise","assertion":'
"""How the evidence of an authorisation begins that carries the customer's passkey assertion (CL-JSON: one spelling)."""

_PARTIES: Final = among(select(consents.c.chain, consents.c.holder, consents.c.recipient), consents.c.chain)


class RecordQueries:
    """Questions about entries and consents."""

    def __init__(self, store: LogStore, keystore: KeyStore, known_tiles: KnownTiles | None = None) -> None:
        """`known_tiles` are those that other readers of this process have read."""
        self._store = store
        self._keystore = keystore
        self._known_tiles = Kept(64) if known_tiles is None else known_tiles

    def recorded(
        self, indexes: Sequence[int], *, repeated: bool = False, viewer: str | None = None
    ) -> tuple[Recorded, ...]:
        """Entries with their first receipts, whoever asks; `viewer`: without what this participant may not read in them.

        The proof is that of the entry's own batch, so a receipt given again is the same bytes.
        """
        with self._store.read() as connection:
            asked = list(select_in(connection, ENTRIES, list(indexes)))
            rows = {row.idx: row for row in _confirmed(connection, asked)}
            missing = [index for index in indexes if index not in rows]
            if missing:
                refuse_what_is_coming(connection, missing[0] + 1)
                raise NotFound(f"there is no entry {missing[0]}", member="index")
            found = self._recorded(connection, [rows[index] for index in indexes], repeated=repeated)
            if viewer is None:
                return tuple(found)
            parties = self._parties(connection, rows.values())
            return tuple(_for(viewer, rows[one.index], parties, one) for one in found)

    def receipt_for(self, viewer: str, index: int) -> Recorded:
        """One entry for a participant who signed it or is a party of its consent. Raises NotFound."""
        return self._one_for(viewer, index, whole=False)

    def entry_for(self, viewer: str, index: int) -> Recorded:
        """As `receipt_for`, with evidence that this viewer must not be given: for what is told about the entry."""
        return self._one_for(viewer, index, whole=True)

    def _one_for(self, viewer: str, index: int, *, whole: bool) -> Recorded:
        with self._store.read() as connection:
            rows = connection.execute(select(entries).where(entries.c.idx == index)).all()
            row = next(iter(_confirmed(connection, rows)), None)
            if row is None:
                refuse_what_is_coming(connection, index + 1)
            parties = {} if row is None else self._parties(connection, [row])
            if row is None or not self._may_see(row, viewer, parties):
                raise _no_entry(index)
            [found] = self._recorded(connection, [row])
            return found if whole else _for(viewer, row, parties, found)

    def proved_for(self, wanted: Sequence[tuple[str, int]]) -> list[Proved | LedgerError]:
        """The parts of receipts, for many (viewer, index) at once; the rule is that of `receipt_for`."""
        with self._store.read() as connection:
            indexes = sorted({index for _, index in wanted})
            found = list(driver_for(connection.engine).proved_entries(connection, indexes))
            rows = {row.idx: row for row in _confirmed(connection, found)}
            coming = {
                row.idx: answered(lambda idx: refuse_what_is_coming(connection, idx + 1), row.idx)
                for row in found
                if row.idx not in rows
            }
            parties = {row.chain: row for row in rows.values() if row.holder is not None}
            allowed = {
                (viewer, index)
                for viewer, index in wanted
                if index in rows and self._may_see(rows[index], viewer, parties)
            }
            shown = [rows[index] for index in sorted({index for _, index in allowed})]
            notes = {row.idx: (row.size, row.note) for row in shown if row.note is not None}
            proved = {one.index: one for one in self._proved(connection, shown, notes)}
            return [
                _for(one[0], rows[one[1]], parties, proved[one[1]])
                if one in allowed
                else coming.get(one[1]) or _no_entry(one[1])
                for one in wanted
            ]

    def consent(self, viewer: str, consent_id: str) -> Consent:
        """A consent's state for its holder or recipient. Raises NotFound for anyone else."""
        with self._store.read() as connection:
            row = self._consent_row(connection, viewer, consent_chain(consent_id))
            cipher = self._keystore.cipher(row.chain)
            return standing_consents(connection, [row], {row.chain: cipher})[row.chain]

    def chain_for(self, viewer: str, consent_id: str) -> bytes:
        """The chain of a consent, for its holder or recipient. Raises NotFound for anyone else."""
        chain = consent_chain(consent_id)
        with self._store.read() as connection:
            self._consent_row(connection, viewer, chain)
        return chain

    def consents(
        self,
        viewer: str,
        *,
        status: str | None = None,
        subject_chain: bytes | None = None,
        after: int = -1,
        limit: int = 50,
    ) -> list[tuple[int, Consent]]:
        """A participant's own consents as (opened_at, consent), oldest first, from above `after`. Erased ones are left out."""
        query = select(consents).where(or_(consents.c.recipient == viewer, consents.c.holder == viewer))
        if status is not None:
            query = query.where(consents.c.status == status)
        return self._page(query, subject_chain, after, limit)

    def consents_of_subject(
        self, subject_chain: bytes, *, after: int = -1, limit: int = 50
    ) -> list[tuple[int, Consent]]:
        """The consents in a customer's subject chain, oldest first: for the customer."""
        return self._page(select(consents), subject_chain, after, limit)

    def history(self, viewer: str, consent_id: str, *, after: int = -1, limit: int = 50) -> tuple[Recorded, ...]:
        """A consent's events from above `seq` = `after`, for its holder or recipient. Raises NotFound for anyone else.

        A recipient does not see what strangers tried on the consent; the holder (and the customer through it) does. Nor does it
        get the customer's passkey assertion.
        """
        chain = consent_chain(consent_id)
        with self._store.read() as connection:
            consent = self._consent_row(connection, viewer, chain)
            rows: list[Any] = []
            limit = min(limit, PAGE_LIMIT)
            while len(rows) < limit:
                query = select(entries).where(entries.c.chain == chain, entries.c.seq > after).order_by(entries.c.seq)
                page = connection.execute(query.limit(limit - len(rows))).all()
                rows += [row for row in page if viewer == consent.holder or self._is_between_parties(row, consent)]
                if not page:
                    break
                after = page[-1].seq
            rows = list(_confirmed(connection, rows))
            parties = {chain: consent}
            found = self._recorded(connection, rows)
            return tuple(_for(viewer, row, parties, one) for row, one in zip(rows, found, strict=True))

    def history_of_chain(self, chain: bytes, *, after: int = -1, limit: int = 50) -> tuple[Recorded, ...]:
        """All events of a consent or subject chain, oldest first: for the customer it belongs to."""
        with self._store.read() as connection:
            query = select(entries).where(entries.c.chain == chain, entries.c.seq > after).order_by(entries.c.seq)
            rows = connection.execute(query.limit(min(limit, PAGE_LIMIT))).all()
            return tuple(self._recorded(connection, _confirmed(connection, rows)))

    def evidence_of_chain(self, chain: bytes, *, below: int) -> Iterator[bytes]:
        """The evidence of a chain's entries with an index below `below`, oldest first; none of an erased chain."""
        cipher = self._keystore.existing([chain]).get(chain)
        if cipher is None:
            return
        query = select(entries).where(entries.c.chain == chain, entries.c.idx < below)
        with self._store.read() as connection:
            for row in connection.execute(query.order_by(entries.c.seq)):
                yield open_entry(row, cipher)[0]

    def chain_length(self, chain: bytes) -> int:
        """How many events a chain has: its next `seq`. Cost does not depend on the length."""
        with self._store.read() as connection:
            query = select(entries.c.seq).where(entries.c.chain == chain).order_by(entries.c.seq.desc()).limit(1)
            last = connection.execute(query).scalar_one_or_none()
            return 0 if last is None else int(last) + 1

    def first_from(self, chain: bytes, index: int) -> int | None:
        """The index of a chain's first entry at or above `index` (None: there is none), in a logarithmic number of reads."""
        place = select(entries.c.seq, entries.c.idx).where(entries.c.chain == chain)
        with self._store.read() as connection:
            last = connection.execute(place.order_by(entries.c.seq.desc()).limit(1)).one_or_none()
            if last is None or last.idx < index:
                return None
            low, high, found = 0, last.seq, last.idx
            while low < high:  # indexes rise with seq (docs/spec/leaves.md): the one sought is at `low` in the end
                middle = (low + high) // 2
                at = connection.execute(place.where(entries.c.seq == middle)).one().idx
                if at >= index:
                    high, found = middle, at
                else:
                    low = middle + 1
            return int(found)

    def _page(self, query: Any, subject_chain: bytes | None, after: int, limit: int) -> list[tuple[int, Consent]]:
        if subject_chain is not None:
            query = query.where(consents.c.subject_chain == subject_chain)
        query = query.where(consents.c.opened_at > after).order_by(consents.c.opened_at).limit(min(limit, PAGE_LIMIT))
        with self._store.read() as connection:
            rows = connection.execute(query).all()
            ciphers = self._keystore.existing(row.chain for row in rows)
            standing = standing_consents(connection, rows, ciphers)
        return [(row.opened_at, standing[row.chain]) for row in rows if row.chain in standing]

    def _consent_row(self, connection: Connection, viewer: str, chain: bytes) -> Any:
        row = connection.execute(select(consents).where(consents.c.chain == chain)).one_or_none()
        if row is None or viewer not in (row.holder, row.recipient):
            raise unknown_consent()
        return row

    def _may_see(self, row: Any, viewer: str, parties: Mapping[bytes, Any]) -> bool:
        """Its signer, the parties of its consent, and everybody for what is public; no recipient sees what strangers tried."""
        if row.kind in (Kind.OPERATOR, Kind.INDEX_HEAD) or (row.iss is not None and row.iss == viewer):
            return True
        if row.kind == Kind.SUBJECT:
            return self._says(row, lambda says: says.on_behalf_of == viewer)
        if row.kind == Kind.PARTICIPANT:
            return self._says(row, lambda says: concerns(says, viewer, self._declared))
        if row.kind != Kind.CONSENT:
            return False
        consent = parties.get(row.chain)
        if consent is None:
            return False
        return bool(
            viewer == consent.holder or (viewer == consent.recipient and self._is_between_parties(row, consent))
        )

    def _declared(self, index: int) -> Act | None:
        """The content of the declaration at `index`, if it can still be read."""
        with self._store.read() as connection:
            row = connection.execute(select(entries).where(entries.c.idx == index)).one_or_none()
        return None if row is None or row.sealed is None else next(self._said(row), None)

    def _is_between_parties(self, row: Any, consent: Any) -> bool:
        """Whether an entry is of a party (also one that a provider signed for it) or the ledger's own, not a stranger's try."""
        parties = consent.holder, consent.recipient
        if row.iss is None or row.iss in parties:
            return True
        return self._says(row, lambda says: says.on_behalf_of in parties)

    def _says(self, row: Any, test: Callable[[Act], bool]) -> bool:
        """Whether the statement of an entry that can still be read passes a test."""
        return any(map(test, self._said(row)))

    def _said(self, row: Any) -> Iterator[Act]:
        """The payloads of an entry's statements; none for an entry that can no longer be read."""
        cipher = self._keystore.existing([row.chain]).get(row.chain)
        if cipher is not None:
            yield from map(payload_of, decode_evidence(open_entry(row, cipher)[0]).statements)

    def _parties(self, connection: Connection, rows: Iterable[Any]) -> dict[bytes, Any]:
        """Holder and recipient of the consents that these entries are about, by chain."""
        chains = {row.chain for row in rows if row.kind == Kind.CONSENT}
        return {row.chain: row for row in select_in(connection, _PARTIES, list(chains))}

    def _proved(
        self, connection: Connection, rows: Sequence[Any], notes: Mapping[int, tuple[int, str]]
    ) -> list[Proved]:
        """`notes`: the first checkpoint that includes each entry, (size, note) by index."""
        ciphers = self._keystore.existing(row.chain for row in rows if row.sealed is not None)
        prover = Prover(connection, self._known_tiles)
        found: list[Proved] = []
        for row in rows:
            evidence = opening = None
            if row.sealed is not None and row.chain in ciphers:
                evidence, opening = open_entry(row, ciphers[row.chain])
            if row.idx not in notes:
                raise _no_entry(row.idx)
            size, note = notes[row.idx]
            found.append(Proved(row.idx, row.leaf, evidence, opening, tuple(prover.inclusion(row.idx, size)), note))
        return found

    def _recorded(self, connection: Connection, rows: Sequence[Any], *, repeated: bool = False) -> list[Recorded]:
        found: list[Recorded] = []
        notes = first_checkpoints_with(connection, [row.idx for row in rows])
        for row, proved in zip(rows, self._proved(connection, rows, notes), strict=True):
            act, consent_id, outcome = row.kind, None, None
            if proved.evidence is not None:
                says = decode_evidence(proved.evidence)
                act, outcome = says.act, says.outcome or None
                consent_id = consent_id_of(says.statements, says.item.body if says.item else None)
            elif row.kind == Kind.OPERATOR:
                act = msgspec.json.decode(row.leaf)["document"]["type"]
            time = msgspec.json.decode(row.leaf)["time"]
            found.append(
                Recorded(
                    row.idx,
                    time,
                    Kind(row.kind),
                    row.leaf,
                    proved.evidence,
                    proved.opening,
                    act,
                    consent_id,
                    outcome,
                    proved.proof,
                    proved.checkpoint,
                    repeated,
                )
            )
        return found


def _confirmed(connection: Connection, rows: Sequence[Any]) -> Sequence[Any]:
    """Those of these entries that may leave this node: no receipt is made of what a crash may still undo."""
    end = max((row.idx + 1 for row in rows), default=0)
    size = confirmed_size(connection, end)
    return rows if end <= size else [row for row in rows if row.idx < size]


_Shown = TypeVar("_Shown", Proved, Recorded)


def _for(viewer: str, row: Any, parties: Mapping[bytes, Any], entry: _Shown) -> _Shown:
    """An entry as a viewer may have it: a customer's passkey assertion is for the holder and for its submitter.

    The id of the passkey is the same under all consents of its customer, and from two ECDSA signatures its public key can be
    computed: any two recipients who have both assertions know whether it is one person (docs/spec/passkeys.md). The leaf
    commits to the evidence as a whole, so whoever may not have a part of it gets none; the holder's own statement, which
    says nothing that another recipient knows, is told beside the receipt.
    """
    if entry.evidence is None or not entry.evidence.startswith(_SIGNED_BY_CUSTOMER) or row.iss == viewer:
        return entry
    consent = parties.get(row.chain)
    if consent is not None and viewer == consent.holder:
        return entry
    closed = structs.replace(entry, evidence=None, opening=None)
    if not isinstance(closed, Recorded):
        return closed
    [statement] = decode_evidence(entry.evidence).statements
    return structs.replace(closed, statement=statement)


def _no_entry(index: int) -> NotFound:
    return NotFound(f"there is no entry {index} for this participant", member="index")


def consent_id_of(statements: Iterable[str], item: str | None) -> str | None:
    """The consent that an entry's evidence is about; None for entries about none, and for an expiry."""
    if item is not None:
        return parse_item(item.encode()).consent_id
    for text in statements:
        payload = payload_of(text)
        return getattr(payload, "consent_id", None)
    return None
