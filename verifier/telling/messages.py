"""The verifier's words in English and Chinese. Codes stay the same in every language: they are quoted."""

from __future__ import annotations

import locale
import os

from verifier.errors import Place
from verifier.records.reasons import FINDINGS, REASONS
from verifier.telling.chinese import COUNTED, SENTENCES

LANGUAGES = ("en", "zh")

CODES: dict[str, tuple[str, str]] = {
    "VALID": ("All checks passed.", "全部核验均已通过。"),
    "VALID_UNWITNESSED": (
        "All checks passed, but fewer witnesses have cosigned than your policy asks for.",
        "全部核验均已通过，但联署的见证方少于您的策略所要求的数量。",
    ),
    "ERASED": (
        "The body was erased, and an erasure document in the log says so.",
        "正文已被删除，且日志中有相应的删除文件。",
    ),
    "BAD_ENCODING": (
        "Bytes are not in the one accepted spelling: somebody changed them, or they were never right.",
        "字节不是唯一允许的写法：被人改动过，或者从一开始就不正确。",
    ),
    "BAD_SIGNATURE": ("A signature does not verify, or its key is unknown.", "签名核验未通过，或其密钥未知。"),
    "BAD_PROOF": ("A Merkle proof, tile or root does not fit.", "默克尔证明、瓦片或根哈希不相符。"),
    "BAD_CHAIN": (
        "The order of the log is broken: an index, a link, a sequence number or a reused identity.",
        "日志的次序被破坏：序号、链接、链内序号有误，或身份被重复使用。",
    ),
    "BAD_COMMITMENT": (
        "Evidence and opening do not give the commitment in the log.",
        "证据与开启值不能得出日志中的承诺。",
    ),
    "EQUIVOCATION": (
        "The log signed two different histories. This is proof of misconduct.",
        "日志签署了两份不同的历史。这是不当行为的证据。",
    ),
    "ROLLBACK": ("The log is smaller than it was before.", "日志比以前变小了。"),
    "INCOMPLETE": ("What is shown does not cover all that is claimed.", "所示内容没有涵盖其声称的全部范围。"),
    "UNMATCHED": (
        "The ledger recorded a release or receipt that belongs to no allowed access, or one twice; or its own report is wrong.",
        "账本记录了不属于任何获准访问的提供或接收，或同一方重复记录；或账本自己的对账报告有误。",
    ),
    "DISPUTED": (
        "Two participants differ, one says nothing, or a bill or a history is wrong. The log records truly what each said.",
        "双方的说法不一致、一方没有记录，或用量单、声明的历史记录与条目不符。日志如实记录了各方的说法。",
    ),
    "CONSENT_INVALID": (
        "The ledger recorded a step or decision that the rules do not give.",
        "账本记录了规则所不允许的步骤或决定。",
    ),
    "TIME_INVALID": ("Times run backwards or leave their bounds.", "时间倒退或超出界限。"),
    "BODY_MISSING": ("Evidence is missing although no erasure explains it.", "证据缺失，且没有删除文件可以解释。"),
    "POLICY_REJECTED": (
        "A key was used outside the time it was valid, its owner was suspended, or your policy forbids it.",
        "密钥在有效期之外被使用、其所有者已被暂停资格，或您的策略不允许。",
    ),
    "KEY_COMPROMISED": (
        "The checkpoint rests on a log key that somebody else may have signed with, and no quorum of witnesses vouches for it.",
        "该检查点仅由一把可能被他人使用的日志密钥签署，且没有足够的见证方为其作证。",
    ),
}

ADVICE: dict[str, tuple[str, str]] = {
    "VALID": ("Nothing to do. Keep the report with the checkpoint.", "无需处理。请将报告与检查点一并保存。"),
    "VALID_UNWITNESSED": (
        "Ask for a newer receipt or bundle, or for the witnesses' cosignatures.",
        "请索取更新的回执或审计包，或索取见证方的联署。",
    ),
    "ERASED": ("The proof still holds; the content is gone by law.", "证明仍然成立；内容已依法删除。"),
    "EQUIVOCATION": (
        "Keep both checkpoints and the evidence file; tell the regulator and the witnesses.",
        "请保存两个检查点和证据文件，并通知监管机构与见证方。",
    ),
    "ROLLBACK": (
        "Keep your state file; ask the operator for the newer checkpoint.",
        "请保存您的状态文件，并向运营方索取更新的检查点。",
    ),
    "KEY_COMPROMISED": (
        "Ask for the same with a checkpoint of the log's present key, or with the witnesses' cosignatures.",
        "请索取由日志现用密钥签署、或带有见证方联署的检查点。",
    ),
    "UNMATCHED": (
        "Ask the operator why it was accepted. The entry says which participant signed it; nothing else rests on it.",
        "请向运营方询问为何接受该记录。由哪一方签署见该条目；其他内容不以其为依据。",
    ),
    "DISPUTED": (
        "This is between the participants named: ask both for their records. It is no reason to doubt the log or anybody else.",
        "这是所列参与方之间的事：请向双方索取各自的记录。这不构成怀疑日志或其他任何一方的理由。",
    ),
    "": (
        "Do not rely on the entries named. Keep the input as it is and ask the operator for a fresh copy.",
        "请勿依赖所列条目。原样保存输入文件，并向运营方索取新的副本。",
    ),
}

WORDS: dict[str, tuple[str, str]] = {
    "VERIFIED": ("VERIFIED", "已核验"),
    "REFUTED": ("REFUTED", "未通过"),
    "COULD NOT CHECK": ("COULD NOT CHECK", "无法核验"),
    "IN PART": ("VALID, NOT ALL CHECKED", "有效，但未全部核验"),
    "EXPLAINED": ("EXPLANATION", "说明"),
    "shown valid": (
        "Everything that could be checked holds. Not everything could be checked.",
        "能够核验的内容均成立，但并非全部内容都能核验。",
    ),
    "shown unwitnessed": (
        "Everything that could be checked holds. Not everything could be, and fewer witnesses have cosigned than you ask for.",
        "能够核验的内容均成立，但并非全部内容都能核验，且联署的见证方少于您的策略所要求的数量。",
    ),
    "sandbox": (
        "This log is a sandbox: nothing in it happened to anybody.",
        "此日志为沙箱：其中内容均非真实发生。",
    ),
    "left": ("Not checked: {}; what and why is listed below.", "未核验：{} 项；内容与原因见下文。"),
    "differ": (
        "Findings about participants: {}. They say nothing against the log.",
        "涉及参与方的发现：{} 项，不影响对日志的结论。",
    ),
    "disputes": ("Findings about participants", "涉及参与方的发现"),
    "UNWITNESSED": ("VALID, BUT UNWITNESSED", "有效，但见证不足"),
    "log": ("Log", "日志"),
    "new key": ("New key of the log", "日志的新密钥"),
    "vouched": ("Vouched for by", "由此密钥担保"),
    "sizes from": ("for checkpoints of this size and above:", "适用于不小于此规模的检查点："),
    "add lines": (
        "The log changed its key and proved it by its own documents. Put these lines into the policy beside the old ones:",
        "日志已更换密钥，并以其自身的文件予以证明。请在策略中原有各行之外加入以下各行：",
    ),
    "entries": ("Entries", "条目"),
    "checkpoint": ("Checkpoint", "检查点"),
    "evidence": ("Evidence", "证据"),
    "checked": ("What was checked", "已核验"),
    "unchecked": ("What was NOT checked", "未核验"),
    "defects": ("Defects", "缺陷"),
    "notices": ("Notices", "提示"),
    "first": ("First bad entry", "首个有问题的条目"),
    "last_good": ("Last good entry", "最后一个完好的条目"),
    "expected": ("expected", "应为"),
    "found": ("found", "实为"),
    "witnesses": ("Witnesses", "见证方"),
    "none": ("none", "无"),
    "nothing": ("Nothing was left out.", "没有遗漏。"),
    "more": ("more", "更多"),
    "place": ("Place", "位置"),
    "code": ("Code", "代码"),
    "what": ("What is wrong", "问题"),
    "inputs": ("Inputs", "输入文件"),
    "title": ("Audit of a consent ledger", "授权账本审计"),
    "events": ("Entries per day", "每日条目"),
    "kinds": ("By kind", "按类别"),
    "acts": ("By act", "按行为"),
    "decisions": ("Decisions", "决定"),
    "reasons": ("Reasons for denial", "拒绝理由"),
    "backend": ("Signature code", "签名程序"),
    "level": ("Level", "级别"),
    "quorum": ("quorum met", "达到所需见证数"),
    "uncounted": ("Witnesses that cannot be counted (ML-DSA-44)", "无法计入的见证方（ML-DSA-44）"),
    "below": ("below the quorum", "未达到所需见证数"),
    "from": ("from", "自"),
    "to": ("to", "至"),
    "denied": ("denied", "已拒绝"),
    "period": ("Period", "时段"),
    "count": ("Count", "数量"),
    "resumed": ("resumed at entry", "从条目继续"),
    "advice": ("What to do", "建议"),
    "story": ("The story of consent", "授权的经过"),
    "by": ("by", "由"),
    "pack": ("Evidence pack", "证据包"),
    "items": ("Items here / in the pack", "现有项 / 包内总项"),
    "withheld": ("Items withheld", "未提供的项"),
    "for": ("for", "代表"),
    "word": ("somebody's word, which nothing here can prove", "仅为一方之言，此处无法证明"),
    "complete": ("Complete up to entry", "完整至条目"),
    "signers": ("Participants / keys / delegations", "参与方 / 密钥 / 委托"),
    "parties": (
        "Who could sign: is every key and every delegation theirs?",
        "谁可以签名：每个密钥和委托都是其本人的吗？",
    ),
    "participant": ("Participant", "参与方"),
    "roles": ("Roles", "角色"),
    "keys": ("Keys", "密钥"),
    "history": ("Attested history", "声明的历史记录"),
    "certificate": ("Conformance certificate", "符合性证书"),
    "valid until": ("valid until", "有效期至"),
    "expired": ("expired before the last entry", "在最后一个条目之前已过期"),
    "delegates": ("May be signed for by", "可由其代签"),
    "since": ("since entry", "自条目"),
    "until": ("until entry", "至条目"),
    "registered": ("registered", "已注册"),
    "suspended": ("suspended", "已暂停资格"),
    "removed": ("removed", "已移除"),
    "no report": ("The bundle holds no report.", "审计包中没有报表。"),
    "no score": ("The bundle holds no score.", "审计包中没有评分。"),
    "not issued": ("not issued", "未出具"),
    "report refuted": ("REFUTED: the entries give other figures", "未通过：条目得出的数字不同"),
    "report open": ("not checked: it rests on what could not be read", "未核验：所依内容无法读取"),
    "report holds": ("as the entries give it", "与条目所得一致"),
    "report computed": ("computed from the entries", "由条目算出"),
    "shards": ("Shards", "分片"),
    "shard": ("Committed head of the shard", "已承诺的分片日志头"),
    "part": ("{}, {} entries, {} defects, {} not checked", "{}，{} 个条目，{} 处缺陷，{} 项未核验"),
    "at entry": ("entry {}", "条目 {}"),
    "at line": ("line {}", "第 {} 行"),
    "at field": ("field {}", "字段 {}"),
    "input": ("input", "输入"),
}


def counted(text: str, language: str) -> str:
    """A count of things checked or not checked."""
    return COUNTED.get(text, text) if language == "zh" else text


def default_language() -> str:
    """The reader's language from the environment: zh for Chinese locales, else en."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return "zh" if os.environ[name].lower().startswith("zh") else "en"
    return "zh" if (locale.getlocale()[0] or "").lower().startswith(("zh", "chinese")) else "en"


def word(name: str, language: str) -> str:
    """A label."""
    return WORDS[name][LANGUAGES.index(language)]


def label(name: str, language: str) -> str:
    """A label with the colon that parts it from what follows."""
    return word(name, language) + ("：" if language == "zh" else ": ")


def code_sentence(code: str, language: str) -> str:
    """The meaning of a verdict code."""
    return CODES[code][LANGUAGES.index(language)]


def reason_sentence(reason: str, language: str) -> str:
    """The meaning of a reason for a denial, or of a finding of a reconciliation; empty for an unknown one."""
    return {**REASONS, **FINDINGS}.get(reason, ("", ""))[LANGUAGES.index(language)]


def advice(code: str, language: str) -> str:
    """The advice to the reader."""
    return ADVICE.get(code, ADVICE[""])[LANGUAGES.index(language)]


def located(place: Place, language: str) -> str:
    """A defect's place; in English as `str(place)` words it."""
    parts = [place.log] if place.log else []
    if place.index is not None:
        parts.append(word("at entry", language).format(place.index))
    if place.file is not None:
        parts.append(place.file if place.line is None else f"{place.file}:{place.line}")
    elif place.line is not None:
        parts.append(word("at line", language).format(place.line))
    if place.field is not None:
        parts.append(word("at field", language).format(place.field))
    return ("，" if language == "zh" else ", ").join(parts) or word("input", language)


def first_bad(index: int | None, language: str, log: str = "") -> str:
    """The first entry that a defect names, and how far all is well: of this log, where there are several."""
    part = "；" if language == "zh" else "; "
    good = f"{part}{label('last_good', language)}{index - 1}" if index else ""
    where = log and f"{log}{'，' if language == 'zh' else ', '}"
    return f"{label('first', language)}{where}{'–' if index is None else index}{good}"


def sentence(text: str, language: str) -> str:
    """A defect's sentence; those without a translation stay in English."""
    return SENTENCES.get(text, text) if language == "zh" else text
