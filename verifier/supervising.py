"""The commands about what supervises: `alerts`, `report`, `scores`, `transfers`. The bundle is audited on the way."""

# ruff: noqa: PLC0415 - each command loads what it needs, so that a short one starts fast
from __future__ import annotations

import argparse
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from verifier.auditing import audit_bundle
from verifier.errors import CannotCheck, Refuted
from verifier.telling.messages import word
from verifier.telling.result import Result

if TYPE_CHECKING:
    from verifier.audit.bundle import Auditor
    from verifier.audit.planning import Plan
    from verifier.rules.reporting import Outcome, Reporting, Wanted


def alerts(arguments: argparse.Namespace, result: Result) -> Result:
    """List the alerts of a bundle, which is audited on the way, with what the rules give."""
    from verifier.telling.alerted import Alerted
    from verifier.telling.terminal import Bar

    told, bar = Alerted(arguments.lang), Bar(sys.stderr)

    def prepare(auditor: Auditor) -> None:
        auditor.replay.alerts.watch = told.tell

    try:
        audit_bundle(arguments, result, bar, prepare=prepare)
    finally:
        bar.clear()
    result.lines = told.finish()
    return result


def report(arguments: argparse.Namespace, result: Result) -> Result:
    """Recompute the reports of a bundle; with a code and a time, the period of that report, issued or not."""
    from verifier.telling.terminal import Bar

    if (arguments.begin is None) != (arguments.code is None):
        raise CannotCheck("--code and --from name a period together")
    if arguments.csv is not None and arguments.code is None:
        raise CannotCheck("--csv writes one period: name it with --code and --from")
    reports: list[Reporting] = []
    asked: list[Wanted] = []

    def ask(plan: Plan) -> list[Wanted]:
        asked.extend([] if arguments.code is None else [_period(plan, arguments.code, arguments.begin)])
        return asked

    def prepare(auditor: Auditor) -> None:
        reports.append(auditor.replay.reports)

    bar = Bar(sys.stderr)
    try:
        audit_bundle(arguments, result, bar, prepare=prepare, ask=ask)
    finally:
        bar.clear()
    told = [one for one in reports[0].told if not asked or one.wanted in asked]
    result.lines = [_told(one, arguments.lang) for one in told] or [word("no report", arguments.lang)]
    if asked and told:
        _show(told[-1], arguments, result)
    return result


def transfers(arguments: argparse.Namespace, result: Result) -> Result:
    """The register of transfers abroad: a line for each country and, with `--csv`, for each access."""
    from verifier.telling.terminal import Bar
    from verifier.telling.transferred import Transfers

    if arguments.no_evidence or arguments.since is not None:
        raise CannotCheck(
            "the register of transfers needs every entry and its evidence: leave --no-evidence and --since out"
        )
    bar, rows = Bar(sys.stderr), TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed below, when it was copied
    with rows:
        told = Transfers(arguments.lang, lambda line: rows.write(f"{line}\n"), arguments.holder or "")
        try:
            audit_bundle(arguments, result, bar, told.watch)
        finally:
            bar.clear()
        result.lines = [*told.lines()]
        if arguments.csv is not None:
            rows.seek(0)
            try:
                with Path(arguments.csv).open("w", encoding="utf-8", newline="") as out:
                    shutil.copyfileobj(rows, out)
            except OSError as error:
                raise CannotCheck(f"{arguments.csv} cannot be written: {error.strerror}") from None
    return result


def scores(arguments: argparse.Namespace, result: Result) -> Result:
    """The scores of a bundle, each recomputed."""
    from verifier.rules.scores import SCORE
    from verifier.telling.terminal import Bar

    if arguments.no_evidence:
        raise CannotCheck("--no-evidence: what scores rest on stands in the evidence")
    reports: list[Reporting] = []

    def prepare(auditor: Auditor) -> None:
        reports.append(auditor.replay.reports)

    bar = Bar(sys.stderr)
    try:
        audit_bundle(arguments, result, bar, prepare=prepare, ask=lambda _: [])
    finally:
        bar.clear()
    for one in reports[0].told:
        if one.wanted.definition.weights is None:
            continue
        result.lines.append(_told(one, arguments.lang))
        rows = (line.split(",") for line in one.csv.decode("utf-8").splitlines()[1:])
        known = one.state in ("", "refuted")
        result.lines += [f"  {name}: {value}" for name, measure, value in rows if measure == SCORE and known]
    result.lines = result.lines or [word("no score", arguments.lang)]
    return result


def _show(outcome: Outcome, arguments: argparse.Namespace, result: Result) -> None:
    """The CSV of the period, unless what it rests on could not be read."""
    if outcome.state not in ("", "refuted"):
        return
    if arguments.csv is None:
        result.lines += outcome.csv.decode("utf-8").splitlines()
        return
    try:
        Path(arguments.csv).write_bytes(outcome.csv)
    except OSError as error:
        raise CannotCheck(f"the CSV cannot be written to {arguments.csv}: {error.strerror}") from None


def _period(plan: Plan, code: str, begin: str) -> Wanted:
    """The period of this report that holds the moment. Raises CannotCheck."""
    from verifier.rules.report_forms import Issued
    from verifier.rules.reporting import Wanted

    known = plan.definitions.get(code)
    if not known:
        raise CannotCheck(
            f"the bundle defines no report {code}: it defines {', '.join(sorted(plan.definitions)) or 'none'}"
        )
    moment = _moment(begin, known[-1].utc_offset)
    for definition in reversed(known):
        since, to = definition.bounds(moment)
        try:
            if since >= 0 and Issued(0, code, since, to, 0, 0, "").definition_of(known) is definition:
                return Wanted(definition, since, to)
        except Refuted:
            continue
    raise CannotCheck(f"no period of the report {code} holds {begin}")


def _moment(text: str, utc_offset: int) -> int:
    if text.isascii() and text.isdigit() and len(text) < 13:
        return int(text)
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise CannotCheck(f"--from is a second since 1970 or a day such as 2026-01-31, not {text}") from None
    return int(day.timestamp()) - 60 * utc_offset


def _told(outcome: Outcome, language: str) -> str:
    """One report and what became of it."""
    definition, since, to = outcome.wanted
    offset = 60 * definition.utc_offset
    days = "/".join(_day(second + offset) for second in (since, to))
    at = word("not issued", language) if outcome.issued is None else word("at entry", language).format(outcome.issued)
    if outcome.state == "refuted":
        state = word("report refuted", language)
    elif outcome.state:
        state = word("report open", language)
    else:
        state = word("report computed" if outcome.issued is None else "report holds", language)
    return f"{definition.report} {days} ({at}): {state}"


def _day(second: int) -> str:
    if not 0 <= second < 253_402_300_800:
        return str(second)
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d")
