"""Sentences of defects and of counts in Chinese, by the English text."""

from __future__ import annotations

from verifier.telling.chinese_3 import COUNTED_3, SENTENCES_3

SENTENCES: dict[str, str] = {
    "no signature by a known key, but a line by another key of the same name: if the log changed its key, "
    "«consent-verify log» leads to the new one, and so does --bundle beside a receipt or a pack": (
        "没有已知密钥的签名，但有一行使用同名的另一密钥：如日志已更换密钥，可用 consent-verify log 得到新密钥；"
        "核验回执或证据包时也可加 --bundle"
    ),
    "somebody else may have a key of this log, which therefore leads to no later one: get the present key from the "
    "operator by another way than the log": (
        "该日志的密钥可能已被他人掌握，因此不能由它得到后续密钥：请以日志之外的途径向运营方索取现用密钥"
    ),
    "signed by a key of the log's name that your policy does not list, and the log leads there from none that it lists: if "
    "the operator changed the key, get the verifier key by another way, and add its line to the policy beside the old one": (
        "由一把与日志同名、但您的策略未列出的密钥签署，且日志不能由策略所列密钥引出该密钥："
        "如运营方更换过密钥，请以其他途径取得核验密钥，并在策略中原有行之外加入该行"
    ),
    "the entry is no document about a key of the log": "该条目不是关于日志密钥的文件",
    "the document is not the entry of the log that it is said to be": "该文件不是其所称的日志条目",
    "the receipt is not that of an index-head": "该回执不是索引头的回执",
    "the index-head does not cover all leaves before it": "索引头没有涵盖之前的全部叶子",
    "the map proof does not lead to the root": "映射证明不能得出根哈希",
    "a leaf that is shown is not the one that the chain names": "所示叶子不是链所指的叶子",
    "leaves of the chain are not shown: give their receipts too": "链中有叶子未出示：请一并提供其回执",
    "two different entries stand at one place of a chain": "链的同一位置上有两个不同的条目",
    "the log has two different entries of one index": "日志的同一序号有两个不同的条目",
    "the log signed two roots for one size": "日志为同一规模签署了两个根哈希",
    "the log signed two histories: this tree does not begin the other one": "日志签署了两段历史：此树不是另一树的开头",
    "the index-head leaves out an entry of the chain": "索引头遗漏了链中的一个条目",
    "the log goes on above the index-head: entries there are not covered": "索引头之后日志还有条目，不在涵盖范围内",
    "a receipt of another log": "另一日志的回执",
    "the entry is younger than the witnesses' signatures over the tree that holds it": "条目的时间晚于见证方对包含它的树的签名",
    "the entry is older than the witnesses' signatures over the tree that did not hold it yet": (
        "条目的时间早于见证方对尚未包含它的树的签名"
    ),
    "a name occurs twice in the zip": "压缩包中有重名文件",
    "not a regular file: a link, a pipe or a device": "不是普通文件，而是链接、管道或设备",
    "bytes before the first member of the zip": "压缩包的首个文件之前另有字节",
    "a folder with content": "目录项带有内容",
    "an evidence file without lines": "证据文件中没有任何一行",
    "the last line has no end": "最后一行没有换行符",
    "most entry bundles are missing: no entry was looked at": "大部分条目包缺失：未核验任何条目",
    "an evidence line out of order or in the wrong file": "证据行次序有误或位于错误的文件",
    "a request file without lines": "请求原文文件中没有任何一行",
    "a request line out of order or in the wrong file": "请求原文行次序有误或位于错误的文件",
    "a request text for an entry that names none": "为未载明请求原文的条目提供了请求原文",
    "the request text has another hash than the terms name": "请求原文的哈希与条款所载不同",
    "the terms are not what the request asks for": "条款与请求原文所求不符",
    "the request gives no terms": "该请求原文不能得出任何条款",
    "an evidence line for a leaf that has none": "为不应有证据的叶子提供了证据行",
    "the proof of a receipt has no extra data: nobody vouches for them": "回执的证明不得带有附加数据：无人为其作保",
    "the file is about another chain than the one asked for": "该文件涉及的链与所问的不同",
    # legs of accesses
    "access.release without an allowed access of this consent and interaction": "提供记录没有同一授权、同一交互的获准访问",
    "access.receive without an allowed access of this consent and interaction": "接收记录没有同一授权、同一交互的获准访问",
    "access.release names another interaction than its access": "提供记录所指的交互与其访问不同",
    "access.receive names another interaction than its access": "接收记录所指的交互与其访问不同",
    "a second access.release for one access": "同一次访问有第二份提供记录",
    "a second access.receive for one access": "同一次访问有第二份接收记录",
    "release and receipt differ in rows, bytes or digest": "提供与接收的行数、字节数或摘要不一致",
    "access.release without access.receive within 24 hours": "有提供记录，24 小时内没有接收记录",
    "access.receive without access.release within 24 hours": "有接收记录，24 小时内没有提供记录",
    # what ends no audit
    "the entry has a form that cannot be read": "该条目的形式无法读取",
    "evidence in a bundle whose manifest says that it has none": "清单称不含证据的审计包中有证据文件",
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
    "the evidence is missing and no erasure names its chain": "证据缺失，且没有删除文件提及其链",
    "the statement's (iss, jti) was used before": "声明的 (iss, jti) 已被使用过",
    "the key was revoked before": "密钥此前已被吊销",
    "the signer is suspended": "签署方已被暂停资格",
    "the key belongs to another participant": "密钥属于另一参与方",
    "the key of the statement is not registered": "声明的密钥未登记",
    "the Ed25519 signature does not verify": "Ed25519 签名核验未通过",
    "the statement was not made within 300 s of the entry": "声明的时间与条目相差超过 300 秒",
    "the completeness map is not that of the leaves before it": "完整性映射与之前的叶子不符",
    "a tile is missing": "缺少瓦片",
    "an entry bundle is missing": "缺少条目包",
    "the bytes are not the canonical spelling": "字节不是规范写法",
    "a file that does not belong to a bundle of this size": "文件不属于这种规模的审计包",
    "the authorisation is in no subject chain": "该授权不在任何主体链中",
    # signers, delegation, removal
    "the key is not one for statements": "该密钥不用于声明",
    "the key of the statement is not registered at a lower index": "声明的密钥没有在更低的序号登记",
    "the credential was enrolled before": "该通行密钥此前已登记",
    "the credential is not enrolled for this subject": "该通行密钥并非为该客户登记",
    "the public key is the enrolment's, never the record's": "公钥取自登记条目，而非取自该记录",
    "the passkey was enrolled for another place": "该通行密钥是为另一网站登记的",
    "the customer confirmed something else": "客户确认的是其他内容",
    "no authorisation of this consent precedes it": "此前没有客户对该授权的确认",
    "the signer was removed": "签署方已被移出账本",
    "only a technology provider acts for another": "代他人行事者须为技术服务方",
    "no delegation in force lets the signer do this for another": "没有有效的委托允许签署方代他人为此",
    "the statement uses what exists from ruleset 2 onwards": "声明使用了自规则集 2 起才有的内容",
    "the signer acts for itself": "签署方代表的是自己",
    "the companion is signed by another than its authorisation, or for another": "伴随记录与其授权的签署方或被代表方不同",
    "a passkey signs authorisations only": "通行密钥只能签署授权",
    "an entry was added to a chain that was erased before": "已删除的链中又增加了条目",
    # operator documents
    "the document exists from ruleset 2 onwards": "该文件自规则集 2 起才有",
    "the ruleset never falls": "规则集不得降低",
    "the participant's removal is permanent": "该参与方已被永久移除",
    "the participant was removed before": "该参与方此前已被移除",
    "a removed participant gets no new keys": "被移除的参与方不得登记新密钥",
    "a delegation is to another participant that is a technology provider": "委托的对象须为另一个技术服务方参与方",
    "only a delegation in force can be ended": "只能终止有效的委托",
    "the disclosure names no entries below it": "披露文件没有指向其之前的条目",
    "an operator document of an unknown type": "未知类型的运营方文件",
    "the log opens with ledger.opened, and only there": "日志以 ledger.opened 开头，且仅出现于此",
    "the log does not open with ledger.opened": "日志没有以 ledger.opened 开头",
    "the log was opened under another origin": "日志开启时使用了另一名称",
    "the document is filed under another chain than it names": "文件所在的链与其所指的不同",
    "an unknown role": "未知的角色",
    "the participant is registered already": "该参与方已经登记",
    "the participant is not registered": "该参与方未登记",
    "the participant is already in this state": "该参与方已处于此状态",
    "an unknown use of a key": "未知的密钥用途",
    "the algorithm is not that of the key": "算法与密钥不符",
    "the key id was used before": "密钥编号已被使用过",
    "only an active key of the participant can be revoked": "只能吊销该参与方的有效密钥",
    "an erasure needs two different approvers": "删除需要两位不同的批准人",
    "not an act that a participant can sign": "不是参与方可签署的行为",
    "a removed participant grants and gets no delegation": "已移出账本的参与方不得授予或接受委托",
    "not a chain": "不是链",
    "not a code": "不是代码",
    # sets of logs
    "a shard is another log than the head log, and is added once": "分片须为总日志以外的日志，且只能加入一次",
    "the key of a shard is that of no other log": "分片的密钥不得是其他日志的密钥",
    "a holder is placed once": "数据持有方只能归入一个分片",
    "a shard only grows, and has one root for one size": "分片只增不减，且同一规模只有一个根哈希",
    "the log is no shard of this set": "该日志不是本组日志的分片",
    "not the origin of a log": "不是日志的名称",
    "the head log committed to another history of a shard than this one": "总日志所承诺的分片历史与此不同",
    "the proof of a set has no extra data: nobody vouches for them": "分片证明不得带有附加数据：无人为其作保",
    "the leaf of a set proof commits to no heads": "分片证明的叶子没有承诺任何日志头",
    "the head log commits here to no head of the receipt's log that holds its entry": (
        "总日志在此没有承诺回执所属日志中涵盖该条目的日志头"
    ),
    "a second bundle of a shard": "同一分片有第二个审计包",
    "a bundle of a log that the head log did not add": "总日志未加入的日志的审计包",
    "neither a directory nor a zip": "既不是文件夹也不是压缩包",
    "the shard is smaller than the head log has committed": "分片小于总日志所承诺的规模",
    "a holder is registered in another log than the one where the head log places it": (
        "数据持有方登记所在的日志不是总日志将其归入的分片"
    ),
    # reports
    "the report does not begin where the one before it ended": "报告没有从上一份报告结束处继续",
    "the report covers no entries below it": "报告没有涵盖其之前的条目",
    "the report does not end with the last entry that was an hour old": "报告没有止于满一小时的最后一个条目",
    "the reconciliation report is not what the entries give": "对账报告与条目所得结果不符",
    # terms
    "these terms exist from ruleset 2 onwards": "这些条款自规则集 2 起才有",
    "a permission is not in the catalogue": "权限不在目录中",
    "the grade is not the highest of the permissions": "级别不是各权限中的最高级别",
    "data of this grade is never shared": "该级别的数据绝不共享",
    "the terms do not name the separate consents that their grade asks for": "条款没有列出其级别所要求的单独同意",
    "the terms end before they begin or before now": "条款的结束早于开始或早于现在",
    "the history ends before it begins": "历史期间的结束早于开始",
    "holder and recipient are the same": "数据持有方与数据接收方相同",
    "the recipient of the terms is not the signer": "条款的数据接收方不是签署方",
    "the holder of the terms is not an active holder": "条款的数据持有方不是有效的数据持有方",
    "a party of the terms was removed": "条款的一方已被移出账本",
    "the terms go beyond their purpose as it is defined": "条款超出其目的所定义的范围",
    # transitions
    "only the holder authorises": "只有数据持有方可以提交授权",
    "the authoriser was counted before": "该授权人已被计入",
    "a separate consent is given that the terms do not name": "作出了条款未列出的单独同意",
    "no further approval is missing for these accounts": "这些账户不缺少其他批准",
    "consent.authorise is not possible in this state": "在此状态下不能授权",
    "an account is neither shared nor waiting": "有账户既未共享也未待批准",
    "no account would remain: consent.revoke is the act": "将不剩任何账户：应使用 consent.revoke",
    "the authoriser has no approval": "该授权人没有批准",
    "no approval would remain: consent.revoke is the act": "将不剩任何批准：应使用 consent.revoke",
    "this separate consent is not given": "该单独同意并未作出",
    "the customer was already authenticated at a later time": "客户此前已有更晚的认证",
    "no other consent supersedes it": "没有其他授权取代该授权",
    "the consent that supersedes is not an active one of the same parties and customer": (
        "取代的授权不是相同各方与客户之间的有效授权"
    ),
    "the signer is not a party of the consent": "签署方不是该授权的一方",
    "no consent with this id was requested before": "此前没有以此编号请求过的授权",
    "the consent has not expired": "该授权尚未到期",
    "the consent id was used before": "该授权编号已被使用过",
    "only the recipient amends": "只有数据接收方可以提出修改",
    "the amendment is of another version": "修改所针对的是另一版本",
    "an amendment does not change the holder": "修改不得更换数据持有方",
    # forms
    "asserted reasons are known ones in their order, in a relayed request": "声称的理由须为已知、按次序，且在转交的请求中",
    "a joint account is not among the accounts": "联名账户不在所列账户之中",
    "separate consents are 1 to 8 objects, sorted by kind, each once": "单独同意须为 1 至 8 个对象，按种类排序且不重复",
    **SENTENCES_3,
}


COUNTED: dict[str, str] = {
    "map proofs": "映射证明",
    "requests translated again": "重新译为条款的请求",
    "requests in the words of a standard, whose texts are not in the bundle": "以标准用语提出、原文不在审计包中的请求",
    "requests of standards or versions that the mapping does not hold": "对照表未收录其标准或版本的请求",
    "requests of changed terms that the mapping does not hold": "变更条款的请求（对照表未收录）",
    "request texts of entries that could not be read": "所属条目无法读取的请求原文",
    "heads of shards that the head log committed": "总日志所承诺的分片日志头",
    "the shard's own signature (the policy does not name the shard: the head log alone vouches for it)": (
        "分片自身的签名（策略未列出该分片：仅由总日志为其作证）"
    ),
    "places of holders": "数据持有方的归属",
    "committed heads of shards over entries whose hashes are not known": "所涉条目的哈希未知的分片日志头",
    "entries of a shard that the head log has not committed: no witness vouches for them": (
        "总日志尚未承诺的分片条目：没有见证方为其作证"
    ),
    "sizes of shards whose checkpoint was refused": "检查点被拒绝的分片的规模",
    "registrations of holders whose place may stand in an entry of the head log that could not be read": (
        "归属可能位于总日志中无法读取的条目里的数据持有方登记"
    ),
    "bundles of logs that the head log may have added in entries that could not be read": (
        "可能由总日志在无法读取的条目中加入的日志的审计包"
    ),
    "receipts shown beside the file": "随文件出示的回执",
    "smaller trees within the bundle": "审计包中较小的树",
    "entries within the bundle": "审计包中的条目",
    "checkpoints of different sizes that no bundle among the files connects": "所给文件中没有审计包可连接的不同规模的检查点",
    "leaves of the chain": "链的叶子",
    "access decisions": "访问决定",
    "checkpoint signatures": "检查点签名",
    "companions of authorisations": "授权的伴随记录",
    "completeness maps": "完整性映射",
    "consent transitions": "授权状态变更",
    "entries": "条目",
    "evidence bodies": "证据正文",
    "identities (iss, jti)": "身份 (iss, jti)",
    "legs of accesses": "访问的双方记录",
    "operator documents": "运营方文件",
    "signed statements": "已签署的声明",
    "tiles": "瓦片",
    "passkey confirmations": "通行密钥确认",
    "inclusion proof": "包含证明",
    "record of the pack in the log": "日志中的证据包记录",
    "items in the pack's tree": "证据包树中的项",
    "items withheld from this copy of the pack": "此份证据包中未提供的项",
    "the entry's content (not disclosed by this receipt)": "条目内容（此回执未披露）",
    "the participant's signature (give --bundle to learn the participants' keys)": (
        "参与方的签名（请用 --bundle 提供审计包以获知参与方的密钥）"
    ),
    "whose keys these are (give --policy)": "这些密钥属于谁（请用 --policy 指定策略）",
    "commitment": "承诺",
    "statement signature": "声明签名",
    "growth since the trusted checkpoint": "自可信检查点以来的增长",
    "evidence withheld": "未披露的证据",
    "entries that an earlier run checked, whose files were not read again (--since)": (
        "先前一次运行已核验、其文件此次未再读取的条目（--since）"
    ),
    "evidence erased, as an erasure document says": "已依删除文件删除的证据",
    "evidence that was refused (see the defects)": "被拒绝的证据（见缺陷）",
    "index-heads after a damaged entry": "损坏条目之后的索引头",
    "authorisations whose companion may be withheld": "伴随记录可能未披露的授权",
    "entries of consents whose state is unknown since an entry was withheld, erased or unreadable": (
        "因有条目未披露、已删除或无法读取而状态未知的授权的条目"
    ),
    "reconciliation reports": "对账报告",
    "reconciliation reports over evidence that was withheld, erased or unreadable": (
        "所依证据未披露、已删除或无法读取的对账报告"
    ),
    "ranges of reconciliation reports whose entries could not be read": "所涉条目无法读取的对账报告范围",
    "asserted reasons: the holder's word, signed by it": "声称的理由：数据持有方之言，由其签署",
    "asserted reasons: the ledger's own word": "声称的理由：账本自身之言",
    "entries of a version this verifier does not know": "本核验程序不认识的版本的条目",
    "entries under a ruleset this verifier does not know": "本核验程序不认识的规则集之下的条目",
    "legs of accesses that may be withheld": "所依访问可能未披露的提供或接收记录",
    "legs without the other side's, which may stand in an entry that could not be read": (
        "对方记录可能位于无法读取的条目中的提供或接收记录"
    ),
    "companions whose authorisation may be withheld": "所依授权可能未披露的伴随记录",
    "passkey confirmations whose enrolment may be withheld": "登记可能未披露的通行密钥确认",
    "passkeys ended whose enrolment may be withheld": "登记可能未披露的通行密钥注销",
    "passkeys that may have been ended in an entry that could not be read": "可能已在无法读取的条目中注销的通行密钥",
    "places of passkey confirmations (your policy names none)": "通行密钥确认的来源（您的策略未列出）",
    "statements whose key may stand in an entry that could not be read": "密钥可能位于无法读取的条目中的声明",
    "whose log this is: the policy comes out of the bundle itself, not from somebody you trust": (
        "这是谁的日志：策略取自审计包本身，而非来自您信任的人"
    ),
    "signatures of statements (left out on request)": "声明签名（按要求略过）",
    "evidence and rules (left out on request)": "证据与规则（按要求略过）",
    **COUNTED_3,
}
