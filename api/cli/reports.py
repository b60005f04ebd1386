"""`consent-ledger report`: figures that anyone can recompute (docs/spec/reports.md, docs/reports.md)."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import typer
from msgspec import UNSET, UnsetType

from api.cli.report_pdf import as_pdf
from api.cli.saying import fail, mention, say
from api.cli.shared import State, node_of, reader_of, record, told_in_a_sentence
from api.web.locale import DEFAULT
from api.web.words import LANGUAGES
from ledger.orders import DIMENSIONS, MEASURES, ReportDefined, ScoreWeights
from ledger.queries.counting import Counting
from ledger.queries.issued import issue_of, issued_report, keep_file
from ledger.queries.reports import issued_reports, prepare_report, report_from_book
from ledger.reporting.forms import as_json, as_xbrl
from ledger.reporting.tally import check_countable

reports = typer.Typer(help="Figures for supervisors that anyone can recompute.", no_args_is_help=True)

Code = Annotated[str, typer.Argument(help="Code of the report.", metavar="CODE")]


@reports.command("define")
def report_define(
    code: Code,
    *,
    period: Annotated[Literal["day", "month", "quarter"], typer.Option(help="How long a period is.")],
    measure: Annotated[list[str], typer.Option(help=f"What to count, once for each: {', '.join(MEASURES)}.")],
    by: Annotated[
        list[str] | None, typer.Option(help=f"What to break it down by, at most three: {', '.join(DIMENSIONS)}.")
    ] = None,
    utc_offset: Annotated[int, typer.Option(min=-840, max=840, help="Minutes: where a day begins.")] = 0,
    suppress: Annotated[int, typer.Option(min=0, max=100, help="Numbers below this one are not shown.")] = 0,
    weight: Annotated[
        list[str] | None,
        typer.Option(help="For a score: NAME=THOUSANDTHS of acknowledge, complaints, findings, refused; all four."),
    ] = None,
    state: State = None,
) -> None:
    """Say what a report counts; a second definition holds for periods that begin later."""
    weights = _weights(weight or [])
    try:
        said = ReportDefined(
            report=code,
            period=period,
            utc_offset=utc_offset,
            by=_in_order("--by", by or [], DIMENSIONS),
            measures=_in_order("--measure", measure, MEASURES),
            suppress=suppress,
            weights=weights,
        )
    except ValueError as error:
        fail(str(error))
    with told_in_a_sentence():
        check_countable(said)
    record(
        state,
        ReportDefined,
        report=code,
        period=period,
        utc_offset=utc_offset,
        by=said.by,
        measures=said.measures,
        suppress=suppress,
        weights=weights,
    )


@reports.command("issue")
def report_issue(
    code: Code,
    *,
    from_: Annotated[str, typer.Option("--from", help="First day of the period, as 2026-10-01.", metavar="DAY")],
    csv: Annotated[Path | None, typer.Option(help="Where to write the CSV.")] = None,
    without_erased: Annotated[
        bool, typer.Option("--without-erased", help="Issue it although entries of the period were erased.")
    ] = False,
    from_entries: Annotated[
        bool, typer.Option("--from-entries", help="Read the whole log again, not the count book.")
    ] = False,
    state: State = None,
) -> None:
    """Count a period that is over, and put the hash of the CSV on record."""
    day = _day(from_)
    with node_of(state) as node:
        ledger = node.ledger
        if from_entries:
            prepared = prepare_report(ledger.store, ledger.keystore, code, day)
        else:
            with closing(Counting.beside(ledger.store, ledger.keystore, node.settings.state_dir)) as counting:
                prepared = report_from_book(counting, code, day)
        if prepared.unread and not without_erased:
            fail(
                f"{prepared.unread} entries that this report would count cannot be read any more, and whoever checks it "
                "cannot check it: --without-erased issues it without them"
            )
        [recorded] = ledger.submit_and_wait(issue_of(prepared, once=False))
        keep_file(node.settings.state_dir, prepared)
        if csv is not None:
            csv.write_bytes(prepared.csv.content)
    say(
        f"{recorded.act}: entry {recorded.index}, {prepared.csv.rows} lines, {prepared.csv_hash}",
        act=recorded.act,
        index=recorded.index,
        rows=prepared.csv.rows,
        csv_hash=prepared.csv_hash,
        unread=prepared.unread,
    )


@reports.command("file")
def report_file(
    code: Code,
    *,
    from_: Annotated[str, typer.Option("--from", help="First day of the period, as 2026-10-01.", metavar="DAY")],
    form: Annotated[Literal["csv", "json", "xbrl", "pdf"], typer.Option(help="Which form.")],
    out: Annotated[Path, typer.Option(help="Where to write it.", metavar="FILE")],
    lang: Annotated[str, typer.Option(help=f"Language of the PDF: {', '.join(LANGUAGES)}.")] = DEFAULT,
    state: State = None,
) -> None:
    """Write an issued report as CSV, JSON, xBRL-CSV (a zip) or PDF."""
    day = _day(from_)
    if lang not in LANGUAGES:
        fail(f"--lang {lang}: a PDF is written in one of {', '.join(LANGUAGES)}")
    with reader_of(state) as node:
        ledger = node.ledger
        with closing(Counting.beside(ledger.store, ledger.keystore, node.settings.state_dir)) as counting:
            found = issued_report(counting, ledger.origin, node.settings.state_dir, code, day)
        content = {
            "csv": lambda: found.csv,
            "json": lambda: as_json(found),
            "xbrl": lambda: as_xbrl(found),
            "pdf": lambda: as_pdf(found, lang),
        }[form]()
        out.write_bytes(content)
    say(f"{out}: {code} of entry {found.at}, as {form}", file=str(out), form=form, index=found.at, report=code)


@reports.command("show")
def report_show(
    code: Annotated[str | None, typer.Argument(help="Only this report.", metavar="[CODE]")] = None, state: State = None
) -> None:
    """The definitions and reports on record."""
    with node_of(state) as node:
        found = issued_reports(node.ledger.store, code)
    for index, said in found:
        if said["type"] == "report.defined":
            by = ", ".join(said["by"]) or "nothing"
            mention(
                f"entry {index}: {said['report']} defined by {said['period']}, by {by}: {', '.join(said['measures'])}"
            )
        else:
            mention(
                f"entry {index}: {said['report']} of {said['from']} to {said['to']}: {said['rows']} lines, {said['csv_hash']}"
            )
    issued = sum(said["type"] == "report.issued" for _, said in found)
    say(f"{issued} reports on record.", reports=[{"index": index, **said} for index, said in found])


def _weights(given: list[str]) -> ScoreWeights | UnsetType:
    """The weights of a score; nothing without any. Exits for one that is unknown, absent or no number."""
    if not given:
        return UNSET
    named = dict(one.split("=", 1) for one in given if "=" in one)
    wanted = ScoreWeights.__struct_fields__
    if sorted(named) != sorted(wanted) or not all(value.isascii() and value.isdigit() for value in named.values()):
        fail(f"--weight is said once for each of {', '.join(wanted)}, as NAME=THOUSANDTHS")
    try:
        return ScoreWeights(**{name: int(value) for name, value in named.items()})
    except ValueError as error:
        fail(f"--weight: {error}")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"--from {text!r} is not a day: write it as 2026-10-01")


def _in_order(option: str, given: list[str], known: tuple[str, ...]) -> tuple[str, ...]:
    """The names in the order of the specification. Exits for one that is unknown."""
    for name in given:
        if name not in known:
            fail(f"{option} {name!r} is not known: {', '.join(known)}")
    return tuple(name for name in known if name in given)
