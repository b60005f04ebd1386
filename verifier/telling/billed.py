"""Statements of usage, one a line, each with what became of it when it was recounted (docs/spec/partners.md)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from verifier.rules.partners import Partners
from verifier.rules.usage import Recounted
from verifier.rules.usage_list import (
    LEFT_OUT,
    MISSING,
    NO_RELEASE,
    OTHER_MONTH,
    OTHER_PARTY,
    REFUSED,
    TWICE,
    UNDER_NONE,
    UNREADABLE,
    Listed,
)
from verifier.telling.messages import LANGUAGES

MAX_LINES = 100_000
_STATES: dict[str, tuple[str, str]] = {
    "": ("as the entries give it", "与条目所得一致"),
    "refuted": ("REFUTED, the entries give {expected}", "未通过：条目得出 {expected}"),
    "open": ("not checked: it rests on what could not be read", "未检查：所依内容无法读取"),
}
_ANSWERS: dict[str, tuple[str, str]] = {
    "agreed": ("agreed", "已获认可"),
    "disputed": ("disputed", "有异议"),
    "replaced": ("replaced by entry {later}", "已由条目 {later} 取代"),
    "": ("not answered", "尚未答复"),
}
_WRONG: dict[str, tuple[str, str]] = {
    TWICE: ("twice in the list", "在清单中出现两次"),
    OTHER_MONTH: ("of another month", "属于另一个月"),
    OTHER_PARTY: ("between other parties", "属于其他双方"),
    LEFT_OUT: ("left out by the statement itself", "用量单自己已将其剔除"),
    MISSING: ("missing in the list", "清单中缺少"),
    REFUSED: ("a refused access", "被拒绝的访问"),
    UNDER_NONE: (
        "a release that is not the first of an allowed access",
        "不是任何获准访问的首次提供",
    ),
    NO_RELEASE: ("no release", "不是提供记录"),
    UNREADABLE: ("could not be read", "无法读取"),
}
_WORDS: dict[str, tuple[str, str]] = {
    "line": (
        "{index:>8}  {holder} to {recipient}, {month}, tariff {offer}: {count} entries, {total} {currency}; {answer}; {state}",
        "{index:>8}  {holder} 致 {recipient}，{month}，资费 {offer}：{count} 个条目，{total} {currency}；{answer}；{state}",
    ),
    "unit": ("Amounts are in the minor units of their currency.", "金额以该货币的最小单位计。"),
    "none": ("The bundle shows no statement of usage.", "审计包中未见用量单。"),
    "fits": (
        "The list of {count} entries has the root that was stated.",
        "含 {count} 个条目的清单与所述的根哈希相符。",
    ),
    "fails": (
        "The list of {count} entries does NOT have the root that was stated.",
        "含 {count} 个条目的清单与所述的根哈希不符。",
    ),
    "entry": ("{index:>8}  {what}", "{index:>8}  {what}"),
    "more": ("… {count} more", "……另有 {count} 项"),
}


def told_statements(recounted: list[Recounted], partners: Partners, language: str) -> Iterator[str]:
    """One line for each."""
    side = LANGUAGES.index(language)
    if not recounted:
        yield _WORDS["none"][side]
    for one in recounted[:MAX_LINES]:
        stated = one.stated
        later = partners.latest[stated.month]
        kind = "replaced" if later != stated.index else partners.answers.get(stated.index, "")
        yield _WORDS["line"][side].format(
            index=stated.index,
            holder=stated.holder,
            recipient=stated.recipient,
            month=_month(stated.since + 60 * stated.offer.utc_offset),
            offer=stated.offer.index,
            count=stated.count,
            total=stated.total,
            currency=stated.offer.currency,
            answer=_ANSWERS[kind][side].format(later=later),
            state=_STATES[one.state][side].format(expected=one.expected),
        )
    if recounted:
        yield _WORDS["unit"][side]
    if len(recounted) > MAX_LINES:
        yield _WORDS["more"][side].format(count=len(recounted) - MAX_LINES)


def told_list(listed: Listed, root: str, language: str) -> tuple[bool, list[str]]:
    """Whether the list is the one that was stated, and the lines about it."""
    side = LANGUAGES.index(language)
    fits = listed.root() == root
    lines, count = [_WORDS["fits" if fits else "fails"][side].format(count=len(listed))], 0
    for index, what in listed.wrong():
        count += 1
        if count <= MAX_LINES:
            lines.append(_WORDS["entry"][side].format(index=index, what=_WRONG[what][side]))
    left = max(0, count - MAX_LINES) + listed.unnamed
    return fits and not count, [*lines, *([_WORDS["more"][side].format(count=left)] if left else [])]


def _month(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m") if 0 <= second < 253_402_300_800 else str(second)
