"""The commands about what participants owe each other: `usage`, `datamap`. The bundle is audited on the way."""

# ruff: noqa: PLC0415 - each command loads what it needs, so that a short one starts fast
from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from verifier.auditing import audit_bundle
from verifier.errors import CannotCheck, Code, Refuted
from verifier.inputs import conclude, read_file
from verifier.telling.result import Result

if TYPE_CHECKING:
    from verifier.audit.bundle import Auditor
    from verifier.rules.usage import Recounted, Usage

MAX_LIST = 200_000_000


def usage(arguments: argparse.Namespace, result: Result) -> Result:
    """Recount the statements of usage of a bundle; or one of them, and the list that its holder handed over."""
    from verifier.rules.usage_list import read_list
    from verifier.telling.billed import told_list, told_statements
    from verifier.telling.terminal import Bar

    if arguments.no_evidence:
        raise CannotCheck("--no-evidence: statements of usage stand in the evidence, and so does what they rest on")
    if arguments.list is not None and arguments.statement is None:
        raise CannotCheck("--list is the list of one statement: name it with --statement")
    listed = None
    if arguments.list is not None:
        listed = read_list(read_file(arguments.list, result, MAX_LIST), arguments.statement)
    recounts: list[Usage] = []

    def prepare(auditor: Auditor) -> None:
        recounts.append(auditor.replay.usage)
        auditor.replay.usage.listed = listed

    bar = Bar(sys.stderr)
    try:
        audit_bundle(arguments, result, bar, None if listed is None else listed.watch, prepare)
    finally:
        bar.clear()
    recount = recounts[0]
    told = [one for one in recount.told if arguments.statement in (None, one.stated.index)]
    if arguments.statement is not None:
        _judge(arguments.statement, told, result)
    result.lines = [*told_statements(told, recount.partners, arguments.lang)]
    if listed is not None and told and told[0].state != "open":
        fits, lines = told_list(listed, told[0].stated.root, arguments.lang)
        result.lines += lines
        if not fits:
            _refute(result)
    return result


def datamap(arguments: argparse.Namespace, result: Result) -> Result:
    """Whether a file is a holder's data map, and which entry of a bundle commits to it."""
    from verifier.rules.data_maps import MAX_MAP, find_entry, read_map
    from verifier.telling.mapped import told_map
    from verifier.telling.terminal import Bar

    if arguments.no_evidence:
        raise CannotCheck("--no-evidence: the hash of a data map stands in the evidence")
    try:
        given = read_map(read_file(arguments.map, result, MAX_MAP))
    except Refuted as refusal:
        result.findings.refuse(refusal, file=arguments.map)
        return conclude(result, False)
    auditors: list[Auditor] = []
    bar = Bar(sys.stderr)
    try:
        audit_bundle(arguments, result, bar, prepare=auditors.append)
    finally:
        bar.clear()
    replay = auditors[0].replay
    try:
        index = find_entry(given, replay.registry.orders.partners.published)
    except Refuted as refusal:
        if replay.matching.missing:
            raise CannotCheck("the entry that publishes the map may be one of those that could not be read") from None
        result.findings.refuse(refusal)
        return conclude(result, False)
    result.lines = [*told_map(given, index, arguments.lang)]
    return result


def _judge(index: int, told: list[Recounted], result: Result) -> None:
    """The one statement that was asked about decides. Raises CannotCheck if nobody can say."""
    if not told:
        raise CannotCheck(
            f"entry {index} is no statement of usage that holds, or an earlier run recounted it: nothing can be said of it"
        )
    if told[0].state == "open":
        raise CannotCheck(f"the statement of entry {index} rests on entries that could not be read")
    if told[0].state == "refuted":
        _refute(result)


def _refute(result: Result) -> None:
    """What was asked about is wrong, whatever the log is."""
    if not result.findings.count:
        result.code = Code.DISPUTED
