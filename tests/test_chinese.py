"""Chinese has one word per thing in every voice: pages, verifier, explanations, demo, documents (docs/glossary.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WORDS = {
    "验证": "核验",
    "资料包": "审计包",
    "证据集": "证据包",
    "哈希块": "瓦片",
    "规则版本": "规则集",
    "收据": "回执",
    "擦除": "删除",
    "见证人": "见证方",
    "技术服务商": "技术服务方",
    "参与方停用": "参与方暂停资格",
    "撤销授权": "撤回授权",
    "公开证据": "调阅证据",
}
CODES = {"验证": "验证码"}
"""What an unwanted word may stand in: a one-time code is called so by every bank."""


def _lines() -> Iterator[tuple[str, str]]:
    """(place, line) of every line that holds Chinese."""
    paths = [
        *(ROOT / "api" / "web" / "locale").glob("zh_*/*.po"),
        *(ROOT / "docs" / "zh").rglob("*.md"),
        ROOT / "docs" / "glossary.md",
        ROOT / "api" / "demo" / "words.py",
        ROOT / "api" / "explaining" / "words.py",
        *(ROOT / "verifier").rglob("*.py"),
    ]
    for path in paths:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if re.search(r"[\u4e00-\u9fff]", line):
                yield f"{path.relative_to(ROOT)}:{number}", line


@pytest.mark.parametrize("unwanted", WORDS)
def test_a_thing_is_called_by_one_word_everywhere(unwanted: str) -> None:
    lines = list(_lines())
    assert len(lines) > 1500
    found = [(place, line) for place, line in lines if unwanted in line.replace(CODES.get(unwanted, "\0"), "")]
    assert found == [], f"write {WORDS[unwanted]}"


def test_customers_read_account_book_where_staff_read_log() -> None:
    """«日志» is what a computer keeps for its engineers; a customer's records stand in an account book (账本)."""
    folder = ROOT / "api" / "web" / "locale" / "zh_CN"
    for name in ("pages", "acts", "customer"):
        assert "日志" not in (folder / f"{name}.po").read_text("utf-8"), name


def test_the_page_and_the_verifier_say_verified_with_the_same_word() -> None:
    from verifier.telling.messages import word

    verified = word("VERIFIED", "zh")
    assert verified == "已核验"
    assert f"「{verified}」" in (ROOT / "docs" / "zh" / "verifier.md").read_text("utf-8")
