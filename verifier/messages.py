"""What the verifier says, in English and Chinese. Codes stay as they are in every language: they are quoted."""

from __future__ import annotations

import locale
import os

LANGUAGES = ("en", "zh")

CODES: dict[str, tuple[str, str]] = {
    "VALID": ("All checks passed.", "全部检查均已通过。"),
    "VALID_UNWITNESSED": (
        "All checks passed, but fewer witnesses have cosigned than your policy asks for.",
        "全部检查均已通过,但联署的见证人少于您的策略所要求的数量。",
    ),
    "ERASED": (
        "The body was erased, and an erasure document in the log says so.",
        "正文已被删除,且日志中有相应的删除文件。",
    ),
    "BAD_ENCODING": (
        "Bytes are not in the one accepted spelling: somebody changed them, or they were never right.",
        "字节不是唯一允许的写法:被人改动过,或者从一开始就不正确。",
    ),
    "BAD_SIGNATURE": ("A signature does not verify, or its key is unknown.", "签名验证失败,或其密钥未知。"),
    "BAD_PROOF": ("A Merkle proof, tile or root does not fit.", "默克尔证明、分块或根哈希不相符。"),
    "BAD_CHAIN": (
        "The order of the log is broken: an index, a link, a sequence number or a reused identity.",
        "日志的次序被破坏:序号、链接、链内序号有误,或身份被重复使用。",
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
        "An access lacks one of its legs, or the figures of holder and recipient differ.",
        "某次访问缺少一方的记录,或双方的数字不一致。",
    ),
    "CONSENT_INVALID": (
        "The ledger recorded a step or decision that the rules do not give.",
        "账本记录了规则所不允许的步骤或决定。",
    ),
    "TIME_INVALID": ("Times run backwards or leave their bounds.", "时间倒退或超出界限。"),
    "BODY_MISSING": ("Evidence is missing although no erasure explains it.", "证据缺失,且没有删除文件可以解释。"),
    "POLICY_REJECTED": (
        "A key was used outside the time it was valid, its owner was suspended, or your policy forbids it.",
        "密钥在有效期之外被使用、其所有者已被暂停,或您的策略不允许。",
    ),
}

ADVICE: dict[str, tuple[str, str]] = {
    "VALID": ("Nothing to do. Keep the report with the checkpoint.", "无需处理。请将报告与检查点一并保存。"),
    "VALID_UNWITNESSED": (
        "Ask for a newer receipt or bundle, or for the witnesses' cosignatures.",
        "请索取更新的回执或资料包,或索取见证人的联署。",
    ),
    "ERASED": ("The proof still holds; the content is gone by law.", "证明仍然成立;内容已依法删除。"),
    "EQUIVOCATION": (
        "Keep both checkpoints and the evidence file; tell the regulator and the witnesses.",
        "请保存两个检查点和证据文件,并通知监管机构与见证人。",
    ),
    "ROLLBACK": (
        "Keep your state file; ask the operator for the newer checkpoint.",
        "请保存您的状态文件,并向运营方索取更新的检查点。",
    ),
    "": (
        "Do not rely on the entries named. Keep the input as it is and ask the operator for a fresh copy.",
        "请勿依赖所列条目。原样保存输入文件,并向运营方索取新的副本。",
    ),
}

WORDS: dict[str, tuple[str, str]] = {
    "VERIFIED": ("VERIFIED", "已验证"),
    "REFUTED": ("REFUTED", "已否定"),
    "COULD NOT CHECK": ("COULD NOT CHECK", "无法检查"),
    "UNWITNESSED": ("VALID, BUT UNWITNESSED", "有效,但见证不足"),
    "log": ("Log", "日志"),
    "entries": ("Entries", "条目"),
    "checkpoint": ("Checkpoint", "检查点"),
    "evidence": ("Evidence", "证据"),
    "checked": ("What was checked", "已检查"),
    "unchecked": ("What was NOT checked", "未检查"),
    "defects": ("Defects", "缺陷"),
    "notices": ("Notices", "提示"),
    "first": ("First bad entry", "首个有问题的条目"),
    "last_good": ("Last good entry", "最后一个完好的条目"),
    "expected": ("expected", "应为"),
    "found": ("found", "实为"),
    "witnesses": ("Witnesses", "见证人"),
    "none": ("none", "无"),
    "nothing": ("Nothing was left out.", "没有遗漏。"),
    "more": ("more", "更多"),
    "place": ("Place", "位置"),
    "code": ("Code", "代码"),
    "what": ("What is wrong", "问题"),
    "inputs": ("Inputs", "输入文件"),
    "title": ("Audit of a consent ledger", "授权同意账本审计"),
    "events": ("Entries per day", "每日条目"),
    "kinds": ("By kind", "按类别"),
    "acts": ("By act", "按行为"),
    "decisions": ("Decisions", "决定"),
    "reasons": ("Reasons for denial", "拒绝理由"),
    "backend": ("Signature code", "签名程序"),
    "level": ("Level", "级别"),
    "quorum": ("quorum met", "达到法定数"),
    "below": ("below the quorum", "未达法定数"),
    "from": ("from", "自"),
    "to": ("to", "至"),
    "denied": ("denied", "已拒绝"),
    "period": ("Period", "时段"),
    "count": ("Count", "数量"),
    "resumed": ("resumed at entry", "从条目继续"),
    "advice": ("What to do", "建议"),
    "story": ("The story of consent", "同意记录的经过"),
    "by": ("by", "由"),
    "pack": ("Evidence pack", "证据包"),
    "items": ("Items here / in the pack", "现有项 / 包内总项"),
    "withheld": ("Items withheld", "未提供的项"),
    "complete": ("Complete up to entry", "完整至条目"),
}

SENTENCES: dict[str, str] = {
    "the entry is not the one of the tree": "该条目与树中的不符",
    "the leaf has another index than its place": "叶子的序号与其位置不符",
    "the leaf does not name the hash of the one before it": "叶子没有指向前一条目的哈希",
    "the leaf does not name the hash of its chain's last leaf": "叶子没有指向本链上一叶子的哈希",
    "the chain has a gap or a repetition": "链中有缺口或重复",
    "the time runs backwards": "时间倒退",
    "the rules give another decision": "按规则应作出不同的决定",
    "the rules lead to another state": "按规则应进入不同的状态",
    "the entries do not give the signed root": "条目不能得出所签署的根哈希",
    "evidence and opening do not give the commitment of the leaf": "证据与开启值不能得出叶子的承诺",
    "the evidence is missing and no erasure names its chain": "证据缺失,且没有删除文件提及其链",
    "the statement's (iss, jti) was used before": "声明的 (iss, jti) 已被使用过",
    "the key was revoked before": "密钥此前已被撤销",
    "the signer is suspended": "签署方已被暂停",
    "the key belongs to another participant": "密钥属于另一参与方",
    "the key of the statement is not registered": "声明的密钥未登记",
    "the Ed25519 signature does not verify": "Ed25519 签名验证失败",
    "the statement was not made within 300 s of the entry": "声明的时间与条目相差超过 300 秒",
    "the completeness map is not that of the leaves before it": "完整性映射与之前的叶子不符",
    "a tile is missing": "缺少分块",
    "an entry bundle is missing": "缺少条目包",
    "the bytes are not the canonical spelling": "字节不是规范写法",
    "a file that does not belong to a bundle of this size": "文件不属于这种规模的资料包",
    "the receipt is not that of an index-head": "该收据不是索引头的收据",
    "the index-head does not cover all leaves before it": "索引头没有涵盖之前的全部叶子",
    "the map proof does not lead to the root": "映射证明不能得出根哈希",
    "a leaf that is shown is not the one that the chain names": "所示叶子不是链所指的叶子",
    "leaves of the chain are not shown: give their receipts too": "链中有叶子未出示:请一并提供其收据",
    "the file is about another chain than the one asked for": "该文件涉及的链与所问的不同",
    "the authorisation stands in no subject chain": "该授权不在任何主体链中",
}


COUNTED: dict[str, str] = {
    "map proofs": "映射证明",
    "leaves of the chain": "链的叶子",
    "access decisions": "访问决定",
    "checkpoint signatures": "检查点签名",
    "companions of authorisations": "授权的伴随记录",
    "completeness maps": "完整性映射",
    "consent transitions": "同意状态变更",
    "entries": "条目",
    "evidence bodies": "证据正文",
    "identities (iss, jti)": "身份 (iss, jti)",
    "legs of accesses": "访问的双方记录",
    "operator documents": "运营方文件",
    "signed statements": "已签署的声明",
    "tiles": "分块",
    "passkey confirmations": "通行密钥确认",
    "inclusion proof": "包含证明",
    "record of the pack in the log": "日志中的证据包记录",
    "items in the pack's tree": "证据包树中的项",
    "items withheld from this copy of the pack": "此份证据包中未提供的项",
    "the entry's content (not disclosed by this receipt)": "条目内容(此回执未披露)",
    "the participant's signature (give --bundle to learn the participants' keys)": (
        "参与方的签名(请用 --bundle 提供资料包以获知参与方的密钥)"
    ),
    "whose keys these are (give --policy)": "这些密钥属于谁(请用 --policy 指定策略)",
    "commitment": "承诺",
    "statement signature": "声明签名",
    "growth since the trusted checkpoint": "自可信检查点以来的增长",
    "evidence withheld": "未披露的证据",
    "evidence erased, as an erasure document says": "已依删除文件删除的证据",
    "evidence that was refused (see the defects)": "被拒绝的证据(见缺陷)",
    "index-heads after a damaged entry": "损坏条目之后的索引头",
    "authorisations whose companion may be withheld": "伴随记录可能未披露的授权",
    "entries of consents whose state is unknown since an entry was withheld, erased or unreadable": (
        "因有条目未披露、已删除或无法读取而状态未知的同意的条目"
    ),
    "signatures of statements (left out on request)": "声明签名(按要求略过)",
    "evidence and rules (left out on request)": "证据与规则(按要求略过)",
}


def counted(text: str, language: str) -> str:
    """What was counted as checked or not checked."""
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


def code_sentence(code: str, language: str) -> str:
    """What a verdict code says."""
    return CODES[code][LANGUAGES.index(language)]


def advice(code: str, language: str) -> str:
    """What a reader should do about it."""
    return ADVICE.get(code, ADVICE[""])[LANGUAGES.index(language)]


def sentence(text: str, language: str) -> str:
    """A defect's sentence; those without a translation stay in English."""
    return SENTENCES.get(text, text) if language == "zh" else text
