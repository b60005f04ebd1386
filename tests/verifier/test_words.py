"""What the verifier tells about ruleset 2, in both languages, and that its tables are those of the specification."""

from __future__ import annotations

import ast
import base64
import json
import re
from functools import cache
from pathlib import Path

import pytest

from tests.verifier import later_cases
from tests.verifier.forge import HOLDER, PROVIDER, World, write
from verifier.cli import main
from verifier.records.reasons import ASSERTED, DECIDED_SINCE_3, FINDINGS, GIVEN, GIVEN_3, ORDER_3
from verifier.rules.access_legs import CODES, UNREAD
from verifier.rules.catalogue import CATALOGUES
from verifier.rules.judging import HOLDERS_WORD, LEDGERS_WORD
from verifier.telling.chinese import COUNTED, SENTENCES

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "docs" / "spec"


@cache
def honest() -> World:
    return later_cases.honest_of_2()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write(honest().files(), tmp_path / "bundle")
    (tmp_path / "policy").write_text(honest().policy())
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[str]:
    assert main([*map(str, arguments), "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [str(event["text"]) for event in events if event["event"] == "text"]


def test_the_catalogue_is_that_of_the_specification() -> None:
    said = json.loads((SPEC / "catalogue-2.json").read_text())
    ours = CATALOGUES[said["ruleset"]]
    permissions = said["permissions"]
    assert {code: row["grade"] for code, row in permissions.items()} == ours.grades
    assert {code: row["implied_by"] for code, row in permissions.items() if "implied_by" in row} == ours.implied_by
    assert {mask: tuple(row["lifted_by"]) for mask, row in said["masks"].items()} == ours.masks
    assert {int(grade): tuple(kinds) for grade, kinds in said["separate_consents"].items()} == ours.separate
    assert said["max_grade"] == ours.max_grade


def test_the_reasons_are_those_of_the_specification_in_its_order() -> None:
    text = (SPEC / "decisions.md").read_text()
    names = list(dict.fromkeys(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", text)))
    assert {*GIVEN, *ASSERTED} <= {*names} <= {*GIVEN, *GIVEN_3, *ASSERTED}
    later = re.findall(r"\| `([A-Z_]+)` \|", (SPEC / "ruleset-3.md").read_text())
    assert later == [name for name in ORDER_3 if name in {*GIVEN_3, *DECIDED_SINCE_3}]
    assert [name for name in names if name in ASSERTED] == [*ASSERTED]
    assert re.findall(r"`([a-z]+-[a-z]+)` \(", (SPEC / "reconciliation.md").read_text())[:2] == [*FINDINGS][:2]
    assert [*CODES] == [*FINDINGS]


def test_every_sentence_of_the_rules_is_said_in_chinese_too() -> None:
    """Each sentence of a defect in the modules of the rules, and all that is counted there."""
    rules = sorted((ROOT / "verifier" / "rules").glob("*.py"))
    assert {"replay", "transitions", "authorising", "signers"} <= {module.stem for module in rules}
    for module in rules:
        for node in ast.walk(ast.parse(module.read_text())):
            name = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
            if name in ("_bad", "bad", "refuted", "_row") and isinstance(node, ast.Call):
                place = 0 if name == "_bad" else 1
                sentence = node.args[place] if place < len(node.args) else None
                if isinstance(sentence, ast.Constant) and str(sentence.value)[:1].islower():
                    assert sentence.value in SENTENCES, (module.stem, sentence.value)
    assert {HOLDERS_WORD, LEDGERS_WORD, UNREAD, "reconciliation reports"} <= COUNTED.keys()


@pytest.mark.parametrize(
    ("language", "phrases"),
    [
        (
            "en",
            [
                "joint: a second approval is needed",
                "1 accounts were taken out by customer through bank.example",
                "approval was withdrawn",
                "only rows that pass 2 filters",
                "somebody's word, which nothing here can prove",
                "ACCOUNT_APPROVAL_PENDING: A joint account lacks the approval of a second holder.",
                "acting as owner",
            ],
        ),
        (
            "zh",
            ["需第二位批准", "撤出 1 个账户", "撤回一位授权人的批准", "仅为一方之言", "联名账户尚缺另一位持有人的批准"],
        ),
    ],
)
def test_the_story_tells_joint_accounts_withdrawals_and_whose_word_it_is(
    language: str, phrases: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    consent = next(name for name, state in honest().consents.items() if state["terms"].get("utc_offset") == 60)
    story = "\n".join(
        told(capsys, "consent", consent, "--bundle", place / "bundle", "--policy", place / "policy", "--lang", language)
    )
    for phrase in phrases:
        assert phrase in story


@pytest.mark.parametrize(
    ("language", "phrases"),
    [
        (
            "en",
            [
                "reconfirmation every 30 days",
                "confirmed to app.example",
                "authenticated the customer again",
                "«sensitive» was withdrawn",
                "superseded by consent",
                "REAUTHENTICATION_REQUIRED: The holder must",
            ],
        ),
        ("zh", ["每 30 天再次确认", "重新认证了客户", "撤回单独同意「sensitive」", "取代"]),
    ],
)
def test_the_story_tells_due_dates_separate_consents_and_what_took_their_place(
    language: str, phrases: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    consent = next(name for name, state in honest().consents.items() if "reconfirm_days" in state["terms"])
    story = "\n".join(
        told(capsys, "consent", consent, "--bundle", place / "bundle", "--policy", place / "policy", "--lang", language)
    )
    for phrase in phrases:
        assert phrase in story


def test_the_story_tells_who_acted_for_whom(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = honest()
    index = next(index for index, (body, _) in made.evidence.items() if _acts_for(body, HOLDER))
    consent = _payload(made.evidence[index][0])["consent_id"]
    story = told(capsys, "consent", consent, "--bundle", place / "bundle", "--policy", place / "policy")
    assert any(f"{PROVIDER} for {HOLDER}" in line for line in story)


def test_a_receipt_tells_who_acted_and_what_each_reason_says(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = honest()
    for wanted, words in (
        (b'"HOLDER_UNAVAILABLE"', "somebody's word"),
        (b'"ACCOUNT_APPROVAL_WITHDRAWN"', "An account was taken out of the consent."),
    ):
        index = next(index for index, (body, _) in made.evidence.items() if wanted in body)
        (place / "receipt").write_text(json.dumps(made.receipt(index)))
        texts = told(capsys, "receipt", place / "receipt", "--policy", place / "policy", "--bundle", place / "bundle")
        assert any(words in text for text in texts)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("consent_invalid", "that the rules do not give"),
        ("SEPARATE_CONSENT_MISSING", "was withdrawn"),
        ("risk_blocked", "somebody's word"),
        ("rows-differ", "numbers of rows"),
    ],
)
def test_every_code_is_explained(code: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert words in "\n".join(told(capsys, "explain", code))


def _payload(body: bytes) -> dict[str, str]:
    [jws] = json.loads(body)["statements"]
    text = jws.split(".")[1]
    value: dict[str, str] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return value


def _acts_for(body: bytes, party: str) -> bool:
    return bool(json.loads(body)["statements"]) and _payload(body).get("on_behalf_of") == party
