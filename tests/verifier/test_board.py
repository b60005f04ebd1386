"""What a board reads first: three sentences that claim no more than was checked, who checked with what, room to sign; and
lines that fit a terminal in both languages."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import pytest

from tests.verifier.running import run
from verifier.errors import Code, Defect, Place
from verifier.rules.findings import Findings
from verifier.telling.board import LABELS, conclusion, named, program_hash
from verifier.telling.result import Result
from verifier.telling.terminal import cells, padded, wrapped


def result(code: Code = Code.VALID, *defects: Defect, unchecked: int = 0, disputed: int = 0) -> Result:
    found = Findings(disputed=disputed)
    found.kinds.update({"consent": 1_200, "operator": 34})
    found.acts.update({"consent.revoke": 2})
    found.decisions.update({"allow": 900, "deny": 12})
    if unchecked:
        found.unchecked["decisions about an erased consent"] = unchecked
    for one in defects:
        found.add(one)
    return Result("bundle", code, findings=found)


def test_a_log_in_which_everything_was_checked_is_told_in_three_sentences() -> None:
    history, decisions, left = conclusion(result(), "en")
    assert "1,234 entries" in history
    assert "after a withdrawal or otherwise against the rules: 0. 900 allowed and 12 denied" in decisions
    assert left == "Nothing was left out of the check."
    assert "撤回后允许的访问，或其他违反规则的允许：0" in conclusion(result(), "zh")[1]


def test_no_sentence_claims_what_was_not_checked() -> None:
    decisions, left = conclusion(result(unchecked=3, disputed=2), "en")[1:]
    assert "not all could be" in decisions
    assert ": 0" not in decisions
    assert "3 things that could not be checked; 2 findings about participants" in left
    wrong = Defect(Code.CONSENT_INVALID, "x", Place(index=7))
    history, decisions, _ = conclusion(result(Code.CONSENT_INVALID, wrong), "en")
    assert "something is wrong: 1 defects" in history
    assert "the rules do not give: 1;" in decisions
    torn = Defect(Code.BAD_CHAIN, "x", Place(index=7))
    assert "was not examined" in conclusion(result(Code.BAD_CHAIN, torn), "en")[1]
    empty = Result("bundle", Code.VALID)
    assert "was not examined" in conclusion(empty, "en")[1], "evidence was left out on request"
    assert conclusion(Result("receipt", Code.VALID), "en") == [], "one receipt says nothing of a log"
    assert conclusion(Result("bundle", None), "en") == []


def test_the_counts_of_charts_have_names_in_both_languages_and_none_is_lost() -> None:
    counts = {"consent.revoke": 2, "CONSENT_REVOKED": 3, "x-unknown": 1}
    assert named(counts, "en") == {"consent withdrawn": 2, "The consent was revoked.": 3, "x-unknown": 1}
    assert named(counts, "zh") == {"撤回授权": 2, "该授权已被撤回。": 3, "x-unknown": 1}


def test_the_hash_of_the_program_is_that_of_its_files() -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", program_hash())
    assert program_hash() == program_hash()


def test_chinese_labels_align_and_lines_fit_the_terminal_without_breaking_a_hash() -> None:
    assert cells("检查点") == 6
    assert len(padded("检查点", 18)) == 15
    digest = "ab" * 40
    told = [
        "  这是一行很长的中文说明，" * 5,
        f"    • {digest}",
        "  short",
        "one two three four five six seven eight nine ten",
    ]
    rows = list(wrapped(iter(told), 40))
    assert all(cells(row) <= 40 for row in rows if digest not in row)
    assert [row for row in rows if digest in row], "a hash stays whole"
    assert "".join(row.strip() for row in rows if "中文" in row or "说明" in row).count("中文") == 5
    assert list(wrapped(iter(told), None)) == told, "a file or a pipe gets whole lines"


def test_html_and_pdf_carry_cover_conclusion_page_numbers_and_a_signature_block(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("fpdf")
    out = place / "board.pdf"
    told = ("--pdf", out, "--report", place / "board.html", "--lang", "en", "--jobs", 1)
    assert run(capsys, "bundle", place / "bundle", "--policy", place / "policy", *told)[0] == 0
    page = (place / "board.html").read_text()
    for name in ("conclusion", "program hash", "auditor", "signed"):
        assert LABELS[name][0] in page, name
    assert program_hash() in page
    written = out.read_bytes()
    shown = b"".join(map(zlib.decompress, re.findall(rb"stream\n(.*?)\nendstream", written, re.DOTALL)))
    assert b"/Lang (en)" in written
    for words in ("Conclusion", "Nothing was left out of the check", "Auditor", "Appendix", "consent-verify"):
        assert words.encode() in shown, words
    pages = len(re.findall(rb"/Type /Page\b", written))
    assert pages > 1
    assert f"{pages} / {pages}".encode() in shown
