"""The log as a customer may see it: her consents, their events, her receipts. All that is not hers does not exist
here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from msgspec import UNSET, UnsetType

from api.events.status import told
from api.office.discretion import Discretion
from api.web.actors import consent_of
from api.web.happened import Event, Row, Show, is_shown, joined, read_event
from api.web.people import Person
from api.web.plain import plain
from ledger.app import Ledger
from ledger.canonical import b64u, unb64u
from ledger.consent.state import IN_FORCE, LIVE, Consent, Status
from ledger.entries.acts import SubjectAnswer, SubjectConsent, SubjectEnrol, SubjectFeedback, SubjectUnenrol
from ledger.entries.leaf import CommitmentLeaf, Kind, consent_chain, parse_leaf
from ledger.errors import NotFound
from ledger.planning.commands import Recorded

MANY: Final = 500
"""The most consents that one page looks at."""
PAGE: Final = 20
EVENTS: Final = 32
"""The most rows of a page of a history: it stays below 60 kB."""
SCANNED: Final = 200
"""The most events that one page of a filtered history looks at."""
SOON_MS: Final = 14 * 86_400_000
DAY_SECONDS: Final = 86_400

STEPS: Final = frozenset(
    {
        "consent.pause",
        "consent.reject",
        "consent.revoke",
        "consent.terminate",
        "consent.expire",
        "consent.supersede",
    }
)
"""Acts that pause or end a consent."""

Tab = Literal["active", "action", "ended"]


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
    is_kept: bool = False
    """Whether nobody else is told of it."""
    me: str = ""
    """Her own reference among the authorisers; empty where it does not matter, or her bank does not answer."""

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
        """Whether somebody asks this very person for an answer."""
        if not self.is_live:
            return False
        if self.consent.pending is not None:
            return self.me not in self.consent.pending.authorisers
        return self.is_open and self.me not in self.consent.authorisers

    @property
    def is_open(self) -> bool:
        """Whether the version in force lacks somebody's yes: to all of it, or to a joint account."""
        return self.is_live and (not self.consent.is_complete or bool(self.consent.waiting))

    @property
    def has_agreed(self) -> bool:
        """Whether she is one of several who agreed to the version in force: she can take that back, and others' stays."""
        return self.is_live and self.me in self.consent.authorisers and len(self.consent.authorisers) > 1

    @property
    def reauthenticate_by(self) -> int | None:
        """Until when (ms) the holder's authentication of her is good; None: for as long as the consent."""
        return _due(self.consent, self.consent.authenticated_at, self.consent.terms.reauthenticate_days)

    @property
    def reconfirm_by(self) -> int | None:
        """Until when (ms) the recipient must have asked her again; None: never."""
        return _due(self.consent, self.consent.confirmed_at, self.consent.terms.reconfirm_days)

    @property
    def due(self) -> int | None:
        """The next of the two."""
        return min((when for when in (self.reauthenticate_by, self.reconfirm_by) if when is not None), default=None)

    def tabs(self, now: int) -> set[Tab]:
        """Where the list shows it: what is shared, what needs the customer (which may be shared too), what has ended."""
        if not self.is_live:
            return {"ended"}
        expires = self.consent.terms.expires_at * 1000
        found: set[Tab] = set() if self.status in {Status.AWAITING, Status.PARTIAL} else {"active"}
        late = self.due is not None and self.due - now < SOON_MS
        soon = late or bool(expires and expires - now < SOON_MS)
        if self.waits or (soon and self.status is not Status.PAUSED):  # a paused consent asks nothing of anybody
            found.add("action")
        return found


def _due(consent: Consent, since: int, days: int | UnsetType) -> int | None:
    return None if days is UNSET or consent.status not in IN_FORCE else (since + days * DAY_SECONDS) * 1000


class Dealings:
    """One customer's dealings, as of `now` (ms).

    What another person of the same relationship keeps to herself (`suppress_notify`) does not exist here either.
    """

    def __init__(
        self, ledger: Ledger, person: Person, now: int, discretion: Discretion, reference: Callable[[str], str]
    ) -> None:
        """`reference` gives her own reference among the authorisers of a consent; empty: her bank does not answer."""
        self._ledger = ledger
        self._person = person
        self._now = now
        self.reference = reference
        self._consents: dict[str, Consent] = {}
        self._private = discretion.kept_by(ledger.records, person.chain)

    def name_of(self, participant: str) -> str:
        """A participant's registered name, harmless; its id when it is unknown."""
        found = self._ledger.registry.participants.get(participant)
        return plain(found.name) if found else participant

    def recipient_of(self, event: Event) -> str:
        """See Names."""
        consent = self.consent_of(event)
        return consent.terms.recipient if consent else event.principal

    def consent_of(self, event: Event) -> Consent | None:
        """The consent that an entry is about; None when it is about none, or its content was erased."""
        consent_id = consent_of(event)
        if consent_id not in self._consents:
            try:
                self._consents[consent_id] = self._ledger.records.consent(self._person.holder, consent_id)
            except NotFound:
                return None
        return self._consents[consent_id]

    def connections(self, after: int = -1) -> tuple[list[Connection], int | None]:
        """Up to MANY of her consents, newest first, and where more are found (None: these are all)."""
        found = self._ledger.records.consents_of_subject(self._person.chain, after=after, limit=MANY)
        listed = [self._connection(key, consent) for key, consent in reversed(found) if self._may_see(consent)]
        return listed, found[-1][0] if len(found) == MANY else None

    def all_connections(self) -> Iterator[Connection]:
        """Every consent of hers, in pages of MANY."""
        after: int | None = -1
        while after is not None:
            listed, after = self.connections(after)
            yield from listed

    def connection(self, key: int) -> Connection:
        """One of her consents. Raises NotFound for any other key."""
        found = self._ledger.records.consents_of_subject(self._person.chain, after=key - 1, limit=1)
        if not found or found[0][0] != key or not self._may_see(found[0][1]):
            raise NotFound("you have no such connection")
        return self._connection(*found[0])

    def request(self, consent_id: str) -> Connection:
        """A consent that she may answer: one of hers, or one that waits for its first answer at her own bank.

        A person who knows the unguessable id of an unanswered request was sent here by the partner who made it. Raises
        NotFound.
        """
        consent = self._ledger.records.consent(self._person.holder, consent_id)
        mine = consent.subject_chain == self._person.chain and self._may_see(consent)
        unanswered = consent.subject_chain == b"" and self._status(consent) is Status.AWAITING
        if consent.terms.holder != self._person.holder or not (mine or unanswered):
            raise NotFound("there is no such request for you")
        return self._connection(-1, consent)

    def is_mine(self, connection: Connection) -> bool:
        """Whether she agreed to it and nobody else did: then the customer whom an app says it served is she."""
        consent = connection.consent
        agreed = (*consent.authorisers, *(consent.pending.authorisers if consent.pending else ()))
        return bool(agreed) and set(agreed) == {self.reference(consent.consent_id)}

    def steps(self, connections: Iterable[Connection]) -> dict[int, Event]:
        """By connection key, the step that paused or ended it, where it is the newest step of its consent."""
        basis = {one.consent.basis: one.key for one in connections if not one.is_live or one.status is Status.PAUSED}
        events = map(read_event, self._ledger.records.recorded(sorted(basis))) if basis else ()
        return {basis[event.index]: event for event in events if event.act in STEPS}

    def key_of(self, consent_id: str) -> int | None:
        """The key of one of her consents, by looking through the newest."""
        listed, _ = self.connections()
        return next((found.key for found in listed if found.consent.consent_id == consent_id), None)

    def history(
        self,
        connection: Connection,
        *,
        before: int | None = None,
        show: Show = "all",
        account: str = "",
        first: int = 0,
    ) -> History:
        """A page of a consent's events from below `seq` = `before` down to `first`, newest first; `account`: only what was read
        of it.

        Looks at SCANNED events at the most.
        """
        length = self._ledger.records.chain_length(connection.chain)
        top = length if before is None else max(0, min(before, length))
        low = max(first, top - (EVENTS if show == "all" and not account else SCANNED))
        events = self._events(connection.chain, low, top)
        later = self._events(connection.chain, top, min(top + EVENTS, length)) if events else []
        rows = [
            row
            for row in joined(events, later, self._shown_before(connection.chain, events))
            if is_shown(row.event, show) and row.event.is_about(account)
        ]
        if len(rows) > EVENTS:
            rows = rows[:EVENTS]
            low = rows[-1].event.seq
        return History(rows, low if low > first else None, length)

    def _shown_before(self, chain: bytes, events: list[Event]) -> set[int]:
        """Deliveries among these events (by index) that stand beside their access on the page before: not told twice."""
        there = {event.index for event in events}
        bases = {event.leg.basis for event in events if event.leg is not None} - there
        found: dict[int, int] = {}
        for one in self._ledger.records.recorded(sorted(bases)) if bases else ():
            leaf = parse_leaf(one.leaf)
            if isinstance(leaf, CommitmentLeaf) and unb64u(leaf.chain) == chain:
                found[one.index] = leaf.seq
        return {
            event.index
            for event in events
            if event.leg is not None and event.leg.basis in found and event.seq - found[event.leg.basis] <= EVENTS
        }

    def events_from(self, connection: Connection, seq: int, limit: int) -> list[Event]:
        """A consent's events from `seq` on, oldest first."""
        return self._events(connection.chain, seq, seq + limit)

    def length(self, connection: Connection) -> int:
        """How many events a consent has."""
        return self._ledger.records.chain_length(connection.chain)

    def own_events(self, limit: int = EVENTS) -> list[Event]:
        """The newest events of her own subject chain, newest first."""
        length = self._ledger.records.chain_length(self._person.chain)
        events = self._events(self._person.chain, max(0, length - limit), length)[::-1]
        return [event for event in events if self._may_see_event(event)]

    def passkeys(self) -> dict[str, Event]:
        """The passkeys that the log has in force for her relationship: credential id → the entry that enrolled it."""
        found: dict[str, Event] = {}
        length, low = self._ledger.records.chain_length(self._person.chain), 0
        while low < length:
            for event in self._events(self._person.chain, low, min(low + MANY, length)):
                if isinstance(event.says, SubjectEnrol):
                    found[event.says.credential_id] = event
                elif isinstance(event.says, SubjectUnenrol):
                    found.pop(event.says.credential_id, None)
            low += MANY
        return found

    def receipt(self, index: int) -> Event:
        """An entry of hers. Raises NotFound for any other."""
        recorded = self._ledger.records.recorded([index])[0]
        event = read_event(recorded)
        if not self._is_hers(recorded):
            raise NotFound("you have no such receipt")
        return event

    def entries(self, connection: Connection, indexes: Iterable[int]) -> list[Event]:
        """Entries of one of her consents, in the order of the log. Raises NotFound for any other."""
        events = [read_event(one) for one in self._ledger.records.recorded(sorted(indexes))]
        if any(getattr(parse_leaf(one.recorded.leaf), "chain", "") != b64u(connection.chain) for one in events):
            raise NotFound("there is no such entry of this connection")
        return events

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
            return unb64u(leaf.chain) == self._person.chain and self._may_see_event(read_event(recorded))
        if recorded.consent_id is None:  # an expiry is the ledger's own: it holds no statement that names the consent
            return any(connection.chain == unb64u(leaf.chain) for connection in self.connections()[0])
        try:
            consent = self._ledger.records.consent(self._person.holder, recorded.consent_id)
        except NotFound:
            return False
        hers = consent.subject_chain == self._person.chain and self._may_see(consent)
        return hers and unb64u(leaf.chain) == consent_chain(consent.consent_id)

    def _connection(self, key: int, consent: Consent) -> Connection:
        # Her bank is asked who she is only where several people are concerned: for most consents it does not matter.
        several = (
            consent.terms.authorisers_required > 1 or len(consent.approvals) > 1 or consent.waiting or consent.pending
        )
        me = self.reference(consent.consent_id) if several else ""
        kept = consent.consent_id in self._private
        return Connection(key, consent, self._status(consent), self.name_of(consent.terms.recipient), kept, me)

    def _may_see(self, consent: Consent) -> bool:
        """Not what somebody else keeps to herself; when her bank does not answer, nothing that is kept."""
        if consent.consent_id not in self._private:
            return True
        known = (*consent.authorisers, *(consent.pending.authorisers if consent.pending else ()))
        return self.reference(consent.consent_id) in known

    def _may_see_event(self, event: Event) -> bool:
        consent_id = event.says.consent_id if isinstance(event.says, SubjectConsent | SubjectFeedback) else ""
        if isinstance(event.says, SubjectAnswer) and self._private:
            consent_id = self._feedback_on.get(event.says.number, "")
        if consent_id not in self._private:
            return True
        return self._may_see(self._ledger.records.consent(self._person.holder, consent_id))

    @cached_property
    def _feedback_on(self) -> dict[str, str]:
        """By number: which consent a feedback of the relationship is about. Read only where somebody keeps something."""
        length = self._ledger.records.chain_length(self._person.chain)
        events = (
            e for low in range(0, length, MANY) for e in self._events(self._person.chain, low, min(low + MANY, length))
        )
        return {e.says.number: e.says.consent_id for e in events if isinstance(e.says, SubjectFeedback)}

    @property
    def is_shared(self) -> bool:
        """Whether somebody keeps something to herself in her relationship's chain: she herself, or another person."""
        return bool(self._private)

    @property
    def has_silent_others(self) -> bool:
        """Whether something in her relationship's chain is kept from her."""
        shown = {one.consent.consent_id for one in self.all_connections()}
        return not self._private.issubset(shown)

    def _status(self, consent: Consent) -> Status:
        return consent.status_at(self._now, self._ledger.registry.removed)

    def _events(self, chain: bytes, low: int, high: int) -> list[Event]:
        if high <= low:
            return []
        found = self._ledger.records.history_of_chain(chain, after=low - 1, limit=high - low)
        return [read_event(recorded) for recorded in found]
