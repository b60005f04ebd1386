"""A denial reason has a word in every place that tells it: a reason that is new and forgotten anywhere turns red here."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from api.explaining import words as explaining
from api.explaining.facts import BY_REASON
from api.guard.refusals import REFUSALS, TOLD_AS
from api.web.locale import CATALOGUES
from ledger.entries.asserted import ASSERTED
from ledger.policy.reasons import Reason
from verifier.records import reasons as verifier

ROOT = Path(__file__).resolve().parent.parent
GIVEN = tuple(reason.value for reason in Reason)
ALL = tuple(dict.fromkeys((*GIVEN, *ASSERTED)))
NO_FACTS = {
    # Nothing in terms or request led to these: the participant's, or the consent's, standing did.
    *(reason for reason in GIVEN if reason.startswith(("CONSENT_", "PARTICIPANT_")))
} - {"CONSENT_EXPIRED", "CONSENT_CONSUMED", "CONSENT_NOT_STARTED"}

each_reason = pytest.mark.parametrize("reason", ALL)


def test_ledger_and_verifier_know_the_same_reasons_in_the_same_order() -> None:
    assert verifier.ORDER_3 == GIVEN
    assert tuple(verifier.ASSERTED) == ASSERTED


@pytest.mark.parametrize("schema", ["evidence", "statement"])
def test_the_schemas_list_the_reasons_that_a_holder_asserts(schema: str) -> None:
    text = (ROOT / "docs" / "spec" / "schemas" / f"{schema}.schema.json").read_text()
    lists = [re.findall(r'"(\w+)"', found) for found in re.findall(r'"enum": \[([^\]]*)\]', text)]
    assert list(ASSERTED) in lists


@pytest.mark.parametrize(
    "source",
    ["typescript/src/statement.ts", "java/src/main/java/consentledger/client/Acts.java"],
    ids=["TypeScript", "Java"],
)
def test_the_sdks_know_the_reasons_that_a_holder_asserts(source: str) -> None:
    [listed] = re.findall(r"\bASSERTED = (?:\[|List\.of\()([^\])]*)", (ROOT / "sdk" / source).read_text())
    assert tuple(re.findall(r'"(\w+)"', listed)) == ASSERTED


@each_reason
def test_the_specification_defines_it(reason: str) -> None:
    assert f"`{reason}`" in (ROOT / "docs" / "spec" / "decisions.md").read_text()


@each_reason
def test_it_is_explained_with_what_to_do_and_with_the_facts_it_rests_on(reason: str) -> None:
    if reason in ASSERTED:
        assert reason in explaining.ASSERTED
    if reason in GIVEN:
        assert reason in explaining.REASONS
        assert (reason in BY_REASON) != (reason in NO_FACTS)


@each_reason
@pytest.mark.parametrize("language", CATALOGUES)
def test_customers_and_staff_read_it_in_their_language(reason: str, language: str) -> None:
    words = CATALOGUES[language]
    assert [key for key in (f"reason.{reason}", f"why.{reason}", f"fix.{reason}") if key not in words] == []


@each_reason
def test_a_bank_refuses_with_it(reason: str) -> None:
    assert TOLD_AS.get(reason, reason) in REFUSALS


@each_reason
def test_the_page_of_the_guard_lists_it_under_its_status(reason: str) -> None:
    told = TOLD_AS.get(reason, reason)
    page = (ROOT / "docs" / "guard.md").read_text().partition("## Refusals")[2]
    [row] = [line for line in page.splitlines() if line.startswith(f"| {REFUSALS[told].status} |")]
    shapes = [code.replace("…", "*") for code in re.findall(r"`([A-Z_]+…?)`", row)]
    rest = reason in ASSERTED and "all other asserted" in row
    assert rest or any(fnmatchcase(told, shape) for shape in shapes)


@each_reason
@pytest.mark.parametrize(
    "file", sorted((ROOT / "api" / "standards" / "words").glob("*.json")), ids=lambda file: file.stem
)
def test_every_standard_says_what_a_bank_answers(reason: str, file: Path) -> None:
    known = json.loads(file.read_text())["reasons"]
    if known:
        assert reason in known
