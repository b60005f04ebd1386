"""The output for people: a verdict within five seconds, then defects, grouped and with their place."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import TextIO

from verifier.bytes.harmless import neutral
from verifier.errors import Code, Defect, ExitStatus
from verifier.telling.headline import first_of, heading, reservations, told
from verifier.telling.messages import advice, code_sentence, counted, label, located, sentence, word
from verifier.telling.result import Result

SHOWN = 12
LEAST_COLUMNS = 30
FULL_COLON = "\uff1a"
_PAINT = re.compile("\x1b\\[[0-9;]*m")
_WIDE = "\u2e80-\u9fff\uf900-\ufaff\uff01-\uff5e"
_PIECES = re.compile(rf"\s*[{_WIDE}][\u3001\u3002\uff0c\uff1a\uff1b]*|\s*[^\s{_WIDE}]+|\s+")
_COLOURS = {
    ExitStatus.VERIFIED: "42;30",
    ExitStatus.REFUTED: "41;97",
    ExitStatus.COULD_NOT_CHECK: "43;30",
    ExitStatus.UNWITNESSED: "43;30",
}
_SIGNS = {
    ExitStatus.VERIFIED: "✔",
    ExitStatus.REFUTED: "✘",
    ExitStatus.COULD_NOT_CHECK: "?",
    ExitStatus.UNWITNESSED: "!",
}


def lines(result: Result, language: str, colour: bool) -> Iterator[str]:
    """The whole report, line by line."""
    status, found = result.status, result.findings
    head = f" {'i' if result.explains else _SIGNS[status]} {heading(result, language)} "
    code = "" if result.code is None else f" {result.code}"
    yield f"\x1b[1;{_COLOURS[status]}m{head}\x1b[0m{code}" if colour else f"[{head}]{code}"
    if not result.explains:
        yield "  " + neutral(told(result, language))
    yield from (f"  {neutral(line)}" for line in reservations(result, language))
    if found.count:
        yield "  " + neutral(first_of(result, language))
    for name, value in result.facts:
        yield f"  {padded(name + (FULL_COLON if language == 'zh' else ':'), 18)} {neutral(value)}"
    yield from _counts(result, language)
    if found.defects:
        yield ""
        yield f"{label('defects', language)}{found.count}"
        yield from _grouped(found.defects, found.by_code, language)
        yield f"  → {advice('' if result.code is None else str(result.code), language)}"
    if found.disputes:
        yield ""
        yield f"{label('disputes', language)}{found.disputed}"
        yield from _grouped(found.disputes, {str(Code.DISPUTED): found.disputed}, language)
        yield f"  → {advice(str(Code.DISPUTED), language)}"
    if found.notices:
        yield ""
        yield f"{label('notices', language)}{found.notices_by_code.total()}"
        yield from _grouped(found.notices, found.notices_by_code, language)
    if result.lines:
        yield ""
        yield from (neutral(line) for line in result.lines)


def _counts(result: Result, language: str) -> Iterator[str]:
    found = result.findings
    if found.checked:
        yield f"  {label('checked', language)}" + ", ".join(
            f"{count:,} {counted(what, language)}" for what, count in sorted(found.checked.items()) if count
        )
    if found.unchecked:
        yield f"  {label('unchecked', language)}".rstrip()
        for what, count in sorted(found.unchecked.items()):
            yield f"    – {count:,} × {counted(what, language)}"


def _grouped(defects: list[Defect], counts: Mapping[str, int], language: str) -> Iterator[str]:
    for code, group in groupby(sorted(defects, key=_order), key=lambda defect: str(defect.code)):
        yield f"  {code} ({counts[code]}): {code_sentence(code, language)}"
        members = list(group)
        for defect in members[:SHOWN]:
            yield f"    • {neutral(located(defect.place, language))}: {neutral(sentence(defect.sentence, language))}"
            if defect.expected or defect.found:
                yield (
                    f"      {word('expected', language)} {neutral(defect.expected) or '–'}; "
                    f"{word('found', language)} {neutral(defect.found) or '–'}"
                )
        if counts[code] > SHOWN:
            yield f"    … {counts[code] - SHOWN:,} {word('more', language)} (--json)"


def _order(defect: Defect) -> tuple[str, int, str, int]:
    place = defect.place
    return (str(defect.code), -1 if place.index is None else place.index, place.file or "", place.line or 0)


def cells(text: str) -> int:
    """How many columns of a terminal a text takes: wide characters two, combining ones none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def padded(text: str, columns: int) -> str:
    """The text with spaces up to so many columns."""
    return text + " " * max(0, columns - cells(text))


def width_of(stream: TextIO) -> int | None:
    """The columns of a terminal; None for a file or a pipe, whose lines stay whole."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def wrapped(told: Iterator[str], columns: int | None) -> Iterator[str]:
    """Lines broken at spaces, or between wide characters, where they are wider than the terminal; indented as they began.

    A hash or a path that is wider than a line is left whole, so that it can be copied."""
    for line in told:
        if columns is None or columns < LEAST_COLUMNS or cells(_PAINT.sub("", line)) <= columns or _PAINT.search(line):
            yield line
            continue
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        row = ""
        for piece in _PIECES.findall(line):
            if row.strip() and cells(row + piece.rstrip()) > columns:
                yield row.rstrip()
                row = indent + piece.lstrip()
            else:
                row += piece
        yield row.rstrip()


class Bar:
    """A progress bar on a terminal; silent elsewhere. Called with entries done and entries in all."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = stream.isatty()
        self._begun = self._last = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if not self._shown or (now - self._last < 0.1 and done < total):
            return
        self._last = now
        rate = done / max(now - self._begun, 1e-6)
        filled = 30 * done // max(total, 1)
        left = (total - done) / max(rate, 1e-6)
        self._stream.write(f"\r[{'#' * filled}{'.' * (30 - filled)}] {done:,}/{total:,}  {rate:,.0f}/s  {left:.0f} s ")
        self._stream.flush()

    def clear(self) -> None:
        """Remove the bar from the screen."""
        if self._shown:
            self._stream.write("\r" + " " * 79 + "\r")
            self._stream.flush()


def wants_colour(stream: TextIO) -> bool:
    """A terminal whose owner has not asked for none (NO_COLOR)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def emit(text: str) -> None:
    """Write a line to standard output, whatever it can show."""
    stream = sys.stdout
    encoding = stream.encoding or "ascii"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
