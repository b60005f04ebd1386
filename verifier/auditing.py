"""The audit of a bundle that a command asks for: from its arguments to the findings and facts of a result."""

# ruff: noqa: PLC0415 - each command loads what it needs, so that a short one starts fast
from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.errors import CannotCheck
from verifier.inputs import check_age, conclude, head_facts, tell_policy_inside, trust_of
from verifier.telling.attested import facts_of
from verifier.telling.messages import word
from verifier.telling.result import Result

if TYPE_CHECKING:
    from verifier.audit.bundle import Ask, Auditor, Watch

MAX_CERTIFICATES = 50
"""Told among the facts; all of them stand beside their participants."""


def audit_bundle(
    arguments: argparse.Namespace,
    result: Result,
    bar: Callable[[int, int], None],
    watch: Watch | None = None,
    prepare: Callable[[Auditor], None] | None = None,
    ask: Ask | None = None,
) -> Result:
    """Audit the bundle that was named. `watch`, `ask`: see `Options`; `prepare` is given the auditor before the pass."""
    from verifier.audit.bundle import Auditor, Options
    from verifier.audit.concerned import concerns
    from verifier.audit.resume import load, save
    from verifier.bytes.archive import open_archive
    from verifier.telling.parties import certificate_words, parties

    language = arguments.lang
    trust = trust_of(arguments, result)
    place = Path(arguments.path)
    archive = open_archive(place)
    if place.is_file():
        result.inputs.append((str(place), digest_of(place)))
    options = Options(
        signatures=not arguments.no_signatures, evidence=not arguments.no_evidence, progress=bar, watch=watch, ask=ask
    )
    if arguments.jobs:
        options.jobs = arguments.jobs
    auditor = Auditor(archive, trust, options)
    result.findings = auditor.findings
    if prepare is not None:
        prepare(auditor)
    try:
        if arguments.since is not None:
            load(auditor, Path(arguments.since))
        audit = auditor.run()
        judged = not audit.findings.count and not audit.findings.open and audit.head is not None
        if arguments.keep is not None and judged:
            save(auditor, Path(arguments.keep))
        if arguments.report is not None or arguments.pdf is not None:
            found = auditor.findings
            named = (row.place.index for row in (*found.defects, *found.disputes, *found.notices))
            result.concerned = concerns(
                archive, audit.size, auditor.shelf, (index for index in named if index is not None)
            )
    finally:
        auditor.close()
        archive.close()
    tell_policy_inside(result, arguments.policy, place)
    if audit.head is not None:
        head_facts(result, audit.head, trust, language)
    result.facts += [
        (word("entries", language), f"{audit.size:,}"),
        (word("evidence", language), audit.level),
        (word("backend", language), audit.backend),
    ]
    result.parties = parties(auditor.replay.registry)
    keys = sum(len(party.keys) for party in result.parties)
    delegations = sum(len(party.delegates) for party in result.parties)
    result.facts.append((word("signers", language), f"{len(result.parties)} / {keys} / {delegations}"))
    told = [
        f"{party.id}: {words}"
        for party in result.parties
        for words in certificate_words(party, auditor.links.time, language)
    ]
    result.facts += [(word("certificate", language), words) for words in told[:MAX_CERTIFICATES]]
    result.attested = auditor.replay.sheets.told
    result.facts += [(word("history", language), words) for words in facts_of(result.attested, language)]
    if audit.start:
        result.facts.append((word("resumed", language), f"{audit.start:,}"))
    if not place.is_file():
        result.inputs += [
            (str(place / name), digest_of(place / name))
            for name in ("manifest.json", "checkpoint")
            if (place / name).is_file()
        ]
    check_age(arguments, result, audit.head, trust.policy, auditor.links.time)
    return conclude(result, audit.head is not None and audit.head.witnessed)


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal. Raises CannotCheck."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CannotCheck(f"{path} cannot be read: {error.strerror}") from None
