"""The register of transfers abroad: which data went to which country, on what ground, entry by entry (docs/spec/reports.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from verifier.bytes.encoding import Object
from verifier.records.facts import Facts, Found
from verifier.records.leaf import Leaf
from verifier.telling.messages import LANGUAGES

HEADING = "entry,time,holder,recipient,country,mechanism,purpose"
_WORDS: dict[str, tuple[str, str]] = {
    "country": (
        "{country}: {count} accesses under {consents} consents, {first} to {last}; taken by {recipients}; grounds: {grounds}",
        "{country}：{consents} 份授权下的 {count} 次访问，{first} 至 {last}；数据接收方：{recipients}；出境机制：{grounds}",
    ),
    "none": ("No access that can be read here took data abroad.", "可读取的访问中未见数据出境。"),
    "unread": (
        "{count} entries of consents cannot be read here: what they may have taken abroad is not in the register.",
        "{count} 个授权条目在此无法读取：其中可能的出境不在登记之内。",
    ),
}


class _Country:
    """What went to one country."""

    def __init__(self, time: int) -> None:
        self.count, self.first, self.last = 0, time, time
        self.consents: set[bytes] = set()
        self.recipients: set[str] = set()
        self.grounds: set[str] = set()


class Transfers:
    """Watches an audit (`bundle.Options.watch`). Allowed accesses that name a country abroad go to `write`, a line each; only
    consents with destinations are remembered. `holder`: of this one alone; empty: of all."""

    def __init__(self, language: str, write: Callable[[str], object], holder: str = "") -> None:
        self._side = LANGUAGES.index(language)
        self._write, self._holder = write, holder
        self._terms: dict[tuple[bytes, int], Object] = {}
        """By chain and version: the terms of consents that have destinations."""
        self._countries: dict[str, _Country] = {}
        self._unread = 0
        write(HEADING)

    def watch(self, index: int, leaf: Leaf, found: Found | None) -> None:
        """Shown every entry of the log."""
        if leaf.kind != "consent":
            return
        if found is None or found.facts is None:
            self._unread += 1
            return
        facts, terms = found.facts, found.facts.content.get("terms")
        if isinstance(terms, dict) and "destinations" in terms:
            before = facts.content.get("previous_version", 0)
            assert isinstance(before, int)  # noqa: S101 - the form was checked when the statement was read
            self._terms[leaf.chain, before + 1] = terms
        if facts.act == "access.request" and "region" in facts.content and facts.outcome is not None:
            self._access(index, leaf, facts, facts.outcome)

    def _access(self, index: int, leaf: Leaf, facts: Facts, outcome: Object) -> None:
        version = outcome["consent_version"]
        assert isinstance(version, int)  # noqa: S101 - as above
        terms = self._terms.get((leaf.chain, version))
        if (
            outcome["decision"] != "allow" or terms is None
        ):  # allowed without such terms: a defect, which the audit tells
            return
        holder, country = str(terms["holder"]), str(facts.content["region"])
        if self._holder not in ("", holder):
            return
        ground = _grounds(terms).get(country, "")
        recipient, purpose = str(terms["recipient"]), str(facts.content["purpose"])
        at = datetime.fromtimestamp(leaf.time // 1000, UTC)
        self._write(f"{index},{at:%Y-%m-%dT%H:%M:%SZ},{holder},{recipient},{country},{ground},{purpose}")
        told = self._countries.setdefault(country, _Country(leaf.time))
        told.count, told.last = told.count + 1, leaf.time
        told.consents.add(leaf.chain)
        told.recipients.add(recipient)
        told.grounds.add(ground)

    def lines(self) -> Iterator[str]:
        """A line for each country, and what could not be read."""
        for country, told in sorted(self._countries.items()):
            first, last = (
                datetime.fromtimestamp(each // 1000, UTC).date().isoformat() for each in (told.first, told.last)
            )
            yield _WORDS["country"][self._side].format(
                country=country,
                count=told.count,
                consents=len(told.consents),
                first=first,
                last=last,
                recipients=", ".join(sorted(told.recipients)),
                grounds=", ".join(sorted(told.grounds)),
            )
        if not self._countries:
            yield _WORDS["none"][self._side]
        if self._unread:
            yield _WORDS["unread"][self._side].format(count=self._unread)


def _grounds(terms: Object) -> dict[str, str]:
    """By country: the mechanism that the terms name."""
    rows = terms["destinations"]
    assert isinstance(rows, list)  # noqa: S101 - as above
    return {str(row["country"]): str(row["mechanism"]) for row in rows if isinstance(row, dict)}
