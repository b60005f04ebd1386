"""Admin metrics (Get Metrics v5): a holder's authorisations, counted from the log's entries, by whatever way they came about.

The ledger is not in the path of the data: availability, response times, sessions and throughput of the holder's own interface
are not known here, and their members stay empty, as the schema allows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from ledger.app import Ledger
from ledger.consent.state import Consent, Status
from ledger.queries.events import EventQueries, Notice

DAYS: Final = 7
"""Days before today that are told."""
CHUNK: Final = 2_000
PAGE: Final = 500


@dataclass(frozen=True)
class Count:
    """One counted thing of one day."""

    kind: str
    day: int
    """0 = today, 1 = yesterday, …"""


def metrics(
    ledger: Ledger, events: EventQueries, holder: str, *, period: str, zone: ZoneInfo, now: int, link: str
) -> Any:
    """ResponseMetricsListV5. `now` in milliseconds; days begin in the holder's `zone`. Blocking."""
    active = list(_active(ledger, holder, now))
    counted = Counter(_count(ledger, events, holder, zone, now))
    ongoing = [consent for consent in active if not consent.terms.once]

    def days(make: Any) -> dict[str, Any]:
        said: dict[str, Any] = {}
        if period != "HISTORIC":
            said["currentDay"] = make(0)
        if period != "CURRENT":
            said["previousDays"] = [make(day) for day in range(1, DAYS + 1)]
        return said

    def number(kind: str) -> dict[str, Any]:
        return days(lambda day: counted[Count(kind, day)])

    def persons(kind: str) -> dict[str, Any]:
        return days(lambda day: _persons(counted[Count(kind, day)]))

    unknown: dict[str, Any] = {}
    tiers = ("highPriority", "largePayload", "lowPriority", "unattended", "unauthenticated")
    three = {"aggregate": unknown, "authenticated": unknown, "unauthenticated": unknown}
    stages = (
        "failedTokenExchange",
        "preAccountSelection",
        "preAuthentication",
        "preAuthorisation",
        "preIdentification",
    )
    return {
        "data": {
            "requestTime": datetime.fromtimestamp(now // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "availability": three,
            "performance": {"aggregate": unknown} | dict.fromkeys(tiers, unknown),
            "invocations": dict.fromkeys(tiers, unknown),
            "averageResponse": dict.fromkeys(tiers, unknown),
            "sessionCount": unknown,
            "averageTps": three,
            "peakTps": three,
            "errors": three,
            "rejections": {"authenticated": unknown, "unauthenticated": unknown},
            "customerCount": len({consent.subject_chain for consent in active}),
            "recipientCount": len({consent.terms.recipient for consent in active}),
            "authorisations": {
                "activeAuthorisationCount": _persons(len(ongoing)),
                "newAuthorisationCount": days(
                    lambda day: {
                        "onceOff": _persons(counted[Count("new-once", day)]),
                        "ongoing": _persons(counted[Count("new-ongoing", day)]),
                    }
                ),
                "revokedAuthorisationCount": persons("revoked"),
                "amendedAuthorisationCount": persons("amended"),
                "expiredAuthorisationCount": persons("expired"),
                "abandonedConsentFlowCount": number("rejected"),
                "abandonmentsByStage": {"rejected": number("rejected")} | dict.fromkeys(stages, unknown),
            },
        },
        "links": {"self": link},
        "meta": {},
    }


def _persons(count: int) -> dict[str, int]:
    """The log says in what quality a person acts only if the holder told: all are counted as individuals."""
    return {"individual": count, "nonIndividual": 0}


def _active(ledger: Ledger, holder: str, now: int) -> Iterable[Consent]:
    after, removed = -1, ledger.registry.removed
    while page := ledger.records.consents(holder, status=Status.ACTIVE.value, after=after, limit=PAGE):
        after = page[-1][0]
        for _, consent in page:
            if consent.terms.holder == holder and consent.status_at(now, removed) is Status.ACTIVE:
                yield consent


def _count(ledger: Ledger, events: EventQueries, holder: str, zone: ZoneInfo, now: int) -> Iterable[Count]:
    today = datetime.fromtimestamp(now / 1000, zone).date()
    begin = datetime.combine(today - timedelta(days=DAYS), datetime.min.time(), zone)
    size = ledger.tree.size()
    first = _first_at(ledger, int(begin.timestamp() * 1000), size)
    for low in range(first, size, CHUNK):
        for notice in events.notices(low, min(low + CHUNK, size)):
            if notice.holder != holder:
                continue
            kind = _kind(ledger, holder, notice)
            day = (today - datetime.fromtimestamp(notice.time / 1000, zone).date()).days
            if kind is not None and 0 <= day <= DAYS:
                yield Count(kind, day)


def _kind(ledger: Ledger, holder: str, notice: Notice) -> str | None:
    match notice.act:
        case "consent.revoke":
            return "revoked"
        case "consent.expire":
            return "expired"
        case "consent.reject":
            return "rejected"
        case "consent.authorise" if notice.status == Status.ACTIVE.value:
            if (notice.version or 1) > 1:
                return "amended"
            once = ledger.records.consent(holder, notice.consent_id).terms.once
            return "new-once" if once else "new-ongoing"
        case _:
            return None


def _first_at(ledger: Ledger, time: int, size: int) -> int:
    """The first entry that is not older than `time` (ms): leaf times never decrease."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        [entry] = ledger.records.recorded([middle])
        if msgspec.json.decode(entry.leaf)["time"] < time:
            low = middle + 1
        else:
            high = middle
    return low
