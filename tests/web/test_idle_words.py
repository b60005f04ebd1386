"""Nothing of the pages is idle: every sentence of the catalogues is said somewhere, every rule of a style sheet can apply.

A key may be put together where it is asked for (`"finding." ~ code`): then each part that is put in must itself be written
somewhere in the product, between two dots of the key. Keys by a code of the ledger (`words.code("why", reason)`) are exactly
the codes that there are.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import jinja2
import pytest
from jinja2 import nodes

from api.web.locale import CATALOGUES, DEFAULT
from ledger.documents import Document
from ledger.entries.acts import ACTS
from ledger.entries.asserted import ASSERTED
from ledger.policy.reasons import Reason

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "api" / "web"
ANY = "\0"
"""Where something is put into a key."""
REASONS = {*Reason, *ASSERTED}
RECORDED = {*ACTS, "consent.expire"}
CODED = {
    "act": RECORDED,
    "cact": RECORDED | {str(kind.__struct_config__.tag) for kind in get_args(Document)} | {"index-head"},
    "fix": REASONS,
    "reason": REASONS,
    "why": REASONS,
}

OUTSIDE = {"acting", "clock", "freezing", "incident", "purpose"}
"""Families of codes that others choose: we have words for the usual ones."""


def _python(node: ast.AST) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(map(_python, values))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _python(left) + _python(right)
    return ANY


def _template(node: nodes.Node) -> str:
    match node:
        case nodes.Const(value=value):
            return str(value)
        case nodes.Concat(nodes=parts):
            return "".join(map(_template, parts))
        case nodes.Add(left=left, right=right):
            return _template(left) + _template(right)
    return ANY


def _written() -> Iterator[str]:
    """Every text that code and templates hold; those of what speaks the catalogues with ANY where something is put in."""
    for path in [*(ROOT / "api").rglob("*.py"), *(ROOT / "ledger").rglob("*.py")]:
        if "locale" not in path.parts:
            source = path.read_text()
            speaks = WEB in path.parents or "from api.web.words import" in source
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp):
                    text = _python(node)
                    if ANY not in text or speaks:
                        yield text
    for path in WEB.rglob("*.html"):
        for node in (
            jinja2.Environment(autoescape=True).parse(path.read_text()).find_all((nodes.Const, nodes.Concat, nodes.Add))
        ):
            yield _template(node)
    for path in [*WEB.rglob("*.js"), *(ROOT / "ledger").rglob("*.json")]:
        yield from re.findall(r"""["'`]([\w.\-]+)["'`]""", path.read_text())


def _said() -> set[str]:
    written = set(_written())
    whole = {text for text in written if ANY not in text}
    patterns = [
        re.compile("([^.]+)".join(re.escape(part) for part in text.split(ANY)))
        for text in written
        if ANY in text and "." in text and re.search("[a-z]", text)
    ]

    def is_said(key: str) -> bool:
        family, _, code = key.partition(".")
        if family in CODED:
            return code in CODED[family]
        if family in OUTSIDE:
            return True
        if key in whole:
            return True
        if family == "did":  # did.ACT.WHO, and an act has a dot of its own
            act, _, who = code.rpartition(".")
            return code in RECORDED or (act in RECORDED and who in whole)
        found = [match.groups() for pattern in patterns if (match := pattern.fullmatch(key))]
        return any(all(part in whole or part.isdigit() for part in parts) for parts in found)

    return {key for key in CATALOGUES[DEFAULT].forms if is_said(key)}


def test_every_sentence_is_said_somewhere() -> None:
    assert set(CATALOGUES[DEFAULT].forms) - _said() == set(), "say it or delete it, in every language"


@pytest.mark.parametrize("sheet", sorted((WEB / "static").glob("*.css")), ids=lambda path: path.name)
def test_every_class_attribute_and_variable_of_a_style_sheet_is_used(sheet: Path) -> None:
    style = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
    selectors = "\n".join(one for one in re.findall(r"([^{}]+)\{", style) if not one.strip().startswith("@"))
    named = set(re.findall(r"[.#]([a-zA-Z][\w-]*)", selectors)) | set(re.findall(r"\[([\w-]+)", selectors))
    pages = [path.read_text() for path in WEB.rglob("*") if path.suffix in {".html", ".py", ".js"}]
    assert len(named) > 20
    assert named - {word for text in pages for word in re.findall(r"[\w-]+", text)} == set()
    sheets = "".join(path.read_text() for path in (WEB / "static").glob("*.css"))
    known = set(re.findall(r"(--[\w-]+)\s*:", sheets + "".join(pages)))
    used = set(re.findall(r"var\((--[\w-]+)", sheets + "".join(pages)))
    assert known == used, "a variable that nobody sets or nobody asks for"
