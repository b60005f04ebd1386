"""Alerts out of the log: reading entries for the rules, and writing what they found (docs/spec/risk.md)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from msgspec import UNSET
from sqlalchemy import Connection, func, or_, select

from ledger.documents import document_of
from ledger.entries.leaf import Kind, risk_chain
from ledger.errors import Conflict, InvalidInput, Unavailable
from ledger.orders import RULES, About, AlertRaised
from ledger.participants import Registry
from ledger.planning.commands import RecordComposed
from ledger.queries.sight import Sight
from ledger.scoring.keeping import kept, read_kept
from ledger.scoring.model import Model
from ledger.scoring.rules import Scorer
from ledger.scoring.seen import Raised, Seen, SeenLeaf
from ledger.storage.log import LogStore
from ledger.storage.operator import document_of_row
from ledger.storage.standing import leaf_time_of
from ledger.storage.tables import entries, log_head
from ledger.vault.cipher import Cipher
from ledger.vault.keystore import KeyStore

log = logging.getLogger(__name__)

PAGE: Final = 1_000
SHELVE_EVERY: Final = 20 * PAGE
"""Entries between two times at which what the rules remember is put aside: what a crash lets be read again at most."""
DOCUMENTS: Final = 100
"""Alerts in one batch at most."""

Models = Callable[[str], bytes | None]
"""The bytes of a model by their hash, as the document names it; None where this node does not have them."""


class ScoringShelf(Protocol):
    """Where what the rules remember is kept between two readers. What comes back may be anything, and is checked."""

    def get(self) -> bytes | None:
        """What was put there last; None: nothing, or nothing of ours."""
        ...

    def put(self, data: bytes) -> None:
        """Replace it. Raises nothing: what is lost is read again from the log."""
        ...


class AlertPlace(NamedTuple):
    """The place of an alert among all: the entry it is about, the place of its rule, whom it is about (UTF-8)."""

    at_index: int
    rule: int
    about: bytes = b""


def place_of(alert: Raised) -> AlertPlace:
    """Alerts are recorded in this order, each once."""
    return AlertPlace(alert.at_index, RULES.index(alert.rule), alert.about.encode())


class AlertReader:
    """Reads every entry once, in order. For one thread.

    A new reader begins where scoring was activated last, since what the rules remember rests on all that came after; or where
    the one before it put that on a shelf. Memory: some 300 bytes for each consent that was read, and what the rules keep
    (ledger/scoring/memory.py).
    """

    def __init__(
        self,
        store: LogStore,
        keystore: KeyStore,
        models: Models = lambda _: None,
        shelf: ScoringShelf | None = None,
    ) -> None:
        """`shelf`: where what the rules remember outlives this reader; None: nowhere."""
        self._store = store
        self._shelf = shelf
        self._shelved = 0
        """How many entries had been read when it was put there last."""
        self._keystore = keystore
        self._models = models
        self._scorer: Scorer | None = None
        """None while scoring is not in force; what was found before may still wait."""
        self._model: Mapping[str, Any] | None = None
        """The last `model.activated`."""
        self._sight = Sight()
        self._next: int | None = None
        self._documents = 0
        """How many entries of the chain of alerts have been read."""
        self._recorded = AlertPlace(-1, 0)
        self.waiting: list[Raised] = []
        """What was found and is not on record yet, in order."""

    def read(self, *, most: int = 50 * PAGE) -> bool:
        """Read what is committed, at most so many entries; whether the end was reached.

        Raises Unavailable (also for a model that is in force and whose bytes this node lacks), Corrupt.
        """
        with self._store.read() as connection:
            size = connection.execute(select(log_head.c.size)).scalar_one()
            if self._next is None:
                self._next = self._begin(connection)
            end = min(size, self._next + most)
            while self._next < end:
                self._next = self._page(connection, self._next, min(end, self._next + PAGE))
        if self._next - self._shelved >= SHELVE_EVERY:
            self.shelve()
        return bool(end == size)

    @property
    def position(self) -> int:
        """The next entry to be read; 0 before the first look."""
        return self._next or 0

    def shelve(self) -> None:
        """Put what the rules remember on the shelf, for a reader that starts later. Raises Unavailable."""
        if self._shelf is None or self._scorer is None or self._next is None or self._next <= self._shelved:
            return
        with self._store.read() as connection:
            query = select(entries.c.leaf_hash).where(entries.c.idx == self._next - 1)
            end = bytes(connection.execute(query).scalar_one())
        begun = self._sight.since - 1
        self._shelf.put(kept(self._scorer, begun=begun, size=self._next, end=end, waiting=self.waiting))
        self._shelved = self._next

    def command(self) -> RecordComposed | None:
        """The command that records the alerts that wait; None if there are none."""
        if not self.waiting:
            return None
        return RecordComposed(_Writer(tuple(self.waiting[:DOCUMENTS]), self._documents))

    def _begin(self, connection: Connection) -> int:
        """The entry above the last activation, or the log's end; what was said and recorded below it is taken over."""
        query = select(entries.c.idx, entries.c.leaf, entries.c.leaf_hash).where(entries.c.chain == risk_chain())
        rows = connection.execute(query.order_by(entries.c.seq)).all()
        said = [(row.idx, document_of_row(row)) for row in rows]
        begin: int = connection.execute(select(log_head.c.size)).scalar_one() - 1
        # an end of scoring is read on the way: what was found just before it may still be owed
        started = (index for index, says in said if says["type"] == "scoring.activated" and says["scoring"])
        begin = max(started, default=begin)
        self._recorded = max(
            (_recorded(says) for _, says in said if says["type"] == "alert.raised"), default=AlertPlace(-1, 0)
        )
        for index, says in said:
            if index < begin and says["type"] == "model.activated":
                self._model = says
            elif index == begin and says["type"] == "scoring.activated":
                self._document(says, index)
        self._documents = sum(index <= begin for index, _ in said)
        return self._resumed(connection, begin, said) or begin + 1

    def _resumed(self, connection: Connection, begun: int, said: Sequence[tuple[int, Mapping[str, Any]]]) -> int:
        """Take over what an earlier reader remembered of this very log since this very activation; the next entry to be read.
        0: there is nothing of the kind, and the entries since the activation are read."""
        data = None if self._shelf is None or self._scorer is None else self._shelf.get()
        if data is None or self._scorer is None:
            return 0
        try:
            state, scorer = read_kept(data)
        except InvalidInput as error:
            log.info("the entries since the activation of scoring are read again: %s", error.detail)
            return 0
        query = select(entries.c.leaf_hash).where(entries.c.idx == state.size - 1)
        end = connection.execute(query).scalar_one_or_none()
        if (state.begun, scorer.scoring) != (begun, self._scorer.scoring) or end is None or bytes(end) != state.end:
            log.info("the entries since the activation of scoring are read again: what was kept is of other ones")
            return 0
        below = [(index, says) for index, says in said if index < state.size]
        self._scorer, self._documents, self._shelved = scorer, len(below), state.size
        self._model = next((says for _, says in reversed(below) if says["type"] == "model.activated"), None)
        self._use_model()
        self.waiting = [alert for alert in state.waiting if place_of(alert) > self._recorded]
        return state.size

    def _page(self, connection: Connection, first: int, end: int) -> int:
        """Read these entries, or those up to one that activates scoring or ends it; the next to be read.

        While it is not in force only the chain of alerts is looked at; from scoring 3 on every leaf is, since at any of them an
        end can fall due that nobody took note of."""
        alerts = risk_chain()
        wanted = entries.c.chain == alerts
        query = select(entries).where(entries.c.idx >= first, entries.c.idx < end)
        if self._scorer is None:
            query = query.where(wanted)
        elif self._scorer.scoring < 3:
            query = query.where(or_(entries.c.kind == Kind.CONSENT.value, wanted))
        rows = connection.execute(query.order_by(entries.c.idx)).all()
        ciphers = self._keystore.existing({row.chain for row in rows if row.kind == Kind.CONSENT.value})
        for row in rows:
            if row.kind == Kind.OPERATOR.value and row.chain == alerts:
                document = document_of_row(row)
                self._document(document, row.idx)
                if document["type"] == "scoring.activated":
                    return int(row.idx) + 1
            if self._scorer is not None:
                self._look(connection, row, ciphers, self._scorer)
        return end

    def _look(self, connection: Connection, row: Any, ciphers: Mapping[bytes, Cipher], scorer: Scorer) -> None:
        seen: Seen | None = None
        if row.kind == Kind.CONSENT.value and row.sealed is not None and row.chain in ciphers:
            seen = self._sight.see(connection, row, ciphers[row.chain])
        if seen is None and scorer.ends.next_due is not None:
            seen = SeenLeaf(row.idx, leaf_time_of(row))
        if seen is not None:
            self._found(scorer.read(seen))

    def _found(self, alerts: list[Raised]) -> None:
        self.waiting += [alert for alert in alerts if place_of(alert) > self._recorded]

    def _document(self, document: Mapping[str, Any], index: int) -> None:
        self._documents += 1
        match document["type"]:
            case "scoring.activated":
                self._scorer = Scorer(document["scoring"]) if document["scoring"] else None
                self._sight.since = index + 1
                self._use_model()  # what waits is owed all the same (docs/spec/risk.md, «What is read»)
            case "model.activated":
                self._model = document
                self._use_model()
            case "alert.raised":
                self._recorded = max(self._recorded, _recorded(document))
                self.waiting = [alert for alert in self.waiting if place_of(alert) > self._recorded]
            case _:
                pass

    def _use_model(self) -> None:
        if self._scorer is None or self._model is None:
            return
        data = self._models(self._model["hash"])
        if data is None:
            raise Unavailable(
                f"model {self._model['model']!r} is in force and its bytes are not here: no alert is raised until they are "
                "brought back, or another model is activated"
            )
        self._scorer.use(self._model["model"], Model(data))


class _Writer:
    """Records alerts, unless the chain of alerts has grown since they were found (ledger.planning.commands.Composer)."""

    def __init__(self, alerts: tuple[Raised, ...], documents: int) -> None:
        self._alerts = alerts
        self._documents = documents

    def compose(self, connection: Connection, registry: Registry, size: int, time: int) -> list[Mapping[str, Any]]:
        """The documents. Raises Conflict when another node has just written to this chain."""
        del registry, size, time  # scoring may have ended since: what was found while it was in force is owed
        last = connection.execute(select(func.max(entries.c.seq)).where(entries.c.chain == risk_chain())).scalar_one()
        if last != self._documents - 1:
            raise Conflict("another node has just raised alerts: they are read before more are raised")
        return [_document(alert) for alert in self._alerts]

    def recorded(self, connection: Connection, index: int) -> None:
        """Nothing is kept beside the log."""


def _document(alert: Raised) -> dict[str, Any]:
    return document_of(
        AlertRaised,
        about=About(id=alert.about, kind=alert.kind),
        at_index=alert.at_index,
        features=alert.features,
        model=UNSET if alert.model is None else alert.model,
        rule=alert.rule,
        score=alert.score,
    )


def _recorded(document: Mapping[str, Any]) -> AlertPlace:
    return AlertPlace(document["at_index"], RULES.index(document["rule"]), document["about"]["id"].encode())


def activated_models(connection: Connection, size: int) -> list[tuple[int, dict[str, Any]]]:
    """(index, document) of each `model.activated` below `size`, in their order. Raises Corrupt."""
    query = select(entries.c.idx, entries.c.leaf, entries.c.leaf_hash).where(
        entries.c.chain == risk_chain(), entries.c.idx < size
    )
    said = ((row.idx, document_of_row(row)) for row in connection.execute(query.order_by(entries.c.seq)))
    return [(index, document) for index, document in said if document["type"] == "model.activated"]


def recorded_alerts(store: LogStore, *, after: int = -1, limit: int = 50) -> list[tuple[int, dict[str, Any]]]:
    """(index, document) of alerts above entry `after`, in their order. Raises Unavailable, Corrupt."""
    query = select(entries.c.idx, entries.c.leaf, entries.c.leaf_hash).where(
        entries.c.chain == risk_chain(), entries.c.idx > after
    )
    found: list[tuple[int, dict[str, Any]]] = []
    with store.read() as connection:
        for row in connection.execute(query.order_by(entries.c.seq)):
            document = document_of_row(row)
            if document["type"] == "alert.raised":
                found.append((row.idx, document))
                if len(found) == limit:
                    break
    return found
