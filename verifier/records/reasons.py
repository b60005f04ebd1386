"""The reasons for which an access is denied, in the order of the specification, and their meaning
(docs/spec/decisions.md)."""

from __future__ import annotations

GIVEN: dict[str, tuple[str, str]] = {
    "PARTICIPANT_SUSPENDED": ("The signer or a party of the consent is suspended.", "签署方或授权的一方已被暂停资格。"),
    "CONSENT_UNKNOWN": ("No consent with this id was requested before.", "此前没有以此编号请求过的授权。"),
    "CONSENT_NOT_YOURS": (
        "The signer is not the party of the consent that may ask.",
        "签署方不是该授权中有权请求的一方。",
    ),
    "CONSENT_AWAITING": ("The customer has not authorised the consent yet.", "客户尚未确认该授权。"),
    "CONSENT_PARTIAL": ("Not all authorisers that the terms ask for have approved.", "条款要求的授权人尚未全部批准。"),
    "CONSENT_REJECTED": ("The consent was rejected.", "该授权已被拒绝。"),
    "CONSENT_PAUSED": ("The customer has paused the consent.", "客户已暂停该授权。"),
    "CONSENT_SUSPENDED": ("The consent is suspended.", "该授权已被中止。"),
    "CONSENT_EXPIRED": ("The consent has expired.", "该授权已到期。"),
    "CONSENT_REVOKED": ("The consent was revoked.", "该授权已被撤回。"),
    "CONSENT_TERMINATED": (
        "The consent was terminated, or a party of it was removed from the ledger.",
        "该授权已终止，或其一方已被移出账本。",
    ),
    "CONSENT_CONSUMED": ("The consent was for one access, which was made.", "该授权仅限一次访问，且已使用。"),
    "CONSENT_SUPERSEDED": ("Another consent has taken this one's place.", "另一份授权已取代该授权。"),
    "CONSENT_NOT_STARTED": ("The consent does not hold yet.", "该授权尚未生效。"),
    "REAUTHENTICATION_REQUIRED": (
        "The holder must authenticate the customer again before more is given.",
        "数据持有方须重新认证客户后方可继续提供数据。",
    ),
    "RECONFIRMATION_OVERDUE": (
        "The recipient must confirm with the customer again before it gets more.",
        "数据接收方须与客户再次确认后方可继续获取数据。",
    ),
    "SEPARATE_CONSENT_MISSING": (
        "A separate consent that the terms name was not given, or was withdrawn.",
        "条款所列的单独同意未作出或已撤回。",
    ),
    "PURPOSE_MISMATCH": (
        "The access is for another purpose, or asks for what its purpose does not cover.",
        "访问目的不符，或所请求的内容超出该目的的范围。",
    ),
    "ACCOUNT_NOT_IN_CONSENT": ("An account is not among those of the consent.", "有账户不在该授权的账户之内。"),
    "ACCOUNT_APPROVAL_PENDING": (
        "A joint account lacks the approval of a second holder.",
        "某联名账户尚缺另一位持有人的批准。",
    ),
    "ACCOUNT_APPROVAL_WITHDRAWN": ("An account was taken out of the consent.", "有账户已从该授权中撤出。"),
    "PERMISSION_MISSING": ("A permission is not in the terms.", "所需权限不在条款之内。"),
    "GRADE_EXCEEDED": (
        "The data are graver than the terms allow, or are never shared.",
        "数据级别高于条款所允许，或属于绝不共享的数据。",
    ),
    "WINDOW_EXCEEDED": (
        "The period asked for lies outside the history that the terms give.",
        "所请求的期间超出条款给予的历史范围。",
    ),
    "FREQUENCY_EXCEEDED": ("The accesses of the day are used up.", "当日访问次数已用完。"),
}
"""Reasons that the log itself shows, under rulesets 1 and 2."""

GIVEN_3: dict[str, tuple[str, str]] = {
    "FROZEN": (
        "A supervisor or a party has frozen what this access is about.",
        "监管机构或一方已冻结该访问所涉及的内容。",
    ),
    "ASSESSMENT_OVERDUE": (
        "The holder has no valid impact assessment, which the supervisor asks for.",
        "监管机构要求的影响评估，数据持有方没有有效的一份。",
    ),
}
"""Reasons that ruleset 3 adds. It decides `DECIDED_SINCE_3`, too."""

ASSERTED: dict[str, tuple[str, str]] = {
    "SOFTWARE_INACTIVE": ("The recipient's software is not active.", "数据接收方的软件未处于有效状态。"),
    "SOFTWARE_REMOVED": ("The recipient's software was removed from its register.", "数据接收方的软件已从登记册移除。"),
    "CERT_MISSING": ("The caller showed no certificate.", "调用方未出示证书。"),
    "CERT_INVALID": ("The certificate is not valid.", "证书不成立。"),
    "CERT_EXPIRED": ("The certificate has expired.", "证书已到期。"),
    "CERT_REVOKED": ("The certificate was revoked.", "证书已被吊销。"),
    "TOKEN_MISSING": ("The caller showed no access token.", "调用方未出示访问令牌。"),
    "TOKEN_INVALID": ("The access token is not valid.", "访问令牌不成立。"),
    "TOKEN_BINDING_MISMATCH": ("The token is bound to another certificate or key.", "令牌绑定于另一证书或密钥。"),
    "TOKEN_EXPIRED": ("The access token has expired.", "访问令牌已到期。"),
    "TOKEN_REVOKED": ("The access token was revoked.", "访问令牌已被吊销。"),
    "SCOPE_INSUFFICIENT": ("The token's scope does not cover the request.", "令牌的范围不涵盖该请求。"),
    "TOKEN_CONSENT_MISMATCH": ("The token belongs to another consent.", "令牌属于另一份授权。"),
    "RECIPIENT_NOT_NAMED": ("The caller is not the recipient that was named.", "调用方不是所列明的数据接收方。"),
    "REGION_NOT_CONSENTED": (
        "The data would go to a region that was not consented to.",
        "数据将流向授权未涵盖的地区。",
    ),
    "ACCOUNT_CLOSED": ("The account is closed.", "账户已关闭。"),
    "ACCOUNT_BLOCKED": ("The account is blocked.", "账户已冻结。"),
    "FILTER_EXCEEDED": ("The request goes beyond the filters of the terms.", "请求超出条款的筛选条件。"),
    "RATE_LIMITED": ("Too many requests in too short a time.", "短时间内请求过多。"),
    "LOW_VELOCITY_LIMIT": ("The ledger's limit for this kind of request is reached.", "已达到账本对此类请求的限额。"),
    "RISK_BLOCKED": ("The request was stopped as a risk.", "该请求因风险被拦截。"),
    "HOLDER_UNAVAILABLE": ("The holder could not answer.", "数据持有方无法应答。"),
}
"""Reasons that rest on facts outside the log, on somebody's word. The order is that of an outcome."""

DECIDED_SINCE_3 = frozenset({"REGION_NOT_CONSENTED", "RISK_BLOCKED"})
"""Asserted under ruleset 2, given by the rules from ruleset 3 on."""

_AFTER = {
    "PARTICIPANT_SUSPENDED": "FROZEN",
    "SEPARATE_CONSENT_MISSING": "ASSESSMENT_OVERDUE",
    "PURPOSE_MISMATCH": "REGION_NOT_CONSENTED",
    "FREQUENCY_EXCEEDED": "RISK_BLOCKED",
}
ORDER_3 = tuple(code for known in GIVEN for code in (known, _AFTER.get(known, "")) if code)
"""The reasons that ruleset 3 gives, in their order."""

REASONS: dict[str, tuple[str, str]] = {**GIVEN, **GIVEN_3, **ASSERTED}

FINDINGS: dict[str, tuple[str, str]] = {
    "release-missing": (
        "The recipient says what it got; the holder does not say what it gave.",
        "数据接收方记录了所获数据，数据持有方却没有提供记录。",
    ),
    "receipt-missing": (
        "The holder says what it gave; the recipient does not say what it got.",
        "数据持有方记录了所提供的数据，数据接收方却没有收到记录。",
    ),
    "rows-differ": ("Holder and recipient name different numbers of rows.", "数据持有方与数据接收方的行数不同。"),
    "bytes-differ": ("Holder and recipient name different numbers of bytes.", "数据持有方与数据接收方的字节数不同。"),
    "digest-differ": ("Holder and recipient name different contents.", "数据持有方与数据接收方的内容摘要不同。"),
    "mask-skipped": (
        "The holder gave out data without a mask that the decision asks for.",
        "数据持有方提供数据时，未按决定的要求遮蔽。",
    ),
}
"""Findings of the ledger's reconciliation (docs/spec/reconciliation.md)."""
