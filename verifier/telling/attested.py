"""Histories that holders attest, one a line, always told as their word (docs/spec/history.md, 5 and 6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from verifier.rules.histories import Attested
from verifier.rules.sheets import AGREES, OPEN, REFUTED, WITHDRAWN, TotalsOf
from verifier.telling.messages import LANGUAGES

MAX_LINES, MAX_FACTS = 10_000, 50
_STATES: dict[str, tuple[str, str]] = {
    AGREES: ("all its sheets are here and give what was said of them", "全部分页均在，与其所述一致"),
    REFUTED: ("REFUTED, its sheets give {expected}", "未通过：各分页得出 {expected}"),
    OPEN: (
        "not checked as a whole: {there} of {sheets} sheets are here to be read",
        "整体未核验：{sheets} 个分页中可读 {there} 个",
    ),
    WITHDRAWN: ("withdrawn by entry {withdrawn}", "已由条目 {withdrawn} 撤回"),
}
_WORDS: dict[str, tuple[str, str]] = {
    "line": (
        "{index:>8}  {party}, {code}, {kind}: {rows} rows of {people} customers ({out} left out), {first} to {last}; {state}",
        "{index:>8}  {party}，{code}，{kind}：{people} 位客户共 {rows} 行（另略去 {out} 行），{first} 至 {last}；{state}",
    ),
    "fact": (
        "{party}, {code}: {rows} rows from before, its own word",
        "{party}，{code}：此前的 {rows} 行记录，仅为其自身陈述",
    ),
    "attested": (
        "Attested history: {} rows from before this log, their holder's word. This ledger neither decided nor proves them.",
        "声明的历史记录：早于本日志的 {} 行，仅为提供方的陈述；本账本未作判定，亦不能证明。",
    ),
    "sheet": (
        "Its rows are {party}'s own records of before: it attests them; this ledger did not decide and cannot prove them.",
        "其中各行为 {party} 此前自有的记录，由其声明；本账本未作判定，亦不能证明。",
    ),
    "none": ("The bundle shows no attested history.", "审计包中未见声明的历史记录。"),
    "source": ("These are the files of the source.", "所给文件即为其来源文件。"),
    "not source": (
        "These are NOT the files of the source: {found}, and {expected} was attested.",
        "所给文件不是其来源文件：{found}，而声明的是 {expected}。",
    ),
    "files": ("{count} files with the hash {digest}", "{count} 个文件，哈希 {digest}"),
    "more": ("… {count} more", "……另有 {count} 项"),
}


def told_histories(told: list[TotalsOf], language: str) -> Iterator[str]:
    """One line for each."""
    side = LANGUAGES.index(language)
    if not told:
        yield _WORDS["none"][side]
    for one in told[:MAX_LINES]:
        attested = one.attested
        state = _STATES[one.state][side].format(
            expected=one.expected, there=one.there, sheets=attested.sheets, withdrawn=attested.withdrawn
        )
        yield _WORDS["line"][side].format(
            index=attested.index,
            party=attested.party,
            code=attested.code,
            kind=str(attested.source["kind"]).upper(),
            rows=attested.rows,
            people=attested.customers,
            first=_day(attested.first),
            last=_day(attested.last),
            out=attested.left_out,
            state=state,
        )
    if told:
        yield reserved(told, language)
    if len(told) > MAX_LINES:
        yield _WORDS["more"][side].format(count=len(told) - MAX_LINES)


def facts_of(told: Iterable[TotalsOf], language: str) -> list[str]:
    """A few words on each history that is not withdrawn, of 50 at most."""
    side = LANGUAGES.index(language)
    return [
        _WORDS["fact"][side].format(party=one.attested.party, code=one.attested.code, rows=one.attested.rows)
        for one in told
        if one.state != WITHDRAWN
    ][:MAX_FACTS]


def reserved(told: Iterable[TotalsOf], language: str) -> str:
    """The sentence that keeps attested rows apart from what the log decided; empty if there are none."""
    rows = sum(one.attested.rows for one in told if one.state != WITHDRAWN)
    return of_rows(rows, language) if rows else ""


def of_rows(rows: int, language: str) -> str:
    """The same of so many rows."""
    return _WORDS["attested"][LANGUAGES.index(language)].format(f"{rows:,}")


def word_of(party: str, language: str) -> str:
    """Whose word the rows of a sheet are."""
    return _WORDS["sheet"][LANGUAGES.index(language)].format(party=party)


def members_of(one: TotalsOf) -> dict[str, Any]:
    """A history for `--json`."""
    attested = one.attested
    return {
        "index": attested.index,
        "holder": attested.party,
        "history": attested.code,
        "title": attested.title,
        "source": attested.source["kind"],
        "rows": attested.rows,
        "customers": attested.customers,
        "first": attested.first,
        "last": attested.last,
        "left_out": attested.left_out,
        "sheets": attested.sheets,
        "there": one.there,
        "state": one.state or "agrees",
    }


def told_source(attested: Attested, count: int, digest: str, language: str) -> tuple[bool, str]:
    """Whether so many files with this hash (base64url) are those of the source, and the sentence about it."""
    side, source = LANGUAGES.index(language), attested.source
    if (count, digest) == (source["files"], source["hash"]):
        return True, _WORDS["source"][side]
    found, expected = (
        _WORDS["files"][side].format(count=many, digest=name)
        for many, name in ((count, digest), (source["files"], source["hash"]))
    )
    return False, _WORDS["not source"][side].format(found=found, expected=expected)


def _day(second: int) -> str:
    try:
        return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d}"
    except (OverflowError, OSError, ValueError):
        return str(second)
