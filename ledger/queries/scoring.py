"""Alerts out of the log: reading entries for the rules, and writing what they found (docs/spec/risk.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from msgspec import UNSET
from sqlalchemy import Connection, func, or_, select

from ledger.canonical import b64u
from ledger.documents import document_of
from ledger.entries.access_acts import AccessLeg
from ledger.entries.consent_acts import ConsentAmend, ConsentRequest
from ledger.entries.evidence import AccessOutcome, Evidence, decode_evidence
from ledger.entries.leaf import NO_HASH, Kind, risk_chain
from ledger.entries.terms import Terms
from ledger.errors import Conflict, Unavailable
from ledger.orders import RULES, About, AlertRaised
from ledger.participants import Registry
from ledger.planning.commands import RecordComposed
from ledger.planning.world import ChainHead
from ledger.scoring.model import Model
from ledger.scoring.rules import Scorer
from ledger.scoring.seen import Raised, Seen, SeenAccess, SeenForeign, SeenLeg, SeenRequest
from ledger.storage.log import LogStore
from ledger.storage.operator import document_of_row
from ledger.storage.standing import events_of, item_of, open_entry, recorded_payload, time_of
from ledger.storage.tables import entries, log_head
from ledger.vault.cipher import Cipher
from ledger.vault.keystore import KeyStore

PAGE: Final = 1_000
DOCUMENTS: Final = 100
"""Alerts in one batch at most."""
_FOREIGN: Final = frozenset({"CONSENT_UNKNOWN", "CONSENT_NOT_YOURS"})
_ENDED: Final = frozenset({"CONSENT_REVOKED", "CONSENT_TERMINATED"})

Models = Callable[[str], bytes | None]
"""The bytes of a model by their hash, as the document names it; None where this node does not have them."""


class AlertPlace(NamedTuple):
    """Where an alert stands among all: the entry it is about, the place of its rule."""

    at_index: int
    rule: int


def place_of(alert: Raised) -> AlertPlace:
    """Alerts are recorded in this order, each once."""
    return AlertPlace(alert.at_index, RULES.index(alert.rule))


@dataclass(slots=True)
class _Parties:
    holder: str
    recipient: str
    offsets: dict[int, int] = field(default_factory=dict)
    """By version: the minutes of its terms' `utc_offset`."""


class AlertReader:
    """Reads every entry once, in order. For one thread.

    A new reader begins where scoring was activated last, since what the rules remember rests on all that came after. Memory:
    some 300 bytes for each consent that was read, and what the rules keep (ledger/scoring/memory.py).
    """

    def __init__(self, store: LogStore, keystore: KeyStore, models: Models = lambda _: None) -> None:
        self._store = store
        self._keystore = keystore
        self._models = models
        self._scorer: Scorer | None = None
        """None while scoring is not in force."""
        self._model: Mapping[str, Any] | None = None
        """The last `model.activated`."""
        self._since = 0
        """The first entry that the rules have read."""
        self._next: int | None = None
        self._documents = 0
        """How many entries of the chain of alerts have been read."""
        self._recorded = AlertPlace(-1, 0)
        self._consents: dict[bytes, _Parties] = {}
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
        return bool(end == size)

    def command(self) -> RecordComposed | None:
        """What records the alerts that wait; None when there is none."""
        if not self.waiting:
            return None
        return RecordComposed(_Writer(tuple(self.waiting[:DOCUMENTS]), self._documents))

    def _begin(self, connection: Connection) -> int:
        """The entry above the last activation, or the log's end; what was said and recorded below it is taken over."""
        query = select(entries.c.idx, entries.c.leaf, entries.c.leaf_hash).where(entries.c.chain == risk_chain())
        rows = connection.execute(query.order_by(entries.c.seq)).all()
        said = [(row.idx, document_of_row(row)) for row in rows]
        begin: int = connection.execute(select(log_head.c.size)).scalar_one() - 1
        begin = max((index for index, says in said if says["type"] == "scoring.activated"), default=begin)
        self._recorded = max(
            (_recorded(says) for _, says in said if says["type"] == "alert.raised"), default=AlertPlace(-1, 0)
        )
        for index, says in said:
            if index < begin and says["type"] == "model.activated":
                self._model = says
            elif index == begin and says["type"] == "scoring.activated":
                self._document(says, index)
        self._documents = sum(index <= begin for index, _ in said)
        return begin + 1

    def _page(self, connection: Connection, first: int, end: int) -> int:
        """Read these entries, or those up to one that puts scoring in force; the next to be read. While it is not in force only
        the chain of alerts is looked at."""
        scoring = self._scorer is not None
        wanted = entries.c.chain == risk_chain()
        query = select(entries).where(entries.c.idx >= first, entries.c.idx < end)
        query = query.where(or_(entries.c.kind == Kind.CONSENT.value, wanted) if scoring else wanted)
        rows = connection.execute(query.order_by(entries.c.idx)).all()
        ciphers = self._keystore.existing({row.chain for row in rows if row.kind == Kind.CONSENT.value})
        for row in rows:
            if row.kind == Kind.OPERATOR.value:
                self._document(document_of_row(row), row.idx)
                if not scoring and self._scorer is not None:
                    return int(row.idx) + 1
            elif self._scorer is not None and row.sealed is not None and row.chain in ciphers:
                cipher = ciphers[row.chain]
                evidence = decode_evidence(open_entry(row, cipher)[0])
                seen = self._seen(connection, row, evidence, cipher)
                if seen is not None:
                    self._found(self._scorer.read(seen))
        return end

    def _found(self, alerts: list[Raised]) -> None:
        self.waiting += [alert for alert in alerts if place_of(alert) > self._recorded]

    def _document(self, document: Mapping[str, Any], index: int) -> None:
        self._documents += 1
        match document["type"]:
            case "scoring.activated":
                self._scorer = Scorer() if document["scoring"] else None
                self._since = index + 1
                self.waiting.clear()
                self._use_model()
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

    # -- what an entry is to the rules ------------------------------------------------------------------------------

    def _seen(self, connection: Connection, row: Any, evidence: Evidence, cipher: Cipher) -> Seen | None:
        act = evidence.act
        if act == "access.request":
            return self._access(connection, row, evidence, cipher)
        if act in ("access.release", "access.receive"):
            says: Any = recorded_payload(evidence)
            return self._leg(connection, row, says, cipher)
        if act in ("consent.request", "consent.amend"):
            terms_of: Any = recorded_payload(evidence)
            self._terms(bytes(row.chain), terms_of)
            if act == "consent.request":
                terms = terms_of.terms
                return SeenRequest(row.idx, time_of(row), terms.recipient, terms.purpose.code, len(terms.permissions))
        return None

    def _access(self, connection: Connection, row: Any, evidence: Evidence, cipher: Cipher) -> SeenAccess | SeenForeign:
        outcome = evidence.outcome
        assert isinstance(outcome, AccessOutcome)  # noqa: S101  (what the ledger records with this act)
        time = time_of(row)
        if not _FOREIGN.isdisjoint(outcome.reasons):
            says: Any = recorded_payload(evidence)
            return SeenForeign(row.idx, time, says.iss if says.on_behalf_of is UNSET else says.on_behalf_of)
        parties = self._parties(connection, row, cipher)
        item = item_of(evidence)
        ended_at = None
        if not _ENDED.isdisjoint(outcome.reasons):
            basis = connection.execute(select(entries).where(entries.c.idx == outcome.basis)).one()
            ended_at = time_of(basis)
        return SeenAccess(
            row.idx, time, parties.recipient, b64u(bytes(row.chain)), outcome.decision == "deny", not item.customer_present,
            parties.offsets.get(outcome.consent_version, 0), item.permissions, len(item.accounts), ended_at,
        )  # fmt: skip

    def _leg(self, connection: Connection, row: Any, says: AccessLeg, cipher: Cipher) -> SeenLeg | None:
        if says.basis < self._since:
            return None
        parties = self._parties(connection, row, cipher)
        return SeenLeg(
            row.idx,
            time_of(row),
            says.act,
            parties.holder,
            parties.recipient,
            says.basis,
            says.rows,
            says.bytes,
            says.digest,
        )

    def _terms(self, chain: bytes, says: ConsentRequest | ConsentAmend) -> None:
        terms: Terms = says.terms
        parties = self._consents.get(chain)
        if isinstance(says, ConsentRequest):
            parties = self._consents[chain] = _Parties(terms.holder, terms.recipient)
        if parties is not None:  # one that has not been read yet is read whole, when it is needed
            version = 1 if isinstance(says, ConsentRequest) else says.previous_version + 1
            parties.offsets[version] = 0 if terms.utc_offset is UNSET else terms.utc_offset

    def _parties(self, connection: Connection, row: Any, cipher: Cipher) -> _Parties:
        """Of a consent that stands in the log; of one that is older than the scoring, from its own chain."""
        chain = bytes(row.chain)
        if chain not in self._consents:
            for event in events_of(connection, chain, cipher, ChainHead(0, NO_HASH)):
                if event.at >= row.idx:
                    break
                if event.evidence.act in ("consent.request", "consent.amend"):
                    says: Any = recorded_payload(event.evidence)
                    self._terms(chain, says)
        return self._consents[chain]


class _Writer:
    """Records alerts, unless the chain of alerts has grown since they were found (ledger.planning.commands.Composer)."""

    def __init__(self, alerts: tuple[Raised, ...], documents: int) -> None:
        self._alerts = alerts
        self._documents = documents

    def compose(self, connection: Connection, registry: Registry, size: int, time: int) -> list[Mapping[str, Any]]:
        """The documents. Raises Conflict when another node has just written to this chain, or ended the scoring."""
        if not registry.supervision.scoring:
            raise Conflict(f"scoring is not in force at entry {size}, {time} ms")
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
    return AlertPlace(document["at_index"], RULES.index(document["rule"]))


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
