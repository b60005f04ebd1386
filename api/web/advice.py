"""Advice from her own chains, and from nothing else: what may be worth a look, and the entries that it rests on.

Nobody else's behaviour is compared, nothing is scored, and nothing is done by itself. What could not be known from the entries
that were looked at is not advised about.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from api.web.customer import Connection
from api.web.readings import DAY_MS, DAYS, Reading, Readings
from api.web.words import clusters_of
from ledger.consent.state import Status

UNUSED_DAYS: Final = (90, 45)
MANY_FOR_ONE: Final = 4
REFUSED: Final = 3
AT_NIGHT: Final = 3
NIGHT_ENDS: Final = 5
"""From midnight to this hour of her zone people sleep."""
TRIED: Final = 5
"""What was never read is told after so many reads, and after OLD_DAYS."""
OLD_DAYS: Final = 30
MOST_ENTRIES: Final = 6
LOOKS_BACK: Final = frozenset({"transactions", "statements"})
"""What has a history: for balances and names the whole history means nothing."""
Kind = Literal["unused", "wider", "many", "open-ended", "whole-history", "refused", "night"]
ORDER: Final[tuple[Kind, ...]] = ("refused", "night", "unused", "many", "wider", "whole-history", "open-ended")
AGAIN: Final = frozenset({"refused", "night"})
"""What can happen again after she waved it away."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A connection and what was seen of it."""

    connection: Connection
    readings: Readings


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing worth a look."""

    kind: Kind
    connection: Connection
    entries: tuple[int, ...]
    """Indexes of the entries that it rests on, newest first."""
    count: int = 0
    """How many days, reads, refusals or connections."""
    what: tuple[str, ...] = ()
    """Clusters of data that are allowed and were never read."""

    @property
    def name(self) -> str:
        """What a dismissal is kept under: it holds until there is something else to say."""
        if self.kind == "many":
            return f"many/{self.connection.consent.terms.recipient}/{self.count}"
        stage = {"unused": f"/{self.count}", "wider": f"/{'-'.join(self.what)}"}.get(self.kind, "")
        return f"{self.kind}/{self.connection.key}{stage}"

    @property
    def path(self) -> str:
        """Where its one button leads."""
        key = self.connection.key
        return {
            "unused": f"/my/connections/{key}/stop",
            "refused": f"/my/connections/{key}/history?show=refused",
            "night": f"/my/connections/{key}/history?show=allowed",
            "many": f"/my/connections?{urlencode({'q': self.connection.recipient})}",
        }.get(self.kind, f"/my/connections/{key}")


def advise(looked: Sequence[Looked], now: int, zone: str, dismissed: Mapping[str, int]) -> list[Advice]:
    """What may be worth a look, the weightiest first.

    `dismissed`: name → the newest entry that the advice rested on when she waved it away. Refusals and reads at night come back
    on newer entries, everything else when there is something else to say. `now` is in ms.
    """
    live = [one for one in looked if one.connection.status is Status.ACTIVE]
    found = [advice for one in live for advice in _about(one, now, zone, dismissed)]
    by_app: defaultdict[str, list[Connection]] = defaultdict(list)
    for one in live:
        by_app[one.connection.consent.terms.recipient].append(one.connection)
    found += [
        Advice("many", same[0], tuple(each.consent.basis for each in same)[:MOST_ENTRIES], len(same))
        for same in by_app.values()
        if len(same) >= MANY_FOR_ONE
    ]
    shown = [one for one in found if one.name not in dismissed or one.kind in AGAIN]
    return sorted(shown, key=lambda one: ORDER.index(one.kind))


def _about(one: Looked, now: int, zone: str, dismissed: Mapping[str, int]) -> Iterator[Advice]:
    connection, readings = one.connection, one.readings
    terms, basis = connection.consent.terms, connection.consent.basis
    agreed = connection.consent.authenticated_at * 1000
    reads = [each for each in readings.accesses if each.allowed]
    idle_since = max(agreed, reads[-1].time if reads else readings.since or 0)
    if (days := _stage((now - idle_since) // DAY_MS)) is not None:
        yield Advice("unused", connection, (reads[-1].index if reads else basis,), days)
    if terms.expires_at == 0 and not terms.once:
        yield Advice("open-ended", connection, (basis,))
    if terms.history_from == 0 and {name for name, _ in clusters_of(terms.permissions)} & LOOKS_BACK:
        yield Advice("whole-history", connection, (basis,))
    never = _never_read(reads, terms.permissions)
    if never and readings.covers(agreed) and now - agreed >= OLD_DAYS * DAY_MS and len(reads) >= TRIED:
        newest = tuple(each.index for each in reads[: -MOST_ENTRIES - 1 : -1])
        yield Advice("wider", connection, newest, len(reads), never)
    recent = readings.within(now - DAYS * DAY_MS, now + 1)
    refused = [each for each in recent if not each.allowed]
    night = [each for each in recent if each.allowed and not each.present and _is_at_night(each, zone)]
    for advice, least in (
        (_newer("refused", connection, refused, dismissed), REFUSED),
        (_newer("night", connection, night, dismissed), AT_NIGHT),
    ):
        if advice.count >= least:
            yield advice


def _stage(days: int) -> int | None:
    """Which of UNUSED_DAYS have passed, the longest of them."""
    return next((stage for stage in UNUSED_DAYS if days >= stage), None)


def _newer(kind: Kind, connection: Connection, found: Sequence[Reading], dismissed: Mapping[str, int]) -> Advice:
    """Advice on those of these readings that are newer than what she waved away."""
    seen = dismissed.get(f"{kind}/{connection.key}", -1)
    newer = [one.index for one in found if one.index > seen]
    return Advice(kind, connection, tuple(newer[: -MOST_ENTRIES - 1 : -1]), len(newer))


def _never_read(reads: Sequence[Reading], permissions: Sequence[str]) -> tuple[str, ...]:
    """What is allowed and was never asked for with success, by what it is about."""
    used = {code for one in reads for code in one.permissions}
    return tuple(name for name, codes in clusters_of(permissions) if used.isdisjoint(codes))


def _is_at_night(one: Reading, zone: str) -> bool:
    return dt.datetime.fromtimestamp(one.time / 1000, ZoneInfo(zone)).hour < NIGHT_ENDS
