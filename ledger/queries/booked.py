"""Reports out of the count book: the same counts as out of the entries (docs/spec/reports.md), without reading them again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ledger.orders import ReportDefined
from ledger.reporting.awaited import AWAITED, OF_A_MOMENT
from ledger.reporting.periods import ReportPeriod
from ledger.reporting.tally import Dimensions, ReportTally
from ledger.storage.counted import CountBook
from ledger.storage.counted_facts import Counted, What

_PLAIN: Final[Mapping[What, tuple[str, ...]]] = {
    What.REQUESTED: ("consents_requested",),
    What.AUTHORISED: ("consents_authorised",),
    What.ENDED: ("consents_ended",),
    What.WITHDRAWN: ("consents_ended", "consents_withdrawn"),
    What.COMPLAINT: ("complaints",),
}
"""What counts once for each entry, by the dimensions of its consent."""


def count_from_book(book: CountBook, says: ReportDefined, period: ReportPeriod) -> tuple[ReportTally, int]:
    """The counts of a period, and how many entries that count nobody can read any more. Within a view of the book."""
    tally, first, end = ReportTally(says), period.first * 1000, period.end * 1000
    measures = frozenset(says.measures)
    unread = book.unread(first if measures.isdisjoint(OF_A_MOMENT) else 0, end)
    for one in book.counted(first, end):
        unread += _count(tally, one, says)
    if "consents_active" in says.measures:
        for standing in book.standing(end):
            if standing.status == "ACTIVE":
                tally.count("consents_active", standing.dims, standing.times)
    if not measures.isdisjoint(AWAITED):
        for waiting in book.awaited(end):
            tally.count("unacknowledged", waiting.dims, waiting.times)
            tally.count("unacknowledged_late", waiting.dims, waiting.late)
    return tally, unread


def _count(tally: ReportTally, one: Counted, says: ReportDefined) -> int:
    """Counts it; how many of these entries cannot be told apart, since what they are about was erased."""
    match one.what:
        case What.REFUSED:
            of: Dimensions = {**one.dims, "permission": one.details.permissions, "reason": one.details.reasons}
            tally.count("accesses_refused", of, one.times)
        case What.ALLOWED | What.UNATTENDED:
            of = {**one.dims, "permission": one.details.permissions}
            tally.count("accesses_allowed", of, one.times)
            if one.what is What.UNATTENDED:
                tally.count("accesses_unattended", of, one.times)
            if one.number:
                tally.count("accesses_after_withdrawal", of, one.times)
        case What.ACKNOWLEDGED:
            tally.count("acknowledged", one.dims, one.times)
            for _ in range(one.times if one.number >= 0 else 0):
                tally.delay(one.number, one.dims)
        case What.ERASURES:
            tally.count("erasures", {}, one.number * one.times)
        case What.FINDING if "findings" in says.measures:
            tally.count("findings", one.dims, one.times)
            return 0 if one.dims else one.times
        case What.ALERT | What.COMPLAINT if not one.dims:
            return one.times
        case What.ALERT:
            tally.count("alerts", one.dims, one.times)
        case _:
            for measure in _PLAIN.get(one.what, ()):
                tally.count(measure, one.dims, one.times)
    return 0
