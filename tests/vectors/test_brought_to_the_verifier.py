"""Attested histories: the verifier says what the vectors say (docs/spec/history.md)."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest

from tests.vectors.reading import read
from verifier.bytes.encoding import Object
from verifier.errors import Refuted
from verifier.records.disclosure import read_payload
from verifier.records.facts import Facts
from verifier.records.history_acts import number, rows_of
from verifier.rules.histories import AttestedHistories, check_before, check_within
from verifier.rules.sheets import SheetFigures, differences

Json = dict[str, Any]
GIVEN = read("histories")


def facts_of(text: str) -> Facts:
    """A statement as the rules see it, once its form was checked. Raises Refuted."""
    content = read_payload(text.encode(), GIVEN["origin"])
    iss, behalf = str(content["iss"]), str(content.get("on_behalf_of", ""))
    key = sha256(text.encode()).digest()[:16]
    return Facts(str(content["act"]), iss, "", number(content["iat"]), key, key, -1, False, content, None, None, behalf)


def attested(text: str, at: int) -> AttestedHistories:
    facts, known = facts_of(text), AttestedHistories()
    known.declare(facts.act, facts.party, facts.content, at)
    return known


def judge(case: Json) -> str:
    """The code that a sheet is told as; empty if it is legal."""
    known = attested(case["attest"], case["at"])
    try:
        facts = facts_of(case["sheet"])
        check_within(known.history_of(case["at"] + 1, facts), facts)
        if case["began"] is not None:
            check_before(facts, case["began"])
    except Refuted as refusal:
        code = str(refusal.defect.code)
        return "CONSENT_INVALID" if code == "BAD_PROOF" else code  # as in a log: BAD_PROOF is for two receipts
    return ""


@pytest.mark.parametrize("case", GIVEN["attests"], ids=lambda case: case["name"])
def test_an_attested_history_has_its_form(case: Json) -> None:
    try:
        facts_of(case["attest"])
        code = ""
    except Refuted as refusal:
        code = str(refusal.defect.code)
    assert code == case.get("code", "")


@pytest.mark.parametrize("case", GIVEN["sheets"], ids=lambda case: case["name"])
def test_a_sheet_is_one_of_its_history_or_told_as_what_it_is(case: Json) -> None:
    assert judge(case) == case.get("code", "")


@pytest.mark.parametrize("case", GIVEN["whole"], ids=lambda case: case["name"])
def test_a_whole_history_agrees_with_its_sheets_or_does_not(case: Json) -> None:
    [history] = attested(case["attest"], 21).attested.values()
    sheets: list[Object] = [json.loads(text)["sheet"] for text in case["sheets"]]
    for text in case["sheets"]:
        check_within(history, facts_of(text))
    figures = [figures_of(sheet) for sheet in sorted(sheets, key=lambda sheet: number(sheet["position"]))]
    assert (not differences(history, iter(figures))) == case["agrees"]


def figures_of(sheet: Object) -> SheetFigures:
    times = [number(row["time"]) for row in rows_of(sheet)]
    part, parts = number(sheet["part"]), number(sheet["parts"])
    return SheetFigures(str(sheet["subject"]), part, parts, len(times), times[0], times[-1])
