"""The command about what holders brought from before the log: `history`. The bundle is audited on the way."""

# ruff: noqa: PLC0415 - each command loads what it needs, so that a short one starts fast
from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.auditing import audit_bundle
from verifier.bytes.encoding import encode_base64url
from verifier.errors import CannotCheck, Code
from verifier.telling.result import Result

if TYPE_CHECKING:
    from verifier.audit.receipt import Checked
    from verifier.rules.histories import Attested


def history(arguments: argparse.Namespace, result: Result) -> Result:
    """The attested histories of a bundle, each held against its sheets; or one of them, and the files of its source."""
    from verifier.rules.sheets import OPEN, REFUTED
    from verifier.telling.attested import told_histories, told_source
    from verifier.telling.terminal import Bar

    if arguments.no_evidence:
        raise CannotCheck("--no-evidence: what holders attest stands in the evidence")
    if arguments.source is not None and arguments.entry is None:
        raise CannotCheck("--source are the files of one history: name it with --entry")
    files = None if arguments.source is None else _digests(Path(arguments.source), result)
    bar = Bar(sys.stderr)
    try:
        audit_bundle(arguments, result, bar)
    finally:
        bar.clear()
    told = [one for one in result.attested if arguments.entry in (None, one.attested.index)]
    result.lines = [*told_histories(told, arguments.lang)]
    if arguments.entry is None:
        return result
    if not told:
        raise CannotCheck(f"entry {arguments.entry} attests no history that holds: nothing can be said of it")
    fits = True
    if files is not None:
        fits, line = told_source(told[0].attested, len(files), _digest(files), arguments.lang)
        result.lines.append(line)
    if not fits or told[0].state == REFUTED:
        if not result.findings.count:
            result.code = Code.DISPUTED
    elif told[0].state == OPEN:
        raise CannotCheck(f"not every sheet of the history at entry {arguments.entry} is here to be read")
    return result


def _digests(place: Path, result: Result) -> dict[str, bytes]:
    """The SHA-256 of each file, by its path below the folder. Raises CannotCheck."""
    try:
        below = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
        found = {}
        for path in below:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
            found[path.relative_to(place).as_posix() if place.is_dir() else path.name] = digest
            result.inputs.append((str(path), digest.hex()))
    except OSError as error:
        raise CannotCheck(f"{place} cannot be read: {error.strerror}") from None
    if not found:
        raise CannotCheck(f"{place} holds no file")
    return found


def _digest(files: dict[str, bytes]) -> str:
    from verifier.rules.histories import digest_of_files

    return encode_base64url(digest_of_files(files))


def hold_to_history(checked: Checked, other: Checked | None) -> None:
    """The receipt of a sheet, held against that of the `history.attest` that it names; both were checked as receipts. Without
    the second one, that the sheet is part of a history is not checked. Raises CannotCheck if they are no such two."""
    from verifier.errors import Refuted, refuted
    from verifier.records.history_acts import SHEET
    from verifier.rules.histories import attested_in, check_within
    from verifier.rules.sheets import NO_HISTORY

    facts, findings = checked.facts, checked.findings
    if facts is None or facts.act != SHEET:
        if other is not None:
            raise CannotCheck("--history is the receipt of the history of a sheet, and this receipt is of no sheet")
        return
    if other is None:
        findings.unchecked[NO_HISTORY] += 1
        return
    for defect in other.findings.defects:
        findings.add(defect)
    findings.unchecked.update(other.findings.unchecked)
    if other.facts is None or other.leaf is None:
        raise CannotCheck("the receipt of the history shows no evidence: it cannot be held against the sheet")
    try:
        named = (facts.content["history"], checked.origin, facts.party)
        found = (other.leaf.number, other.origin, other.facts.party)
        if other.facts.act != "history.attest" or named != found:
            expected = f"the history.attest of {named[2]} at entry {named[0]} of {named[1]}"
            told = f"{other.facts.act} of {found[2]} at entry {found[0]} of {found[1]}"
            sentence = "the sheet belongs to another history than this receipt is of"
            raise refuted(Code.CONSENT_INVALID, sentence, field="history", expected=expected, found=told)
        attested: Attested = attested_in(other.facts.content, other.facts.party, other.leaf.number)
        check_within(attested, facts)
        findings.checked["sheets of attested histories"] += 1
    except Refuted as refusal:
        findings.refuse(refusal)
