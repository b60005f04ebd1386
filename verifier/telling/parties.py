"""Lists who could sign what: participants, keys and delegations as the log's own documents leave them.

Registering a key or a delegation is the operator's act, and no rule can say whether the participant wanted it. So a report
lists them all, with the entries that made and ended them, for whoever knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from verifier.rules.participants import Registry
from verifier.rules.partners import Certificate
from verifier.telling.messages import word

_ROLES = {
    "holder": "数据持有方",
    "recipient": "数据接收方",
    "technology-provider": "技术服务方",
    "regulator": "监管机构",
    "auditor": "审计方",
}


@dataclass(frozen=True, slots=True)
class Party:
    """One participant, in words of the specification. `keys`: kid, algorithm, use, index added, index revoked or None;
    `delegates`: who may sign for it, and which acts."""

    id: str
    name: str
    roles: tuple[str, ...]
    standing: str
    keys: tuple[tuple[str, str, str, int, int | None], ...]
    delegates: tuple[tuple[str, tuple[str, ...]], ...]
    certificates: tuple[tuple[str, Certificate], ...] = ()
    """The last one of each suite of behaviours."""


def key_words(party: Party, language: str) -> list[str]:
    """A sentence on each of its keys."""
    return [
        f"{kid} ({alg}, {use}), {word('since', language)} {added}"
        + ("" if revoked is None else f", {word('until', language)} {revoked}")
        for kid, alg, use, added, revoked in party.keys
    ]


def delegate_words(party: Party) -> list[str]:
    """Who may sign for it, and what."""
    return [f"{delegate}: {', '.join(acts)}" for delegate, acts in party.delegates]


def certificate_words(party: Party, last: int, language: str) -> list[str]:
    """Its certificates, each with the day until which it holds; `last` (ms): the time of the log's last entry."""
    return [
        f"{suite} {one.version}, {one.passed}/{one.total}, {word('valid until', language)} "
        f"{datetime.fromtimestamp(one.until // 1000, UTC):%Y-%m-%d}"
        + (f" ({word('expired', language)})" if one.until <= last else "")
        for suite, one in party.certificates
    ]


def role_words(party: Party, language: str) -> list[str]:
    """Its roles; one without a name here is told by its code."""
    return [_ROLES.get(role, role) if language == "zh" else role for role in party.roles]


def parties(registry: Registry) -> list[Party]:
    """All participants by id, as of the last document folded."""
    found = []
    certified = registry.orders.partners.certified
    for name, known in sorted(registry.participants.items()):
        keys = sorted((key for key in registry.keys.values() if key.owner == name), key=lambda key: key.added)
        delegates = sorted((pair[1], acts) for pair, acts in registry.delegations.items() if pair[0] == name)
        found.append(
            Party(
                name,
                known.name,
                tuple(sorted(known.roles)),
                "removed" if known.removed else "suspended" if known.suspended else "registered",
                tuple((key.kid, key.key.alg, key.use, key.added, key.revoked) for key in keys),
                tuple((delegate, tuple(sorted(acts))) for delegate, acts in delegates),
                tuple(
                    (suite, one)
                    for (who, suite), one in sorted(certified.items(), key=lambda row: row[0])
                    if who == name
                ),
            )
        )
    return found
