"""The report as PDF: an extra that needs fpdf2, which is loaded only here and only when asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from verifier.errors import CannotCheck
from verifier.messages import code_sentence, sentence, word
from verifier.neutral import neutral
from verifier.result import Result
from verifier.terminal import lines

MAX_DEFECTS = 500
_FONTS = (
    "NotoSansCJK*.ttc",
    "NotoSansCJK*.otf",
    "NotoSansSC*.ttf",
    "SourceHanSans*.otf",
    "wqy-*.ttc",
    "msyh.ttc",
    "PingFang.ttc",
    "DroidSansFallback*.ttf",
    "simhei.ttf",
)
_PLACES = ("/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts", "/System/Library/Fonts", "C:/Windows/Fonts")


def render_pdf(result: Result, language: str) -> bytes:
    """The report's bytes. Raises CannotCheck without fpdf2, or without a font for Chinese."""
    try:
        fpdf: Any = importlib.import_module("fpdf")
    except ImportError:
        raise CannotCheck("a PDF report needs the package fpdf2; or print the --report page") from None
    paper = fpdf.FPDF(format="A4")
    paper.set_title(f"{word('title', language)}: {result.code or ''}")
    paper.set_auto_page_break(True, margin=15)
    paper.add_page()
    family = "Helvetica"
    if language == "zh":
        family = "report"
        paper.add_font(family, "", str(_font()))
    paper.set_font(family, size=16)
    _write(paper, family, word("title", language))
    paper.set_font(family, size=9)
    for line in _text(result, language):
        _write(paper, family, line)
    return bytes(paper.output())


def _write(paper: Any, family: str, text: str) -> None:
    if family == "Helvetica":
        text = text.encode("latin-1", "replace").decode("latin-1")
    paper.multi_cell(0, None, text or " ", new_x="LMARGIN", new_y="NEXT", wrapmode="CHAR")


def _text(result: Result, language: str) -> Iterator[str]:
    """As on the terminal, then every defect and the inputs."""
    yield from (
        line.translate({0x2014: "-", 0x2013: "-", 0x2022: "*", 0x2026: "...", 0x2192: "->", 0x2714: "", 0x2718: ""})
        for line in lines(result, language, colour=False)
    )
    defects = result.findings.defects
    if defects:
        yield ""
        yield f"{word('defects', language)}: {result.findings.count}"
    for defect in defects[:MAX_DEFECTS]:
        yield neutral(f"{defect.code}  {defect.place}: {sentence(defect.sentence, language)}")
        if defect.expected or defect.found:
            yield neutral(
                f"   {word('expected', language)} {defect.expected}; {word('found', language)} {defect.found}"
            )
    for code in sorted({str(defect.code) for defect in defects}):
        yield f"{code}: {code_sentence(code, language)}"
    yield ""
    yield f"{word('inputs', language)} (SHA-256)"
    for path, digest in result.inputs:
        yield neutral(f"{digest}  {path}")


def _font() -> Path:
    for place in _PLACES:
        for pattern in _FONTS:
            for path in sorted(Path(place).rglob(pattern)) if Path(place).is_dir() else ():
                return path
    raise CannotCheck("no font for Chinese was found on this machine; print the --report page instead")
