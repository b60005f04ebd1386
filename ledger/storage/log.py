"""The log in the database: one transaction per batch, snapshots for readers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Engine, bindparam, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ledger.canonical import b64u, unb64u
from ledger.consent.state import Consent
from ledger.engines.driver import Driver
from ledger.engines.engine import backend_of
from ledger.entries.assertion import Credential
from ledger.entries.leaf import consent_chain
from ledger.errors import Corrupt, Unavailable
from ledger.kept import Kept
from ledger.merkle.edge import Edge, FullTile
from ledger.planning.world import Allowed, ChainHead, Entry, Plan, SeenStatement
from ledger.storage.anchored import SignedMap, SignedTree
from ledger.storage.asking import CONSENTS, among, select_in
from ledger.storage.chainmap import ChainMap
from ledger.storage.horizon import OPTION, Horizon
from ledger.storage.legs import allowed_accesses, fill_legs, keep_legs, legs_under
from ledger.storage.operator import OnRecord, said_from
from ledger.storage.rows import (
    AFTER_CHANGE,
    consent_row,
    credential_digest,
    credential_row,
    entry_row,
    erased_credential,
    read_credential,
)
from ledger.storage.spoken import alerts_among, beginnings, feedback_in, moving_entries
from ledger.storage.standing import chain_heads, enrolment, events_of, has_request, standing_consents
from ledger.storage.tables import checkpoints, consents, credentials, log_head, tiles, used_challenges
from ledger.vault.cipher import Cipher
from ledger.vault.keystore import KeyStore, no_key

ABSENT_CHAINS: Final = 16_384
"""Chains without a consent that are remembered as such."""

_CREDENTIALS: Final = among(select(credentials), credentials.c.digest)
_CHALLENGES: Final = among(select(used_challenges), used_challenges.c.challenge)
_CHANGE_CONSENT: Final = (
    update(consents)
    .where(consents.c.chain == bindparam("new_chain"))
    .values({one.name: bindparam(f"new_{one.name}") for one in consents.c if one.name not in ("chain", "opened_at")})
)


@dataclass(frozen=True, slots=True)
class Head:
    """What a sequencer continues from."""

    size: int
    time: int
    last_hash: bytes
    edge: bytes
    checkpoint: str
    confirmed: int = field(default=0, compare=False)
    """What the row says of the confirmed horizon."""
    clock: int | None = field(default=None, compare=False)
    """The database's own time (ms) when the head was locked; None where it is this machine's."""


class BatchTransaction:
    """One batch's transaction, holding the log's lock from `head` to the commit."""

    def __init__(
        self,
        connection: Connection,
        driver: Driver,
        keystore: KeyStore,
        horizon: Horizon,
        absent: Kept[bytes, ChainHead],
        signed: SignedMap,
    ) -> None:
        """`absent`: up to where chains were read that no consent belongs to; `signed`: the map that their ends are held
        against."""
        self.connection = connection
        self._signed = signed
        self._edge = b""
        self._horizon = horizon
        self._absent = absent
        self._driver = driver
        self._keystore = keystore
        self.map = ChainMap(connection)
        """The completeness map, to be touched below the lock only."""
        self.seen: dict[tuple[str, bytes], SeenStatement] = {}
        """Those of the statements that `head` was told of that are in the log, with the indexes of their entries in order of
        position."""

    def head(self, keys: Iterable[tuple[str, bytes]] = ()) -> Head:
        """The head row, locked against all other writers; `keys`: the (iss, jti) that `seen` will tell about. Raises
        Unavailable on a database without a log."""
        row, found = self._driver.lock_head(self.connection, list(keys))
        if row is None:
            raise Unavailable("there is no log in this database yet: run «consent-ledger init»")
        by_key: dict[tuple[str, bytes], list[tuple[int, int, bytes]]] = {}
        for iss, jti, position, index, payload_hash in found:
            by_key.setdefault((iss, bytes(jti)), []).append((position, index, bytes(payload_hash)))
        self.seen = {
            key: SeenStatement(rows[0][2], tuple(row[1] for row in sorted(rows))) for key, rows in by_key.items()
        }
        self._edge = row[3]
        self._horizon.reached(row[5])  # a commit that had come back when another one wrote this
        return Head(*row)

    def confirm(self) -> None:
        """Say in the head row what is known to be confirmed. It is a write: its commit confirms all that is visible to it."""
        self._driver.confirm(self.connection, self._horizon.size)

    def consents(self, consent_ids: Collection[str], heads: Mapping[bytes, ChainHead]) -> dict[str, Consent]:
        """The present states of those of these consents that exist and were not erased, each held against its chain, which
        continues at `heads`. Raises Corrupt when one is not what its chain leads to."""
        if not consent_ids:
            return {}
        chains = {consent_chain(consent_id): consent_id for consent_id in consent_ids}
        found = {row.chain: row for row in select_in(self.connection, CONSENTS, list(chains))}
        ciphers = self._keystore.existing(chain for chain in chains if chain in found or chain in heads)
        self._demand_erased(chains.keys() & (found.keys() | heads.keys()) - ciphers.keys())
        for chain in heads.keys() & ciphers.keys() & chains.keys() - found.keys():
            self._check_absent(chain, ciphers[chain], heads[chain])
        standing = standing_consents(self.connection, found.values(), ciphers, heads)
        return {chains[chain]: consent for chain, consent in standing.items()}

    def _demand_erased(self, closed: set[bytes]) -> None:
        """A missing key is not an erasure: nothing may be decided as if the body that it would open did not exist."""
        if closed and (lost := self._keystore.lacking(closed)):
            raise no_key(len(lost))

    def _check_absent(self, chain: bytes, cipher: Cipher, head: ChainHead) -> None:
        """A chain without a consent holds only what strangers tried, and no request. It is read once."""
        known = self._absent.get(chain) or ChainHead()
        if known == head:
            return
        exists, end = has_request(events_of(self.connection, chain, cipher, known))
        if exists:
            raise Corrupt(f"the state of a consent is missing, which its chain has a request for. {AFTER_CHANGE}")
        self._absent.put(chain, end)

    def chains(self, chains: Collection[bytes]) -> dict[bytes, ChainHead]:
        """The ends of these chains, held against the map that the last index-head signs; chains without a leaf are absent.
        Raises Corrupt."""
        if not chains:
            return {}
        heads = chain_heads(self.connection, chains)
        self._signed.hold(
            self.connection, heads, chains, lambda: SignedTree(self.connection, Edge.from_bytes(self._edge))
        )
        return heads

    def credentials(self, wanted: Mapping[str, bytes]) -> dict[str, Credential]:
        """Those of these passkeys that were ever enrolled, each held against the customer's chain that enrolled it; erased ones
        stay taken but open to nobody. `wanted`: the subject chain that each is spoken of with. Raises Corrupt."""
        if not wanted:
            return {}
        digests = {credential_digest(credential_id): credential_id for credential_id in wanted}
        rows = {row.digest: row for row in select_in(self.connection, _CREDENTIALS, list(digests))}
        found: dict[str, Credential] = {}
        for digest, credential_id in digests.items():
            row = rows.get(digest)
            asked = wanted[credential_id]
            owner = asked if row is None else row.subject_chain
            ciphers = self._keystore.existing({asked, owner})
            for chain, cipher in ciphers.items():
                self._check_enrolment(row if chain == owner else None, chain, cipher, credential_id)
            if row is not None:
                if is_erased := owner not in ciphers:
                    self._demand_erased({owner})
                found[credential_id] = (
                    erased_credential(row, credential_id) if is_erased else read_credential(row, ciphers[owner])
                )
        return found

    def _check_enrolment(self, row: Any, chain: bytes, cipher: Cipher, credential_id: str) -> None:
        """A passkey's row says what its customer's chain says, and there is one if the chain has an enrolment."""
        says = enrolment(self.connection, chain, cipher, credential_id)
        stored = None
        if row is not None:
            known = read_credential(row, cipher)
            stored = known.credential_id, b64u(known.public_key), known.rp_id, known.enrolled_at, known.unenrolled_at
        act = None if says is None else (says[0].credential_id, says[0].public_key, says[0].rp_id, *says[1:])
        if act != stored:
            raise Corrupt(f"the row of a passkey is not what its customer's chain says. {AFTER_CHANGE}")

    def challenges(self, challenges: Collection[str]) -> set[str]:
        """Those of these challenges (b64u) that an entry has used."""
        if not challenges:
            return set()
        raw = {unb64u(challenge, size=32): challenge for challenge in challenges}
        rows = select_in(self.connection, _CHALLENGES, list(raw))
        return {raw[row.challenge] for row in rows}

    def allowed_accesses(self, indexes: Collection[int]) -> dict[int, Allowed]:
        """Those of these entries that are allowed accesses."""
        return allowed_accesses(self.connection, self._keystore, indexes) if indexes else {}

    def fill_legs(self) -> None:
        """Find the legs that were recorded before there was a table of them, once; where there are none to find, nothing."""
        fill_legs(self.connection, self._keystore)

    def legs_under(self, indexes: Collection[int]) -> set[tuple[int, str]]:
        """(basis, act) of the legs that these accesses have."""
        return legs_under(self.connection, indexes) if indexes else set()

    def moving_entries(self, indexes: Collection[int]) -> set[tuple[bytes, int]]:
        """(chain, index) of those of these entries that moved a consent."""
        return moving_entries(self.connection, self._keystore, indexes) if indexes else set()

    def alerts_among(self, indexes: Collection[int]) -> set[int]:
        """Those of these entries that are alerts."""
        return alerts_among(self.connection, indexes) if indexes else set()

    def beginnings(self, chains: Collection[bytes]) -> dict[bytes, int]:
        """By chain: the time (ms) of its first entry, of those that have one."""
        return beginnings(self.connection, chains) if chains else {}

    def feedback_in(self, chains: Collection[bytes]) -> dict[bytes, dict[str, bool]]:
        """By customer's chain, and number: whether the feedback is closed."""
        return feedback_in(self.connection, self._keystore, chains) if chains else {}

    def said_from(self, index: int) -> list[OnRecord[Any]]:
        """Operator documents and declarations at `index` and above, in order."""
        return said_from(self.connection, self._keystore, index)

    def note_at(self, size: int) -> str | None:
        """The signed checkpoint of exactly this size, if the log had one."""
        query = select(checkpoints.c.note).where(checkpoints.c.size == size)
        return self.connection.execute(query).scalar_one_or_none()

    def append(
        self,
        old_size: int,
        plan: Plan,
        full_tiles: Sequence[FullTile],
        head: Head,
    ) -> None:
        """Write a whole plan. Raises Corrupt when the head is not at `old_size` any more."""
        planned, changed = plan.entries, plan.changed
        sealed = [entry.chain for entry in planned if entry.evidence is not None and entry.chain is not None]
        wanted = {*sealed, *map(consent_chain, changed)}
        fresh = {entry.chain for entry in planned if entry.seq == 0}
        ciphers = self._keystore.ciphers(wanted, begun=wanted - fresh)
        rows = [entry_row(entry, ciphers.get(entry.chain or b"")) for entry in planned]
        self._write_consents(planned, changed, ciphers)
        self._write_passkeys(plan)
        keep_legs(self.connection, plan.legs)
        if full_tiles:
            self.connection.execute(insert(tiles), [tile._asdict() for tile in full_tiles])
        row = (head.size, head.time, head.last_hash, head.edge, head.checkpoint, self._horizon.size)
        if self._driver.write(self.connection, rows, old_size, row) != 1:
            raise Corrupt(f"the head moved away from size {old_size} under its own lock")

    def _write_consents(
        self, planned: Sequence[Entry], changed: Mapping[str, Consent], ciphers: Mapping[bytes, Any]
    ) -> None:
        if not changed:
            return
        opened = {entry.consent_id: entry.index for entry in planned if entry.act == "consent.request"}
        last = {entry.chain: (entry.seq or 0, entry.leaf_hash) for entry in planned}
        new, old = [], []
        for consent_id, consent in changed.items():
            chain = consent_chain(consent_id)
            row = consent_row(consent, opened.get(consent_id, 0), ciphers[chain], last[chain])
            if consent_id in opened:
                new.append(row)
            else:
                old.append({f"new_{name}": value for name, value in row.items()})
        if new:
            self.connection.execute(insert(consents), new)
        if old:
            self.connection.execute(_CHANGE_CONSENT, old)

    def _write_passkeys(self, plan: Plan) -> None:
        for credential in plan.credentials.values():
            row = credential_row(credential, self._keystore.cipher(credential.subject_chain))
            if credential.unenrolled_at is None:
                self.connection.execute(insert(credentials).values(row))
            else:
                key = credentials.c.digest == row["digest"]
                self.connection.execute(update(credentials).where(key).values(unenrolled_at=credential.unenrolled_at))
        if plan.challenges:
            used = [{"challenge": unb64u(text, size=32), "idx": index} for text, index in plan.challenges.items()]
            self.connection.execute(insert(used_challenges), used)


class LogStore:
    """Opens transactions and snapshots on the log's database."""

    def __init__(self, writer: Engine, reader: Engine, keystore: KeyStore) -> None:
        self.horizon = Horizon()
        """How far this process knows the log to be confirmed: readers see no further."""
        self._writer = writer
        self._reader = reader.execution_options(**{OPTION: self.horizon})
        self._keystore = keystore
        self._backend = backend_of(writer)
        self._kept: list[Connection] = []
        self._absent: Kept[bytes, ChainHead] = Kept(ABSENT_CHAINS)
        self._signed = SignedMap()
        # COPY and PRAGMA go to the driver itself, whose errors SQLAlchemy does not see
        self._failures = (DBAPIError, PoolTimeout, writer.dialect.loaded_dbapi.Error)

    @property
    def engine_name(self) -> str:
        """Its name in ENGINES (ledger/engines/engine.py)."""
        return self._writer.dialect.name

    @contextmanager
    def batch(self) -> Iterator[BatchTransaction]:
        """One batch's transaction, committed at the end of the block.

        Raises Unavailable when the database does not answer; if that happens in the commit, its outcome is unknown. Raises
        Corrupt when its files were removed or exchanged.
        """
        connection = None
        try:
            # kept from batch to batch: to fetch it from the pool and to bring it back costs more than a small batch's rules
            connection = self._kept.pop() if self._kept else self._writer.connect()
            with connection.begin():
                yield BatchTransaction(
                    connection, self._backend.driver, self._keystore, self.horizon, self._absent, self._signed
                )
            # here a commit may have gone into files that were taken away: it is not acknowledged, and the node stops
            self._backend.driver.verify_files(connection)
        except self._failures as error:
            if connection is not None:
                connection.invalidate()
            raise self._unavailable(error) from error
        finally:
            if connection is not None:
                self._keep(connection)

    def end_stalled(self) -> int:
        """End sessions that hold the log's lock and never release it; how many. 0 when the database does not answer."""
        try:
            with self._reader.connect() as connection:
                return self._backend.driver.end_stalled(connection)
        except self._failures:
            return 0

    def _keep(self, connection: Connection) -> None:
        if connection.invalidated or self._kept:
            connection.close()
        else:
            self._kept.append(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that cannot write and sees one state of the log. Raises Unavailable."""
        try:
            with self._reader.begin() as connection:
                yield connection
        except self._failures as error:
            raise self._unavailable(error) from error

    def confirm(self) -> None:
        """Confirm what the database shows by a commit of its own, if that is still to be done. Raises Unavailable."""
        with self.batch() as transaction:
            head = transaction.head()
            if head.confirmed < head.size:
                transaction.confirm()
        self.horizon.reached(head.size)

    def weaknesses(self) -> list[str]:
        """What of the database's set-up weakens what the log promises. Raises InvalidInput, Unavailable."""
        with self.read() as connection:
            return self._backend.weaknesses(connection)

    def create_head(self, head: Head) -> None:
        """Make the head row of a new, empty log."""
        names = ("size", "time", "last_hash", "edge", "checkpoint")
        with self._writer.begin() as connection:
            connection.execute(insert(log_head).values(id=1, **{name: getattr(head, name) for name in names}))

    def checkpoint_wal(self) -> None:
        """Housekeeping of the write-ahead log, where the engine leaves it to us. Raises Unavailable when it cannot be done (a
        full disk, say); what is committed stays safe in it."""
        try:
            self._backend.move_log(self._reader)
        except self._failures as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> Unavailable:
        """A database's failure as a caller may know it: the kind, never a text that can quote values."""
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        return Unavailable(f"the database refused or lost a transaction: {self._backend.explain(cause)}")

    def close(self) -> None:
        """Close all connections."""
        while self._kept:
            self._kept.pop().close()
        self._writer.dispose()
        self._reader.dispose()
