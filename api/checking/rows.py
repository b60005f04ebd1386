"""The rows beside the entries, each compared with what the entries lead to, in the order of their keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import BigInteger, Connection, LargeBinary, and_, column, or_, select, values

from api.checking.findings import Findings
from api.office.facts import details_hash, facts_name, open_note
from ledger.canonical import b64u
from ledger.errors import LedgerError
from ledger.storage.legs import MARK
from ledger.storage.replay import Enrolled, Moved, Replay, leg_key
from ledger.storage.rows import open_consent, read_credential
from ledger.storage.tables import access_legs, consents, credentials, entries, standard_notes, used_challenges
from ledger.vault.keystore import KeyStore

PAGE: Final = 1_000
T = TypeVar("T")

NO_KEY: Final = "the key store has no key for its chain and destroyed none: bring a newer one back"


class RowCheck:
    """Compares the tables that can be made again from the entries."""

    def __init__(self, connection: Connection, keystore: KeyStore, replay: Replay, found: Findings) -> None:
        self._connection = connection
        self._keystore = keystore
        self._replay = replay
        self._found = found

    def run(self) -> None:
        """All of them."""
        self._consents()
        self._credentials()
        self._challenges()
        self._legs()
        self._notes()

    # -- consents ---------------------------------------------------------------------------------------------------

    def _consents(self) -> None:
        merged = _merged(_pages(self._connection, consents, consents.c.chain), "chain", self._replay.consents())
        for page in _portions(merged):
            chains = [row.chain for _, row, _ in page if row is not None]
            ciphers, destroyed = self._keys(chains)
            resting: list[tuple[str, bytes, int, bytes]] = []
            for chain, row, state in page:
                place = f"consent {_shown(chain)}"
                if row is None:
                    self._found.note(place, "its row is missing, and its chain has a request for it")
                elif chain in ciphers:
                    if rests_on := self._consent(place, row, state, ciphers[chain]):
                        resting.append((place, chain, *rests_on))
                elif chain not in destroyed:
                    self._found.note(place, NO_KEY)
            self._rests(resting)

    def _consent(self, place: str, row: Any, state: Moved | None, cipher: Any) -> tuple[int, bytes] | None:
        try:
            stored = open_consent(row, cipher)
        except LedgerError as error:
            self._found.note(place, error.detail)
            return None
        if not self._replay.is_judged(row.chain):
            self._found.could_not(place, "its row was not compared: an entry of its chain could not be judged")
        elif state is None:
            self._found.note(place, "no entry asks for it")
        elif state.consent != stored.consent or state.opened_at != row.opened_at:
            self._found.note(place, "its row is not what its chain leads to")
        else:
            self._found.consents += 1
        return stored.seq, stored.leaf_hash

    def _rests(self, resting: list[tuple[str, bytes, int, bytes]]) -> None:
        """The entries that the rows say they rest on are in their chains."""
        known: set[tuple[bytes, int, bytes]] = set()
        columns = entries.c.chain, entries.c.seq, entries.c.leaf_hash
        for at in range(0, len(resting), 200):
            keys = [(chain, seq) for _, chain, seq, _ in resting[at : at + 200]]
            # a list of pairs is no use to SQLite's index: it would read the whole log for each; a table of them is joined
            asked = values(column("chain", LargeBinary), column("seq", BigInteger)).data(keys).cte("asked")
            query = select(*columns).join(asked, (entries.c.chain == asked.c.chain) & (entries.c.seq == asked.c.seq))
            known.update((row.chain, row.seq, row.leaf_hash) for row in self._connection.execute(query))
        for place, *rests_on in resting:
            if tuple(rests_on) not in known:
                self._found.note(place, "it rests on an entry that its chain does not have")

    # -- passkeys ---------------------------------------------------------------------------------------------------

    def _credentials(self) -> None:
        rows = _pages(self._connection, credentials, credentials.c.digest)
        for page in _portions(_merged(rows, "digest", self._replay.passkeys())):
            ciphers, destroyed = self._keys([row.subject_chain for _, row, _ in page if row is not None])
            for digest, row, enrolled in page:
                place = f"passkey {_shown(digest)}"
                if row is None:
                    self._found.note(place, "its row is missing, and a customer's chain enrols it")
                elif row.subject_chain in ciphers:
                    self._credential(place, row, enrolled, ciphers[row.subject_chain])
                elif row.subject_chain not in destroyed:
                    self._found.note(place, NO_KEY)
                elif enrolled is not None:
                    self._found.note(place, "its row names another customer's chain, which was erased")

    def _credential(self, place: str, row: Any, enrolled: Enrolled | None, cipher: Any) -> None:
        try:
            stored = read_credential(row, cipher)
        except LedgerError as error:
            self._found.note(place, error.detail)
            return
        said = Enrolled(
            stored.subject_chain,
            stored.credential_id,
            b64u(stored.public_key),
            stored.rp_id,
            stored.enrolled_at,
            stored.unenrolled_at,
        )
        if said != enrolled:
            self._found.note(place, "its row is not what its customer's chain leads to")

    def _challenges(self) -> None:
        rows = _pages(self._connection, used_challenges, used_challenges.c.challenge)
        for challenge, row, used in _merged(rows, "challenge", self._replay.challenges()):
            place = f"challenge {_shown(challenge)}"
            if row is None:
                self._found.note(place, f"its row is missing, and entry {used} used it")
            elif used is None:
                if not self._is_erased(row.idx):
                    self._found.note(place, "no entry used it")
            elif row.idx != used:
                self._found.note(place, f"its row names entry {row.idx}, and entry {used} used it")

    def _legs(self) -> None:
        """The first legs under each access; an older log may have legs that no start has looked for yet."""
        table = access_legs
        marks = {row.act: row.idx for row in self._connection.execute(select(table).where(table.c.basis == MARK))}
        filled = 0 if "done" in marks else marks.get("from", 0)
        if not set(marks) <= {"from", "done"} or marks.get("done", marks.get("from")) != marks.get("from"):
            self._found.note("legs", "the marks of what was looked for are not those of a start")
        for key, row, index in _merged(_leg_rows(self._connection), "key", self._replay.legs()):
            place = f"leg of entry {int.from_bytes(key[:8], 'big')}"
            if row is None:
                if index is None or index >= filled:
                    self._found.note(place, f"its row is missing, and entry {index} records it")
            elif index is None:
                if not self._is_closed(row.idx):
                    self._found.note(place, "no entry records it")
            elif row.idx != index:
                self._found.note(place, f"its row names entry {row.idx}, and entry {index} is the first to record it")

    def _is_closed(self, index: Any) -> bool:
        """Whether what the entry says may not have been read: its chain was erased, or was passed over."""
        chain = self._connection.execute(select(entries.c.chain).where(entries.c.idx == index)).scalar_one_or_none()
        return self._is_erased(index) or (isinstance(chain, bytes) and self._replay.is_passed_over(chain))

    def _is_erased(self, index: Any) -> bool:
        chain = self._connection.execute(select(entries.c.chain).where(entries.c.idx == index)).scalar_one_or_none()
        return isinstance(chain, bytes) and bool(self._keystore.destroyed([chain]))

    # -- notes of standards -----------------------------------------------------------------------------------------

    def _notes(self) -> None:
        for page in _portions(_note_rows(self._connection)):
            ciphers, destroyed = self._keys([row.chain for row in page])
            for row in page:
                place = f"note of consent {_shown(row.chain)}"
                if row.chain not in ciphers:
                    if row.chain not in destroyed:
                        self._found.note(place, NO_KEY)
                    continue
                try:
                    text = open_note(row, ciphers[row.chain])
                except LedgerError as error:
                    self._found.note(place, error.detail)
                    continue
                if row.name.startswith(facts_name("")) and row.name != facts_name(details_hash(text)):
                    self._found.note(place, "it is not the request that its name is the hash of")

    def _keys(self, chains: list[bytes]) -> tuple[Any, set[bytes]]:
        ciphers = self._keystore.existing(chains, remember=False)
        closed = {chain for chain in chains if chain not in ciphers}
        return ciphers, self._keystore.destroyed(closed) if closed else set()


def _pages(connection: Connection, table: Any, key: Any) -> Iterator[Any]:
    """All rows in the order of their key, whatever their number."""
    after: bytes | None = None
    while True:
        query = select(table).order_by(key).limit(PAGE)
        page = connection.execute(query if after is None else query.where(key > after)).all()
        yield from page
        if len(page) < PAGE:
            return
        after = getattr(page[-1], key.name)


class _LegRow(NamedTuple):
    key: bytes
    idx: Any


def _leg_rows(connection: Connection) -> Iterator[_LegRow]:
    table = access_legs
    query = select(table).where(table.c.basis != MARK).order_by(table.c.basis, table.c.act).limit(PAGE)
    page = connection.execute(query).all()
    while page:
        yield from (_LegRow(leg_key(row.basis, row.act), row.idx) for row in page)
        last = page[-1]
        later = or_(table.c.basis > last.basis, and_(table.c.basis == last.basis, table.c.act > last.act))
        page = connection.execute(query.where(later)).all()


def _note_rows(connection: Connection) -> Iterator[Any]:
    table = standard_notes
    query = select(table).order_by(table.c.chain, table.c.name).limit(PAGE)
    page = connection.execute(query).all()
    while page:
        yield from page
        last = page[-1]
        later = or_(table.c.chain > last.chain, and_(table.c.chain == last.chain, table.c.name > last.name))
        page = connection.execute(query.where(later)).all()


def _merged(rows: Iterator[Any], key: str, states: Iterator[tuple[bytes, T]]) -> Iterator[tuple[bytes, Any, T | None]]:
    """(key, row or None, state or None) of two sequences in the order of their keys."""
    row, state = next(rows, None), next(states, None)
    while row is not None or state is not None:
        own = None if row is None else getattr(row, key)
        if row is not None and not isinstance(own, bytes):  # SQLite keeps any type in a column; such a key is nobody's
            yield str(own).encode(), row, None
            row = next(rows, None)
        elif state is None or (own is not None and own < state[0]):
            yield own or b"", row, None
            row = next(rows, None)
        elif own is None or own > state[0]:
            yield state[0], None, state[1]
            state = next(states, None)
        else:
            yield own, row, state[1]
            row, state = next(rows, None), next(states, None)


def _portions(items: Iterator[T]) -> Iterator[list[T]]:
    part: list[T] = []
    for item in items:
        part.append(item)
        if len(part) == PAGE:
            yield part
            part = []
    if part:
        yield part


def _shown(key: bytes) -> str:
    return b64u(key)[:16] + "…"
