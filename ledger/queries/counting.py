"""Keeps the count book: reads the log's entries once each, in order, and writes down what they count for (docs/reports.md)."""

from __future__ import annotations

import time as clock
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET
from sqlalchemy import select

from ledger.canonical import unb64u
from ledger.consent.state import BEFORE, LIVE, Status
from ledger.entries.acts import (
    ConsentAcknowledge,
    ConsentAmend,
    ConsentRequest,
    ConsentStep,
    SubjectConsent,
    SubjectFeedback,
)
from ledger.entries.evidence import AccessOutcome, ConsentOutcome, Evidence, decode_evidence
from ledger.entries.leaf import Kind, OperatorLeaf, consent_chain, parse_leaf
from ledger.entries.payload import acting_for
from ledger.entries.statement import payload_of
from ledger.entries.terms import Terms
from ledger.errors import Corrupt
from ledger.merkle.hashing import leaf_hash
from ledger.policy.decision import ONCE_SECONDS
from ledger.policy.moment import Item
from ledger.queries.released import Allowance, Release, allowance_of, given_under, release_in
from ledger.reporting.awaited import is_awaited
from ledger.storage.counted import BOOK_NAME, CountBook, open_book
from ledger.storage.counted_facts import ChainState, CountedVersion, Details, Dims, Fact, ReleaseFact, What
from ledger.storage.log import LogStore
from ledger.storage.rows import AFTER_CHANGE
from ledger.storage.standing import item_of, open_entry, recorded_payload
from ledger.storage.tables import entries, log_head, reconciliation_findings
from ledger.vault.cipher import Cipher
from ledger.vault.keystore import KeyStore

PAGE: Final = 1_000
_FOREIGN: Final = frozenset({"CONSENT_UNKNOWN", "CONSENT_NOT_YOURS"})
_LIVE: Final = frozenset(status.value for status in LIVE)
_BEFORE: Final = frozenset(status.value for status in BEFORE)


class Read(NamedTuple):
    """How far the book has come: entries that were read, entries there are."""

    size: int
    of: int

    @property
    def is_whole(self) -> bool:
        """Whether all entries were read."""
        return self.size >= self.of


class _Chain(NamedTuple):
    number: int
    erased: bool


class Counting:
    """Reads what is new in the log into the book. A page of entries is one turn, so several processes may read at once."""

    def __init__(self, store: LogStore, keystore: KeyStore, book: CountBook, *, page: int = PAGE) -> None:
        self._page = page
        self.store = store
        self.keystore = keystore
        self.book = book

    @classmethod
    def beside(cls, store: LogStore, keystore: KeyStore, folder: Path) -> Counting:
        """With the count book in a node's state folder, which is made if it is not there. Raises Unavailable."""
        return cls(store, keystore, open_book(folder / BOOK_NAME))

    def close(self) -> None:
        """Let go of the book."""
        self.book.close()

    def catch_up(self, *, seconds: float | None = None) -> Read:
        """Read until the end of the log, or for so many seconds. Raises Corrupt, Unavailable."""
        begun = clock.monotonic()
        while True:
            with self.store.read() as connection, self.book.turn():
                size, last = self.book.place()
                of: int = connection.execute(select(log_head.c.size)).scalar_one()
                if size:
                    known = connection.execute(
                        select(entries.c.leaf_hash).where(entries.c.idx == size - 1)
                    ).scalar_one_or_none()
                    if known is None or bytes(known) != last:  # another log, or one that was put back
                        self.book.forget()
                        size = 0
                query = select(entries).where(entries.c.idx >= size, entries.c.idx < min(of, size + self._page))
                rows = connection.execute(query.order_by(entries.c.idx)).all()
                if rows:
                    _Page(connection, self.keystore, self.book).read(rows)
                    size = rows[-1].idx + 1
                    self.book.move(size, bytes(rows[-1].leaf_hash))
            if size >= of or (seconds is not None and clock.monotonic() - begun >= seconds):
                return Read(size, of)


class _Page:
    """Some entries that follow each other."""

    def __init__(self, connection: Any, keystore: KeyStore, book: CountBook) -> None:
        self._connection = connection
        self._keystore = keystore
        self._book = book
        self._chains: dict[bytes, _Chain] = {}
        self._states: dict[int, ChainState] = {}
        self._moved: set[int] = set()
        self._facts: list[Fact] = []
        self._ciphers: Mapping[bytes, Cipher] = {}
        self._allowed: dict[int, tuple[int, Item]] = {}
        self._releases: list[Release] = []

    def read(self, rows: Any) -> None:
        """Take them. Raises Corrupt, Unavailable."""
        chains = {bytes(row.chain) for row in rows if row.chain is not None and row.kind != Kind.OPERATOR.value}
        self._ciphers = self._keystore.existing(chains, remember=False)
        self._know(chains)
        for row in rows:
            if row.kind == Kind.OPERATOR.value:
                leaf = parse_leaf(row.leaf)
                if not isinstance(leaf, OperatorLeaf) or leaf.index != row.idx or leaf_hash(row.leaf) != row.leaf_hash:
                    raise Corrupt(f"entry {row.idx} was changed in the database. {AFTER_CHANGE}")
                self._document(row.idx, leaf.time, leaf.document)
            elif row.kind == Kind.PARTICIPANT.value:
                self._fact(row.idx, _time(row), What.DECLARED)
            elif row.kind in (Kind.CONSENT.value, Kind.SUBJECT.value):
                self._commitment(row, self._ciphers.get(bytes(row.chain)))
        self._book.keep({number: self._states[number] for number in self._moved if number in self._states})
        self._write()

    def _write(self) -> None:
        self._book.add(self._facts)
        given = given_under(self._connection, self._ciphers, self._releases, self._known()) if self._releases else {}
        self._book.add_releases(
            ReleaseFact(one.idx, self._book.given(given[one.idx]), one.says.rows)
            for one in self._releases
            if one.idx in given
        )
        self._facts, self._releases = [], []

    def _known(self) -> dict[int, Allowance]:
        """Those accesses of these releases that stand among these entries themselves."""
        found = {}
        for one in self._releases:
            chain, item = self._allowed.get(one.says.basis, (0, None))
            if item is not None and chain == self._chains[one.chain].number:
                found[one.says.basis] = allowance_of(one.chain, item)
        return found

    def _know(self, chains: set[bytes]) -> None:
        for chain, (number, erased, state) in self._book.states(chains - self._chains.keys()).items():
            self._chains[chain] = _Chain(number, erased)
            if state is not None:
                self._states[number] = state

    def _of(self, chain: bytes) -> tuple[int, ChainState | None]:
        if chain not in self._chains:
            self._know({chain})
        number = self._chains[chain].number
        return number, self._states.get(number)

    def _fact(
        self,
        idx: int,
        time: int,
        what: What,
        *,
        chain: int = 0,
        about: int = 0,
        dims: int = 0,
        details: int = 0,
        number: int = 0,
    ) -> None:
        self._facts.append(Fact(idx, time, what, chain, about, dims, details, number))

    # -- documents ------------------------------------------------------------------------------------------------------

    def _document(self, idx: int, time: int, says: dict[str, Any]) -> None:
        match says["type"]:
            case "erasure":
                self._erasure(idx, time, {unb64u(chain) for chain in says["chains"]})
            case "participant.removed":
                self._book.remove(says["participant"], time)
            case "alert.raised":
                self._alert(idx, time, says["about"])
            case "reconciliation.reported":
                self._findings(idx, time, says["findings"])
            case _:
                self._fact(idx, time, What.OTHER)

    def _erasure(self, idx: int, time: int, chains: set[bytes]) -> None:
        self._write()  # what is below it is erased with the rest
        self._know(chains)
        fresh = [self._chains[chain].number for chain in chains if not self._chains[chain].erased]
        for chain in chains:
            number = self._chains[chain].number
            self._states.pop(number, None)
            self._moved.discard(number)
            self._chains[chain] = _Chain(number, erased=True)
            self._book.erase(number)
        self._fact(idx, time, What.ERASURES, number=len(fresh))

    def _alert(self, idx: int, time: int, about: dict[str, str]) -> None:
        if about["kind"] != "consent":
            self._fact(idx, time, What.ALERT, dims=self._book.dims({about["kind"]: (about["id"],)}))
            return
        number, state = self._of(unb64u(about["id"]))
        self._fact(idx, time, What.ALERT, about=number, dims=0 if state is None else state.terms.dims)

    def _findings(self, idx: int, time: int, count: int) -> None:
        found = reconciliation_findings
        query = select(entries.c.chain).join(found, found.c.access == entries.c.idx).where(found.c.report == idx)
        chains = self._connection.execute(query).scalars().all()
        if len(chains) != count:
            raise Corrupt(f"the findings of the report at entry {idx} are not all here; run «consent-ledger check»")
        for chain in chains:
            number, state = self._of(bytes(chain))
            self._fact(idx, time, What.FINDING, about=number, dims=0 if state is None else state.terms.dims)

    # -- entries of consents and customers --------------------------------------------------------------------------------

    def _commitment(self, row: Any, cipher: Any) -> None:
        chain = self._chains[bytes(row.chain)]
        if cipher is None or row.sealed is None or chain.erased:
            self._fact(row.idx, _time(row), What.ERASED, chain=chain.number)
            return
        evidence = decode_evidence(open_entry(row, cipher)[0])
        time = _time(row)
        before = len(self._facts)
        if (release := release_in(row.idx, bytes(row.chain), evidence)) is not None:
            self._releases.append(release)
        elif row.kind == Kind.SUBJECT.value:
            if evidence.act == "subject.feedback":
                self._complaint(row.idx, time, chain.number, evidence)
            elif evidence.act == "subject.consent":
                self._listed(chain.number, evidence)
        else:
            self._consent(row.idx, time, chain.number, evidence)
        if len(self._facts) == before:
            self._fact(row.idx, time, What.OTHER, chain=chain.number)

    def _listed(self, subject: int, evidence: Evidence) -> None:
        says = recorded_payload(evidence)
        if isinstance(says, SubjectConsent):
            self._book.belongs(self._of(consent_chain(says.consent_id))[0], subject)

    def _complaint(self, idx: int, time: int, chain: int, evidence: Evidence) -> None:
        says = recorded_payload(evidence)
        if isinstance(says, SubjectFeedback):
            number, state = self._of(consent_chain(says.consent_id))
            dims = 0 if state is None else state.terms.dims
            self._fact(idx, time, What.COMPLAINT, chain=chain, about=number, dims=dims)

    def _consent(self, idx: int, time: int, chain: int, evidence: Evidence) -> None:
        state, outcome = self._states.get(chain), evidence.outcome
        if evidence.act == "access.request":
            if isinstance(outcome, AccessOutcome):
                self._access(idx, time, chain, state, evidence, outcome)
        elif evidence.act == "consent.request":
            says = recorded_payload(evidence)
            if state is None and isinstance(says, ConsentRequest) and isinstance(outcome, ConsentOutcome):
                state = ChainState(outcome.consent_version, outcome.status, self._version(says.terms))
                self._fact(idx, time, What.REQUESTED, chain=chain, dims=state.terms.dims)
                self._put(chain, idx, time, state)
        elif evidence.act == "consent.acknowledge":
            if state is not None:
                self._acknowledged(idx, time, chain, state, evidence)
        elif evidence.act.startswith("consent.") and state is not None and isinstance(outcome, ConsentOutcome):
            self._step(idx, time, chain, state, evidence, outcome)

    def _step(
        self, idx: int, time: int, chain: int, state: ChainState, evidence: Evidence, outcome: ConsentOutcome
    ) -> None:
        says = recorded_payload(evidence) if evidence.statements else None
        if isinstance(says, ConsentAmend):
            state.pending = self._version(says.terms)
            self._put(chain, idx, time, state, stands=False)
            return
        was = state.status
        if outcome.consent_version > state.version and state.pending is not None:
            state.terms, state.pending, state.once_until = state.pending, None, 0
        elif evidence.act == "consent.authorise" and was in _BEFORE and outcome.status == Status.ACTIVE.value:
            state.once_until = 0
        state.version, state.status = outcome.consent_version, outcome.status
        self._active(idx, time, chain, state)
        if state.status not in _LIVE and was in _LIVE:
            by_customer = (
                isinstance(says, ConsentStep) and says.act == "consent.revoke" and says.by in ("customer", "guardian")
            )
            [recipient] = self._book.dims_of(state.terms.dims)["recipient"]
            awaited = is_awaited(says, recipient, outcome.ruleset)
            self._ended(idx, time, chain, state, What.WITHDRAWN if by_customer else What.ENDED, awaited=awaited)
        self._put(chain, idx, time, state)

    def _active(self, idx: int, time: int, chain: int, state: ChainState) -> None:
        if state.version == 1 and state.status == Status.ACTIVE.value and not state.authorised:
            state.authorised = True
            self._fact(idx, time, What.AUTHORISED, chain=chain, dims=state.terms.dims)

    def _ended(self, idx: int, time: int, chain: int, state: ChainState, what: What, *, awaited: bool = False) -> None:
        state.ended_at, state.ended_time, state.acknowledged = idx, time, False
        self._fact(idx, time, what, chain=chain, dims=state.terms.dims, number=int(awaited))

    def _acknowledged(self, idx: int, time: int, chain: int, state: ChainState, evidence: Evidence) -> None:
        says = recorded_payload(evidence)
        if isinstance(says, ConsentAcknowledge) and state.ended_at >= 0 and says.basis == state.ended_at:
            seconds = -1 if state.acknowledged else (time - state.ended_time) // 1000
            self._fact(idx, time, What.ACKNOWLEDGED, chain=chain, dims=state.terms.dims, number=seconds)
            state.acknowledged = True
            self._moved.add(chain)

    def _access(
        self, idx: int, time: int, chain: int, state: ChainState | None, evidence: Evidence, outcome: AccessOutcome
    ) -> None:
        item = item_of(evidence)
        reasons = outcome.all_reasons
        region = "" if item.region is UNSET else item.region
        details = self._book.details(Details(item.permissions, reasons, region))
        if state is None or not _FOREIGN.isdisjoint(outcome.reasons):
            dims = self._book.dims({"recipient": (_signer(evidence),)})
            self._fact(idx, time, What.FOREIGN, chain=chain, dims=dims, details=details)
            return
        dims = state.terms.dims
        if outcome.decision == "deny":
            self._fact(idx, time, What.REFUSED, chain=chain, dims=dims, details=details)
            return
        self._allowed[idx] = chain, item
        late = int(state.status == Status.REVOKED.value)
        what = What.ALLOWED if item.customer_present else What.UNATTENDED
        self._fact(idx, time, what, chain=chain, dims=dims, details=details, number=late)
        if not state.terms.once:
            return
        if outcome.ruleset > 2:
            if not state.once_until:
                state.once_until = time // 1000 + state.terms.once_seconds
                self._put(chain, idx, time, state)
        elif state.status in _LIVE:
            state.status = Status.CONSUMED.value
            self._ended(idx, time, chain, state, What.ENDED)
            self._put(chain, idx, time, state)

    def _put(self, chain: int, idx: int, time: int, state: ChainState, *, stands: bool = True) -> None:
        self._states[chain] = state
        self._moved.add(chain)
        if stands:
            self._book.stands(chain, idx, time, state)

    def _version(self, terms: Terms) -> CountedVersion:
        window = ONCE_SECONDS if terms.once_seconds is UNSET else terms.once_seconds
        return CountedVersion(self._book.dims(dims_of(terms)), terms.expires_at, terms.once, window)


def dims_of(terms: Terms) -> Dims:
    """The dimensions of a consent under these terms (docs/spec/reports.md, Measures)."""
    return {
        "grade": (str(terms.grade),),
        "holder": (terms.holder,),
        "permission": terms.permissions,
        "purpose": (terms.purpose.code,),
        "recipient": (terms.recipient,),
        "standard": (terms.standard,),
    }


def _signer(evidence: Evidence) -> str:
    says = payload_of(evidence.statements[0])
    return acting_for(says.iss, says.on_behalf_of)


def _time(row: Any) -> int:
    time: int = msgspec.json.decode(row.leaf)["time"]
    return time
