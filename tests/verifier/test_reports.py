"""What consent-verify writes for people: the story of a consent, the report as a page and as a PDF."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pdfs import read_pdf
from tests.verifier.cases import honest
from tests.verifier.forge import HOLDER, write
from tests.verifier.running import run
from verifier.cli import main


def test_the_story_of_a_consent_tells_times_actors_and_reasons(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, world = honest()
    consent = next(iter(world.consents))
    arguments = ["consent", consent, "--bundle", str(place / "bundle"), "--policy", str(place / "policy")]
    assert main([*arguments, "--lang", "en"]) == 0
    told = capsys.readouterr().out
    assert "asked for consent" in told
    assert f"REVOKED by customer through {HOLDER}" in told
    assert "DENY: CONSENT_REVOKED" in told
    assert main([*arguments, "--lang", "zh"]) == 0
    assert "撤回" in capsys.readouterr().out


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_is_one_page_that_runs_nothing(
    language: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, _ = honest()
    write({**files, "tile/\u202e<script>alert(1)": b"x"}, place / "odd")
    out = place / "report.html"
    assert (
        main(
            [
                "bundle",
                str(place / "odd"),
                "--policy",
                str(place / "policy"),
                "--report",
                str(out),
                "--lang",
                language,
                "--jobs",
                "1",
            ]
        )
        == 1
    )
    shown = capsys.readouterr().out
    page = out.read_text()
    for text in (page, shown):
        assert "\u202e" not in text
    assert "<script" not in page
    assert "http://" not in page.replace("http-equiv", "")
    assert "src=" not in page
    assert page.count("<svg") >= 4
    assert "BAD_ENCODING" in page


def test_the_pdf_says_verdict_coverage_and_inputs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = place / "report.pdf"
    told = ("--pdf", out, "--jobs", 1, "--lang", "en")
    assert run(capsys, "bundle", place / "bundle", "--policy", place / "policy", *told)[0] == 0
    paper = read_pdf(out.read_bytes())
    for words in ("VERIFIED", "VALID", "What was NOT checked", "Nothing was left out", "By act", "Inputs"):
        assert words in paper.text, words
