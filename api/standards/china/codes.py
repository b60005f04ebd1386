"""What each code of an answer says, and the times as they are written here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from api.standards.dialects import DialectRefusal

BEIJING: Final = timezone(timedelta(hours=8))
"""China has one time, the whole year through."""
OFFSET_MINUTES: Final = 480
SUCCESS: Final = "000000"
MESSAGES: Final = {
    SUCCESS: "成功",
    "100001": "报文不符合接口规范",
    "100002": "地址或请求方法不存在",
    "100003": "报文或报文头过大",
    "100004": "不支持的内容类型",
    "100005": "请求未在规定时间内传完",
    "200001": "应用身份无效",
    "200002": "签名核验未通过",
    "200003": "时间戳超出允许范围",
    "200004": "请求重复",
    "200005": "报文解密失败",
    "200006": "须加密传输",
    "200007": "无权办理",
    "200008": "参与方已被暂停资格或移除",
    "300001": "授权不存在",
    "300002": "授权的当前状态不允许该操作",
    "300003": "数据项不存在",
    "300004": "数据项的级别不得共享",
    "300005": "日期不正确",
    "300006": "与已有记录冲突",
    "300007": "声明不被接受",
    "300008": "出境信息不完整",
    "310001": "授权未生效",
    "310002": "授权已结束",
    "310003": "授权已暂停",
    "310004": "须由客户重新认证或确认",
    "310005": "缺少单独同意",
    "310006": "超出授权范围",
    "310007": "个人信息保护影响评估已逾期",
    "310008": "访问已被冻结或风险拦截",
    "310009": "账户不可用",
    "400001": "访问过于频繁",
    "400002": "系统繁忙，请稍后重试",
    "500001": "系统错误",
}
"""Code to what a developer in China reads; the detail beside it names what was refused."""


def china_refusal(status: int, code: str, detail: str, *, member: str | None = None) -> DialectRefusal:
    """A refusal of this standard's own."""
    return DialectRefusal(status, code, detail, member=member)


def china_time(seconds: int) -> str:
    """`yyyyMMddHHmmss`, Beijing time."""
    return datetime.fromtimestamp(seconds, BEIJING).strftime("%Y%m%d%H%M%S")


def china_day(seconds: int) -> str:
    """`yyyyMMdd`, Beijing time."""
    return datetime.fromtimestamp(seconds, BEIJING).strftime("%Y%m%d")


def seconds_of(text: str, form: str) -> int:
    """Unix seconds of a Beijing time in the form of `strptime`. Raises ValueError for another spelling."""
    found = datetime.strptime(text, form).replace(tzinfo=BEIJING)
    if found.strftime(form) != text:
        raise ValueError(text)
    return int(found.astimezone(UTC).timestamp())
