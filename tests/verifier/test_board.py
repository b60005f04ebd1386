"""What a board reads first: three sentences that claim no more than was checked, who checked with what, room to sign; and
lines that fit a terminal in both languages."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from tests.pdfs import read_pdf
from tests.verifier.cases import CASES
from tests.verifier.forge import HOLDER, RECIPIENT, write
from tests.verifier.running import run
from verifier.audit.concerned import concerns
from verifier.bytes.archive import open_archive
from verifier.errors import Code, Defect, Place
from verifier.records import acts
from verifier.records.leaf import KINDS
from verifier.rules import log_keys, orders, participants
from verifier.rules.chain_store import Shelf
from verifier.rules.findings import Findings
from verifier.telling.acts import NAMES
from verifier.telling.board import LABELS, concern_words, conclusion, named, program_hash
from verifier.telling.charts import ticks
from verifier.telling.messages import LANGUAGES, word
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
    assert "something is wrong. Defects: 1;" in history
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
    out = place / "board.pdf"
    told = ("--pdf", out, "--report", place / "board.html", "--lang", "en", "--jobs", 1)
    assert run(capsys, "bundle", place / "bundle", "--policy", place / "policy", *told)[0] == 0
    page = (place / "board.html").read_text()
    for name in ("conclusion", "program hash", "auditor", "signed"):
        assert LABELS[name][0] in page, name
    assert program_hash() in page
    paper = read_pdf(out.read_bytes())
    for words in ("Conclusion", "Nothing was left out of the check", "Auditor", "Appendix", "consent-verify"):
        assert words in paper.text, words
    assert len(paper.pages) > 1
    for number, text in enumerate(paper.pages, 1):
        assert f"{number} / {len(paper.pages)}" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_screen_reader_finds_title_language_headings_tables_and_the_words_of_the_chart(
    language: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = place / "tagged.pdf"
    told = ("--pdf", out, "--lang", language, "--jobs", 1)
    assert run(capsys, "bundle", place / "bundle", "--policy", place / "policy", *told)[0] == 0
    paper = read_pdf(out.read_bytes())
    assert (paper.marked, paper.conformance, paper.language) == (True, "PDF/UA-1", language)
    assert paper.title == word("title", language)
    assert paper.tags.count("H1") == 1
    assert paper.tags.index("H1") < paper.tags.index("H2")
    assert paper.tags.count("Table") == paper.tags.count("THead"), "each table says what its columns are"
    [chart] = paper.alternates
    assert word("denied", language) in chart


REFUTED = next(case for case in CASES if case.name == "an access after expiry is allowed")


def test_a_defect_is_told_by_act_app_bank_consent_and_moment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, world = REFUTED.make()
    write(files, tmp_path / "bundle")
    (tmp_path / "policy").write_text(world.policy())
    told = ("--pdf", tmp_path / "out.pdf", "--report", tmp_path / "out.html", "--lang", "en", "--jobs", 1)
    assert run(capsys, "bundle", tmp_path / "bundle", "--policy", tmp_path / "policy", *told)[0] == 1
    page, paper = (tmp_path / "out.html").read_text(), read_pdf((tmp_path / "out.pdf").read_bytes())
    front, appendix = page.split('<h2 class="appendix">')
    [consent] = set(re.findall(r"urn:forge:[\w-]+", front))
    said = f"access asked for; {RECIPIENT} – {HOLDER}; consent {consent}; 2026-"
    assert said in front
    assert "CONSENT_EXPIRED" not in front, "reasons by their code stand in the appendix"
    assert "CONSENT_EXPIRED" in appendix
    assert said.replace(" ", "") in paper.text.replace(" ", ""), "a long id is broken at the end of a line"


def test_an_entry_whose_evidence_is_gone_tells_kind_and_moment_only(tmp_path: Path) -> None:
    files, world = REFUTED.make()
    write({name: data for name, data in files.items() if not name.startswith("evidence/")}, tmp_path / "bundle")
    archive = open_archive(tmp_path / "bundle")
    size = world.size if hasattr(world, "size") else 12
    found = concerns(archive, size, Shelf(), range(-1, size + 5))
    assert sorted(found) == list(range(size)), "what lies outside is left out"
    for concern in found.values():
        assert concern.kind == "operator" or not (concern.act or concern.parties or concern.consent)
        assert concern.time > 0
    lost = Result("bundle", Code.BAD_CHAIN)
    assert concern_words(Place(index=3), lost, "en") == "The entry cannot be read."
    assert concern_words(Place(file="checkpoint"), lost, "zh") == "整个日志。"


def test_every_act_and_document_has_a_name_in_both_languages() -> None:
    for code in (*acts.MEMBERS, *participants.MEMBERS, *orders.MEMBERS, *log_keys.MEMBERS, *KINDS):
        english, chinese = NAMES[code]
        assert english.isascii(), code
        assert not chinese.isascii(), code


@pytest.mark.parametrize("most", [0, 1, 2, 7, 10, 11, 99, 100, 4_321, 10**9])
def test_an_axis_ends_at_or_above_the_largest_value_in_few_even_steps(most: int) -> None:
    marks = ticks(most)
    assert marks[0] == 0
    assert marks[-1] >= max(most, 1) > marks[-2]
    assert len(marks) <= 6
    assert len({high - low for low, high in itertools.pairwise(marks)}) == 1
