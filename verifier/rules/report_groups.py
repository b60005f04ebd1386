"""The groups of a report that an entry belongs to (docs/spec/reports.md, «Measures»)."""

from __future__ import annotations

from collections.abc import Iterable

from verifier.records.terms import Terms
from verifier.rules.report_counts import Group
from verifier.rules.report_forms import Definition


def groups_of(
    definition: Definition, terms: Terms, permissions: Iterable[str], reasons: Iterable[str] | None = None
) -> list[Group]:
    """Those of a consent under these terms; `permissions` each once, `reasons` (None: nothing was refused) each once."""
    plain = {
        "grade": str(terms.grade),
        "holder": terms.holder,
        "purpose": terms.purpose,
        "recipient": terms.recipient,
        "standard": terms.standard,
    }
    groups: list[Group] = [()]
    for name in definition.by:
        if name == "permission":
            values = [*dict.fromkeys(permissions)]
        elif name == "reason":
            values = [*dict.fromkeys(reasons or ())]
        else:
            values = [plain[name]]
        groups = [(*group, value) for group in groups for value in values]
    return groups
