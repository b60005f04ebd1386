"""`consent-ledger rules try`: what a rule would have done, before it is activated (docs/supervision.md)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from api.cli.saying import fail, mention, say
from api.cli.shared import State, reader_of
from ledger.clock import SystemClock
from ledger.errors import InvalidInput
from ledger.queries.rehearsal import LIMIT, parse_draft, rehearse

rules = typer.Typer(help="Rules that are not in force, tried on what happened.", no_args_is_help=True)


@rules.callback()
def _group() -> None:
    """One command so far; a callback makes it a group."""


@rules.command("try")
def rules_try(
    draft: Annotated[Path, typer.Argument(help="JSON with one of: freeze, assessment, purpose, ruleset.")],
    *,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="First day. Default: of last month.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="DAY", help="Last day. Default: of last month.")] = None,
    state: State = None,
) -> None:
    """How many of a period's accesses a rule would have denied, and of which recipients. Nothing is recorded."""
    try:
        with draft.open("rb") as stream:
            kind, rule = parse_draft(stream.read(LIMIT + 1))
    except (InvalidInput, OSError) as error:
        fail(f"{draft}: {error.detail if isinstance(error, InvalidInput) else error.strerror}")
    first, last = _period(from_, to)
    begin, end = (_moment(day) for day in (first, last + timedelta(days=1)))
    with reader_of(state) as node:
        found = rehearse(node.ledger.store, node.ledger.keystore, rule, begin, end)
    for title, counted in (("recipient", found.by_recipient), ("bank", found.by_holder), ("reason", found.by_reason)):
        for name, times in counted.most_common():
            mention(f"{times} by {title} {name}")
    for name, times in found.refused.most_common():
        mention(f"{times} requests for consent by recipient {name} would have been refused")
    if found.unread:
        mention(f"{found.unread} entries were erased and cannot be decided again: they are not counted")
    begins = "" if found.first is None else f"; the first is entry {found.first}"
    say(
        f"This {kind} would have denied {found.denied} of {found.allowed} allowed accesses from {first} to {last}, of "
        f"{len(found.consents)} consents, and {found.refused.total()} of {found.requests} requests for consent{begins}. "
        "Nothing was recorded.",
        kind=kind,
        first_day=first.isoformat(),
        last_day=last.isoformat(),
        allowed=found.allowed,
        denied=found.denied,
        consents=len(found.consents),
        by_recipient=dict(found.by_recipient),
        by_holder=dict(found.by_holder),
        by_reason=dict(found.by_reason),
        requests=found.requests,
        requests_refused=dict(found.refused),
        first_entry=found.first,
        unread=found.unread,
    )


def _period(from_: str | None, to: str | None) -> tuple[date, date]:
    this_month = datetime.fromtimestamp(SystemClock().now() / 1000, UTC).date().replace(day=1)
    last = this_month - timedelta(days=1)
    ends = last if to is None else _day("--to", to)
    begins = last.replace(day=1) if from_ is None else _day("--from", from_)
    if begins > ends:
        fail(f"the period ends on {ends}, before it begins on {begins}")
    return begins, ends


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"{option} {text!r} is not a day: write it as 2026-10-01")


def _moment(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
