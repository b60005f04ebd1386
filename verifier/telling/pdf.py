"""The report as PDF: an extra that needs fpdf2, which is loaded only here and only when asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from verifier.bytes.harmless import neutral
from verifier.errors import CannotCheck, Defect, ExitStatus
from verifier.telling.board import VERSION, conclusion, cover, label_of
from verifier.telling.charts import breakdowns, columns, date
from verifier.telling.headline import heading, reservations, told
from verifier.telling.messages import advice, counted, first_bad, label, located, sentence, word
from verifier.telling.parties import delegate_words, key_words
from verifier.telling.result import Result

MAX_DEFECTS = 500
_INK, _SOFT, _LINE, _BAR, _BAD = (28, 35, 48), (90, 99, 114), (216, 220, 227), (47, 111, 176), (179, 38, 30)
_COLOURS = {
    ExitStatus.VERIFIED: (23, 105, 58),
    ExitStatus.REFUTED: _BAD,
    ExitStatus.COULD_NOT_CHECK: (138, 90, 0),
    ExitStatus.UNWITNESSED: (138, 90, 0),
}
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


def blank(language: str) -> _Sheet:
    """An empty report: made before an audit, so that a missing part is reported before the work and not after it.
    Raises CannotCheck without fpdf2, or without a font for Chinese."""
    try:
        fpdf: Any = importlib.import_module("fpdf")
    except ImportError:
        raise CannotCheck("a PDF report needs the package fpdf2; or print the --report page") from None
    return _Sheet(fpdf, language)


def render_pdf(result: Result, language: str) -> bytes:
    """The report's bytes. Raises CannotCheck as `blank`."""
    sheet = blank(language)
    found = result.findings
    title = word("title", language)
    sheet.paper.set_title(f"{title}: {result.code or ''}")
    sheet.line(title, 18)
    sheet.pairs(cover(result, language))
    _verdict(sheet, result, language)
    said = conclusion(result, language)
    if said:
        sheet.heading(label_of("conclusion", language))
        for number, line in enumerate(said, 1):
            sheet.line(f"{number}. {line}", 11)
    sheet.signature([label_of(name, language) for name in ("auditor", "organisation", "signed")])
    sheet.pairs(result.facts)
    for line in result.lines:
        sheet.line(line, 8)
    sheet.heading(word("checked", language))
    sheet.pairs(_counted(found.checked, language))
    sheet.heading(word("unchecked", language))
    if found.unchecked:
        sheet.pairs(_counted(found.unchecked, language))
    else:
        sheet.line(word("nothing", language), 9)
    _defects(sheet, word("defects", language), found.defects, found.count, language)
    _defects(sheet, word("disputes", language), found.disputes, found.disputed, language)
    _defects(sheet, word("notices", language), found.notices, found.notices_by_code.total(), language)
    _charts(sheet, result, language)
    sheet.paper.add_page()
    sheet.line(label_of("appendix", language), 15)
    _parties(sheet, result, language)
    sheet.heading(f"{word('inputs', language)} (SHA-256)")
    sheet.table((), [(digest, path) for path, digest in result.inputs], (62, 38))
    return bytes(sheet.paper.output())


class _Sheet:
    """A4 pages that are written from top to bottom; millimetres and points."""

    def __init__(self, fpdf: Any, language: str) -> None:
        self._plain = fpdf.FontFace(emphasis=None, color=_SOFT)
        numbered = type("Numbered", (fpdf.FPDF,), {"footer": self.foot})
        self.paper: Any = numbered(format="A4")
        self.paper.set_lang("zh-CN" if language == "zh" else "en")
        self.paper.set_margin(18)
        self.paper.set_auto_page_break(True, margin=18)
        self._family, self._wrap = "Helvetica", "WORD"
        if language == "zh":
            self._family, self._wrap, font = "report", "CHAR", _font()
            # Of the faces in a Noto collection the third is the one for simplified Chinese.
            face = 2 if font.name.startswith("NotoSansCJK") and font.suffix == ".ttc" else 0
            self.paper.add_font(self._family, "", str(font), collection_font_number=face)
        self.paper.add_page()
        self.paper.set_draw_color(*_LINE)

    def foot(self) -> None:
        """The number of a page, of how many, and the program that wrote it."""
        paper = self.paper
        paper.set_y(-13)
        paper.set_font(self._family, size=8)
        paper.set_text_color(*_SOFT)
        paper.cell(0, 5, f"consent-verify {VERSION}", align="L")
        paper.set_x(paper.l_margin)
        paper.cell(0, 5, f"{paper.page_no()} / {{nb}}", align="R")

    def signature(self, lines: Sequence[str]) -> None:
        """Lines to be filled in by hand."""
        self.keep(14.0 * len(lines))
        self.paper.ln(4)
        for line in lines:
            self.paper.ln(6)
            self.line(line, 9, _SOFT)
            top = self.paper.get_y()
            self.paper.line(self.paper.l_margin + 55, top, self.paper.l_margin + self.paper.epw, top)

    def text(self, text: str) -> str:
        """The part of a text that can be shown: nothing invisible, and in the built-in font only the characters that it
        has."""
        text = neutral(text)
        if self._family == "Helvetica":
            text = text.translate({0x2014: "-", 0x2013: "-", 0x2022: "*", 0x2026: "...", 0x2192: "->", 0x2264: "<="})
            text = text.encode("latin-1", "replace").decode("latin-1")
        return text

    def line(self, text: str, size: float, colour: tuple[int, int, int] = _INK) -> None:
        """A paragraph over the whole width."""
        self.paper.set_font(self._family, size=size)
        self.paper.set_text_color(*colour)
        self.paper.multi_cell(0, size * 0.5, self.text(text) or " ", new_x="LMARGIN", new_y="NEXT", wrapmode=self._wrap)

    def heading(self, text: str) -> None:
        """The title of a section, not left alone at the foot of a page."""
        self.keep(30)
        self.paper.ln(5)
        self.line(text, 12)
        self.paper.ln(1)

    def keep(self, height: float) -> None:
        """A new page, unless so many millimetres are left."""
        if self.paper.will_page_break(height):
            self.paper.add_page()

    def pairs(self, rows: Iterable[tuple[str, str]]) -> None:
        """Names, and what each is."""
        self.table((), list(rows), (34, 66))

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
        """Rows under a head, if there is one; `widths` in per cent."""
        if not rows:
            return
        self.paper.set_font(self._family, size=8.5)
        self.paper.set_text_color(*_INK)
        self.paper.set_fill_color(255)
        with self.paper.table(
            col_widths=tuple(widths),
            borders_layout="HORIZONTAL_LINES",
            first_row_as_headings=bool(head),
            line_height=4.4,
            padding=0.8,
            text_align="LEFT",
            headings_style=self._plain,
            wrapmode=self._wrap,
        ) as table:
            for cells in ([head] if head else []) + list(rows):
                row = table.row()
                for cell in cells:
                    row.cell(self.text(cell))

    def bars(self, title: str, counts: Mapping[str, int]) -> None:
        """Horizontal bars, the largest first, each with its number."""
        rows = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:24]
        most = max(count for _, count in rows)
        self.keep(10 + 5 * len(rows))
        self.paper.ln(3)
        self.line(title, 10)
        for name, count in rows:
            width, top, left = 70 * count / most, self.paper.get_y(), self.paper.l_margin
            self.paper.set_font(self._family, size=8.5)
            self.paper.cell(70, 5, self.text(name))
            self.paper.set_fill_color(*_BAR)
            self.paper.rect(left + 70, top + 0.9, max(0.4, width), 3.2, style="F")
            self.paper.set_xy(left + 72 + width, top)
            self.paper.cell(20, 5, f"{count:,}", new_x="LMARGIN", new_y="NEXT")

    def timeline(self, title: str, first: int, last: int, totals: Sequence[int], refused: Sequence[int]) -> None:
        """Columns for days or several of them; the denied ones below in their own colour."""
        self.keep(55)
        self.paper.ln(3)
        self.line(title, 10)
        left, top, most = self.paper.l_margin, self.paper.get_y() + 1, max(totals)
        step = self.paper.epw / len(totals)
        width = min(step * 0.85, 12.0)
        for colour, values in ((_BAR, totals), (_BAD, refused)):
            self.paper.set_fill_color(*colour)
            for column, value in enumerate(values):
                if value:
                    height = 30 * value / most
                    self.paper.rect(left + column * step, top + 30 - height, width, height, style="F")
        self.paper.line(left, top + 30, left + self.paper.epw, top + 30)
        self.paper.set_xy(left, top + 31)
        self.line(date(first) if first == last else f"{date(first)} – {date(last)}", 8.5, _SOFT)


def _verdict(sheet: _Sheet, result: Result, language: str) -> None:
    """A framed verdict that is understood before anything else is read."""
    status, found = result.status, result.findings
    code, colour, paper = "" if result.code is None else str(result.code), _COLOURS[status], sheet.paper
    paper.ln(3)
    top = paper.get_y()
    paper.set_left_margin(23)
    paper.set_y(top + 3)
    sheet.line(heading(result, language), 20, colour)
    if code:
        sheet.line(code, 10, colour)
    for line in (told(result, language), *reservations(result, language)):
        sheet.line(line, 10)
    if found.count:
        sheet.line(first_bad(found.first_bad, language), 10)
        sheet.line(f"{label('advice', language)}{advice(code, language)}", 10)
    paper.set_left_margin(18)
    paper.set_draw_color(*colour)
    paper.set_line_width(0.9)
    paper.rect(18, top, paper.epw, paper.get_y() + 3 - top)
    paper.set_draw_color(*_LINE)
    paper.set_line_width(0.2)
    paper.set_xy(18, paper.get_y() + 7)


def _counted(counts: Mapping[str, int], language: str) -> list[tuple[str, str]]:
    return [(counted(what, language), f"{count:,}") for what, count in sorted(counts.items()) if count]


def _defects(sheet: _Sheet, title: str, defects: Sequence[Defect], count: int, language: str) -> None:
    if not count:
        return
    sheet.heading(f"{title}: {count:,}")
    rows = [
        (
            located(defect.place, language),
            str(defect.code),
            sentence(defect.sentence, language),
            defect.expected,
            defect.found,
        )
        for defect in sorted(defects, key=lambda d: (d.place.index is None, d.place.index or 0))[:MAX_DEFECTS]
    ]
    sheet.table(
        [word(name, language) for name in ("place", "code", "what", "expected", "found")], rows, (14, 22, 24, 20, 20)
    )
    if count > MAX_DEFECTS:
        sheet.line(f"… {count - MAX_DEFECTS:,} {word('more', language)}", 8.5, _SOFT)


def _charts(sheet: _Sheet, result: Result, language: str) -> None:
    found = result.findings
    over_time = columns(found.days, found.denials)
    if over_time is None:
        return
    sheet.heading(word("period", language))
    totals, refused = over_time[2:]
    title = f"{word('events', language)} (≤ {max(totals):,}; {word('denied', language)} {sum(refused):,})"
    sheet.timeline(title, *over_time)
    for title, counts in breakdowns(found, language):
        sheet.bars(title, counts)


def _parties(sheet: _Sheet, result: Result, language: str) -> None:
    if not result.parties:
        return
    sheet.heading(word("parties", language))
    rows = []
    for party in result.parties:
        keys = "; ".join(key_words(party, language))
        delegates = "; ".join(delegate_words(party))
        standing = f"{', '.join(party.roles)}; {word(party.standing, language)}"
        rows.append((f"{party.name} ({party.id})", standing, keys, delegates))
    head = [word(name, language) for name in ("participant", "roles", "keys", "delegates")]
    sheet.table(head, rows, (24, 22, 34, 20))


def _font() -> Path:
    for place in _PLACES:
        for pattern in _FONTS:
            found = Path(place).rglob(pattern) if Path(place).is_dir() else ()
            for path in sorted(found, key=lambda path: ("Regular" not in path.name, path)):
                return path
    raise CannotCheck("no font for Chinese was found on this machine; print the --report page instead")
