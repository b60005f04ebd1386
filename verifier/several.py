"""The command about several logs at once: `set`."""

# ruff: noqa: PLC0415 - each command loads what it needs, so that a short one starts fast
from __future__ import annotations

import argparse
import sys
from pathlib import Path

from verifier.inputs import check_age, conclude, fresh, head_facts, tell_policy_inside, trust_of
from verifier.telling.attested import facts_of
from verifier.telling.messages import word
from verifier.telling.result import Part, Result


def judge_set(arguments: argparse.Namespace, result: Result) -> Result:
    """Judge a set of logs: the head log, and each shard that it names."""
    from verifier.audit.bundle import Options
    from verifier.audit.shards import Judged, SetAudit
    from verifier.telling.terminal import Bar

    language, folder, bar = arguments.lang, Path(arguments.path), Bar(sys.stderr)
    # Step S1.
    trust = trust_of(arguments, result)
    options = Options(signatures=not arguments.no_signatures, evidence=not arguments.no_evidence, progress=bar)
    if arguments.jobs:
        options.jobs = arguments.jobs
    audit = SetAudit(folder, trust, options)

    def part(judged: Judged, witnessed: bool) -> Part:
        result.findings.take(judged.findings, judged.origin)
        return Part(judged.origin, judged.findings.verdict(witnessed), judged.size, judged.findings)

    try:
        audit.run()
    finally:
        bar.clear()
        head = audit.head.head
        witnessed = head is not None and head.witnessed
        own = fresh(arguments.command)
        tell_policy_inside(own, arguments.policy, folder)
        audit.head.findings.take(own.findings)
        if audit.head.origin:
            result.parts = [part(audit.head, witnessed), *(part(shard, True) for shard in audit.shards)]
        if audit.names.count or audit.names.open or audit.names.not_checked:
            result.parts.append(part(Judged("", audit.names), True))
    if head is not None:
        head_facts(result, head, trust, language)
    result.attested = [one for judged in (audit.head, *audit.shards) for one in judged.attested]
    result.facts += [(word("history", language), words) for words in facts_of(result.attested, language)]
    shards = result.parts[1 : 1 + len(audit.shards)]
    result.facts += [
        (word("shards", language), f"{len(shards):,}"),
        (word("entries", language), f"{sum(one.entries for one in result.parts):,}"),
        *((one.log, _told(one, language)) for one in result.parts if one.log),
    ]
    check_age(arguments, result, head, trust.policy, audit.newest)
    return conclude(result, witnessed)


def _told(part: Part, language: str) -> str:
    """The verdict of one log in a line."""
    found = part.findings
    code = word("COULD NOT CHECK", language) if part.code is None else str(part.code)
    line = word("part", language).format(code, f"{part.entries:,}", f"{found.count:,}", f"{found.not_checked:,}")
    return f"{line}: {found.open}" if found.open else line
