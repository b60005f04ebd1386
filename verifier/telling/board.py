"""What a board reads first: three sentences, who checked with which program, and room for a signature; and words for what
charts count (docs/verifier.md, «The report»)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from verifier.errors import Code, ExitStatus
from verifier.telling.messages import LANGUAGES, reason_sentence
from verifier.telling.result import Result

VERSION = "0.1.0"
"""Of the verifier."""
AUDITS = frozenset({"bundle"})
"""Commands whose result is about a whole log."""
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
        "Of the {} entries shown something is wrong: {} defects were found, and they are listed below with their places.",
        "所示 {} 个条目存在问题：共发现 {} 处缺陷，下文列明其位置。",
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
    "appendix": ("Appendix: codes, keys, inputs", "附录：代码、密钥、输入文件"),
}
_NAMES: dict[str, tuple[str, str]] = {
    "allow": ("allowed", "允许"),
    "deny": ("denied", "拒绝"),
    "consent": ("consents and accesses", "授权与访问"),
    "operator": ("operator's documents", "运营方文件"),
    "participant": ("declarations of participants", "参与方声明"),
    "subject": ("customers' own entries", "客户记录"),
    "index-head": ("index-heads", "索引头"),
    "access.request": ("access asked for", "请求访问"),
    "access.batch": ("accesses asked for together", "批量请求访问"),
    "access.release": ("data released", "提供数据"),
    "access.receive": ("data received", "接收数据"),
    "consent.request": ("consent asked for", "请求授权"),
    "consent.authorise": ("consent given", "授予授权"),
    "consent.reject": ("request declined", "拒绝授权请求"),
    "consent.revoke": ("consent withdrawn", "撤回授权"),
    "consent.pause": ("sharing paused", "暂停共享"),
    "consent.suspend": ("sharing suspended by the bank", "银行暂停共享"),
    "consent.resume": ("sharing resumed", "恢复共享"),
    "consent.amend": ("change asked for", "请求变更"),
    "consent.expire": ("consent expired", "授权到期"),
    "consent.terminate": ("consent closed", "授权关闭"),
    "consent.supersede": ("consent replaced", "授权被替代"),
    "consent.acknowledge": ("step acknowledged", "确认收到"),
    "consent.reauthenticate": ("customer confirmed with the bank", "客户向银行再次确认"),
    "consent.reconfirm": ("customer confirmed with the app", "客户向应用方再次确认"),
    "consent.withdraw_accounts": ("accounts taken out", "移除账户"),
    "consent.withdraw_approval": ("one approval withdrawn", "撤回一人授权"),
    "consent.withdraw_separate": ("separate consent withdrawn", "撤回单独同意"),
    "subject.consent": ("consent linked to its customer", "授权关联客户"),
    "subject.enrol": ("passkey added", "添加通行密钥"),
    "subject.unenrol": ("passkey removed", "移除通行密钥"),
    "subject.feedback": ("customer's feedback", "客户反馈"),
    "subject.answer": ("answer to feedback", "反馈答复"),
    "erasure": ("erasure", "删除"),
    "disclosure": ("evidence shown to an authority", "向机构提供证据"),
}


def conclusion(result: Result, language: str) -> list[str]:
    """Three sentences about an audit of a log: its history, its decisions, what is left open; none for another command."""
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
    if not found.not_checked and not found.disputed:
        return [first, second, _OPEN["nothing"][at]]
    return [first, second, _OPEN["some"][at].format(f"{found.not_checked:,}", f"{found.disputed:,}")]


def label_of(name: str, language: str) -> str:
    """A label of the cover."""
    return LABELS[name][LANGUAGES.index(language)]


def named(counts: Mapping[str, int], language: str) -> dict[str, int]:
    """Counts by a name that people read; a code without one keeps it."""
    found: dict[str, int] = {}
    for code, count in counts.items():
        words = _NAMES.get(code, ("", ""))[LANGUAGES.index(language)] or reason_sentence(code, language) or code
        found[words] = found.get(words, 0) + count
    return found


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
    """SHA-256 (hex) of this program: over `path NUL sha256(file) LF` of its Python files, by path; else of the archive."""
    top = Path(__file__).resolve().parents[1]
    if not top.is_dir():
        archive = next(one for one in top.parents if one.is_file())
        return hashlib.sha256(archive.read_bytes()).hexdigest()
    whole = hashlib.sha256()
    for path in sorted(top.rglob("*.py"), key=lambda one: one.relative_to(top).as_posix()):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        whole.update(f"{path.relative_to(top).as_posix()}\0{digest}\n".encode())
    return whole.hexdigest()
