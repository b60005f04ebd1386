"""The commands of `consent-verify`, each from its arguments to a `Result`. Nothing here writes to the terminal."""

# ruff: noqa: PLC0415 - each command loads what it needs, so that a short one starts fast
from __future__ import annotations

import argparse
import sys
from pathlib import Path

from verifier.attesting import history, hold_to_history
from verifier.auditing import audit_bundle, digest_of
from verifier.billing import datamap, usage
from verifier.crypto.backend import Backend, select
from verifier.crypto.keys import PublicKey
from verifier.errors import CannotCheck, Code, Refuted, refuted
from verifier.following import evidence, explain, log
from verifier.inputs import check_age, conclude, fresh, head_facts, read_file, trust_of
from verifier.records.facts import Facts
from verifier.records.leaf import Leaf
from verifier.several import judge_set
from verifier.supervising import alerts, report, scores, transfers
from verifier.telling.messages import word
from verifier.telling.result import Result
from verifier.tlog.trust import Trust

__all__ = [
    "alerts",
    "bundle",
    "compare",
    "completeness",
    "consent",
    "datamap",
    "evidence",
    "explain",
    "fresh",
    "history",
    "judge_set",
    "log",
    "pack",
    "proof",
    "receipt",
    "report",
    "scores",
    "transfers",
    "usage",
]


# --- bundle, consent ------------------------------------------------------------------------------------------


def bundle(arguments: argparse.Namespace, result: Result) -> Result:
    """Audit a whole bundle."""
    from verifier.telling.terminal import Bar

    bar = Bar(sys.stderr)
    try:
        return audit_bundle(arguments, result, bar)
    finally:
        bar.clear()


def consent(arguments: argparse.Namespace, result: Result) -> Result:
    """Tell one consent's story out of a bundle, which is audited on the way."""
    from verifier.telling.story import Story
    from verifier.telling.terminal import Bar

    story = Story(arguments.consent_id, arguments.lang)
    bar = Bar(sys.stderr)
    try:
        audit_bundle(arguments, result, bar, story.watch)
    finally:
        bar.clear()
    result.lines = [f"{word('story', arguments.lang)} {arguments.consent_id}", *story.lines]
    if not story.lines:
        raise CannotCheck(f"the bundle holds no entry of consent {arguments.consent_id}")
    return result


# --- receipt, proof -------------------------------------------------------------------------------------------


def receipt(arguments: argparse.Namespace, result: Result) -> Result:
    """Check one receipt."""
    from verifier.audit.receipt import check_receipt
    from verifier.audit.transparent import TAG

    trust, backend = trust_of(arguments, result), select()
    data = read_file(arguments.path, result)
    keys = None
    if arguments.bundle:
        keys, trust = _learnt(arguments, trust)
    if arguments.set_proof is not None:
        return _in_set(arguments, result, data, (trust, backend, keys))
    if data.startswith(TAG):
        return _transparent(arguments, result, data, (trust, backend, keys))
    try:
        checked = check_receipt(data, trust, backend, keys)
    except Refuted as refusal:
        result.findings.refuse(refusal)
        return conclude(result, False)
    result.findings = checked.findings
    try:
        other = (
            None
            if arguments.history is None
            else check_receipt(read_file(arguments.history, result), trust, backend, keys)
        )
    except Refuted as refusal:
        result.findings.refuse(refusal, file=arguments.history)
        return conclude(result, False)
    hold_to_history(checked, other)
    if checked.head is not None:
        head_facts(result, checked.head, trust, arguments.lang)
        result.facts.append(
            (
                word("level", arguments.lang),
                "witnessed"
                if checked.head.witnesses and checked.head.witnessed and trust.policy.quorum != "none"
                else "logged",
            )
        )
    _tell_entry(arguments, result, checked.leaf, checked.facts)
    if checked.leaf is not None:
        check_age(arguments, result, checked.head, trust.policy, checked.leaf.time)
    return conclude(result, checked.head is not None and checked.head.witnessed)


def _in_set(
    arguments: argparse.Namespace,
    result: Result,
    data: bytes,
    known: tuple[Trust, Backend, dict[str, PublicKey] | None],
) -> Result:
    """Check a receipt of a shard, for which the head log vouches."""
    from verifier.audit.set_proof import check_in_set
    from verifier.audit.transparent import TAG

    if data.startswith(TAG):
        raise CannotCheck("--set-proof: a COSE receipt has another form of proof; give a receipt of the log")
    language, trust = arguments.lang, known[0]
    beside = read_file(arguments.set_proof, result)
    try:
        checked = check_in_set(data, beside, arguments.set_proof, *known)
    except Refuted as refusal:
        result.findings.refuse(refusal)
        return conclude(result, False)
    result.findings, head, committed = checked.findings, checked.head, checked.committed
    if head is not None:
        head_facts(result, head, trust, language)
    if committed is not None:
        told = f"{committed.origin}: {committed.size:,} / {committed.root.hex()}"
        result.facts.append((word("shard", language), told))
    if checked.receipt is not None:
        _tell_entry(arguments, result, checked.receipt.leaf, checked.receipt.facts)
    if checked.committing is not None:
        check_age(arguments, result, head, trust.policy, checked.committing.time)
    return conclude(result, head is not None and head.witnessed)


def _transparent(
    arguments: argparse.Namespace,
    result: Result,
    data: bytes,
    known: tuple[Trust, Backend, dict[str, PublicKey] | None],
) -> Result:
    """Check a receipt in the form of COSE."""
    from verifier.audit.transparent import check_transparent

    if arguments.max_age is not None:
        raise CannotCheck("--max-age: a COSE receipt has no witnesses who tell the time; give a receipt of the log")
    try:
        checked = check_transparent(data, *known)
    except Refuted as refusal:
        result.findings.refuse(refusal)
        return conclude(result, False)
    result.findings = checked.findings
    if checked.key is not None and checked.root:
        result.facts += [
            (word("log", arguments.lang), checked.key.name),
            (word("checkpoint", arguments.lang), f"{checked.size:,} / {checked.root.hex()} (COSE)"),
            (word("level", arguments.lang), "logged"),
        ]
    _tell_entry(arguments, result, checked.leaf, checked.facts)
    return conclude(result, checked.witnessed)


def _tell_entry(arguments: argparse.Namespace, result: Result, leaf: Leaf | None, facts: Facts | None) -> None:
    """Which entry a receipt is of, and what it says."""
    from verifier.records.history_acts import SHEET
    from verifier.telling.attested import word_of
    from verifier.telling.story import told_reasons

    if leaf is not None:
        result.facts.append(("index", f"{leaf.number:,} ({leaf.kind}, {_when(leaf.time)})"))
    if facts is not None:
        behalf = f" {word('for', arguments.lang)} {facts.behalf}" if facts.behalf else ""
        result.facts.append(("act", f"{facts.act} {word('by', arguments.lang)} {facts.iss or 'the ledger'}{behalf}"))
        for name, value in (facts.outcome or {}).items():
            result.facts.append((name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
        result.lines = [*told_reasons(facts, arguments.lang)]
        if facts.act == SHEET:
            result.lines.append(word_of(facts.party, arguments.lang))


def pack(arguments: argparse.Namespace, result: Result) -> Result:
    """Check an evidence pack, or what was handed on of it."""
    from verifier.audit.pack import check_pack
    from verifier.audit.pack_items import HEAD, ISSUED
    from verifier.bytes.archive import open_archive
    from verifier.telling.attested import of_rows

    trust, backend = trust_of(arguments, result), select()
    place = Path(arguments.path)
    keys = None
    if arguments.bundle:
        keys, trust = _learnt(arguments, trust)
    archive = open_archive(place)
    names = [place] if place.is_file() else [place / name for name in (HEAD, ISSUED)]
    result.inputs += [(str(name), digest_of(name)) for name in names]
    try:
        checked = check_pack(archive, trust, backend, keys)
    except Refuted as refusal:
        result.findings.refuse(refusal)
        return conclude(result, False)
    finally:
        archive.close()
    result.findings = checked.findings
    language, head = arguments.lang, checked.head
    if checked.log_head is not None:
        head_facts(result, checked.log_head, trust, language)
    result.facts += [
        (word("pack", language), f"{head.scope}, {_when(head.created)}"),
        (word("items", language), f"{checked.present:,} / {head.items_count:,}"),
        (word("withheld", language), f"{max(checked.absent, 0):,}"),
    ]
    if checked.attested:
        result.lines.append(of_rows(checked.attested, language))
    check_age(arguments, result, checked.log_head, trust.policy, head.created)
    if checked.left_open:
        raise CannotCheck(checked.left_open)
    return conclude(result, checked.witnessed)


def completeness(arguments: argparse.Namespace, result: Result) -> Result:
    """Check that what is shown is all of one chain, up to an index-head."""
    from verifier.audit.completeness import MAX_FILE, check_completeness
    from verifier.records.commitment import chain_of

    trust, backend, language = trust_of(arguments, result), select(), arguments.lang
    data = read_file(arguments.path, result, MAX_FILE)
    try:
        shown = {path: read_file(path, result) for path in arguments.shown}
        found = check_completeness(data, trust, backend, shown)
        if arguments.consent is not None and found.chain != chain_of(arguments.consent):
            raise refuted(Code.INCOMPLETE, "the file is about another chain than the one asked for", field="chain")
    except Refuted as refusal:
        result.findings.refuse(refusal)
        return conclude(result, False)
    result.findings = found.findings
    if found.head is not None:
        head_facts(result, found.head, trust, language)
    if not found.findings.count and found.index_head is not None:
        head = found.index_head
        result.facts += [
            (word("level", language), "complete"),
            (word("complete", language), f"{head.number:,}, {_when(head.time)}"),
            (word("entries", language), f"{found.count:,}"),
        ]
    if found.index_head is not None:
        check_age(arguments, result, found.head, trust.policy, found.index_head.time)
    return conclude(result, found.head is not None and found.head.witnessed)


def compare(arguments: argparse.Namespace, result: Result) -> Result:
    """Whether several files show one and the same log."""
    from verifier.audit.comparing import MAX_FILE, Comparison

    trust = trust_of(arguments, result)
    comparison = Comparison(trust, select())
    result.findings = comparison.compared.findings
    try:
        for path in arguments.paths:
            place = Path(path)
            if place.is_dir() or (path != "-" and place.suffix == ".zip"):
                comparison.add_bundle(place)
            else:
                comparison.add(path, read_file(path, result, MAX_FILE))
        compared = comparison.finish()
    finally:
        comparison.close()
    for path, head in compared.heads.items():
        result.facts.append((path, f"{head.head.size:,} / {head.head.root.hex()}"))
    newest = max(compared.heads.values(), key=lambda head: head.head.size, default=None)
    check_age(arguments, result, newest, trust.policy, comparison.newest)
    return conclude(result, compared.witnessed)


def _when(milliseconds: int) -> str:
    from datetime import UTC, datetime

    if milliseconds >= 253_402_300_800_000:
        return str(milliseconds)
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _learnt(arguments: argparse.Namespace, trust: Trust) -> tuple[dict[str, PublicKey], Trust]:
    """The participants' keys out of a bundle whose links, tiles and root are checked on the way, and what is trusted once the
    log's own documents have told which keys it had when."""
    from verifier.audit.bundle import Auditor, Options
    from verifier.audit.succession import taught
    from verifier.bytes.archive import open_archive

    archive = open_archive(Path(arguments.bundle))
    auditor = Auditor(archive, trust, Options(jobs=1, evidence=False))
    try:
        audit = auditor.run()
    finally:
        auditor.close()
        archive.close()
    if audit.findings.count:
        raise CannotCheck(f"the bundle that should tell the participants' keys is refuted: {audit.findings.defects[0]}")
    registry = auditor.replay.registry
    return {kid: key.key for kid, key in registry.keys.items()}, taught(trust, registry.log_keys, audit.origin)


def proof(arguments: argparse.Namespace, result: Result) -> Result:
    """Check a C2SP .tlog-proof of an entry."""
    from verifier.bytes.merkle import hash_leaf
    from verifier.tlog import ct
    from verifier.tlog.proof import MAX_PROOF, parse_proof, verify_proof

    trust, backend = trust_of(arguments, result), select()
    data, entry = read_file(arguments.path, result, MAX_PROOF), read_file(arguments.entry, result)
    try:
        found = verify_proof(
            parse_proof(data), entry, trust.policy, backend, ct.hash_tile_leaf if arguments.static_ct else hash_leaf
        )
        found = trust.verify(found.head.note, backend)
    except Refuted as refusal:
        result.findings.refuse(refusal, file=arguments.path)
        return conclude(result, False)
    result.findings.checked["inclusion proof"] += 1
    head_facts(result, found, trust, arguments.lang)
    result.facts.append(("index", str(parse_proof(data).index)))
    check_age(arguments, result, found, trust.policy, 0)
    return conclude(result, found.witnessed)
