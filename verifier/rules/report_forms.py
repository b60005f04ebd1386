"""Definitions of reports, their periods, and the documents that issue them (docs/spec/reports.md)."""

from __future__ import annotations

from typing import NamedTuple

from verifier.bytes.encoding import Object, check_members, get_bytes, get_integer, get_object, get_text, get_texts
from verifier.errors import Code, Refuted, refuted
from verifier.records.terms import CODE, get_choice
from verifier.rules.calendar import civil_month, first_day
from verifier.rules.scores import SCORE, Weights

BY = ("grade", "holder", "permission", "purpose", "reason", "recipient", "standard")
MEASURES = (
    "consents_requested",
    "consents_authorised",
    "consents_ended",
    "consents_withdrawn",
    "consents_active",
    "accesses_allowed",
    "accesses_refused",
    "accesses_unattended",
    "accesses_after_withdrawal",
    "acknowledged",
    "acknowledge_seconds_max",
    "acknowledge_seconds_median",
    "unacknowledged",
    "unacknowledged_late",
    "findings",
    "complaints",
    "erasures",
    "alerts",
    SCORE,
)
LIMITED = {"findings": {"holder", "recipient"}, "erasures": set[str](), "alerts": {"holder", "recipient"}}
"""Measures that have not every dimension: those that they have."""
PERIODS = ("day", "month", "quarter")
DAY_SECONDS = 86_400


class Definition(NamedTuple):
    """A `report.defined`, which is entry `number` at `time` (ms); `utc_offset` in minutes."""

    number: int
    time: int
    report: str
    period: str
    utc_offset: int
    by: tuple[str, ...]
    measures: tuple[str, ...]
    suppress: int
    weights: Weights | None = None
    """Of the score, if it is among the measures."""

    def bounds(self, start: int) -> tuple[int, int]:
        """The first second of the period that second `start` lies in, and the first one after it."""
        shift = 60 * self.utc_offset
        day = (start + shift) // DAY_SECONDS
        if self.period == "day":
            first, after = day, day + 1
        else:
            year, month = civil_month(day)
            months = 12 * year + month - 1
            months, width = (months, 1) if self.period == "month" else (months - months % 3, 3)
            first, after = first_day(months), first_day(months + width)
        return first * DAY_SECONDS - shift, after * DAY_SECONDS - shift


class Issued(NamedTuple):
    """A `report.issued`, which is entry `number`; `since` and `to` in seconds."""

    number: int
    report: str
    since: int
    to: int
    to_index: int
    rows: int
    csv_hash: str

    def definition_of(self, known: list[Definition]) -> Definition:
        """The definition that the period belongs to. Raises Refuted(CONSENT_INVALID) if it gives no such period."""
        before = [one for one in known if one.time <= self.since * 1000]
        definition = before[-1] if before else known[0]
        wanted = definition.bounds(self.since)
        if wanted != (self.since, self.to):
            raise refuted(
                Code.CONSENT_INVALID,
                "the period is not one that the definition gives",
                field="document",
                expected=f"{wanted[0]} to {wanted[1]}",
                found=f"{self.since} to {self.to}",
            )
        return definition


def read_definition(document: Object, index: int, time: int) -> Definition:
    """The form of a `report.defined`. Raises Refuted(BAD_ENCODING)."""
    by, measures = get_texts(document, "by", 0, 3), get_texts(document, "measures", 1, 32)
    for name, texts, known in (("by", by, BY), ("measures", measures, MEASURES)):
        if texts != [word for word in known if word in texts]:
            raise _bad("the words are not known ones, each once, in their order", name, ", ".join(known), texts)
    for measure in measures:
        if measure in LIMITED and not set(by) <= LIMITED[measure]:
            raise _bad("the measure has no such dimension", "measures", ", ".join(LIMITED[measure]) or "none", measure)
    return Definition(
        index,
        time,
        get_text(document, "report", 64, CODE),
        get_choice(document, "period", PERIODS),
        get_integer(document, "utc_offset", -840, 840),
        tuple(by),
        tuple(measures),
        get_integer(document, "suppress", 0, 100),
        _read_weights(document, by, measures),
    )


def _read_weights(document: Object, by: list[str], measures: list[str]) -> Weights | None:
    """The weights, which are present exactly if the score is among the measures (docs/spec/partners.md, 6)."""
    if (SCORE in measures) != ("weights" in document):
        raise _bad("weights stand beside a score, and only there", "weights", "those of the score", ", ".join(measures))
    if SCORE not in measures:
        return None
    if by not in (["holder"], ["recipient"]):
        raise _bad("the measure has no such dimension", "measures", "holder, or recipient", SCORE)
    weights = get_object(document, "weights")
    check_members(weights, {*Weights._fields})
    numbers = Weights(*(get_integer(weights, name, 0, 1_000) for name in Weights._fields))
    if sum(numbers) > 1_000:
        raise _bad("the weights are more than 1,000 in all", "weights", "at most 1,000", sum(numbers))
    return numbers


def read_issued(document: Object, index: int) -> Issued:
    """The form of a `report.issued`. Raises Refuted(BAD_ENCODING)."""
    get_bytes(document, "csv_hash", 32)
    return Issued(
        index,
        get_text(document, "report", 64, CODE),
        get_integer(document, "from"),
        get_integer(document, "to"),
        get_integer(document, "to_index"),
        get_integer(document, "rows"),
        str(document["csv_hash"]),
    )


def _bad(sentence: str, field: str, expected: object, found: object) -> Refuted:
    return refuted(Code.BAD_ENCODING, sentence, field=field, expected=expected, found=found)
