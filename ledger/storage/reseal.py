"""Rewrites rows of consents from older versions, so that all of a state is sealed with the entry it rests on.

The new rows come from the entries, replayed from the first one; a row that says something else is refused, not mended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, Final

from sqlalchemy import Connection, select, update

from ledger.canonical import unb64u
from ledger.entries.evidence import decode_evidence
from ledger.entries.leaf import CommitmentLeaf, OperatorLeaf, open_commitment, parse_leaf
from ledger.errors import Corrupt
from ledger.storage.log import LogStore
from ledger.storage.replay import Replay, Unfit, Unjudged
from ledger.storage.rows import consent_row, in_clear, is_of_older_version, open_evidence
from ledger.storage.spill import Spill
from ledger.storage.standing import chain_heads
from ledger.storage.tables import consents, entries
from ledger.vault.keystore import KeyStore

PAGE: Final = 500

Progress = Callable[[int, int], None]
"""Takes entries done and entries in all."""


def reseal(store: LogStore, keystore: KeyStore, progress: Progress | None = None) -> int:
    """Write the rows of older versions anew; how many. May be run again at any time, also beside servers.

    Raises Corrupt when a row or an entry contradicts the log; rows before it are written then.
    """
    with store.read() as connection:
        if not any(_is_old(row, keystore) for row in _rows(connection)):
            return 0
        with closing(Spill()) as spill:
            replay = Replay(spill)
            _replay(connection, keystore, replay, progress)
            return _write(store, connection, keystore, replay)


def _is_old(row: Any, keystore: KeyStore) -> bool:
    cipher = keystore.existing([row.chain]).get(row.chain)
    return cipher is not None and is_of_older_version(row, cipher)


def _rows(connection: Connection) -> Iterator[Any]:
    after = b""
    while page := connection.execute(
        select(consents).where(consents.c.chain > after).order_by(consents.c.chain).limit(PAGE)
    ).all():
        yield from page
        after = page[-1].chain


def _replay(connection: Connection, keystore: KeyStore, replay: Replay, progress: Progress | None) -> None:
    query = select(entries.c.idx, entries.c.leaf, entries.c.sealed).order_by(entries.c.idx)
    after = -1
    while page := connection.execute(query.where(entries.c.idx > after).limit(PAGE)).all():
        leaves = [parse_leaf(row.leaf) for row in page]
        chains = {unb64u(leaf.chain) for leaf in leaves if isinstance(leaf, CommitmentLeaf)}
        ciphers = keystore.existing(chains, remember=False)
        for row, leaf in zip(page, leaves, strict=True):
            try:
                if isinstance(leaf, OperatorLeaf):
                    replay.document(row.idx, leaf.time, leaf.document)
                elif isinstance(leaf, CommitmentLeaf) and (chain := unb64u(leaf.chain)) in ciphers:
                    body, opening = open_evidence(row.idx, row.sealed, ciphers[chain])
                    open_commitment(leaf, body, opening)
                    replay.entry(row.idx, leaf.time, chain, decode_evidence(body))
            except (Unfit, Unjudged) as error:
                raise Corrupt(f"entry {row.idx}: {error}; run «consent-ledger check»") from None
        after = page[-1].idx
        if progress is not None:
            progress(after + 1, after + 1)


def _write(store: LogStore, connection: Connection, keystore: KeyStore, replay: Replay) -> int:
    done = 0
    page: list[Any] = []
    for row in _rows(connection):
        if _is_old(row, keystore):
            page.append(row)
        if len(page) == PAGE:
            done += _write_page(store, connection, keystore, replay, page)
            page = []
    return done + _write_page(store, connection, keystore, replay, page)


def _write_page(store: LogStore, connection: Connection, keystore: KeyStore, replay: Replay, page: list[Any]) -> int:
    heads = chain_heads(connection, [row.chain for row in page])
    changes = []
    for row in page:
        state = replay.consent(row.chain)
        if state is None or {"opened_at": row.opened_at} | {
            name: getattr(row, name) for name in in_clear(state.consent)
        } != {
            "opened_at": state.opened_at,
            **in_clear(state.consent),
        }:
            raise Corrupt(
                f"the row of the consent that entry {row.opened_at} asked for is not what its chain leads to; "
                "run «consent-ledger check»"
            )
        head = heads[row.chain]
        new = consent_row(state.consent, state.opened_at, keystore.cipher(row.chain), (head.seq - 1, head.last_hash))
        changes.append((row.chain, row.sealed, new["sealed"]))
    if not changes:
        return 0
    with store.batch() as transaction:
        transaction.head()
        for chain, old, sealed in changes:  # a server may have moved it since: what it wrote is newer
            same = consents.c.chain == chain, consents.c.sealed == old
            transaction.connection.execute(update(consents).where(*same).values(sealed=sealed))
    return len(changes)
