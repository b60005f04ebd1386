"""`consent-ledger risk`: alerts that anyone can recompute (docs/spec/risk.md, docs/risk.md)."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.saying import fail, mention, say
from api.cli.shared import State, node_of, record
from ledger.orders import ScoringActivated
from ledger.queries.scoring import AlertReader, recorded_alerts

risks = typer.Typer(help="Alerts about who reads what.", no_args_is_help=True)

Approved = Annotated[
    list[str], typer.Option("--approved-by", help="Code of an officer who approves it; two different ones are needed.")
]


def officers(approved: list[str]) -> tuple[str, str]:
    """Two different officers, sorted. Exits when there are not two."""
    if len(set(approved)) != 2 or len(approved) != 2:
        fail("two different officers approve this: --approved-by twice")
    first, second = sorted(approved)
    return first, second


@risks.command("activate")
def risk_activate(approved_by: Approved, state: State = None) -> None:
    """Owe alerts from the next entry on, and raise them while a server runs. Again: begin with nothing remembered."""
    record(state, ScoringActivated, scoring=1, approved_by=officers(approved_by))


@risks.command("stop")
def risk_stop(approved_by: Approved, state: State = None) -> None:
    """Owe no alerts from the next entry on."""
    record(state, ScoringActivated, scoring=0, approved_by=officers(approved_by))


@risks.command("alerts")
def risk_alerts(
    *,
    after: Annotated[int, typer.Option(min=-1, help="Only alerts recorded above this entry.")] = -1,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 50,
    state: State = None,
) -> None:
    """The alerts on record, and whether one that the rules give is not there yet."""
    with node_of(state) as node:
        alerts = recorded_alerts(node.ledger.store, after=after, limit=limit)
        reader = AlertReader(node.ledger.store, node.ledger.keystore)
        while not reader.read():
            pass
        waiting = len(reader.waiting)
    for index, said in alerts:
        about = said["about"]
        mention(
            f"entry {index}: {said['rule']}, score {said['score']}, {about['kind']} {about['id']}, at entry "
            f"{said['at_index']} ({', '.join(map(str, said['features']))})"
        )
    say(
        f"{len(alerts)} alerts shown; {waiting} that the rules give are not on record yet.",
        alerts=[{"index": index, **said} for index, said in alerts],
        waiting=waiting,
    )
