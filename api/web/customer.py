"""What a customer may see of the log: her consents, their events, her receipts. All that is not hers does not exist here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from api.events.status import told
from api.web.people import Person
from api.web.plain import plain
from ledger.app import Ledger
from ledger.canonical import unb64u
from ledger.consent.state import LIVE, Consent, Status
from ledger.entries.acts import AccessItem, AccessLeg, AccessRequest, Act
from ledger.entries.evidence import AccessOutcome, ConsentOutcome, decode_evidence
from ledger.entries.leaf import CommitmentLeaf, Kind, consent_chain, parse_leaf
from ledger.entries.statement import parse_item, parse_payload
from ledger.errors import NotFound
from ledger.planning.commands import Recorded

MANY: Final = 500
"""The most consents that one page looks at."""
PAGE: Final = 20
EVENTS: Final = 50
SCANNED: Final = 200
"""The most events that one page of a filtered history looks at."""
SOON_MS: Final = 14 * 86_400_000

Tab = Literal["active", "action", "ended"]
Show = Literal["all", "allowed", "refused", "changes"]


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a chain, read."""

    index: int
    seq: int
    time: int
    act: str
    says: Act | AccessItem | None
    iss: str
    outcome: AccessOutcome | ConsentOutcome | None
    signed_by_customer: bool
    recorded: Recorded

    @property
    def is_access(self) -> bool:
        """Whether somebody asked to read data."""
        return isinstance(self.outcome, AccessOutcome)

    @property
    def allowed(self) -> bool:
        """Whether that was allowed."""
        return isinstance(self.outcome, AccessOutcome) and self.outcome.decision == "allow"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why an access was refused."""
        return self.outcome.reasons if isinstance(self.outcome, AccessOutcome) else ()

    @property
    def item(self) -> AccessItem | AccessRequest | None:
        """What was asked for."""
        return self.says if isinstance(self.says, AccessItem | AccessRequest) else None

    @property
    def leg(self) -> AccessLeg | None:
        """What was delivered, for a release or a receipt of data."""
        return self.says if isinstance(self.says, AccessLeg) else None

    @property
    def by(self) -> str:
        """Who wanted a consent's step."""
        return str(getattr(self.says, "by", ""))

    @property
    def reason(self) -> str:
        """Why a consent's step was made: a code."""
        return str(getattr(self.says, "reason", ""))

    @property
    def is_erased(self) -> bool:
        """Whether the evidence was erased: only the place in the log is left."""
        return self.recorded.evidence is None


@dataclass(frozen=True, slots=True)
class Row:
    """An event in a history, with what was delivered under it."""

    event: Event
    released: AccessLeg | None = None
    received: AccessLeg | None = None


@dataclass(frozen=True, slots=True)
class History:
    """A page of a history, newest first; `older` is where the next page begins (None: this was the first event)."""

    rows: list[Row]
    older: int | None
    length: int


@dataclass(frozen=True, slots=True)
class Connection:
    """A consent of the customer. `key` is the index of its request: what its pages are addressed by."""

    key: int
    consent: Consent
    status: Status
    recipient: str
    """The recipient's name, harmless."""

    @property
    def is_live(self) -> bool:
        """Whether it has not ended."""
        return self.status in LIVE

    @property
    def chain(self) -> bytes:
        """The chain of its events."""
        return consent_chain(self.consent.consent_id)

    @property
    def waits(self) -> bool:
        """Whether somebody asks the customer for an answer."""
        return self.is_live and (self.status in {Status.AWAITING, Status.PARTIAL} or self.consent.pending is not None)

    def tabs(self, now: int) -> set[Tab]:
        """Where the list shows it: what is shared, what needs the customer (which may be shared too), what has ended."""
        if not self.is_live:
            return {"ended"}
        expires = self.consent.terms.expires_at * 1000
        found: set[Tab] = set() if self.status in {Status.AWAITING, Status.PARTIAL} else {"active"}
        if self.waits or (expires and expires - now < SOON_MS):
            found.add("action")
        return found


class Dealings:
    """One customer's dealings, as of `now` (ms)."""

    def __init__(self, ledger: Ledger, person: Person, now: int) -> None:
        self._ledger = ledger
        self._person = person
        self._now = now

    def name_of(self, participant: str) -> str:
        """A participant's registered name, harmless; its id when it is unknown."""
        found = self._ledger.registry.participants.get(participant)
        return plain(found.name) if found else participant

    def connections(self, after: int = -1) -> tuple[list[Connection], int | None]:
        """Up to MANY of her consents, newest first, and where more are found (None: these are all)."""
        found = self._ledger.records.consents_of_subject(self._person.chain, after=after, limit=MANY)
        listed = [self._connection(key, consent) for key, consent in reversed(found)]
        return listed, found[-1][0] if len(found) == MANY else None

    def connection(self, key: int) -> Connection:
        """One of her consents. Raises NotFound for any other key."""
        found = self._ledger.records.consents_of_subject(self._person.chain, after=key - 1, limit=1)
        if not found or found[0][0] != key:
            raise NotFound("there is no such connection of yours")
        return self._connection(*found[0])

    def request(self, consent_id: str) -> Connection:
        """A consent that she may answer: one of hers, or one that waits for its first answer at her own bank.

        Whoever knows the unguessable id of an unanswered request was sent here by the partner who made it. Raises NotFound.
        """
        consent = self._ledger.records.consent(self._person.holder, consent_id)
        mine = consent.subject_chain == self._person.chain
        unanswered = consent.subject_chain == b"" and self._status(consent) is Status.AWAITING
        if consent.terms.holder != self._person.holder or not (mine or unanswered):
            raise NotFound("there is no such request for you")
        return self._connection(-1, consent)

    def key_of(self, consent_id: str) -> int | None:
        """The key of one of her consents, by looking through the newest."""
        listed, _ = self.connections()
        return next((found.key for found in listed if found.consent.consent_id == consent_id), None)

    def history(self, connection: Connection, *, before: int | None = None, show: Show = "all") -> History:
        """A page of a consent's events from below `seq` = `before`, newest first. Looks at SCANNED events at the most."""
        length = self._ledger.records.chain_length(connection.chain)
        top = length if before is None else max(0, min(before, length))
        low = max(0, top - (EVENTS if show == "all" else SCANNED))
        events = self._events(connection.chain, low, top)
        rows = [row for row in joined(events) if _is_shown(row.event, show)]
        return History(rows, low or None, length)

    def events_from(self, connection: Connection, seq: int, limit: int) -> list[Event]:
        """A consent's events from `seq` on, oldest first."""
        return self._events(connection.chain, seq, seq + limit)

    def length(self, connection: Connection) -> int:
        """How many events a consent has."""
        return self._ledger.records.chain_length(connection.chain)

    def own_events(self, limit: int = EVENTS) -> list[Event]:
        """The newest events of her own subject chain, newest first."""
        length = self._ledger.records.chain_length(self._person.chain)
        return self._events(self._person.chain, max(0, length - limit), length)[::-1]

    def last_access(self, connection: Connection) -> Event | None:
        """The newest access among a consent's newest events, if there is one."""
        length = self._ledger.records.chain_length(connection.chain)
        events = self._events(connection.chain, max(0, length - 5), length)
        return next((event for event in reversed(events) if event.is_access), None)

    def receipt(self, index: int) -> Event:
        """An entry of hers. Raises NotFound for any other."""
        recorded = self._ledger.records.recorded([index])[0]
        event = read_event(recorded)
        if not self._is_hers(recorded):
            raise NotFound("there is no such receipt of yours")
        return event

    def told_at(self, connection: Connection, ended: Event) -> int | None:
        """When (ms) the recipient learned of the end of a consent: it acknowledged the event, or signed something after the end
        (it then holds a receipt that says so), whichever came first. None while neither has happened.
        """
        recipient = connection.consent.terms.recipient
        if ended.iss == recipient:
            return ended.time  # it ended the sharing itself
        known = [
            one.told_at
            for one in told(self._ledger, connection.chain, ended.index)
            if one.participant == recipient and one.told_at is not None
        ]
        after = self._events(connection.chain, ended.seq + 1, ended.seq + 1 + EVENTS)
        known += [event.time for event in after if event.iss == recipient][:1]
        return min(known, default=None)

    def _is_hers(self, recorded: Recorded) -> bool:
        leaf = parse_leaf(recorded.leaf)
        if not isinstance(leaf, CommitmentLeaf):
            return False
        if recorded.kind is Kind.SUBJECT:
            return unb64u(leaf.chain) == self._person.chain
        if recorded.consent_id is None:  # an expiry is the ledger's own: it holds no statement that names the consent
            return any(connection.chain == unb64u(leaf.chain) for connection in self.connections()[0])
        try:
            consent = self._ledger.records.consent(self._person.holder, recorded.consent_id)
        except NotFound:
            return False
        return consent.subject_chain == self._person.chain and unb64u(leaf.chain) == consent_chain(consent.consent_id)

    def _connection(self, key: int, consent: Consent) -> Connection:
        return Connection(key, consent, self._status(consent), self.name_of(consent.terms.recipient))

    def _status(self, consent: Consent) -> Status:
        return consent.status_at(self._now, self._ledger.registry.removed)

    def _events(self, chain: bytes, low: int, high: int) -> list[Event]:
        if high <= low:
            return []
        found = self._ledger.records.history_of_chain(chain, after=low - 1, limit=high - low)
        return [read_event(recorded) for recorded in found]


def read_event(recorded: Recorded) -> Event:
    """An entry as an event."""
    seq = getattr(parse_leaf(recorded.leaf), "seq", -1)
    says: Act | AccessItem | None = None
    iss, signed = "", False
    if recorded.evidence is not None:
        evidence = decode_evidence(recorded.evidence)
        signed = isinstance(evidence.assertion, msgspec.Struct)
        for text in evidence.statements:
            says = parse_payload(unb64u(text.split(".")[1]))
            iss = says.iss
        if isinstance(evidence.item, msgspec.Struct):
            says = parse_item(evidence.item.body.encode())
    return Event(recorded.index, seq, recorded.time, recorded.act, says, iss, recorded.outcome, signed, recorded)


def joined(events: list[Event]) -> list[Row]:
    """Events (oldest first) as rows, newest first; deliveries stand in the row of the access they were made under."""
    legs = [event for event in events if event.leg is not None]
    accesses = {event.index for event in events if event.is_access}
    by_access: dict[tuple[int, str], AccessLeg] = {
        (event.leg.basis, event.act): event.leg for event in legs if event.leg is not None
    }
    return [
        Row(event, by_access.get((event.index, "access.release")), by_access.get((event.index, "access.receive")))
        for event in reversed(events)
        if event.leg is None or event.leg.basis not in accesses
    ]


def _is_shown(event: Event, show: Show) -> bool:
    match show:
        case "all":
            return True
        case "allowed":
            return event.allowed
        case "refused":
            return event.is_access and not event.allowed
        case "changes":
            return event.act.startswith("consent.")
