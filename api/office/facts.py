"""A standard's notes on a consent beyond its terms: the request as it was worded, and what else an adapter must
remember; and what a customer has decided about all recipients (`Objections`).

A note is sealed under the consent's own data key, so that erasing the consent destroys its notes; and bound to its consent and
name, so that one put in another's place does not open.

Notes are never changed, and are written before the entry that rests on them. Their own commit does not wait for the disk, but
both lie in one write-ahead log: when the entry is durable, so is what was written before it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ledger.canonical import b64u
from ledger.clock import Clock, SystemClock
from ledger.engines.engine import insert_into, operations_engine
from ledger.entries.leaf import consent_chain
from ledger.errors import BadEncoding, Corrupt, Unavailable
from ledger.queries.tree import Snapshot
from ledger.storage.tables import entries
from ledger.storage.tables import standard_notes as _notes
from ledger.vault.cipher import Cipher
from ledger.vault.keystore import KeyStore

NOTE_LIMIT: Final = 64 * 1024
"""Bytes of one note."""
_FACTS: Final = "facts:"
_TOGETHER: Final = 500
"""Chains that one question names."""
log = logging.getLogger("consent_ledger.office")


def details_hash(facts: bytes) -> str:
    """`details_hash` of the terms that a request was turned into: b64u of the SHA-256 of its bytes."""
    return b64u(hashlib.sha256(facts).digest())


def facts_name(digest: str) -> str:
    """The name of the note that holds the request with this `details_hash`."""
    return f"{_FACTS}{digest}"


class Notes:
    """The table `standard_notes`. Thread-safe; blocking; raises Unavailable when the database does not answer."""

    def __init__(self, url: str, keystore: KeyStore, clock: Clock | None = None) -> None:
        self._engine = operations_engine(url)
        self._keystore = keystore
        self._clock = clock or SystemClock()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def add(self, consent_id: str, name: str, text: bytes) -> bool:
        """Write a note, unless there is one of this name; whether it was written.

        Raises BadEncoding above NOTE_LIMIT, NotFound for a consent that was erased.
        """
        return self.add_to(consent_chain(consent_id), name, text)

    def add_to(self, chain: bytes, name: str, text: bytes) -> bool:
        """The same of any chain: a customer's notes lie under the key of her own."""
        if len(text) > NOTE_LIMIT:
            raise BadEncoding(f"a note has at most {NOTE_LIMIT} bytes, not {len(text)}")
        now = self._clock.now()
        with self._transaction() as connection:
            query = select(entries.c.idx).where(entries.c.chain == chain, entries.c.seq == 0)
            known = connection.execute(query).first() is not None
        cipher = self._keystore.ciphers([chain], begun=[chain] if known else [])[chain]
        row = {"chain": chain, "name": name, "sealed": cipher.seal(text, _place(chain, name, now)), "made_at": now}
        with self._transaction() as connection:
            done = connection.execute(insert_into(self._engine, _notes).on_conflict_do_nothing(), row)
            return bool(done.rowcount)

    def read(self, consent_id: str, name: str) -> bytes | None:
        """A note; None when there is none, or the consent was erased. Raises Corrupt."""
        return self.read_of(consent_chain(consent_id), name)

    def read_of(self, chain: bytes, name: str) -> bytes | None:
        """The same of any chain."""
        with self._transaction() as connection:
            query = select(_notes).where(_notes.c.chain == chain, _notes.c.name == name)
            row = connection.execute(query).one_or_none()
        cipher = self._keystore.existing([chain]).get(chain)
        return None if row is None or cipher is None else open_note(row, cipher)

    def names(self, consent_id: str, prefix: str) -> list[str]:
        """The names of a consent's notes that begin so, oldest first."""
        return self.names_of(consent_chain(consent_id), prefix)

    def names_of(self, chain: bytes, prefix: str) -> list[str]:
        """The same of any chain."""
        query = select(_notes.c.name).where(_notes.c.chain == chain, _notes.c.name.startswith(prefix, autoescape=True))
        with self._transaction() as connection:
            return list(connection.execute(query.order_by(_notes.c.made_at, _notes.c.name)).scalars())

    def remove(self, consent_id: str, name: str) -> None:
        """Forget a note."""
        chain = consent_chain(consent_id)
        with self._transaction() as connection:
            connection.execute(delete(_notes).where(_notes.c.chain == chain, _notes.c.name == name))

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except (DBAPIError, PoolTimeout) as error:
            raise Unavailable("the notes of the standards cannot be read or written now") from error


def request_texts(
    connection: Snapshot, wanted: Mapping[bytes, Collection[str]], ciphers: Mapping[bytes, Cipher]
) -> Iterator[tuple[bytes, str, bytes]]:
    """Chain, `details_hash` and text of the requests that are still there, for a bundle. `wanted`: hashes by chain. One whose
    note was changed in storage is left out, and told."""
    chains = list(wanted)
    for first in range(0, len(chains), _TOGETHER):
        these = chains[first : first + _TOGETHER]
        query = select(_notes).where(_notes.c.chain.in_(these), _notes.c.name.startswith(_FACTS, autoescape=True))
        for row in connection.execute(query):
            digest, cipher = str(row.name).removeprefix(_FACTS), ciphers.get(row.chain)
            if cipher is None or digest not in wanted[row.chain]:
                continue
            try:
                text = _request_of(row, cipher, digest)
            except Corrupt as error:
                log.warning("a request's text: %s; the bundle is written without it", error.detail)
                continue
            yield row.chain, digest, text


def _request_of(row: Any, cipher: Cipher, digest: str) -> bytes:
    text = open_note(row, cipher)
    if details_hash(text) != digest:
        raise Corrupt("the note is another request than its name says")
    return text


def open_note(row: Any, cipher: Cipher) -> bytes:
    """The text of a row of `standard_notes`. Raises Corrupt when the row is not the one that was written."""
    try:
        return cipher.open(row.sealed, _place(row.chain, row.name, row.made_at))
    except Corrupt:  # before version 2 of this place, `made_at` was not part of it
        return cipher.open(row.sealed, f"consent-ledger/standard_notes/{row.chain.hex()}/{row.name}".encode())


def _place(chain: bytes, name: str, made_at: int) -> bytes:
    return f"consent-ledger/standard_notes/v2/{chain.hex()}/{made_at}/{name}".encode()
