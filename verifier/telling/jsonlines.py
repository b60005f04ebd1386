"""The machine-readable output of `--json`: one JSON object per line, documented in docs/verifier.md."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from verifier.errors import Defect
from verifier.rules.findings import Findings
from verifier.telling.attested import members_of
from verifier.telling.result import Part, Result, status_of

VERSION = 1


def lines(result: Result) -> Iterator[str]:
    """`start`, `input`, `fact`, `participant`, `history`, `checked`, `unchecked`, `part`, `count`, `text`, `finding`, `notice`,
    `defect`; `verdict` at the end."""
    yield _line("start", command=result.command, v=VERSION)
    for path, digest in result.inputs:
        yield _line("input", path=path, sha256=digest)
    for name, value in result.facts:
        yield _line("fact", name=name, value=value)
    yield from _parties(result)
    for history in result.attested:
        yield _line("history", **members_of(history))
    found = result.findings
    if not result.parts:
        yield from _checked(found)
    for part in result.parts:
        yield from _part(part)
    for group, counts in (
        ("kind", found.kinds),
        ("act", found.acts),
        ("decision", found.decisions),
        ("reason", found.reasons),
    ):
        for what, count in sorted(counts.items()):
            yield _line("count", of=group, what=what, count=count)
    for text in result.lines:
        yield _line("text", text=text)
    for defect in found.disputes:
        yield _line("finding", **_defect(defect))
    for defect in found.notices:
        yield _line("notice", **_defect(defect))
    for defect in found.defects:
        yield _line("defect", **_defect(defect))
    yield _line(
        "verdict",
        code=None if result.code is None else str(result.code),
        status=int(result.status),
        defects=found.count,
        notices=found.notices_by_code.total(),
        findings=found.disputed,
        unchecked=found.not_checked,
        first_bad=found.first_bad,
        reason=result.reason or found.open or None,
    )


def _parties(result: Result) -> Iterator[str]:
    for party in result.parties:
        keys = [dict(zip(("kid", "alg", "use", "added_at", "revoked_at"), key, strict=True)) for key in party.keys]
        delegates = [{"delegate": delegate, "acts": acts} for delegate, acts in party.delegates]
        certificates = [
            {
                "suite": suite,
                "suite_version": one.version,
                "passed": one.passed,
                "total": one.total,
                "index": one.index,
                "valid_until": one.until,
            }
            for suite, one in party.certificates
        ]
        yield _line(
            "participant",
            id=party.id,
            name=party.name,
            roles=party.roles,
            standing=party.standing,
            keys=keys,
            delegates=delegates,
            certificates=certificates,
        )


def _checked(found: Findings, **log: str | None) -> Iterator[str]:
    for event, counts in (("checked", found.checked), ("unchecked", found.unchecked)):
        for what, count in sorted(counts.items()):
            yield _line(event, what=what, count=count, **log)


def _part(part: Part) -> Iterator[str]:
    """What was checked of one log of a set, and its verdict."""
    found, log = part.findings, part.log or None
    yield from _checked(found, log=log)
    yield _line(
        "part",
        log=log,
        code=None if part.code is None else str(part.code),
        status=int(status_of(part.code, found)),
        entries=part.entries,
        defects=found.count,
        first_bad=found.first_bad,
        reason=found.open or None,
    )


def _defect(defect: Defect) -> dict[str, Any]:
    place = defect.place
    log = {} if place.log is None else {"log": place.log or None}
    return {
        **log,
        "code": str(defect.code),
        "sentence": defect.sentence,
        "index": place.index,
        "file": place.file,
        "line": place.line,
        "field": place.field,
        "expected": defect.expected,
        "found": defect.found,
    }


def _line(event: str, **members: Any) -> str:
    # ASCII only: whatever the input held, a terminal that shows this shows nothing else.
    return json.dumps({"event": event, **members}, sort_keys=False)
