"""Every reason in words: what it says, and what would have to change. English, then Chinese as written in mainland China."""

from __future__ import annotations

from typing import Final, NamedTuple


class Sentence(NamedTuple):
    """A sentence in each language."""

    en: str
    zh_cn: str


class Said(NamedTuple):
    """A reason in words, and what would have to change."""

    why: Sentence
    remedy: Sentence


def _said(en: str, zh_cn: str, remedy_en: str, remedy_zh_cn: str) -> Said:
    return Said(Sentence(en, zh_cn), Sentence(remedy_en, remedy_zh_cn))


_ANEW: Final = ("Ask for a new consent; an ended one stays ended.", "请申请新的授权；已结束的授权不会恢复。")

REASONS: Final[dict[str, Said]] = {
    "PARTICIPANT_SUSPENDED": _said(
        "A party of the consent, or whoever signed for it, is suspended.", "授权一方或其代理方已被暂停资格。",
        "The operator must reinstate the participant.", "须由运营方恢复该参与方的资格。"),
    "FROZEN": _said(
        "A freeze was in force that this access came under.", "该访问当时处于冻结令范围内。",
        "Wait until whoever ordered the freeze lifts it, or it ends.", "请等待下令方解除冻结，或冻结期满。"),
    "CONSENT_UNKNOWN": _said(
        "No consent with this id was asked for before this entry.", "在此条目之前，没有该编号的授权申请。",
        "Use the id of a consent that you asked for.", "请使用您所申请的授权编号。"),
    "CONSENT_NOT_YOURS": _said(
        "The signer is not the party of this consent that may ask.", "签署方不是该授权中有权发起访问的一方。",
        "Use a consent of your own.", "请使用您自己的授权。"),
    "CONSENT_AWAITING": _said(
        "The customer had not authorised the consent yet.", "客户当时尚未同意该授权。",
        "The customer must authorise it at the holder.", "须由客户在数据持有方处同意。"),
    "CONSENT_PARTIAL": _said(
        "Not everyone who had to authorise the consent had done so.", "尚未获得所有必要人员的同意。",
        "Those who are missing must authorise it at the holder.", "须由尚未同意的人员在数据持有方处同意。"),
    "CONSENT_REJECTED": _said("The consent was rejected.", "该授权申请已被拒绝。", *_ANEW),
    "CONSENT_PAUSED": _said(
        "The customer had paused the consent.", "客户当时已暂停该授权。",
        "The customer must resume it.", "须由客户恢复该授权。"),
    "CONSENT_SUSPENDED": _said(
        "The consent was suspended.", "该授权当时处于中止状态。",
        "The customer, the holder or the court must resume it.", "须由客户、数据持有方或法院恢复。"),
    "CONSENT_EXPIRED": _said("The consent had expired.", "该授权已到期。", *_ANEW),
    "CONSENT_REVOKED": _said("The consent was revoked.", "该授权已被撤回。", *_ANEW),
    "CONSENT_TERMINATED": _said(
        "The consent was ended, or one of its parties was removed.", "该授权已被终止，或其一方已被移除。", *_ANEW),
    "CONSENT_CONSUMED": _said(
        "The consent was for one access, which had been made.", "该授权仅限一次访问，且已使用。", *_ANEW),
    "CONSENT_SUPERSEDED": _said(
        "Another consent had replaced this one.", "该授权已被另一项授权取代。",
        "Ask under the consent that replaced it.", "请使用取代它的授权。"),
    "CONSENT_NOT_STARTED": _said(
        "The consent had not begun.", "该授权尚未生效。", "Ask after its beginning.", "请在生效时间之后访问。"),
    "REAUTHENTICATION_REQUIRED": _said(
        "The holder's last authentication of the customer was too old.", "数据持有方最近一次对客户的身份认证已过期。",
        "The holder must authenticate the customer again (consent.reauthenticate).", "须由数据持有方重新认证客户身份。"),
    "RECONFIRMATION_OVERDUE": _said(
        "The customer's last confirmation to the recipient was too old.", "客户最近一次向数据接收方的确认已过期。",
        "The recipient must have the customer confirm (consent.reconfirm).", "须由数据接收方请客户重新确认。"),
    "SEPARATE_CONSENT_MISSING": _said(
        "A separate consent that the terms name was not given, or was withdrawn.", "条款所列的单独同意未作出或已撤回。",
        "The customer must give it by its own control, at the holder.", "须由客户在数据持有方处另行作出单独同意。"),
    "ASSESSMENT_OVERDUE": _said(
        "A supervisor requires an impact assessment for this, and the holder had none in force.",
        "监管机构要求就此进行影响评估，而数据持有方当时没有有效的评估。",
        "The holder must record its assessment (assessment.record).", "须由数据持有方登记影响评估。"),
    "PURPOSE_MISMATCH": _said(
        "The purpose is not the one consented to, or does not cover a permission that was asked for.",
        "访问目的与授权不符，或该目的不涵盖所请求的权限。",
        "Ask for the purpose of the terms, within its permissions.", "请按条款的目的及其权限范围访问。"),
    "REGION_NOT_CONSENTED": _said(
        "The data would have gone to a country that the terms do not name.", "数据将传往条款未列明的国家或地区。",
        "Ask for a consent that names the country as a destination.", "请申请列明该目的地的授权。"),
    "ACCOUNT_NOT_IN_CONSENT": _said(
        "An account is not in the consent.", "所请求的账户不在授权范围内。",
        "Ask for accounts that the customer has chosen.", "请仅访问客户所选的账户。"),
    "ACCOUNT_APPROVAL_PENDING": _said(
        "A joint account waits for a second person's approval.", "共有账户尚待另一人同意。",
        "Another authoriser must give the account at the holder.", "须由另一位授权人在数据持有方处同意该账户。"),
    "ACCOUNT_APPROVAL_WITHDRAWN": _said(
        "An account was taken out of the consent.", "所请求的账户已从授权中撤出。",
        "The customer must give the account again.", "须由客户重新授权该账户。"),
    "PERMISSION_MISSING": _said(
        "The consent did not include a permission that was asked for.", "授权不包含所请求的权限。",
        "Ask within the permissions, or propose new terms (consent.amend).", "请在权限范围内访问，或提出变更条款。"),
    "GRADE_EXCEEDED": _said(
        "Data of this grade is not shared under this consent.", "该授权不允许共享此级别的数据。",
        "Ask for data of a lower grade; grades above 3 are never shared.", "请访问较低级别的数据；三级以上的数据从不共享。"),
    "WINDOW_EXCEEDED": _said(
        "The period asked for lies outside the one consented to.", "所请求的时间范围超出授权的期间。",
        "Ask for a period inside the history window.", "请在授权的历史期间内访问。"),
    "FREQUENCY_EXCEEDED": _said(
        "The day's accesses without the customer present were used up.", "当日后台访问次数已用完。",
        "Wait for the next day, or ask with the customer present.", "请等待次日，或在客户操作时访问。"),
    "RISK_BLOCKED": _said(
        "An alert was in force that the holder lets stop accesses.", "当时存在数据持有方据以阻止访问的风险警报。",
        "The holder must look at the alert and clear it (alert.decide).", "须由数据持有方核查并解除该警报。"),
}  # fmt: skip
"""Reasons of the log itself: anyone who can read the log can check them."""

_CERTIFICATE: Final = ("Use a valid client certificate.", "请使用有效的客户端证书。")
_TOKEN: Final = ("Get a valid access token for this consent.", "请获取该授权的有效访问令牌。")
_HOLDER: Final = ("The holder must say when it can be done again.", "请等待数据持有方恢复。")

ASSERTED: Final[dict[str, Said]] = {
    "SOFTWARE_INACTIVE": _said(
        "The recipient's software product is not active.", "数据接收方的软件产品未处于有效状态。",
        "The register must activate it.", "须由登记机构启用。"),
    "SOFTWARE_REMOVED": _said(
        "The recipient's software product was removed.", "数据接收方的软件产品已被移除。", *_ANEW),
    "CERT_MISSING": _said("No client certificate came with the request.", "请求未附客户端证书。", *_CERTIFICATE),
    "CERT_INVALID": _said("The client certificate is not valid.", "客户端证书无效。", *_CERTIFICATE),
    "CERT_EXPIRED": _said("The client certificate has expired.", "客户端证书已过期。", *_CERTIFICATE),
    "CERT_REVOKED": _said("The client certificate was revoked.", "客户端证书已被吊销。", *_CERTIFICATE),
    "TOKEN_MISSING": _said("No access token came with the request.", "请求未附访问令牌。", *_TOKEN),
    "TOKEN_INVALID": _said("The access token is not valid.", "访问令牌无效。", *_TOKEN),
    "TOKEN_BINDING_MISMATCH": _said("The access token is bound to another key.", "访问令牌绑定了其他密钥。", *_TOKEN),
    "TOKEN_EXPIRED": _said("The access token has expired.", "访问令牌已过期。", *_TOKEN),
    "TOKEN_REVOKED": _said("The access token was revoked.", "访问令牌已被撤销。", *_TOKEN),
    "SCOPE_INSUFFICIENT": _said("The access token does not cover this.", "访问令牌的范围不足。", *_TOKEN),
    "TOKEN_CONSENT_MISMATCH": _said("The access token belongs to another consent.", "访问令牌属于其他授权。", *_TOKEN),
    "RECIPIENT_NOT_NAMED": _said(
        "The recipient is not one that the customer named.", "数据接收方不在客户指定之列。",
        "The customer must name it.", "须由客户指定。"),
    "REGION_NOT_CONSENTED": _said(
        "The customer did not agree to this region.", "客户未同意该地区。",
        "The customer must agree to it.", "须由客户同意。"),
    "ACCOUNT_CLOSED": _said(
        "The account is closed.", "该账户已销户。", "Ask for another account.", "请访问其他账户。"),
    "ACCOUNT_BLOCKED": _said("The account is blocked.", "该账户已被冻结。", *_HOLDER),
    "FILTER_EXCEEDED": _said(
        "More was asked for than the consent's filters let through.", "请求超出授权的筛选条件。",
        "Ask within the filters of the terms.", "请在条款的筛选条件内访问。"),
    "RATE_LIMITED": _said(
        "Too many accesses came in a short time.", "短时间内访问过多。", "Ask again later.", "请稍后再试。"),
    "LOW_VELOCITY_LIMIT": _said(
        "Too many accesses came without the customer present.", "后台访问过多。",
        "Ask again later, or with the customer present.", "请稍后再试，或在客户操作时访问。"),
    "RISK_BLOCKED": _said("The access was stopped as a risk.", "该访问因风险被阻止。", *_HOLDER),
    "HOLDER_UNAVAILABLE": _said("The holder could not answer.", "数据持有方当时无法应答。", *_HOLDER),
}  # fmt: skip
"""Reasons of facts outside the log, asserted by the holder or the ledger: counted, not checkable by a reader."""

ALLOWED: Final = Sentence("All rules were met: the access was allowed.", "所有规则均已满足：允许访问。")
ERASED: Final = Sentence(
    "What this entry was about has been erased and can no longer be explained.", "此条目的内容已被删除，无法再作说明。"
)
RECORDED: Final = Sentence(
    "This entry records what its signer says; nothing was decided.", "此条目仅记录签署方的陈述，未作任何判定。"
)
MOVED: Final = Sentence("The rules allowed this step of the consent.", "规则允许该授权的这一步骤。")
