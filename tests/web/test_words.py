"""The catalogues: complete, alike, and able to say everything that the ledger can."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from api.web.locale import CATALOGUES
from api.web.words import CLUSTERS, LANGUAGES, Words
from ledger.catalogue import LATEST
from ledger.consent.state import Status
from ledger.entries.acts import ACTS
from ledger.entries.asserted import ASSERTED
from ledger.policy.reasons import Reason
from ledger.policy.reconciliation import CODES

WEB = Path(__file__).resolve().parents[2] / "api" / "web"
LANGUAGE = pytest.mark.parametrize("language", sorted(LANGUAGES))


def _places(sentence: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(sentence) if name)


def test_both_languages_have_the_same_sentences_with_the_same_places() -> None:
    english, chinese = CATALOGUES["en"], CATALOGUES["zh-CN"]
    assert set(english) == set(chinese)
    assert {key for key in english if _places(english[key]) != _places(chinese[key])} == set()


@LANGUAGE
def test_every_reason_state_act_and_permission_has_words(language: str) -> None:
    words = Words(language, "UTC")
    wanted = (
        [f"{family}.{reason}" for reason in [*Reason, *ASSERTED] for family in ("reason", "why", "fix")]
        + [f"cstatus.{status}" for status in Status]
        + [f"cact.{act}" for act in [*ACTS, "consent.expire"]]
        + [f"separate.{kind}" for kinds in LATEST.separate_consents.values() for kind in kinds]
        + [f"finding.{code}{fix}" for code in CODES for fix in ("", ".fix.holder", ".fix.recipient")]
        + [f"status.{status}" for status in Status]
        + [f"act.{act}" for act in [*ACTS, "consent.expire"]]
        + [f"permission.{permission}" for permission in LATEST.grades]
        + [f"cluster.{cluster}" for cluster in CLUSTERS]
    )
    assert [key for key in wanted if not words.has(key)] == []


def test_every_permission_is_in_exactly_one_cluster() -> None:
    listed = [code for codes in CLUSTERS.values() for code in codes]
    assert sorted(listed) == sorted(LATEST.grades)


def test_no_template_asks_for_a_sentence_that_is_not_there() -> None:
    asked = {
        key
        for path in [*WEB.rglob("*.html"), *WEB.rglob("*.py")]
        for key in re.findall(r"""\b(?:t|h)\(\s*["']([a-z][a-zA-Z_0-9.]*)["']\s*[,)]""", path.read_text())
    }
    assert len(asked) > 100
    assert asked - set(CATALOGUES["en"]) == set()


def test_chinese_sentences_are_chinese_and_english_ones_are_not() -> None:
    chinese = re.compile(r"[\u4e00-\u9fff]")
    places_only = {"list.comma", "agreement.line", "separate.kind"}
    places_only |= {f"filter.{op}" for op in ("eq", "ge", "gt", "le", "lt", "ne")}
    assert [key for key, text in CATALOGUES["en"].items() if chinese.search(text)] == []
    without = {key for key, text in CATALOGUES["zh-CN"].items() if not chinese.search(text)}
    assert without == places_only


@LANGUAGE
def test_times_name_their_zone(language: str) -> None:
    assert re.search(r"GMT|UTC|格林", Words(language, "Europe/London").time(1_800_000_000_000))
    assert Words(language, "Asia/Shanghai").time(1_800_000_000_000) != Words(language, "UTC").time(1_800_000_000_000)
