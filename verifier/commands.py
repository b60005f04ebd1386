"""The commands of `consent-verify`, each from its arguments to a `Result`. Nothing here writes to the terminal."""

# ruff: noqa: PLC0415 - each command loads what it needs, so that a short one starts fast
from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.crypto.backend import Backend, select
from verifier.crypto.keys import PublicKey
from verifier.errors import CannotCheck, Code, Refuted, refuted
from verifier.findings import Findings
from verifier.messages import CODES, advice, code_sentence, reason_sentence, word
from verifier.policy import PolicyHead
from verifier.reasons import ASSERTED, FINDINGS, REASONS
from verifier.result import Result
from verifier.trust import Trust, parse_trust

if TYPE_CHECKING:
    from verifier.bundle import Watch

MAX_INPUT = 4_000_000


def read_file(path: str, result: Result, limit: int = MAX_INPUT) -> bytes:
    """The bytes of a file, or of standard input for `-`; noted among the inputs. Raises CannotCheck."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read(limit + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(limit + 1)
    except OSError as error:
        raise CannotCheck(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
    if len(data) > limit:
        raise CannotCheck(f"{path} is longer than {limit} bytes")
    result.inputs.append((path, hashlib.sha256(data).hexdigest()))
    return data


def _trust(arguments: argparse.Namespace, result: Result) -> Trust:
    if arguments.policy is None:
        raise CannotCheck("a policy is needed: --policy FILE names the log and witness keys that you trust")
    trust = parse_trust(read_file(arguments.policy, result))
    trust.check_current(_now())
    return trust


def _now() -> int:
    return time.time_ns() // 1_000_000


def _head_facts(result: Result, head: PolicyHead, trust: Trust, language: str) -> None:
    checkpoint = head.head.checkpoint
    result.facts += [
        (word("log", language), checkpoint.origin),
        (word("checkpoint", language), f"{checkpoint.size:,} / {checkpoint.root.hex()}"),
        (
            word("witnesses", language),
            _names(head, trust, language),
        ),
    ]


def _names(head: PolicyHead, trust: Trust, language: str) -> str:
    names = ", ".join(head.witnesses) or word("none", language)
    return f"{names} ({word('quorum' if head.witnessed else 'below', language)}: {trust.policy.quorum})"


def _conclude(result: Result, witnessed: bool) -> Result:
    result.code = result.findings.verdict(witnessed)
    return result


# --- bundle, consent ------------------------------------------------------------------------------------------


def bundle(arguments: argparse.Namespace, result: Result) -> Result:
    """Audit a whole bundle."""
    from verifier.terminal import Bar

    bar = Bar(sys.stderr)
    try:
        return _audit(arguments, result, bar)
    finally:
        bar.clear()


def _audit(
    arguments: argparse.Namespace, result: Result, bar: Callable[[int, int], None], watch: Watch | None = None
) -> Result:
    from verifier.archive import open_archive
    from verifier.bundle import Auditor, Options
    from verifier.parties import parties
    from verifier.resume import load, save

    language = arguments.lang
    trust = _trust(arguments, result)
    place = Path(arguments.path)
    archive = open_archive(place)
    if place.is_file():
        result.inputs.append((str(place), _digest(place)))
    options = Options(
        signatures=not arguments.no_signatures, evidence=not arguments.no_evidence, progress=bar, watch=watch
    )
    if arguments.jobs:
        options.jobs = arguments.jobs
    auditor = Auditor(archive, trust, options)
    result.findings = auditor.findings
    try:
        if arguments.since is not None:
            load(auditor, Path(arguments.since))
        audit = auditor.run()
        if arguments.keep is not None and not audit.findings.count and audit.head is not None:
            save(auditor, Path(arguments.keep))
    finally:
        auditor.close()
        archive.close()
    if audit.head is not None:
        _head_facts(result, audit.head, trust, language)
    result.facts += [
        (word("entries", language), f"{audit.size:,}"),
        (word("evidence", language), audit.level),
        (word("backend", language), audit.backend),
    ]
    result.parties = parties(auditor.replay.registry)
    keys = sum(len(party.keys) for party in result.parties)
    delegations = sum(len(party.delegates) for party in result.parties)
    result.facts.append((word("signers", language), f"{len(result.parties)} / {keys} / {delegations}"))
    if audit.start:
        result.facts.append((word("resumed", language), f"{audit.start:,}"))
    if not place.is_file():
        result.inputs += [
            (str(place / name), _digest(place / name))
            for name in ("manifest.json", "checkpoint")
            if (place / name).is_file()
        ]
    return _conclude(result, audit.head is not None and audit.head.witnessed)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CannotCheck(f"{path} cannot be read: {error.strerror}") from None


def consent(arguments: argparse.Namespace, result: Result) -> Result:
    """Tell one consent's story out of a bundle, which is audited on the way."""
    from verifier.story import Story
    from verifier.terminal import Bar

    story = Story(arguments.consent_id, arguments.lang)
    bar = Bar(sys.stderr)
    try:
        _audit(arguments, result, bar, story.watch)
    finally:
        bar.clear()
    result.lines = [f"{word('story', arguments.lang)} {arguments.consent_id}", *story.lines]
    if not story.lines:
        raise CannotCheck(f"the bundle holds no entry of consent {arguments.consent_id}")
    return result


# --- receipt, proof -------------------------------------------------------------------------------------------


def receipt(arguments: argparse.Namespace, result: Result) -> Result:
    """Check one receipt."""
    from verifier.receipt import check_receipt
    from verifier.story import told_reasons

    trust, backend = _trust(arguments, result), select()
    data = read_file(arguments.path, result)
    keys = _keys_of(arguments, trust) if arguments.bundle else None
    try:
        checked = check_receipt(data, trust, backend, keys)
    except Refuted as refusal:
        result.findings.refuse(refusal)
        return _conclude(result, False)
    result.findings = checked.findings
    if checked.head is not None:
        _head_facts(result, checked.head, trust, arguments.lang)
        result.facts.append(
            (
                word("level", arguments.lang),
                "witnessed"
                if checked.head.witnesses and checked.head.witnessed and trust.policy.quorum != "none"
                else "logged",
            )
        )
    if checked.leaf is not None:
        result.facts.append(("index", f"{checked.leaf.number:,} ({checked.leaf.kind}, {_when(checked.leaf.time)})"))
    if checked.facts is not None:
        facts = checked.facts
        behalf = f" {word('for', arguments.lang)} {facts.behalf}" if facts.behalf else ""
        result.facts.append(("act", f"{facts.act} {word('by', arguments.lang)} {facts.iss or 'the ledger'}{behalf}"))
        for name, value in (facts.outcome or {}).items():
            result.facts.append((name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
        result.lines = [*told_reasons(facts, arguments.lang)]
    return _conclude(result, checked.head is not None and checked.head.witnessed)


def pack(arguments: argparse.Namespace, result: Result) -> Result:
    """Check an evidence pack, or what was handed on of it."""
    from verifier.archive import open_archive
    from verifier.pack import HEAD, ISSUED, check_pack

    trust, backend = _trust(arguments, result), select()
    place = Path(arguments.path)
    keys = _keys_of(arguments, trust) if arguments.bundle else None
    archive = open_archive(place)
    names = [place] if place.is_file() else [place / name for name in (HEAD, ISSUED)]
    result.inputs += [(str(name), _digest(name)) for name in names]
    try:
        checked = check_pack(archive, trust, backend, keys)
    except Refuted as refusal:
        result.findings.refuse(refusal)
        return _conclude(result, False)
    finally:
        archive.close()
    result.findings = checked.findings
    language, head = arguments.lang, checked.head
    if checked.log_head is not None:
        _head_facts(result, checked.log_head, trust, language)
    result.facts += [
        (word("pack", language), f"{head.scope}, {_when(head.created)}"),
        (word("items", language), f"{checked.present:,} / {head.items_count:,}"),
        (word("withheld", language), f"{max(checked.absent, 0):,}"),
    ]
    return _conclude(result, checked.witnessed)


def completeness(arguments: argparse.Namespace, result: Result) -> Result:
    """Check that what is shown is all of one chain, up to an index-head."""
    from verifier.commitment import chain_of
    from verifier.completeness import MAX_FILE, check_completeness
    from verifier.receipt import parse_receipt

    trust, backend, language = _trust(arguments, result), select(), arguments.lang
    data = read_file(arguments.path, result, MAX_FILE)
    try:
        shown = [parse_receipt(read_file(path, result)).leaf for path in arguments.shown]
        found = check_completeness(data, trust, backend, shown)
        if arguments.consent is not None and found.chain != chain_of(arguments.consent):
            raise refuted(Code.INCOMPLETE, "the file is about another chain than the one asked for", field="chain")
    except Refuted as refusal:
        result.findings.refuse(refusal)
        return _conclude(result, False)
    result.findings = found.findings
    if found.head is not None:
        _head_facts(result, found.head, trust, language)
    if not found.findings.count and found.index_head is not None:
        head = found.index_head
        result.facts += [
            (word("level", language), "complete"),
            (word("complete", language), f"{head.number:,}, {_when(head.time)}"),
            (word("entries", language), f"{found.count:,}"),
        ]
    return _conclude(result, found.head is not None and found.head.witnessed)


def _when(milliseconds: int) -> str:
    from datetime import UTC, datetime

    if milliseconds >= 253_402_300_800_000:
        return str(milliseconds)
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _keys_of(arguments: argparse.Namespace, trust: Trust) -> dict[str, PublicKey]:
    """The participants' keys out of a bundle whose links, tiles and root are checked on the way."""
    from verifier.archive import open_archive
    from verifier.bundle import Auditor, Options

    archive = open_archive(Path(arguments.bundle))
    auditor = Auditor(archive, trust, Options(jobs=1, evidence=False))
    try:
        audit = auditor.run()
    finally:
        auditor.close()
        archive.close()
    if audit.findings.count:
        raise CannotCheck(f"the bundle that should tell the participants' keys is refuted: {audit.findings.defects[0]}")
    return {kid: key.key for kid, key in auditor.replay.registry.keys.items()}


def proof(arguments: argparse.Namespace, result: Result) -> Result:
    """Check a C2SP .tlog-proof of an entry."""
    from verifier import ct
    from verifier.merkle import hash_leaf
    from verifier.proof import MAX_PROOF, parse_proof, verify_proof

    trust, backend = _trust(arguments, result), select()
    data, entry = read_file(arguments.path, result, MAX_PROOF), read_file(arguments.entry, result)
    try:
        found = verify_proof(
            parse_proof(data), entry, trust.policy, backend, ct.hash_tile_leaf if arguments.static_ct else hash_leaf
        )
        found = trust.verify(found.head.note, backend)
    except Refuted as refusal:
        result.findings.refuse(refusal, file=arguments.path)
        return _conclude(result, False)
    result.findings.checked["inclusion proof"] += 1
    _head_facts(result, found, trust, arguments.lang)
    result.facts.append(("index", str(parse_proof(data).index)))
    return _conclude(result, found.witnessed)


# --- log, evidence, explain -----------------------------------------------------------------------------------


def log(arguments: argparse.Namespace, result: Result) -> Result:
    """Follow a log and keep its newest verified checkpoint."""
    from verifier.log import State, follow
    from verifier.source import open_source
    from verifier.tiles import C2SP, STATIC_CT

    trust, backend = _trust(arguments, result), select()
    state = State(Path(arguments.state))
    try:
        followed = follow(
            open_source(arguments.place),
            trust.policy.logs,
            state,
            backend,
            at_ms=_now(),
            witnesses=tuple(trust.policy.witnesses.values()),
            origin=arguments.origin,
            entries=STATIC_CT if arguments.static_ct else C2SP,
        )
        if arguments.origin is None:
            head = trust.verify(followed.head.note, backend)
            witnessed = head.witnessed
            _head_facts(result, head, trust, arguments.lang)
        else:
            witnessed = _witnessed(followed.head.cosignatures, trust)
    except Refuted as refusal:
        result.findings.refuse(refusal)
        return _conclude(result, False)
    result.findings.checked["checkpoint signatures"] += 1
    result.findings.checked["growth since the trusted checkpoint"] += followed.before is not None
    result.facts.append(
        (
            "progress",
            f"{followed.progress}: {followed.before.size if followed.before else 0:,} → {followed.head.size:,}",
        )
    )
    return _conclude(result, witnessed)


def _witnessed(cosignatures: object, trust: Trust) -> bool:
    names = [name for name, key in trust.policy.witnesses.items() if any(signed.key == key for signed in cosignatures)]  # type: ignore[attr-defined]
    return trust.policy.is_satisfied(names)


def evidence(arguments: argparse.Namespace, result: Result) -> Result:
    """Check a saved proof of misbehaviour: VALID means that the log did misbehave."""
    from verifier.evidence import check_evidence

    backend: Backend = select()
    keys = _trust(arguments, result).policy.logs if arguments.policy is not None else ()
    try:
        found = check_evidence(read_file(arguments.path, result), backend, keys)
    except Refuted as refusal:
        result.findings.refuse(refusal, file=arguments.path)
        return _conclude(result, False)
    result.facts += [("proven", "yes" if found.proven else "no: a claim"), ("what", found.sentence)]
    if not keys:
        result.findings.unchecked["whose keys these are (give --policy)"] += 1
    if not found.proven:
        result.reason = found.sentence
        return result
    return _conclude(result, True)


def explain(arguments: argparse.Namespace, result: Result) -> Result:
    """Explain a verdict code, a reason for a denial, or a finding of a reconciliation."""
    language, code = arguments.lang, arguments.code.upper()
    result.code = Code.VALID
    if code in CODES:
        result.lines = [f"{code}: {code_sentence(code, language)}", advice(code, language)]
        return result
    known = next((name for name in (code, arguments.code.lower()) if reason_sentence(name, language)), None)
    if known is None:
        raise CannotCheck(f"no such code; the codes are {', '.join([*CODES, *REASONS, *FINDINGS])}")
    result.lines = [f"{known}: {reason_sentence(known, language)}"]
    if known in ASSERTED:
        result.lines.append(word("word", language))
    return result


def fresh(command: str) -> Result:
    """A result to be filled."""
    return Result(command, None, findings=Findings())
