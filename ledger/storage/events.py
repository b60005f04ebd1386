"""Writing down who is to be told of what, and who has been (docs/events.md). Every method is one short transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, delete, or_, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ledger.engines.engine import insert_into, operations_engine
from ledger.errors import Unavailable
from ledger.storage.tables import event_attempts, event_cursor, event_deliveries, event_endpoints


class DeliveryState(StrEnum):
    """The state of one participant's delivery."""

    PENDING = "pending"
    ESCALATED = "escalated"
    """Not acknowledged in time: a person should look; it is still tried."""
    ACKNOWLEDGED = "acknowledged"
    EXPIRED = "expired"
    """Given up, or its entry can no longer be read."""


OPEN: Final = (DeliveryState.PENDING.value, DeliveryState.ESCALATED.value)


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """One participant to be told of one entry."""

    event_id: str
    index: int
    participant: str
    kind: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One token, sent to a participant's endpoint once, and what came back."""

    participant: str
    at: int
    """When it began (ms)."""
    event_id: str
    index: int | None
    """The entry that it told of; None for a trial."""
    kind: str
    number: int
    """The how-manieth try of this event."""
    status: int | None
    """Of the answer (HTTP); None when none came."""
    error: str | None
    """A code; None if it was acknowledged."""
    milliseconds: int


class EventStore:
    """The tables `event_*`. Thread-safe; blocking; every method raises Unavailable when the database does not answer."""

    def __init__(self, url: str) -> None:
        self._engine = operations_engine(url)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    # -- the one that sends -----------------------------------------------------------------------------------------

    def lease(self, owner: str, now: int, until: int) -> bool:
        """Make `owner` the sender from `now` until `until` (ms), unless another one is; whether it is."""
        free = or_(event_cursor.c.leased_by == owner, event_cursor.c.leased_until <= now)
        with self._begin() as connection:
            taken = connection.execute(
                update(event_cursor).where(event_cursor.c.id == 1, free).values(leased_by=owner, leased_until=until)
            )
            return taken.rowcount == 1

    def release(self, owner: str) -> None:
        """Let another send at once."""
        with self._begin() as connection:
            connection.execute(
                update(event_cursor).where(event_cursor.c.leased_by == owner).values(leased_by=None, leased_until=0)
            )

    def advance(self, old: int, new: int, deliveries: Sequence[NewDelivery], now: int) -> bool:
        """Move the cursor from `old` to `new` and note whom to tell of the entries between; False if it was moved before."""
        rows = [
            {
                "event_id": one.event_id,
                "idx": one.index,
                "participant": one.participant,
                "kind": one.kind,
                "state": DeliveryState.PENDING.value,
                "attempts": 0,
                "next_at": now,
                "first_at": now,
            }
            for one in deliveries
        ]
        with self._begin() as connection:
            moved = connection.execute(
                update(event_cursor).where(event_cursor.c.next_index == old).values(next_index=new)
            )
            if moved.rowcount == 1 and rows:
                connection.execute(insert_into(self._engine, event_deliveries).on_conflict_do_nothing(), rows)
            return moved.rowcount == 1

    # -- one delivery -----------------------------------------------------------------------------------------------

    def claim(self, event_id: str, attempts: int, until: int) -> bool:
        """Whether the caller may send this now: nobody else has begun attempt number `attempts` + 1.

        It is hidden until `until` (ms), when, should the caller have died, it is due again.
        """
        due = event_deliveries.c.event_id == event_id, event_deliveries.c.attempts == attempts
        with self._begin() as connection:
            claimed = connection.execute(
                update(event_deliveries)
                .where(*due, event_deliveries.c.state.in_(OPEN))
                .values(attempts=attempts + 1, next_at=until)
            )
            return claimed.rowcount == 1

    def acknowledge(self, participant: str, event_ids: Iterable[str], now: int, attempt: Attempt | None = None) -> int:
        """Note that a participant has these events; how many of them were still open. Others' events are left alone. `attempt`:
        what was sent for it, unless the participant fetched them."""
        values = {"state": "acknowledged", "acknowledged_at": now, "last_error": None}
        return self._change(participant, event_ids, attempt, **values)

    def fail(self, attempt: Attempt, next_at: int) -> None:
        """Note why an attempt failed (a code), and when the next one is due."""
        self._change(attempt.participant, [attempt.event_id], attempt, last_error=attempt.error, next_at=next_at)

    def tried(self, attempt: Attempt) -> None:
        """Note a trial, which belongs to no delivery."""
        with self._begin() as connection:
            self._note(connection, attempt)

    def forget_attempts(self, before: int) -> int:
        """Forget the attempts that began before a time (ms); how many."""
        with self._begin() as connection:
            return connection.execute(delete(event_attempts).where(event_attempts.c.at < before)).rowcount

    def complain(self, participant: str, event_id: str, error: str) -> None:
        """Note the objection of a participant that polls to an event; it stays open."""
        self._change(participant, [event_id], last_error=error)

    def expire(self, participant: str, event_id: str, error: str) -> None:
        """Give up."""
        self._change(participant, [event_id], state="expired", last_error=error)

    def postpone(self, participant: str, until: int) -> None:
        """An endpoint that does not answer is not called again for each event: all wait until `until` (ms)."""
        waiting = event_deliveries.c.participant == participant, event_deliveries.c.state.in_(OPEN)
        with self._begin() as connection:
            connection.execute(
                update(event_deliveries).where(*waiting, event_deliveries.c.next_at < until).values(next_at=until)
            )

    def move(self, event_ids: Sequence[str], old: Sequence[DeliveryState], new: DeliveryState) -> int:
        """Bring those of these events that are in one of the states `old` to `new`: escalation, expiry. How many moved."""
        moving = (
            event_deliveries.c.event_id.in_(event_ids),
            event_deliveries.c.state.in_([state.value for state in old]),
        )
        with self._begin() as connection:
            return connection.execute(update(event_deliveries).where(*moving).values(state=new.value)).rowcount

    # -- endpoints --------------------------------------------------------------------------------------------------

    def set_endpoint(self, participant: str, url: str, *, enabled: bool, now: int) -> None:
        """Set a participant's endpoint; its open deliveries are due at once."""
        row = {"participant": participant, "url": url, "enabled": enabled, "changed_at": now}
        put = insert_into(self._engine, event_endpoints).values(row)
        put = put.on_conflict_do_update(index_elements=["participant"], set_=row)
        with self._begin() as connection:
            connection.execute(put)
            connection.execute(
                update(event_deliveries)
                .where(event_deliveries.c.participant == participant, event_deliveries.c.state.in_(OPEN))
                .values(next_at=now)
            )

    def forget_endpoint(self, participant: str) -> None:
        """Take a participant's endpoint back; what it was not told of waits, to be polled."""
        with self._begin() as connection:
            connection.execute(delete(event_endpoints).where(event_endpoints.c.participant == participant))

    def _note(self, connection: Connection, attempt: Attempt) -> None:
        row = {
            "participant": attempt.participant,
            "at": attempt.at,
            "event_id": attempt.event_id,
            "idx": attempt.index,
            "kind": attempt.kind,
            "attempt": attempt.number,
            "status": attempt.status,
            "error": attempt.error,
            "milliseconds": attempt.milliseconds,
        }
        connection.execute(insert_into(self._engine, event_attempts).on_conflict_do_nothing(), row)

    def _change(self, participant: str, event_ids: Iterable[str], attempt: Attempt | None = None, **values: Any) -> int:
        mine = event_deliveries.c.participant == participant, event_deliveries.c.event_id.in_(list(event_ids))
        with self._begin() as connection:
            changed = connection.execute(
                update(event_deliveries).where(*mine, event_deliveries.c.state.in_(OPEN)).values(**values)
            )
            if attempt is not None:
                self._note(connection, attempt)
            return changed.rowcount

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except (DBAPIError, PoolTimeout) as error:
            kind = type(error.orig if isinstance(error, DBAPIError) else error).__name__
            raise Unavailable(f"the database refused or lost a transaction: {kind}") from error
