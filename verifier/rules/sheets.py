"""Judges the sheets of attested histories, and at the end each history as a whole (docs/spec/history.md, 4 and 6)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from verifier.errors import Code, Defect, Place, Refuted, refuted
from verifier.records.commitment import chain_of
from verifier.records.facts import Facts
from verifier.records.history_acts import number, rows_of
from verifier.records.leaf import text_of
from verifier.rules.chain_store import Shelf
from verifier.rules.declaring import Declarations
from verifier.rules.findings import Reporter
from verifier.rules.histories import Attested, AttestedHistories, check_before, check_within
from verifier.rules.participants import Registry
from verifier.rules.spilled import Spilled

UNREAD = "sheets of histories that rest on what was withheld, erased or unreadable"
NOT_WHOLE = "attested histories of which not every sheet is here to be read"
DIFFER = "the history is not what its sheets give"
NO_HISTORY = "that a sheet is part of a history (its history.attest is not among what was handed over)"
IN_ORDER = "as it must be"
AGREES, REFUTED, OPEN, WITHDRAWN = "", "refuted", "open", "withdrawn"


class TotalsOf(NamedTuple):
    """What became of a history. `there`: how many of its sheets were read and are legal; `state`: AGREES, REFUTED, OPEN (not
    all are here) or WITHDRAWN."""

    attested: Attested
    there: int
    state: str
    expected: str = ""
    found: str = ""


class Sheets:
    """`judge` each sheet that was read, in log order; then `finish`."""

    def __init__(self, tell: Reporter, registry: Registry, declarations: Declarations, shelf: Shelf) -> None:
        self.tell, self.findings, self.registry = tell, tell.findings, registry
        self.declarations, self.shelf = declarations, shelf
        self.told: list[TotalsOf] = []
        self._there: dict[int, int] = {}
        self._sheets = Spilled()
        """By history and position: subject, part, parts, rows, first and last time."""

    @property
    def histories(self) -> AttestedHistories:
        """Those that were attested so far."""
        return self.registry.orders.histories

    def judge(self, facts: Facts) -> None:
        """A `history.sheet`."""
        try:
            # Step 8.15.
            attested = self.histories.history_of(self.tell.index, facts)
            try:
                check_within(attested, facts)
            except Refuted as refusal:
                raise refuted(
                    Code.CONSENT_INVALID,
                    refusal.defect.sentence,
                    field=refusal.defect.place.field or "path",
                    expected=refusal.defect.expected,
                    found=refusal.defect.found,
                ) from None
            is_known = self._judge_customer(facts)
        except Refuted as refusal:
            if self.declarations.is_open(facts.party, facts.content["history"]):
                self.findings.unchecked[UNREAD] += 1
            else:
                self.tell.refuse(refusal)
            return
        if is_known and not self.declarations.is_open(facts.party, attested.index):
            self.findings.checked["sheets of attested histories"] += 1
        else:
            self.findings.unchecked[UNREAD] += 1
        self._put(attested, facts)

    def _judge_customer(self, facts: Facts) -> bool:
        """Rules 4 and 5; whether both are known. Raises Refuted(CONSENT_INVALID)."""
        sheet = facts.content["sheet"]
        assert isinstance(sheet, dict)  # noqa: S101 - the form was checked when the statement was read
        name = text_of(chain_of(f"subject:{facts.party}:{sheet['subject']}"))
        erased = self.registry.erased.get(name.decode())
        if erased is not None:
            raise refuted(
                Code.CONSENT_INVALID,
                "the history is of a customer who was erased before",
                field="sheet.subject",
                expected="a customer of whom the log still knows",
                found=f"erased by entry {erased}",
            )
        chain = self.shelf.get(name)
        if chain is None or chain.began < 0:
            return not self.declarations.lost
        check_before(facts, chain.began)
        return True

    def _put(self, attested: Attested, facts: Facts) -> None:
        sheet = facts.content["sheet"]
        assert isinstance(sheet, dict)  # noqa: S101 - the form was checked when the statement was read
        key, times = f"{attested.index}/{sheet['position']}", [number(row["time"]) for row in rows_of(sheet)]
        if self._sheets.get(key) is None:  # else its id was used twice, which is told at the end
            self._there[attested.index] = self._there.get(attested.index, 0) + 1
            figures = [sheet["subject"], sheet["part"], sheet["parts"], len(times), times[0], times[-1]]
            self._sheets.put(key, json.dumps(figures))

    # --- the end --------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Compare each history with its sheets."""
        for index, attested in sorted(self.histories.attested.items()):
            there = self._there.get(index, 0)
            if attested.withdrawn is not None:
                self.told.append(TotalsOf(attested, there, WITHDRAWN))
            elif there < attested.sheets:
                self.findings.unchecked[NOT_WHOLE] += 1
                self.told.append(TotalsOf(attested, there, OPEN))
            else:
                self._compare(attested, there)

    def _compare(self, attested: Attested, there: int) -> None:
        # Step 9.15.
        self.findings.checked["attested histories"] += 1
        wrong = differences(attested, self._figures(attested))
        if not wrong:
            self.told.append(TotalsOf(attested, there, AGREES))
            return
        expected, found = ("; ".join(f"{name} {row[at]}" for name, row in wrong.items()) for at in (0, 1))
        found = f"{attested.party}: {found}"
        self.told.append(TotalsOf(attested, there, REFUTED, expected, found))
        place = Place(attested.index, field=", ".join(wrong))
        self.findings.dispute(Defect(Code.DISPUTED, DIFFER, place, expected, found))

    def _figures(self, attested: Attested) -> Iterator[SheetFigures]:
        for position in range(attested.sheets):
            subject, part, parts, rows, first, last = json.loads(
                self._sheets.get(f"{attested.index}/{position}") or "[]"
            )
            yield SheetFigures(subject, part, parts, rows, first, last)

    def close(self) -> None:
        """Give temporary files back."""
        self._sheets.close()


class SheetFigures(NamedTuple):
    """Of a sheet what the totals count. Times in seconds."""

    subject: str
    part: int
    parts: int
    rows: int
    first: int
    last: int


def differences(attested: Attested, sheets: Iterator[SheetFigures]) -> dict[str, tuple[object, object]]:
    """By name the totals that differ: as the sheets, by position, give them, and as they were said."""
    given = totals(sheets)
    said: dict[str, object] = {name: getattr(attested, name) for name in ("rows", "customers", "first", "last")}
    said["order"] = IN_ORDER
    return {name: (given[name], said[name]) for name in said if given[name] != said[name]}


def totals(sheets: Iterator[SheetFigures]) -> dict[str, object]:
    """What all sheets of a history, by position, come to; `order`: whether those of each customer stand as they must."""
    seen, before, rows, customers, order = Spilled(), None, 0, 0, IN_ORDER
    first, last = 0, 0
    for position, one in enumerate(sheets):
        rows += one.rows
        first, last = (one.first if position == 0 else min(first, one.first)), max(last, one.last)
        goes_on = before is not None and before.subject == one.subject
        if goes_on and before is not None:
            fits = one.part == before.part + 1 and one.parts == before.parts and one.first >= before.last
        else:
            fits = one.part == 0 and (before is None or before.part == before.parts - 1)
            known = seen.get(one.subject) is not None
            customers += not known
            fits = fits and not known
            seen.put(one.subject, "")
        if not fits and order == IN_ORDER:
            order = f"wrong at position {position}"
        before = one
    if before is not None and before.part != before.parts - 1 and order == IN_ORDER:
        order = "wrong at its end"
    seen.close()
    return {"rows": rows, "customers": customers, "first": first, "last": last, "order": order}
