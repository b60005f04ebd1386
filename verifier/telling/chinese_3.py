"""What is said of ruleset 3 in Chinese, by the English text (`chinese` is the rest)."""

from __future__ import annotations

SENTENCES_3: dict[str, str] = {
    "the document exists from ruleset 3 onwards": "该文件自规则集 3 起才有",
    "the statement uses what exists from ruleset 3 onwards": "声明使用了自规则集 3 起才有的内容",
    "these terms exist from ruleset 3 onwards": "这些条款自规则集 3 起才有",
    "a leaf of this kind exists from ruleset 3 onwards": "这类叶子自规则集 3 起才有",
    "the acts exist from ruleset 3 onwards": "这些行为自规则集 3 起才有",
    "terms with destinations name the separate consent cross-border, and only they do": (
        "有境外目的地的条款须列出单独同意 cross-border，且仅此类条款列出"
    ),
    "a window of a one-off consent under terms for more than one access": "条款不是一次性授权，却规定了其时间窗口",
    "only the recipient acknowledges": "只有数据接收方可以确认知悉",
    "what is acknowledged is no step of this consent": "所确认的条目不是该授权的状态变化",
    "the rules decide this, nobody asserts it": "此项由规则判定，任何一方不得声称",
    "not a list of the expected length": "列表长度不符",
    "a model is named by its own rule, and only there": "模型仅在其自身的规则中列明",
    "it needs two different approvers": "需要两位不同的批准人",
    "the freeze is longer than a freeze may be": "冻结期限超过上限",
    "the hold's name was used before": "该保全名称已被使用过",
    "a chain of the hold was erased before": "保全所列的链此前已被删除",
    "only a hold that was placed and not lifted is lifted": "只能解除有效的保全",
    "the model's name was used before": "该模型名称已被使用过",
    "the model was trained on no entries below it": "模型的训练范围没有指向其之前的条目",
    "the alert stands above the entry that it is about": "警报早于其所涉的条目",
    "the report is not defined": "该报表没有定义",
    "the report ends elsewhere than right before it": "报表没有止于其前一个条目",
    "the report was issued before its period was over": "报表在期间结束之前就已出具",
    "a chain is under a hold": "有链处于保全之中",
    "the period is not one that the definition gives": "该期间不是定义所给出的期间",
    "the words are not known ones, each once, in their order": "所列名称未知、重复或次序有误",
    "the measure has no such dimension": "该指标没有这一维度",
    "the id was used before": "该编号已被使用过",
    "only a freeze that was ordered and not lifted is lifted": "只能解除有效的冻结",
    "only a requirement in force is waived": "只能豁免有效的评估要求",
    "only a block in force is ended": "只能终止有效的拦截",
    "the entry is no alert": "该条目不是警报",
    "only an open incident is updated or closed": "只能更新或关闭处理中的事件",
    "the incident has no such clock": "该事件没有这一时限",
    "the consent stands not in this subject chain": "该授权不在此主体链中",
    "the number was given before": "该编号已被使用过",
    "the feedback is about no entry below it": "反馈没有指向其之前的条目",
    "no feedback of this number was given": "没有此编号的反馈",
    "the feedback is closed": "该反馈已经关闭",
    "not one of the words that are allowed here": "不是此处允许的取值",
    "clocks are sorted by `due` and have different names": "时限须按 `due` 排序且名称各异",
    "an unknown period": "未知的计数期间",
    "the alert stands not in the order of alerts": "警报的次序有误",
    "the rules give another alert": "规则得出的是另一警报",
    "no rule gives this alert": "没有规则得出此警报",
    "an alert that the rules give is missing": "缺少规则所得出的警报",
    "the model has another hash than its name says": "模型的哈希与其文件名不符",
    "a model that no model.activated names": "没有 model.activated 列明此模型",
    "the scale of a model is 1,000 integers that never rise": "模型的刻度须为 1,000 个从不上升的整数",
    "a model has 1 to 256 trees": "模型须有 1 至 256 棵树",
    "a tree has 1 to 4,095 nodes": "每棵树须有 1 至 4,095 个节点",
    "not a node of a tree": "不是树的节点",
    "a node of a tree leads back or nowhere": "树的节点指回或没有指向",
}
COUNTED_3: dict[str, str] = {
    "alerts": "警报",
    "alerts that rest on entries which were withheld, erased or unreadable": "所依条目未披露、已删除或无法读取的警报",
    "alerts of a model whose bytes are not in the bundle": "其模型不在资料包中的警报",
    "alerts (left out with the evidence, on request)": "警报（按要求随证据略过）",
    "alerts whose rules reach back before the kept state": "其规则须回溯至所存状态之前的警报",
    "declarations": "参与方申报",
    "acknowledgements": "知悉确认",
    "feedback of customers": "客户反馈",
    "declarations of a participant of whom an entry was withheld, erased or unreadable": (
        "某参与方有条目未披露、已删除或无法读取，其后的申报"
    ),
    "decisions about alerts that could not be read": "对无法读取的警报所作的处置",
    "feedback of customers of whom an entry was withheld, erased or unreadable": (
        "某客户有条目未披露、已删除或无法读取，其后的反馈"
    ),
    "decisions that a declaration may have changed which could not be read": "可能受无法读取的申报影响的访问决定",
    "terms whose purpose a regulator may have defined in a declaration that could not be read": (
        "其目的可能已由监管机构在无法读取的申报中定义的条款"
    ),
}
