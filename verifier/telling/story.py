"""One consent's timeline out of a bundle, told so that a person can follow it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from verifier.bytes.encoding import Json, Object
from verifier.records.commitment import chain_of
from verifier.records.facts import Facts, Found
from verifier.records.leaf import Leaf, text_of
from verifier.records.reasons import ASSERTED
from verifier.telling.messages import LANGUAGES, reason_sentence, word

_TEXTS: dict[str, tuple[str, str]] = {
    "consent.request": ("{iss} asked for consent: {detail}", "{iss} 请求授权：{detail}"),
    "consent.authorise": ("the customer authorised it at {iss} ({detail})", "客户在 {iss} 授权（{detail}）"),
    "consent.reject": ("rejected by {by} through {iss}: {detail}", "{by} 经 {iss} 拒绝：{detail}"),
    "consent.suspend": ("suspended by {by} through {iss}: {detail}", "{by} 经 {iss} 中止：{detail}"),
    "consent.pause": ("paused by {by} through {iss}: {detail}", "{by} 经 {iss} 暂停：{detail}"),
    "consent.resume": ("resumed by {by} through {iss}: {detail}", "{by} 经 {iss} 恢复：{detail}"),
    "consent.revoke": ("REVOKED by {by} through {iss}: {detail}", "{by} 经 {iss} 撤回：{detail}"),
    "consent.terminate": ("terminated by {by} through {iss}: {detail}", "{by} 经 {iss} 终止：{detail}"),
    "consent.amend": ("{iss} proposed new terms: {detail}", "{iss} 提出新条款：{detail}"),
    "consent.expire": ("expired", "已到期"),
    "consent.withdraw_accounts": (
        "{count} accounts were taken out by {by} through {iss}: {detail}",
        "{by} 经 {iss} 撤出 {count} 个账户：{detail}",
    ),
    "consent.withdraw_approval": (
        "one authoriser's approval was withdrawn by {by} through {iss}: {detail}",
        "{by} 经 {iss} 撤回一位授权人的批准：{detail}",
    ),
    "consent.withdraw_separate": (
        "the separate consent «{separate}» was withdrawn by {by} through {iss}: {detail}",
        "{by} 经 {iss} 撤回单独同意「{separate}」：{detail}",
    ),
    "consent.reauthenticate": ("{iss} authenticated the customer again", "{iss} 重新认证了客户"),
    "consent.reconfirm": (
        "{by} confirmed to {iss} that it still holds: {detail}",
        "{by} 向 {iss} 确认仍然有效：{detail}",
    ),
    "consent.supersede": (
        "superseded by consent {superseded_by}, {by} through {iss}: {detail}",
        "{by} 经 {iss} 以授权 {superseded_by} 取代：{detail}",
    ),
    "access.request": ("{iss} asked for data ({detail})", "{iss} 请求数据（{detail}）"),
    "access.release": ("{iss} released {detail}", "{iss} 提供了 {detail}"),
    "access.receive": ("{iss} received {detail}", "{iss} 收到了 {detail}"),
}
_WORDS: dict[str, tuple[str, str]] = {
    "hidden": ("its content is not disclosed in this bundle", "其内容未在此审计包中披露"),
    "refused": ("its evidence is not valid", "其证据不成立"),
    "for": ("{iss} for {party}", "{iss}（代表 {party}）"),
    "present": ("customer present", "客户在场"),
    "passed on": ("passed on by the holder", "由数据持有方转交"),
    "accounts": ("{count} accounts, version {version}", "{count} 个账户，第 {version} 版"),
    "joint": ("{count} of them joint: a second approval is needed", "其中 {count} 个为联名：需第二位批准"),
    "acting": ("acting as {role}", "以 {role} 身份"),
    "separate": ("separate consents: {kinds}", "单独同意：{kinds}"),
    "asks separate": ("separate consents needed: {kinds}", "需要单独同意：{kinds}"),
    "again": ("authentication again every {days} days", "每 {days} 天重新认证"),
    "confirm": ("reconfirmation every {days} days", "每 {days} 天再次确认"),
    "filters": ("only rows that pass {count} filters", "仅限通过 {count} 项筛选的数据"),
    "rows": (
        "{rows} rows, {bytes} bytes (decision of entry {basis})",
        "{rows} 行，{bytes} 字节（条目 {basis} 的决定）",
    ),
    "open": ("open-ended", "不限期"),
    "until": ("until {end}", "至 {end}"),
    "keep": ("to be erased by {end}", "须于 {end} 前删除"),
}


class Story:
    """Watches an audit (`bundle.Options.watch`) and keeps the lines of one consent."""

    def __init__(self, consent_id: str, language: str) -> None:
        self.chain = text_of(chain_of(consent_id))
        self._language, self._side = language, LANGUAGES.index(language)
        self.lines: list[str] = []

    def watch(self, index: int, leaf: Leaf, found: Found | None) -> None:
        """Shown every entry of the log."""
        if leaf.chain == self.chain:
            self.lines.append(f"{index:>8}  {_moment(leaf.time // 1000, '%Y-%m-%d %H:%M:%S UTC')}  {self._told(found)}")
            if found is not None and found.facts is not None:
                self.lines += [f"{'':10}{line}" for line in told_reasons(found.facts, self._language)]

    def _told(self, found: Found | None) -> str:
        if found is None or found.facts is None:
            return self._say("hidden" if found is None else "refused")
        facts, content = found.facts, found.facts.content
        text = _TEXTS[facts.act][self._side] if facts.act in _TEXTS else facts.act
        iss = self._say("for", iss=facts.iss, party=facts.behalf) if facts.behalf else facts.iss
        said = {name: content.get(name, "") for name in ("by", "separate", "superseded_by")}
        return text.format(iss=iss, count=_count(content.get("accounts")), detail=self._detail(facts), **said) + (
            self._outcome(facts)
        )

    def _say(self, name: str, **values: object) -> str:
        return _WORDS[name][self._side].format(**values)

    def _detail(self, facts: Facts) -> str:
        content = facts.content
        if facts.act == "access.request":
            parts = [_list(content["permissions"]), str(content["purpose"])]
            parts += [self._say("present")] * bool(content["customer_present"]) + [
                self._say("passed on")
            ] * facts.relayed
        elif isinstance(terms := content.get("terms"), dict):
            parts = self._terms(terms)
        elif facts.act == "consent.authorise":
            parts = self._authorisation(content)
        elif "rows" in content:
            parts = [self._say("rows", **{name: content[name] for name in ("rows", "bytes", "basis")})]
        else:
            parts = [str(content.get("reason", ""))]
        return "; ".join(parts)

    def _terms(self, terms: Object) -> list[str]:
        purpose = terms["purpose"]
        parts = [_list(terms["permissions"]), str(purpose["text"]) if isinstance(purpose, dict) else ""]
        end = terms["expires_at"]
        parts.append(self._say("open") if end == 0 else self._say("until", end=_moment(end)))
        if terms["separate_consents"]:
            parts.append(self._say("asks separate", kinds=_list(terms["separate_consents"])))
        for name, member in (("again", "reauthenticate_days"), ("confirm", "reconfirm_days")):
            if member in terms:
                parts.append(self._say(name, days=terms[member]))
        if "filters" in terms:
            parts.append(self._say("filters", count=_count(terms["filters"])))
        return parts

    def _authorisation(self, content: Object) -> list[str]:
        parts = [self._say("accounts", count=_count(content["accounts"]), version=content["version"])]
        if "joint_accounts" in content:
            parts.append(self._say("joint", count=_count(content["joint_accounts"])))
        if "acting_role" in content:
            parts.append(self._say("acting", role=content["acting_role"]))
        given = content.get("separate_consents")
        if isinstance(given, list):
            kinds = [row["kind"] for row in given if isinstance(row, dict)]
            parts.append(self._say("separate", kinds=_list(kinds)))
        return parts

    def _outcome(self, facts: Facts) -> str:
        outcome = facts.outcome
        if outcome is None:
            return ""
        if "decision" not in outcome:
            return f" → {outcome['status']}"
        obligations = outcome["obligations"]
        reasons = ", ".join(filter(None, (_list(outcome["reasons"]), _list(outcome.get("asserted")))))
        keep = obligations.get("keep_until") if isinstance(obligations, dict) else None
        more = f" ({self._say('keep', end=_moment(keep))})" if keep is not None else ""
        return f" → {str(outcome['decision']).upper()}" + (f": {reasons}" if reasons else more)


def told_reasons(facts: Facts, language: str) -> Iterator[str]:
    """The meaning of each reason of a denial, with a remark on those that rest on somebody's word."""
    outcome = facts.outcome or {}
    for name in ("reasons", "asserted"):
        told = outcome.get(name)
        for reason in told if isinstance(told, list) else ():
            said = f" [{word('word', language)}]" if reason in ASSERTED else ""
            yield f"{reason}: {reason_sentence(str(reason), language)}{said}"


def _moment(seconds: Json, form: str = "%Y-%m-%d %H:%M UTC") -> str:
    if not isinstance(seconds, int) or not 0 <= seconds < 253_402_300_800:
        return str(seconds)
    return datetime.fromtimestamp(seconds, UTC).strftime(form)


def _count(value: object) -> int:
    return len(value) if isinstance(value, list) else 0


def _list(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else ""
