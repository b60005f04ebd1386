"""Follows the log and tells customers: notes what is new with its place in the log, then sends what is noted.

Several processes may run one: noting the same entries twice notes them once, and each attempt to send is claimed by one only.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from api.web.customer import Dealings
from api.web.happened import read_event
from api.web.office import BankPages
from api.web.outbox import CURSOR, DAY, PersonalMessage, notice_id
from api.web.people import Person
from api.web.subscriptions import Channel, Subscription
from api.web.telling import occasions
from api.web.telling.carriers import Carrier, NotCarried
from api.web.telling.occasions import Occasion
from api.web.telling.wording import digest, in_words
from ledger.errors import LedgerError, NotFound, NotPermitted, Unavailable
from ledger.queries.overview import OverviewQueries
from ledger.queries.subjects import SubjectQueries

log = structlog.get_logger("api.web.telling")

TURN_SECONDS: Final = 1.0
WAIT_SECONDS: Final = 30.0
CHUNK: Final = 500
"""Entries looked through at once."""
CHUNKS_OF_A_TURN: Final = 10
DAY_MS: Final = 86_400_000
Noted = tuple[bytes, PersonalMessage]


class Teller:
    """`start` and `stop` for a server; `turn` for whoever wants to see each step."""

    def __init__(self, office: BankPages, carriers: Mapping[Channel, Carrier]) -> None:
        self._office = office
        self._carriers = carriers
        self._store = office.store
        self._subjects = SubjectQueries(office.ledger.store)
        self._overview = OverviewQueries(office.ledger.store)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    # -- life -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin, on a thread of its own; nothing to do where nothing carries notices."""
        if self._carriers:
            self._thread = threading.Thread(target=self._live, name="teller", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End; what is being sent is finished."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _live(self) -> None:
        wait = 0.0
        while not self._ended.wait(wait):
            try:
                self.turn()
                wait = TURN_SECONDS
            except LedgerError as error:
                log.warning("notices to customers wait", error=error.detail)
                wait = WAIT_SECONDS
            except Exception as error:  # a defect in telling must be seen, and must not end all telling
                log.exception("unexpected error", error=type(error).__name__)
                wait = WAIT_SECONDS

    def turn(self) -> int:
        """Note what is new and what is due today, send what waits; how many notices were taken. Raises LedgerError."""
        now = self._office.clock.now()
        self._follow(now)
        self._daily(now)
        return self._send()

    # -- noting -----------------------------------------------------------------------------------------------------

    def _follow(self, now: int) -> None:
        for _ in range(CHUNKS_OF_A_TURN):
            first, size = self._store.outbox.mark(CURSOR), self._subjects.position()
            if first is None:  # nobody is told of what happened before notices were set up
                self._store.outbox.note(CURSOR, None, size, [], now)
                return
            below = min(size, first + CHUNK)
            if first >= below:
                return
            if not self._store.outbox.note(CURSOR, first, below, list(self._new(first, below, now)), now):
                return  # another process noted them

    def _new(self, first: int, below: int, now: int) -> Iterator[Noted]:
        touched = self._subjects.touched(first, below)
        wanting = self._store.subscriptions.by_chain({chain for _, chain in touched})
        seen: dict[bytes, Dealings] = {}
        for index, chain in touched:
            for one in wanting.get(chain, ()):
                dealings = seen.setdefault(one.person.key, self._dealings(one.person, now))
                yield from self._worded(one, occasions.of_entry(dealings, index))
        for index, is_document in self._subjects.public(first, below):
            yield from self._of_public(index, is_document=is_document, now=now)

    def _of_public(self, index: int, *, is_document: bool, now: int) -> Iterator[Noted]:
        """An authority's access, an incident, a freeze: whom do they concern?"""
        if is_document:
            found = self._overview.document(index)
            if found.document.get("type") == "disclosure":
                last = int(found.document["to_index"])
                yield from self._of_disclosure(index, found.time, int(found.document["from_index"]), last, now)
                return
            time, scope = found.time, occasions.scope_of(found.document)
        else:
            event = read_event(self._office.ledger.records.recorded([index])[0])
            time, scope = event.time, occasions.scope_of(event.says)
        if scope is not None:
            for one in self._store.subscriptions.all():
                yield from self._worded(one, occasions.affected(self._dealings(one.person, now), scope, index, time))

    def _of_disclosure(self, index: int, time: int, first: int, last: int, now: int) -> Iterator[Noted]:
        of_chain: dict[bytes, list[int]] = {}
        for entry, chain in self._subjects.touched(first, last + 1):
            of_chain.setdefault(chain, []).append(entry)
        for chain, wanting in self._store.subscriptions.by_chain(of_chain).items():
            for one in wanting:
                told = occasions.disclosed(self._dealings(one.person, now), index, time, of_chain[chain])
                yield from self._worded(one, told)

    def _daily(self, now: int) -> None:
        """Once a day: what ends soon, and the month that is over."""
        today = now // DAY_MS
        done = self._store.outbox.mark(DAY)
        if done == today:
            return
        noted: list[Noted] = []
        for one in self._store.subscriptions.all():
            dealings = self._dealings(one.person, now)
            for occasion in occasions.expiring(dealings, now):
                noted += self._worded(one, occasion)
            noted += self._digest(one, dealings, now)
        if self._store.outbox.note(DAY, done, today, noted, now):
            self._store.outbox.purge(now)

    def _digest(self, one: Subscription, dealings: Dealings, now: int) -> Iterator[Noted]:
        """The last month, for whoever wanted to be told before it was over."""
        if "digest" not in one.kinds:
            return
        month = dt.datetime.fromtimestamp(now / 1000, ZoneInfo(one.zone)).replace(
            day=1, hour=0, minute=0, second=0, microsecond=0
        )
        before = (month - dt.timedelta(days=1)).replace(day=1)
        since, until = int(before.timestamp() * 1000), int(month.timestamp() * 1000)
        if one.since >= until:
            return
        for message in digest(one, dealings, self._office.glances, since, until, self._office.base_url):
            yield notice_id(message, f"digest/{before:%Y-%m}"), message

    def _worded(self, one: Subscription, occasion: Occasion | None) -> Iterable[Noted]:
        if occasion is None or occasion.kind not in one.kinds or occasion.time < one.since:
            return []
        messages = in_words(one, occasion, self._office.base_url)
        return [(notice_id(message, occasion.about), message) for message in messages]

    def _dealings(self, person: Person, now: int) -> Dealings:
        office = self._office
        return Dealings(office.ledger, person, now, office.discretion, partial(self._reference, person))

    def _reference(self, person: Person, consent_id: str) -> str:
        """Her own reference; nothing while her bank does not answer, and then nothing is told that could be another's."""
        try:
            return self._office.agent_of(person).authoriser(person, consent_id)
        except (Unavailable, NotFound, NotPermitted):
            return ""

    # -- sending ----------------------------------------------------------------------------------------------------

    def _send(self) -> int:
        taken, outbox = 0, self._store.outbox
        for one in outbox.due(self._office.clock.now()):
            carrier = self._carriers.get(one.message.channel)
            now = self._office.clock.now()
            if self._ended.is_set() or carrier is None or not outbox.claim(one, now):
                continue
            try:
                carrier.carry(one.id, one.message)
            except NotCarried as failure:
                over = outbox.failed(one, now, for_good=failure.for_good)
                log.warning(
                    "a notice was given up" if over else "a notice was not taken; it is tried again",
                    reason=failure.code,
                )
                continue
            outbox.sent(one)
            taken += 1
        return taken
