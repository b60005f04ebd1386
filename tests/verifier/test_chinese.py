"""Chinese as a Chinese bank writes it: its marks, and the words of the glossary (docs/glossary.md)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import verifier

CHINESE = r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]"
HALF_WIDTH = re.compile(rf"{CHINESE}[,:;?()]|[,;?()]{CHINESE}")
WORDS = {
    "见证人": "见证方",
    "法定数": "所需见证数",
    "已否定": "未通过",
    "收据": "回执",
    "擦除": "删除",
    "数据使用方": "数据接收方",
    "(?<!数据)接收方": "数据接收方",
    "(?<!数据)持有方": "数据持有方",
    "(?<!单独)同意": "授权",
}


def said() -> Iterator[tuple[str, str]]:
    """(file and line, text) of every Chinese text of the verifier."""
    root = Path(verifier.__file__).parent
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and len(re.findall(CHINESE, node.value)) > 1
            ):
                yield f"{path.relative_to(root)}:{node.lineno}", node.value


def test_sentences_have_full_width_marks() -> None:
    texts = list(said())
    assert len(texts) > 200
    assert [(place, text) for place, text in texts if HALF_WIDTH.search(re.sub(r"\{[^{}]*\}", "", text))] == []


@pytest.mark.parametrize("unwanted", WORDS)
def test_a_thing_has_the_glossarys_word(unwanted: str) -> None:
    assert [(place, text) for place, text in said() if re.search(unwanted, text)] == [], f"write {WORDS[unwanted]}"
