"""The sender: follows the log, notes whom to tell, and tells them, until they acknowledge or a week is over.

Several processes may run one; a lease in the database lets one of them work. Should two work at once for a moment (a clock
that jumped, a process that slept), each attempt is still claimed by one only. After a crash an attempt is made again under
the same event id: at least once, and recognisable.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

import structlog

from api.events.delivery import Message, NotDelivered, Push
from api.events.tokens import ALERT, EventTokens
from ledger.canonical import b64u
from ledger.clock import Clock, SystemClock
from ledger.errors import LedgerError, Unavailable
from ledger.queries.alerts import AlertNotice
from ledger.queries.events import Delivery, Due, EventQueries, Notice
from ledger.storage.events import OPEN, Attempt, DeliveryState, EventStore, NewDelivery

log = structlog.get_logger("api.events")

TURN_SECONDS: Final = 0.25
LEASE_MS: Final = 10_000
CLAIM_MS: Final = 60_000
"""An attempt takes ten seconds at most; after this time its process is taken to have died."""
SWEEP_MS: Final = 5_000
"""Between two looks for what is old: what is measured in minutes need not be asked four times a second."""
ESCALATE_MS: Final = 5 * 60_000
GIVE_UP_MS: Final = 7 * 86_400_000
FIRST_RETRY_MS: Final = 1_000
LAST_RETRY_MS: Final = 3_600_000
CHUNK: Final = 2_000
"""Entries looked through at once."""
CHUNKS_OF_A_TURN: Final = 10


def retry_after(attempts: int, chance: float) -> int:
    """Milliseconds until the next attempt: doubled each time up to an hour, less up to half of it by `chance` (0 to 1)."""
    full = min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** min(attempts - 1, 20))
    return int(full * (1 - chance / 2))


class OutwardMessages(Protocol):
    """Words events for endpoints that take the messages of an outward standard instead of security event tokens."""

    def speaks_at(self, url: str) -> bool:
        """Whether this address is one of a standard's."""
        ...

    def message(self, url: str, notice: Notice, participant: str) -> Message | None:
        """The message; None when the standard has no word for this event."""
        ...


class AlertTelling(Protocol):
    """Finds the alerts that participants with an endpoint are told of."""

    def between(self, first: int, below: int) -> Sequence[AlertNotice]:
        """Those of the entries from `first` to below `below`, each with its audience. Raises Unavailable."""
        ...

    def at(self, index: int) -> AlertNotice | None:
        """The alert at one entry. Raises Unavailable."""
        ...


class EventSender:
    """`start` and `stop` for a server; `turn` and `settle` for whoever wants to see each step."""

    def __init__(
        self,
        queries: EventQueries,
        store: EventStore,
        tokens: EventTokens,
        push: Callable[[], Push],
        *,
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
        also: Callable[[Notice], None] | None = None,
        outward: OutwardMessages | None = None,
        alerts: AlertTelling | None = None,
    ) -> None:
        """`push` makes the pusher, on the event loop that will use it; `chance` is the jitter of retries. `also` is shown every
        notice, in the log's order, at least once; when it raises Unavailable, it is shown the same ones again. `outward` words
        events for endpoints that take an outward standard's messages. `alerts` finds those to tell of; None: none are told."""
        self._queries = queries
        self._store = store
        self._tokens = tokens
        self._make_push = push
        self._push: Push | None = None
        self._clock = clock or SystemClock()
        self._chance = chance
        self._also = also
        self._outward = outward
        self._alerts = alerts
        self.name = f"{os.getpid()}-{b64u(os.urandom(9))}"
        self._leased_until = self._swept_at = 0
        self._in_work: dict[str, asyncio.Task[None]] = {}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = threading.Event()
        self._wake: asyncio.Event | None = None

    # -- life -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), name="event sender", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop; the next sender sends again what was not acknowledged."""
        self._ended.set()
        if self._loop is not None and self._wake is not None:
            with suppress(RuntimeError):  # it has ended already
                self._loop.call_soon_threadsafe(self._wake.set)
        if self._thread is not None:
            self._thread.join()

    async def _live(self) -> None:
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        self._push = self._make_push()  # reads certificates, which must not delay the first event
        try:
            while not self._ended.is_set():
                try:
                    await self.turn()
                except Unavailable as error:
                    log.warning("events wait", error=error.detail)
                except Exception as error:  # a defect in telling must not end all telling
                    log.exception("unexpected error", error=type(error).__name__)
                try:
                    await asyncio.wait_for(self._wake.wait(), TURN_SECONDS)
                except TimeoutError:
                    continue
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """End what is in work, and let another process send."""
        for task in self._in_work.values():
            task.cancel()
        await asyncio.gather(*self._in_work.values(), return_exceptions=True)
        if self._push is not None:
            await self._push.aclose()
            self._push = None
        if self._leased_until:
            self._leased_until = 0
            try:
                await asyncio.to_thread(self._store.release, self.name)
            except Unavailable as error:
                log.warning("the lease runs out by itself", error=error.detail)

    # -- work -------------------------------------------------------------------------------------------------------

    async def turn(self) -> None:
        """Look once: note what is new, escalate, give up, begin the attempts that are due. Raises Unavailable.

        Does nothing while another process has the lease.
        """
        found = await asyncio.to_thread(self._look, [*self._in_work])
        by_participant: defaultdict[str, list[Due]] = defaultdict(list)
        for due in found:
            by_participant[due.delivery.participant].append(due)
        for participant, dues in by_participant.items():
            # One endpoint at a time, in the log's order: a slow one keeps nobody else waiting.
            task = asyncio.create_task(self._tell(participant, dues))
            self._in_work[participant] = task
            task.add_done_callback(partial(self._done, participant))

    def _done(self, participant: str, _: asyncio.Task[None]) -> None:
        self._in_work.pop(participant, None)

    async def settle(self) -> None:
        """Wait for the attempts that `turn` has begun."""
        await asyncio.gather(*self._in_work.values())

    def _look(self, busy: Sequence[str]) -> list[Due]:
        now = self._clock.now()
        if not self._leads(now):
            return []
        self._follow(now)
        if not 0 <= now - self._swept_at < SWEEP_MS:
            self._sweep(now)
            self._swept_at = now  # behind it: a sweep that fails is tried again in the next turn
        return self._queries.due(now, busy)

    def _leads(self, now: int) -> bool:
        if now < self._leased_until - LEASE_MS // 2 and now >= self._leased_until - LEASE_MS:
            return True  # asked a moment ago
        leads = self._store.lease(self.name, now, now + LEASE_MS)
        self._leased_until = now + LEASE_MS if leads else 0
        return leads

    def _follow(self, now: int) -> None:
        """Note whom to tell of the entries that came. The cursor moves in the same transaction, so none is noted twice."""
        for _ in range(CHUNKS_OF_A_TURN):
            first, size = self._queries.position()
            below = min(size, first + CHUNK)
            if first >= below:
                return
            notices = self._queries.notices(first, below)
            if self._also is not None:
                for notice in notices:
                    self._also(notice)
            new = [
                NewDelivery(self._tokens.event_id(notice.index, party), notice.index, party, notice.act)
                for notice in notices
                for party in notice.audience
            ]
            new += [
                NewDelivery(self._tokens.event_id(alert.index, party), alert.index, party, ALERT)
                for alert in (self._alerts.between(first, below) if self._alerts is not None else ())
                for party in alert.audience
            ]
            if not self._store.advance(first, below, new, now) or below == size:
                return  # entries that came meanwhile are for the next turn: a busy log has new ones after each look

    def _sweep(self, now: int) -> None:
        """Escalate what is not acknowledged after five minutes, give it up after a week, and forget attempts as old as that."""
        self._store.forget_attempts(now - GIVE_UP_MS)
        old = self._queries.open_since(now - GIVE_UP_MS, [DeliveryState(state) for state in OPEN])
        if old:
            self._store.move([one.event_id for one in old], [one.state for one in old], DeliveryState.EXPIRED)
            for participant, count in Counter(one.participant for one in old).items():
                log.error("given up telling a participant", client=participant, size=count, index=old[0].index)
        late = self._queries.open_since(now - ESCALATE_MS, [DeliveryState.PENDING])
        if late:
            self._store.move([one.event_id for one in late], [DeliveryState.PENDING], DeliveryState.ESCALATED)
            for participant, count in Counter(one.participant for one in late).items():
                first = next(one for one in late if one.participant == participant)
                log.warning(
                    "a participant has not acknowledged within five minutes",
                    client=participant,
                    size=count,
                    index=first.index,
                    reason=first.last_error or "no attempt",
                )

    async def _tell(self, participant: str, dues: Sequence[Due]) -> None:
        """Send what is due to one participant, oldest first, until its endpoint fails."""
        for due in dues:
            try:
                if not await self._attempt(due):
                    return
            except LedgerError as error:
                log.warning("telling was interrupted", client=participant, error=error.detail)
                return
            except Exception as error:  # a defect met with one event must be seen; its claim runs out, others go on
                log.exception("unexpected error", client=participant, error=type(error).__name__)
                return

    async def _attempt(self, due: Due) -> bool:
        """One attempt; whether the next event may be tried at once. Raises Unavailable."""
        one, now = due.delivery, self._clock.now()
        if not await asyncio.to_thread(self._store.claim, one.event_id, one.attempts, now + CLAIM_MS):
            return True  # another process has it, or it was acknowledged by polling
        notice = await asyncio.to_thread(self._found, one)
        if notice is None:
            await asyncio.to_thread(self._store.expire, one.participant, one.event_id, "erased")
            return True
        if self._push is None:
            self._push = self._make_push()
        message = self._word(due, notice)
        if message is None:
            await asyncio.to_thread(self._store.expire, one.participant, one.event_id, "not-for-this-endpoint")
            return True
        begun = time.monotonic()

        def ended(status: int | None, error: str | None = None) -> Attempt:
            took = int((time.monotonic() - begun) * 1000)
            about = one.event_id, one.index, one.kind
            return Attempt(one.participant, now, *about, one.attempts + 1, status, error, took)

        try:
            acknowledged = ended(await self._push.send(due.url, message))
        except NotDelivered as failure:
            next_at = self._clock.now() + retry_after(one.attempts + 1, self._chance())
            await asyncio.to_thread(self._store.fail, ended(failure.status, failure.code), next_at)
            if failure.endpoint_is_down:
                await asyncio.to_thread(self._store.postpone, one.participant, next_at)
            log.info("not acknowledged", client=one.participant, index=one.index, reason=failure.code)
            return not failure.endpoint_is_down
        at = self._clock.now()
        await asyncio.to_thread(self._store.acknowledge, one.participant, [one.event_id], at, acknowledged)
        return True

    def _found(self, one: Delivery) -> Notice | AlertNotice | None:
        """What is to be told; None when it cannot be read any more."""
        if one.kind == ALERT:
            return None if self._alerts is None else self._alerts.at(one.index)
        return self._queries.notice(one.index)

    def _word(self, due: Due, notice: Notice | AlertNotice) -> Message | None:
        """The message for this endpoint; None when it takes another standard's messages, and that has no word for the event."""
        one = due.delivery
        if self._outward is not None and self._outward.speaks_at(due.url):
            if isinstance(notice, AlertNotice):
                return None
            return self._outward.message(due.url, notice, one.participant)
        if isinstance(notice, AlertNotice):
            return Message(self._tokens.alert_token(notice, one.participant, one.first_at).encode())
        return Message(self._tokens.token(notice, one.participant, one.first_at).encode())
