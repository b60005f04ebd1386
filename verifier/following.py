"""The commands about a log over time, and about the verifier's own words: `log`, `evidence`, `explain`."""

# ruff: noqa: PLC0415 - each command loads what it needs, so that a short one starts fast
from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.crypto.backend import Backend, select
from verifier.errors import CannotCheck, Code, Refuted
from verifier.inputs import check_age, conclude, head_facts, now, read_file, trust_of
from verifier.records.reasons import ASSERTED, FINDINGS, REASONS
from verifier.telling.messages import CODES, advice, code_sentence, reason_sentence, word
from verifier.telling.result import Result
from verifier.tlog.policy import NONE
from verifier.tlog.trust import Trust

if TYPE_CHECKING:
    from verifier.tlog.log import Followed
    from verifier.tlog.source import Source


def log(arguments: argparse.Namespace, result: Result) -> Result:
    """Follow a log and keep its newest verified checkpoint; where it changed its key, by its own documents."""
    from verifier.tlog.source import open_source

    trust, backend = trust_of(arguments, result), select()
    source = open_source(arguments.place)
    try:
        try:
            followed = _follow(arguments, source, trust, backend)
        except Refuted as refusal:
            if refusal.defect.code is not Code.BAD_SIGNATURE or arguments.origin is not None or arguments.static_ct:
                raise
            trust = _led(arguments, result, source, trust, refusal)
            followed = _follow(arguments, source, trust, backend)
        if arguments.origin is None:
            head = trust.verify(followed.head.note, backend)
            witnessed = head.witnessed
            head_facts(result, head, trust, arguments.lang)
            check_age(arguments, result, head, trust.policy, 0)
        else:
            witnessed = _witnessed(followed.head.cosignatures, trust)
    except Refuted as refusal:
        result.findings.refuse(refusal)
        return conclude(result, False)
    result.findings.checked["checkpoint signatures"] += 1
    result.findings.checked["growth since the trusted checkpoint"] += followed.before is not None
    result.facts.append(
        (
            "progress",
            f"{followed.progress}: {followed.before.size if followed.before else 0:,} → {followed.head.size:,}",
        )
    )
    return conclude(result, witnessed)


def _follow(arguments: argparse.Namespace, source: Source, trust: Trust, backend: Backend) -> Followed:
    from verifier.tlog.log import State, follow
    from verifier.tlog.tiles import C2SP, STATIC_CT

    return follow(
        source,
        trust.policy.logs,
        State(Path(arguments.state)),
        backend,
        at_ms=now(),
        witnesses=tuple(trust.policy.witnesses.values()),
        origin=arguments.origin,
        entries=STATIC_CT if arguments.static_ct else C2SP,
        witnessed=trust.policy.quorum != NONE,
    )


def _led(arguments: argparse.Namespace, result: Result, source: Source, trust: Trust, refusal: Refuted) -> Trust:
    """What is trusted once the log's documents have led from the reader's keys to later ones; the reader is told the lines
    that the policy lacks. Raises Refuted where they lead nowhere."""
    from verifier.audit.succession import handed_out, led_from, note_key
    from verifier.tlog.log import newest_of

    note = newest_of(source, trust.policy.quorum != NONE)
    further, found = led_from(source, note, trust, select(), handed_out, refusal)
    result.findings.checked["handovers of the log's keys"] += len(found)
    keys = further.policy.logs[len(trust.policy.logs) :]
    for key, one in zip(keys, found, strict=True):
        by = note_key(key.name, one.by).vkey
        result.facts.append((word("new key", arguments.lang), key.vkey))
        result.facts.append(
            (word("vouched", arguments.lang), f"{by} ({word('sizes from', arguments.lang)} {one.first:,})")
        )
    result.lines.append(word("add lines", arguments.lang))
    result.lines += [f"log {key.vkey}" for key in keys]
    return further


def _witnessed(cosignatures: object, trust: Trust) -> bool:
    names = [name for name, key in trust.policy.witnesses.items() if any(signed.key == key for signed in cosignatures)]  # type: ignore[attr-defined]
    return trust.policy.is_satisfied(names)


def evidence(arguments: argparse.Namespace, result: Result) -> Result:
    """Check a saved proof of misbehaviour: VALID means that the log did misbehave."""
    from verifier.tlog.evidence import check_evidence

    backend: Backend = select()
    keys = trust_of(arguments, result).policy.logs if arguments.policy is not None else ()
    try:
        found = check_evidence(read_file(arguments.path, result), backend, keys)
    except Refuted as refusal:
        result.findings.refuse(refusal, file=arguments.path)
        return conclude(result, False)
    result.facts += [("proven", "yes" if found.proven else "no: a claim"), ("what", found.sentence)]
    if not keys:
        result.findings.unchecked["whose keys these are (give --policy)"] += 1
    if not found.proven:
        result.reason = found.sentence
        return result
    return conclude(result, True)


def explain(arguments: argparse.Namespace, result: Result) -> Result:
    """Explain a verdict code, a reason for a denial, or a finding of a reconciliation."""
    language, code = arguments.lang, arguments.code.upper()
    result.explains = True
    if code in CODES:
        result.lines = [f"{code}: {code_sentence(code, language)}", advice(code, language)]
        return result
    known = next((name for name in (code, arguments.code.lower()) if reason_sentence(name, language)), None)
    if known is None:
        result.explains = False
        raise CannotCheck(f"no such code; the codes are {', '.join([*CODES, *REASONS, *FINDINGS])}")
    result.lines = [f"{known}: {reason_sentence(known, language)}"]
    if known in ASSERTED:
        result.lines.append(word("word", language))
    return result
