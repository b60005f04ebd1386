"""The alerts of a log, one a line, each with what became of it when it was recomputed (docs/spec/risk.md)."""

from __future__ import annotations

from verifier.rules.alerts import GIVEN, INVENTED, MISSING, OPEN, UNORDERED, WRONG
from verifier.rules.firing import Fired
from verifier.rules.orders import RULES, Alert
from verifier.telling.messages import LANGUAGES

MAX_LINES = 100_000
_STATES: dict[str, tuple[str, str]] = {
    GIVEN: ("as the rules give it", "与规则所得一致"),
    WRONG: ("CHANGED: the rules give another", "被更改：规则所得不同"),
    INVENTED: ("INVENTED: no rule gives it", "凭空捏造：没有规则得出它"),
    UNORDERED: ("OUT OF ORDER", "次序有误"),
    MISSING: ("MISSING: the rules give it, and it was not raised", "缺失：规则得出了它，却没有发出"),
    OPEN: ("not checked: it rests on what could not be read", "未核验：所依内容无法读取"),
}
_RULES: dict[str, tuple[str, str]] = {
    "rate": ("more accesses in an hour than ever", "一小时内访问次数异常"),
    "night": ("accesses at night without the customer", "夜间后台访问"),
    "new-permission": ("permissions never used before", "首次使用的权限"),
    "refused": ("many refused accesses", "大量访问被拒绝"),
    "breadth": ("more permissions than others ask for", "所请求的权限多于同类"),
    "unattended": ("suddenly without the customer", "突然转为后台访问"),
    "rows": ("many more rows than usual", "行数远多于平常"),
    "legs-differ": ("what was given and got differ", "提供与接收的内容不同"),
    "woken": ("a consent that slept was used", "沉睡的授权被使用"),
    "many": ("many consents at once", "同时使用大量授权"),
    "after-end": ("accesses after the consent's end", "授权结束后的访问"),
    "model": ("strange to the model", "模型认为异常"),
    "late-notice": ("a withdrawal acknowledged late", "撤回通知确认过迟"),
    "no-notice": ("a withdrawal that nobody acknowledged", "撤回后三日无人确认"),
}
_WORDS: dict[str, tuple[str, str]] = {
    "line": (
        "{index:>8}  {rule} about {kind} {about}, entry {at}: score {score} ({features}): {told}; {state}",
        "{index:>8}  {rule}，关于 {kind} {about}，条目 {at}：评分 {score}（{features}）：{told}；{state}",
    ),
    "none": ("The bundle holds no alert, and owes none.", "审计包中没有警报，也不欠缺警报。"),
    "more": ("… {count} more", "……另有 {count} 项"),
}


class Alerted:
    """`tell` each alert as it is judged; `finish` gives the lines."""

    def __init__(self, language: str) -> None:
        self._side = LANGUAGES.index(language)
        self._lines: list[str] = []
        self._count = 0

    def tell(self, index: int, alert: Alert | Fired, state: str) -> None:
        """One alert."""
        self._count += 1
        if len(self._lines) >= MAX_LINES:
            return
        rule = alert.rule if isinstance(alert, Alert) else RULES[alert.number - 1]
        self._lines.append(
            _WORDS["line"][self._side].format(
                index=index,
                rule=rule,
                kind=alert.kind,
                about=alert.about,
                at=alert.at_index,
                score=alert.score,
                features=", ".join(map(str, alert.features)),
                told=_RULES[rule][self._side],
                state=_STATES[state][self._side],
            )
        )

    def finish(self) -> list[str]:
        """All of them."""
        if not self._count:
            return [_WORDS["none"][self._side]]
        left = self._count - len(self._lines)
        return [*self._lines, *([_WORDS["more"][self._side].format(count=left)] if left else [])]
