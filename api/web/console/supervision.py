"""The supervisor's page: who was refused most and why, who is late with notices, which incidents are open; with the entries
behind each figure (docs/consoles.md, «The supervisor's page»)."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.web.console import charts
from api.web.console.doors import Place, Regulator, WatchDesk
from api.web.console.standing import OpenedIncident, incidents_at
from api.web.desk import Desk
from api.web.plain import plain
from ledger.queries.counting import Read
from ledger.queries.figures import COLUMNS, FigureQueries, PartyFigures, Side

router = APIRouter(include_in_schema=False, prefix="/console/supervision")
LOOK_SECONDS: Final = 2.0
"""How long a page reads what is new in the log before it shows what it has."""
DAYS: Final = 400
"""The longest period that a page shows."""
WEEK: Final = 7
LATE_SECONDS: Final = 86_400
"""The end of a consent that was not acknowledged for so long is shown as late."""
ENTRIES: Final = 100
TOP: Final = 5
DAY_MS: Final = 86_400_000

Code = Annotated[str, Query(max_length=64, pattern=r"^[A-Za-z0-9._:\-]*$")]


@dataclass(frozen=True)
class DaySpan:
    """Whole days where the reader is: `first` and `last` are both in it."""

    first: dt.date
    last: dt.date
    zone: ZoneInfo

    @property
    def begin(self) -> int:
        """Its first moment (ms)."""
        return _moment(self.first, self.zone)

    @property
    def end(self) -> int:
        """The first moment after it (ms)."""
        return _moment(self.last + dt.timedelta(days=1), self.zone)

    @property
    def days(self) -> int:
        """How many days."""
        return (self.last - self.first).days + 1

    def moved(self, first: dt.date) -> DaySpan:
        """The same number of days, from another first day."""
        return DaySpan(first, first + dt.timedelta(days=self.days - 1), self.zone)

    def before(self) -> DaySpan:
        """As many days just before it."""
        return self.moved(self.first - dt.timedelta(days=self.days))


def _moment(day: dt.date, zone: ZoneInfo) -> int:
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)


def span_of(desk: Desk, first: dt.date | None, last: dt.date | None) -> DaySpan:
    """The period that was asked for, cut to what a page shows; by default the last seven days, today among them."""
    zone = ZoneInfo(desk.words.zone)
    today = dt.datetime.fromtimestamp(desk.now / 1000, zone).date()
    last = min(last or today, today)
    first = min(first or last - dt.timedelta(days=WEEK - 1), last)
    oldest = max(dt.date(1970, 1, 2), last - dt.timedelta(days=DAYS - 1))
    return DaySpan(max(first, oldest), last, zone)


@dataclass(frozen=True)
class AskedFigures:
    """The question that a page of figures answers."""

    figures: FigureQueries
    read: Read
    by: Side
    span: DaySpan
    versus: DaySpan
    now: int

    @property
    def until(self) -> int:
        """The end of the period, or now (ms)."""
        return min(self.span.end, self.now)

    def table(self, by: Side | None = None, span: DaySpan | None = None) -> dict[str, PartyFigures]:
        """The figures, unless said otherwise of this side and period."""
        of = span or self.span
        return self.figures.table(by or self.by, of.begin, of.end, now=self.now)


def _asked(
    regulator: Regulator,
    by: Side = "recipient",
    first: Annotated[dt.date | None, Query(alias="from")] = None,
    last: Annotated[dt.date | None, Query(alias="to")] = None,
    versus: dt.date | None = None,
) -> AskedFigures:
    desk = regulator.desk
    figures = desk.office.figures_for(regulator.staff.participant)
    span = span_of(desk, first, last)
    latest = span.first if versus is None else min(versus, span.last)
    other = span.before() if versus is None else span.moved(max(latest, dt.date(1970, 1, 2)))
    return AskedFigures(figures, figures.read(LOOK_SECONDS), by, span, other, desk.now)


@router.get("")
def overview(
    regulator: Regulator,
    by: Side = "recipient",
    first: Annotated[dt.date | None, Query(alias="from")] = None,
    last: Annotated[dt.date | None, Query(alias="to")] = None,
    versus: dt.date | None = None,
) -> Response:
    """The three answers, the figures by participant, the charts."""
    desk, asked = regulator.desk, _asked(regulator, by, first, last, versus)
    span, other = asked.span, asked.versus
    rows, before = asked.table(), asked.table(span=other)
    banks = rows if by == "holder" else asked.table("holder")
    recipients = rows if by == "recipient" else asked.table("recipient")
    step = DAY_MS * max(1, -(-span.days // 31))
    slots = asked.figures.slots(span.begin, span.end, step)
    # what was acknowledged in this period, or never, may have ended before it
    notices = [
        one for one in banks.values() if one.counts["consents_withdrawn"] or one.delays or one.counts["unacknowledged"]
    ]
    return desk.render(
        "console/supervision.html",
        watcher=regulator,
        asked=asked,
        span=span,
        other=other,
        spans=_usual(span_of(desk, None, None)),
        rows=rows,
        before=before,
        columns=COLUMNS,
        most=[one for one in recipients.values() if one.refused][:TOP],
        notices=sorted(notices, key=lambda one: (-_late(one, asked.until), -one.value("acknowledge_seconds_max"))),
        late=lambda one: _late(one, asked.until),
        incidents=[one for one in _incidents(regulator) if one.is_open],
        slots=slots,
        days=[dt.datetime.fromtimestamp(slot.first / 1000, span.zone).date() for slot in slots],
        refused=charts.columns([slot.refused for slot in slots]),
        allowed=charts.columns([slot.allowed for slot in slots]),
        name_of=namer(desk),
        seconds=lambda value: in_words(desk, value),
    )


def _incidents(regulator: WatchDesk) -> list[OpenedIncident]:
    office = regulator.desk.office
    remit = office.remit_of(regulator.staff.participant)
    return incidents_at(office.ledger.registry.supervision, regulator.desk.now, remit=remit)


def _late(one: PartyFigures, until: int) -> int:
    """How many seconds an end of this bank's had been waiting longer than a day, or its slowest notice took longer."""
    waits = (until - one.oldest) // 1000 if one.oldest else 0
    return max(0, max(waits, one.value("acknowledge_seconds_max")) - LATE_SECONDS)


def _usual(week: DaySpan) -> list[tuple[str, dt.date, dt.date]]:
    """(name, first day, last day) of the periods that are one click away."""
    today = week.last
    month = today.replace(day=1)
    before = (month - dt.timedelta(days=1)).replace(day=1)
    return [
        ("week", week.first, today),
        ("month", month, today),
        ("last_month", before, month - dt.timedelta(days=1)),
        ("quarter", today - dt.timedelta(days=89), today),
    ]


@router.get("/figures.csv")
def export(
    regulator: Regulator,
    by: Side = "recipient",
    first: Annotated[dt.date | None, Query(alias="from")] = None,
    last: Annotated[dt.date | None, Query(alias="to")] = None,
) -> Response:
    """The figures of the page as a file; its first lines say what they are of, and up to which entry the log was read."""
    asked = _asked(regulator, by, first, last)
    span = asked.span
    rows = asked.table()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["log", "from", "to", "entries_read", "entries"])
    ends = [dt.datetime.fromtimestamp(at / 1000, dt.UTC).isoformat() for at in (span.begin, span.end)]
    writer.writerow([regulator.desk.office.ledger.origin, *ends, asked.read.size, asked.read.of])
    writer.writerow([asked.by, *COLUMNS, "reasons"])
    for one in rows.values():
        reasons = " ".join(f"{reason}:{times}" for reason, times in one.reasons.most_common())
        writer.writerow([one.participant, *(one.value(column) for column in COLUMNS), reasons])
    headers = {"content-disposition": f'attachment; filename="figures-{asked.by}-{span.first}-{span.last}.csv"'}
    return regulator.desk.keep(Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers))


@router.get("/refusals")
def refusals(
    regulator: Regulator,
    participant: Code,
    by: Side = "recipient",
    first: Annotated[dt.date | None, Query(alias="from")] = None,
    last: Annotated[dt.date | None, Query(alias="to")] = None,
    reason: Code = "",
    after: Place | None = None,
) -> Response:
    """The entries behind a figure: refused accesses of one participant. Indexes and reasons; no customer, no consent."""
    asked = _asked(regulator, by, first, last)
    span = asked.span
    rows = asked.figures.entries(
        span.begin,
        span.end,
        side=by,
        participant=participant,
        reason=reason,
        after=-1 if after is None else after,
        limit=ENTRIES,
    )
    figures = asked.table().get(participant, PartyFigures(participant))
    return regulator.desk.render(
        "console/refusals.html",
        watcher=regulator,
        asked=asked,
        span=span,
        participant=participant,
        reason=reason,
        figures=figures,
        rows=rows,
        more=rows[-1].at if len(rows) == ENTRIES else None,
        other_side="holder" if by == "recipient" else "recipient",
        name_of=namer(regulator.desk),
    )


@router.get("/unacknowledged")
def unacknowledged(
    regulator: Regulator,
    participant: Code,
    by: Side = "recipient",
    first: Annotated[dt.date | None, Query(alias="from")] = None,
    last: Annotated[dt.date | None, Query(alias="to")] = None,
    late: Literal["", "yes"] = "",
    after: Place | None = None,
) -> Response:
    """The entries behind another figure: ends of consents that nobody had acknowledged when the period was over."""
    asked = _asked(regulator, by, first, last)
    rows = asked.figures.awaited(
        asked.until,
        side=by,
        participant=participant,
        only_late=bool(late),
        after=-1 if after is None else after,
        limit=ENTRIES,
    )
    return regulator.desk.render(
        "console/unacknowledged.html",
        watcher=regulator,
        asked=asked,
        span=asked.span,
        participant=participant,
        late=late,
        figures=asked.table().get(participant, PartyFigures(participant)),
        rows=rows,
        more=rows[-1].at if len(rows) == ENTRIES else None,
        other_side="holder" if by == "recipient" else "recipient",
        name_of=namer(regulator.desk),
        seconds=lambda value: in_words(regulator.desk, value),
    )


def namer(desk: Desk) -> Callable[[str], str]:
    """Participants' names by their ids; the id of one that is not registered."""

    def name_of(participant: str) -> str:
        found = desk.office.ledger.registry.participants.get(participant)
        return plain(found.name) if found else participant

    return name_of


def in_words(desk: Desk, seconds: int) -> str:
    """A duration in its largest fitting unit."""
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size or (unit == "minutes" and seconds >= size):
            return desk.words.n(f"con.for.{unit}", seconds // size)
    return desk.words.n("con.for.seconds", seconds)
