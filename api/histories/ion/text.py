"""Text Ion 1.0."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any, Final

from api.histories.ion.values import (
    CODES,
    TEXT,
    BadIon,
    Counter,
    Ion,
    IonDecimal,
    IonTime,
    SymbolTable,
    is_table,
    time_at,
)

_SPACE: Final = re.compile(r"[ \t\r\n\v\f]+|//[^\r\n]*|/\*(?:[^*]|\*(?!/))*\*/")
_TIME: Final = re.compile(
    r"(\d{4})(?:T|-(\d\d)(?:T|-(\d\d)(?:T(?:(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,60}))?)?(Z|[+-]\d\d:\d\d))?)?))(?![\w.:+-])"
)
_NUMBER: Final = re.compile(
    r"(?P<hex>-?0[xX][0-9a-fA-F](?:_?[0-9a-fA-F])*)|(?P<bits>-?0[bB][01](?:_?[01])*)"
    r"|(?P<whole>-?(?:0|[1-9](?:_?\d)*))(?P<rest>\.(?:\d(?:_?\d)*)?)?(?:(?P<mark>[dDeE])(?P<power>[+-]?\d{1,9}))?"
)
_ENDS: Final = re.compile(r"[\s,\]\}\)/:'\"{\[(]|\Z")
_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_OPERATOR: Final = re.compile(r"[!#%&*+\-./;<=>?@^`|~]+")
_NUMBERED: Final = re.compile(r"\$(\d{1,9})\Z")
_PLAIN: Final = re.compile(r"[^\\\"'\r\n\x00-\x08\x0b\x0c\x0e-\x1f]+")
_BLOB: Final = re.compile(r"[A-Za-z0-9+/=\s]*")
_ESCAPES: Final = {
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "t": "\t",
    "n": "\n",
    "f": "\f",
    "r": "\r",
    "v": "\v",
    '"': '"',
    "'": "'",
    "?": "?",
    "\\": "\\",
    "/": "/",
    "\n": "",
}
_DIGITS: Final = {"x": 2, "u": 4, "U": 8}
_MARKER: Final = "$ion_1_0"
_NO_NAMES: Final = frozenset({"null", "true", "false", "nan"})
_INTEGER: Final = 4_000
"""Digits of a number, at most: reading one takes as long as the square of them."""


def values_of_text(text: str) -> Iterator[Ion]:
    """The top-level values, without symbol tables. Raises BadIon, which names the line."""
    reader = _Reader(text)
    try:
        while not reader.is_at_end():
            reader.counter = Counter()
            value = reader.value(1)
            if is_table(value):
                reader.symbols.take(value)
            elif value == Ion("symbol", _MARKER):
                reader.symbols.restart()
            else:
                yield value
    except BadIon as error:
        raise BadIon(f"line {reader.line()}: {error.detail}") from None


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.symbols = SymbolTable()
        self.counter = Counter()

    def line(self) -> int:
        """Where it is, for people."""
        return self.text.count("\n", 0, self.at) + 1

    def is_at_end(self) -> bool:
        self._skip()
        return self.at >= len(self.text)

    def value(self, depth: int, *, in_sexp: bool = False) -> Ion:
        """The value here, with its annotations."""
        self.counter.one(depth)
        annotations: list[str] = []
        while True:
            found, may_annotate = self._bare(depth, in_sexp=in_sexp)
            self._skip()
            if not (may_annotate and self.text.startswith("::", self.at)):
                return found._replace(annotations=tuple(annotations)) if annotations else found
            self.at += 2
            annotations.append(found.value)
            self.counter.one(depth)

    def _bare(self, depth: int, *, in_sexp: bool) -> tuple[Ion, bool]:
        """A value, and whether it may be an annotation of the next one."""
        self._skip()
        here = self.text[self.at : self.at + 3]
        if not here:
            raise BadIon("the file ends within a value")
        if here[:2] == "{{":
            return self._lob(), False
        if here[0] == "{":
            return Ion("struct", self._members(depth)), False
        if here[0] == "[":
            return Ion("list", self._several(depth, "]", comma=True)), False
        if here[0] == "(":
            return Ion("sexp", self._several(depth, ")", comma=False)), False
        if here == "'''":
            return Ion("string", self._long()), False
        if here[0] == '"':
            return Ion("string", self._quoted('"')), False
        if here[0] == "'":
            return Ion("symbol", self._quoted("'")), True
        if here[0].isdigit() or (here[0] == "-" and here[1:2].isdigit()):
            return self._number(), False
        if here[:3] in ("+in", "-in") and self.text.startswith("inf", self.at + 1):
            self.at += 4
            return Ion("float", float(here[0] + "inf")), False
        return self._word(in_sexp=in_sexp)

    def _word(self, *, in_sexp: bool) -> tuple[Ion, bool]:
        if match := _NAME.match(self.text, self.at):
            self.at, name = match.end(), match[0]
            if name == "null":
                return self._null(), False
            if name in ("true", "false"):
                return Ion("bool", name == "true"), False
            if name == "nan":
                return Ion("float", float("nan")), False
            return Ion("symbol", self._named(name)), True
        if in_sexp and (match := _OPERATOR.match(self.text, self.at)):
            self.at = match.end()
            return Ion("symbol", match[0]), False
        raise BadIon("what stands here is no value")

    def _named(self, name: str) -> str:
        numbered = _NUMBERED.match(name)
        return self.symbols.text(int(numbered[1])) if numbered else name

    def _null(self) -> Ion:
        if not self.text.startswith(".", self.at):
            return Ion("null", None)
        match = _NAME.match(self.text, self.at + 1)
        if match is None or match[0] not in CODES:
            raise BadIon("a null of a type that Ion does not have")
        self.at = match.end()
        return Ion(match[0], None)

    def _members(self, depth: int) -> list[tuple[str, Ion]]:
        self.at += 1
        found: list[tuple[str, Ion]] = []
        while True:
            self._skip()
            if self._take("}"):
                return found
            name = self._member_name()
            self._skip()
            if not self._take(":"):
                raise BadIon("a member of a struct has no colon after its name")
            found.append((name, self.value(depth + 1)))
            self._skip()
            if not self._take(",") and not self.text.startswith("}", self.at):
                raise BadIon("members of a struct need a comma between them")

    def _member_name(self) -> str:
        if self.text.startswith("'''", self.at):
            return self._long()
        for quote in ('"', "'"):
            if self.text.startswith(quote, self.at):
                return self._quoted(quote)
        match = _NAME.match(self.text, self.at)
        if match is None or match[0] in _NO_NAMES:
            raise BadIon("a member of a struct has no name, or one that needs quotation marks")
        self.at = match.end()
        return self._named(match[0])

    def _several(self, depth: int, end: str, *, comma: bool) -> list[Ion]:
        self.at += 1
        found: list[Ion] = []
        while True:
            self._skip()
            if self._take(end):
                return found
            found.append(self.value(depth + 1, in_sexp=not comma))
            self._skip()
            if comma and not self._take(",") and not self.text.startswith(end, self.at):
                raise BadIon("values of a list need a comma between them")

    def _number(self) -> Ion:
        if match := _TIME.match(self.text, self.at):
            self.at = match.end()
            return Ion("timestamp", _time(match))
        match = _NUMBER.match(self.text, self.at)
        if match is None or not _ENDS.match(self.text, match.end()):
            raise BadIon("a number or a timestamp that does not read")
        self.at = match.end()
        if len(match[0]) > _INTEGER:
            raise BadIon(f"a number has more than {_INTEGER} digits")
        for name, base in (("hex", 16), ("bits", 2)):
            if match[name]:
                return Ion("int", int(match[name].replace("_", ""), base))
        whole, rest = match["whole"].replace("_", ""), (match["rest"] or ".")[1:].replace("_", "")
        if match["mark"] in ("e", "E"):
            return Ion("float", float(f"{whole}.{rest or '0'}e{match['power']}"))
        if match["rest"] is None and match["mark"] is None:
            return Ion("int", int(whole))
        coefficient = int(whole + rest)
        exponent = int(match["power"] or 0) - len(rest)
        return Ion("decimal", IonDecimal(coefficient, exponent, whole.startswith("-") and not coefficient))

    def _lob(self) -> Ion:
        self.at += 2
        self._spaces()
        if self.text.startswith("'''", self.at) or self.text.startswith('"', self.at):
            said = self._long() if self.text.startswith("'''", self.at) else self._quoted('"')
            self._spaces()
            if any(ord(each) > 0xFF for each in said):
                raise BadIon("a clob holds a character beyond a byte")
            found = Ion("clob", said.encode("latin-1"))
        else:
            match = _BLOB.match(self.text, self.at)
            raw = "" if match is None else "".join(match[0].split())
            self.at = self.at if match is None else match.end()
            try:
                found = Ion("blob", base64.b64decode(raw, validate=True))
            except binascii.Error:
                raise BadIon("a blob is not base64") from None
        if not self.text.startswith("}}", self.at):
            raise BadIon("a blob or a clob is not closed")
        self.at += 2
        if len(found.value) > TEXT:
            raise BadIon(f"a value has more than {TEXT} bytes")
        return found

    def _long(self) -> str:
        found: list[str] = []
        while self.text.startswith("'''", self.at):
            self.at += 3
            found.append(self._until("'''"))
            before = self.at
            self._skip()
            if not self.text.startswith("'''", self.at):
                self.at = before
        return _bounded(found)

    def _quoted(self, quote: str) -> str:
        self.at += 1
        return self._until(quote)

    def _until(self, end: str) -> str:
        found: list[str] = []
        size = 0
        while not self.text.startswith(end, self.at):
            match = _PLAIN.match(self.text, self.at)
            if match:
                piece, self.at = match[0], match.end()
            else:
                piece = self._special(is_long=len(end) == 3)
            size += len(piece)
            if size > TEXT:
                raise BadIon(f"a text has more than {TEXT} characters")
            found.append(piece)
        self.at += len(end)
        return _bounded(found)

    def _special(self, *, is_long: bool) -> str:
        here = self.text[self.at : self.at + 1]
        if not here or (not is_long and here in "\r\n") or (here < " " and here not in "\r\n\t\v\f"):
            raise BadIon("a text is not closed, or holds a control character")
        self.at += 1
        if here != "\\":
            if here == "\r":
                self._take("\n")
                return "\n"
            return here
        escape = self.text[self.at : self.at + 1]
        self.at += 1
        if escape == "\r":
            self._take("\n")
            return ""
        if escape in _DIGITS:
            digits = self.text[self.at : self.at + _DIGITS[escape]]
            self.at += _DIGITS[escape]
            if len(digits) != _DIGITS[escape] or not re.fullmatch("[0-9a-fA-F]+", digits) or int(digits, 16) > 0x10FFFF:
                raise BadIon("an escape in a text does not read")
            return chr(int(digits, 16))
        if escape not in _ESCAPES:
            raise BadIon("an escape in a text is none that Ion has")
        return _ESCAPES[escape]

    def _skip(self) -> None:
        while match := _SPACE.match(self.text, self.at):
            self.at = match.end()

    def _spaces(self) -> None:
        while self.text[self.at : self.at + 1] in (" ", "\t", "\r", "\n"):
            self.at += 1

    def _take(self, what: str) -> bool:
        if self.text.startswith(what, self.at):
            self.at += len(what)
            return True
        return False


def _bounded(pieces: list[str]) -> str:
    """One text; two escapes that are a surrogate pair are one character. Raises BadIon for half of one."""
    text = "".join(pieces)
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise BadIon("a text holds half a surrogate pair") from None


def _time(match: re.Match[str]) -> IonTime:
    parts: list[int] = [int(each) for each in match.groups()[:6] if each is not None]
    fraction: IonDecimal | None = None
    if match[7] is not None:
        fraction = IonDecimal(int(match[7]), -len(match[7]))
    offset: Any = None
    if match[8] == "Z":
        offset = 0
    elif match[8] is not None and match[8] != "-00:00":
        hours, minutes = int(match[8][1:3]), int(match[8][4:])
        if hours > 23 or minutes > 59:
            raise BadIon("a timestamp has an offset that does not exist")
        offset = (hours * 60 + minutes) * (-1 if match[8][0] == "-" else 1)
    return time_at(tuple(parts), offset, fraction, is_utc=False)
