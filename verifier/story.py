"""One consent's timeline out of a bundle, told so that a person can follow it."""

from __future__ import annotations

from datetime import UTC, datetime

from verifier.commitment import chain_of
from verifier.encoding import Object
from verifier.facts import Facts, Found
from verifier.leaf import Leaf, text_of

_TEXTS: dict[str, tuple[str, str]] = {
    "consent.request": ("{iss} asked for consent: {detail}", "{iss} 请求授权:{detail}"),
    "consent.authorise": ("the customer authorised it at {iss} ({detail})", "客户在 {iss} 授权({detail})"),
    "consent.reject": ("rejected by {by} through {iss}: {detail}", "{by} 经 {iss} 拒绝:{detail}"),
    "consent.suspend": ("suspended by {by} through {iss}: {detail}", "{by} 经 {iss} 中止:{detail}"),
    "consent.pause": ("paused by {by} through {iss}: {detail}", "{by} 经 {iss} 暂停:{detail}"),
    "consent.resume": ("resumed by {by} through {iss}: {detail}", "{by} 经 {iss} 恢复:{detail}"),
    "consent.revoke": ("REVOKED by {by} through {iss}: {detail}", "{by} 经 {iss} 撤销:{detail}"),
    "consent.terminate": ("terminated by {by} through {iss}: {detail}", "{by} 经 {iss} 终止:{detail}"),
    "consent.amend": ("{iss} proposed new terms: {detail}", "{iss} 提出新条款:{detail}"),
    "consent.expire": ("expired", "已到期"),
    "access.request": ("{iss} asked for data ({detail})", "{iss} 请求数据({detail})"),
    "access.release": ("{iss} released {detail}", "{iss} 提供了 {detail}"),
    "access.receive": ("{iss} received {detail}", "{iss} 收到了 {detail}"),
}
_HIDDEN = ("its content is not disclosed in this bundle", "其内容未在此资料包中披露")
_REFUSED = ("its evidence does not hold", "其证据不成立")


class Story:
    """Watches an audit (`bundle.Options.watch`) and keeps the lines of one consent."""

    def __init__(self, consent_id: str, language: str) -> None:
        self.chain = text_of(chain_of(consent_id))
        self._side = 1 if language == "zh" else 0
        self.lines: list[str] = []

    def watch(self, index: int, leaf: Leaf, found: Found | None) -> None:
        """Shown every entry of the log."""
        if leaf.chain == self.chain:
            when = (
                datetime.fromtimestamp(leaf.time / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
                if leaf.time < 253_402_300_800_000
                else str(leaf.time)
            )
            self.lines.append(f"{index:>8}  {when}  {self._told(found)}")

    def _told(self, found: Found | None) -> str:
        if found is None:
            return _HIDDEN[self._side]
        if found.facts is None:
            return _REFUSED[self._side]
        facts = found.facts
        text = _TEXTS[facts.act][self._side] if facts.act in _TEXTS else facts.act
        return text.format(iss=facts.iss, by=facts.content.get("by", ""), detail=_detail(facts)) + _outcome(facts)


def _detail(facts: Facts) -> str:
    content = facts.content
    if facts.act == "access.request":
        return f"{_list(content['permissions'])}; {content['purpose']}" + (
            "; customer present" if content["customer_present"] else ""
        )
    if "terms" in content:
        terms = content["terms"]
        if isinstance(terms, dict):
            return f"{_list(terms['permissions'])}; {_purpose(terms)}; {_until(terms['expires_at'])}"
    if facts.act == "consent.authorise":
        accounts = content["accounts"]
        return f"{len(accounts) if isinstance(accounts, list) else 0} accounts, version {content['version']}"
    if "rows" in content:
        return f"{content['rows']} rows, {content['bytes']} bytes (decision of entry {content['basis']})"
    return str(content.get("reason", ""))


def _purpose(terms: Object) -> str:
    purpose = terms["purpose"]
    return str(purpose["text"]) if isinstance(purpose, dict) else ""


def _until(seconds: object) -> str:
    if not isinstance(seconds, int) or not 0 < seconds < 253_402_300_800:
        return "open-ended" if seconds == 0 else str(seconds)
    return "until " + datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _outcome(facts: Facts) -> str:
    outcome = facts.outcome
    if outcome is None:
        return ""
    if "decision" in outcome:
        reasons = _list(outcome["reasons"])
        return f" → {str(outcome['decision']).upper()}" + (f": {reasons}" if reasons else "")
    return f" → {outcome['status']}"


def _list(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else ""
