"""What a board reads first: three sentences, who checked with which program, room for a signature, and what each defect
concerns (docs/verifier.md, «The report»)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from verifier.errors import Code, ExitStatus, Place
from verifier.telling.acts import NAMES
from verifier.telling.attested import reserved
from verifier.telling.messages import LANGUAGES, reason_sentence
from verifier.telling.result import Result

VERSION = "0.1.0"
"""Of the verifier."""
AUDITS = frozenset({"bundle"})
"""Commands whose result is about a whole log."""
_LAST_MOMENT = 253_402_300_800_000
"""The year 10000, in milliseconds."""
_HISTORY = {
    ExitStatus.VERIFIED: (
        "The {} entries shown are those that the log's key signed, in their order; none was changed, taken out or put in.",
        "所示 {} 个条目均为日志密钥签署的内容，次序完整，未被更改、删除或插入。",
    ),
    ExitStatus.UNWITNESSED: (
        "The {} entries shown are those that the log's key signed, but too few witnesses vouch that all were shown the same.",
        "所示 {} 个条目均为日志密钥签署的内容，但见证方不足，不能证明所有人看到的内容相同。",
    ),
    ExitStatus.REFUTED: (
        "Of the {} entries shown something is wrong. Defects: {}; what each concerns is listed below.",
        "所示 {} 个条目存在问题：共发现 {} 处缺陷，下文逐项列明所涉内容。",
    ),
    ExitStatus.COULD_NOT_CHECK: ("The question could not be answered.", "无法得出结论。"),
}
_WITHDRAWN = {
    "none": (
        "Accesses allowed after a withdrawal or otherwise against the rules: 0. {} allowed and {} denied were decided again.",
        "撤回后允许的访问，或其他违反规则的允许：0。共 {} 次允许、{} 次拒绝，每一次均依据条目重新判定。",
    ),
    "part": (
        "None of the {} allowed and {} denied accesses that could be decided again is against the rules; not all could be.",
        "在能够重新判定的 {} 次允许、{} 次拒绝中，没有撤回后或其他违反规则的允许；但并非全部内容都能核验。",
    ),
    "some": (
        "Steps or decisions that the rules do not give: {}; each stands below with what the rules give.",
        "规则所不允许的步骤或决定：{} 项，下文逐项列明依规则应得的结果。",
    ),
    "unknown": (
        "Whether an access was allowed after a withdrawal was not examined.",
        "是否有撤回后允许的访问：未核验。",
    ),
}
_OPEN = {
    "nothing": ("Nothing was left out of the check.", "没有遗漏任何核验。"),
    "some": (
        "Left open: {} things that could not be checked; {} findings about participants, which say nothing against the log.",
        "尚未确定：{} 项无法核验；另有 {} 项涉及参与方的发现，不影响对日志的结论。",
    ),
}
LABELS = {
    "conclusion": ("Conclusion", "结论"),
    "subject": ("Subject", "审计对象"),
    "made": ("Report made (UTC)", "报告时间（UTC）"),
    "program": ("Verifier", "核验程序"),
    "program hash": ("SHA-256 of the verifier", "核验程序 SHA-256"),
    "auditor": ("Auditor", "审计人"),
    "organisation": ("Organisation", "所属机构"),
    "signed": ("Place, date, signature", "地点、日期、签名"),
    "appendix": ("Appendix: codes, places, keys, inputs", "附录：代码、位置、密钥、输入文件"),
    "concerns": ("What it concerns, as the entry says", "所涉内容（依条目自述）"),
    "what kind": ("What", "内容"),
    "share": ("Share of the largest", "与最大值之比"),
    "file": ("File", "文件"),
    "consent": ("consent {}", "授权 {}"),
    "moment": ("{} UTC", "{}（UTC）"),
    "unreadable": ("The entry cannot be read.", "条目无法读取。"),
    "whole": ("The log as a whole.", "整个日志。"),
}


def conclusion(result: Result, language: str) -> list[str]:
    """Three sentences about an audit of a log: its history, its decisions, what is left open; and of
    attested history that it is none of these. None for another command."""
    if result.command not in AUDITS or result.code is None:
        return []
    found, at = result.findings, LANGUAGES.index(language)
    entries = f"{found.kinds.total():,}"
    first = _HISTORY[result.status][at].format(entries, f"{found.count:,}")
    allowed, denied = found.decisions.get("allow", 0), found.decisions.get("deny", 0)
    wrong = found.by_code.get(str(Code.CONSENT_INVALID), 0)
    if wrong:
        second = _WITHDRAWN["some"][at].format(f"{wrong:,}")
    elif result.status in (ExitStatus.REFUTED, ExitStatus.COULD_NOT_CHECK) or not found.acts:
        second = _WITHDRAWN["unknown"][at]
    else:
        second = _WITHDRAWN["part" if found.not_checked else "none"][at].format(f"{allowed:,}", f"{denied:,}")
    more = [reserved(result.attested, language)] if result.attested else []
    if not found.not_checked and not found.disputed:
        return [first, second, _OPEN["nothing"][at], *filter(None, more)]
    left = _OPEN["some"][at].format(f"{found.not_checked:,}", f"{found.disputed:,}")
    return [first, second, left, *filter(None, more)]


def label_of(name: str, language: str) -> str:
    """A label of the cover."""
    return LABELS[name][LANGUAGES.index(language)]


def named(counts: Mapping[str, int], language: str) -> dict[str, int]:
    """Counts by a name that people read; a code without one keeps it."""
    found: dict[str, int] = {}
    for code, count in counts.items():
        words = NAMES.get(code, ("", ""))[LANGUAGES.index(language)] or reason_sentence(code, language) or code
        found[words] = found.get(words, 0) + count
    return found


def concern_words(place: Place, result: Result, language: str) -> str:
    """What a defect at this place concerns: the act, the bank and app by name, the consent, the moment."""
    if place.index is None:
        return label_of("whole", language)
    concern = result.concerned.get(place.index)
    if concern is None:
        return label_of("unreadable", language)
    at = LANGUAGES.index(language)
    kind = NAMES.get(concern.kind, (concern.kind, concern.kind))[at]
    act = NAMES[concern.act][at] if concern.act in NAMES else f"{kind} ({concern.act})" if concern.act else kind
    known = {party.id: party.name for party in result.parties}
    said = [act, " – ".join(known.get(name, name) for name in concern.parties)]
    if concern.consent:
        said.append(label_of("consent", language).format(concern.consent))
    if 0 <= concern.time < _LAST_MOMENT:
        moment = datetime.fromtimestamp(concern.time / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
        said.append(label_of("moment", language).format(moment))
    return ("；" if language == "zh" else "; ").join(filter(None, said))


def cover(result: Result, language: str) -> list[tuple[str, str]]:
    """What was audited, when, by which program."""
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    subject = next((value for _, value in result.facts), "")
    rows = [
        ("subject", subject),
        ("made", made),
        ("program", f"consent-verify {VERSION}"),
        ("program hash", program_hash()),
    ]
    return [(label_of(name, language), value) for name, value in rows if value]


@cache
def program_hash() -> str:
    """SHA-256 (hex) of this program: over `path NUL sha256(file) LF` of its Python files and its page, by path; else of the
    archive."""
    top = Path(__file__).resolve().parents[1]
    if not top.is_dir():
        archive = next(one for one in top.parents if one.is_file())
        return hashlib.sha256(archive.read_bytes()).hexdigest()
    whole = hashlib.sha256()
    parts = (path for form in ("*.py", "*.typ") for path in top.rglob(form))
    for path in sorted(parts, key=lambda one: one.relative_to(top).as_posix()):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        whole.update(f"{path.relative_to(top).as_posix()}\0{digest}\n".encode())
    return whole.hexdigest()
